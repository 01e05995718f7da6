/* registry/proxy.c - see registry/proxy.h. */

#include "registry/proxy.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/str.h"
#include "registry/address.h"
#include "registry/config_paths.h"

#define HOST_MAX 255

/* Who is to be reached. */
struct target {
	char host[HOST_MAX + 1]; /* lower case, without brackets */
	const char *port;
	struct address address; /* of a host that is one */
};

static void lower(char *text)
{
	for (; *text; text++)
		if (*text >= 'A' && *text <= 'Z')
			*text = (char)(*text | 0x20);
}

/* ---- NO_PROXY ---- */

/* Cut ":port" off the end of `*host`, and brackets. An IPv6 address without brackets has none. */
static struct str cut_port(struct str *host)
{
	const char *bracket = memchr(host->at, ']', host->len);
	const char *colon = memrchr(host->at, ':', host->len);
	bool has_port = colon && (bracket ? colon == bracket + 1 :
					    memchr(host->at, ':', host->len) == colon);
	struct str port = { NULL, 0 };

	if (has_port) {
		port = (struct str){ colon + 1, (size_t)(host->at + host->len - colon) - 1 };
		host->len = (size_t)(colon - host->at);
	}
	if (str_starts(*host, "[") && str_ends(*host, "]"))
		*host = (struct str){ host->at + 1, host->len - 2 };
	return port;
}

/* "example.com", ".example.com", "*.example.com" */
static bool names_host(struct str name, const struct target *target)
{
	struct str host = str_of(target->host);
	bool itself;

	if (str_starts(name, "*."))
		name = (struct str){ name.at + 1, name.len - 1 };
	itself = !str_starts(name, ".");
	if (target->address.len > 0 || memchr(host.at, ':', host.len) || name.len == 0)
		return false;
	if (itself && str_equal(name, host))
		return true;
	if (host.len <= name.len || (itself && host.at[host.len - name.len - 1] != '.'))
		return false;
	return str_equal((struct str){ host.at + host.len - name.len, name.len }, name);
}

static bool entry_matches(struct str entry, const struct target *target)
{
	struct address address;
	struct str port;
	bool inside = false;

	if (entry.len == 0)
		return false;
	if (str_is(entry, "*"))
		return true;
	if (address_in_range(entry, &target->address, &inside))
		return inside;
	port = cut_port(&entry);
	if (port.len > 0 && !str_is(port, target->port))
		return false;
	address = address_parse(entry);
	if (address.len > 0)
		return address_equal(&address, &target->address);
	return names_host(entry, target);
}

static bool is_exempt(const struct config_paths *paths, const struct target *target)
{
	const char *upper = config_variable(paths, "NO_PROXY");
	AUTO(mem) char *list = xstrdup(upper ? upper : config_variable(paths, "no_proxy"));
	struct str rest;

	if (strcmp(target->host, "localhost") == 0 || address_is_loopback(&target->address))
		return true;
	if (!list)
		return false;
	lower(list);
	rest = str_of(list);
	while (rest.at)
		if (entry_matches(str_trim(str_cut(&rest, ',')), target))
			return true;
	return false;
}

/* ---- the proxy's URL ---- */

/* Cut "http://" off `*rest`; what has no scheme is http. NULL for one that we do not speak. */
static const char *cut_scheme(struct str *rest)
{
	static const struct {
		const char *prefix, *scheme;
	} schemes[] = {
		{ "http://", "http" },
		{ "https://", "https" },
		{ "socks5://", "socks5h" },
		{ "socks5h://", "socks5h" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(schemes); i++) {
		size_t len = strlen(schemes[i].prefix);

		if (rest->len >= len && strncasecmp(rest->at, schemes[i].prefix, len) == 0) {
			*rest = (struct str){ rest->at + len, rest->len - len };
			return schemes[i].scheme;
		}
	}
	return memmem(rest->at, rest->len, "://", 3) ? NULL : "http";
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* `text` with its "%41" decoded, owned; NULL if it is malformed or holds a control character. */
static char *percent_decode(struct str text)
{
	char *out = xcalloc(text.len + 1, 1);
	size_t len = 0;

	for (size_t i = 0; i < text.len; i++) {
		int c = (unsigned char)text.at[i];

		if (c == '%') {
			int high = i + 2 < text.len ? hex_value(text.at[i + 1]) : -1;
			int low = i + 2 < text.len ? hex_value(text.at[i + 2]) : -1;

			c = high < 0 || low < 0 ? 0 : high << 4 | low;
			i += 2;
		}
		if (c < ' ' || c == 0x7f) {
			explicit_bzero(out, len);
			free(out);
			return NULL;
		}
		out[len++] = (char)c;
	}
	return out;
}

static bool host_is_valid(struct str host)
{
	bool is_literal = str_starts(host, "[") && str_ends(host, "]");
	struct str bare = is_literal ? (struct str){ host.at + 1, host.len - 2 } : host;

	if (is_literal)
		return memchr(bare.at, ':', bare.len) && address_parse(bare).len > 0;
	for (size_t i = 0; i < host.len; i++)
		if ((unsigned char)host.at[i] <= ' ' || strchr("\x7f:[]\\%\"<>^`{|}", host.at[i]))
			return false;
	return host.len > 0;
}

/* "host:port", checked. */
static bool authority_is_valid(struct str authority)
{
	const char *bracket = memrchr(authority.at, ']', authority.len);
	const char *colon = memrchr(authority.at, ':', authority.len);
	struct str host = authority;
	uint64_t port;
	AUTO(err) struct err *err = NULL;

	if (colon && (!bracket || colon > bracket)) {
		host.len = (size_t)(colon - authority.at);
		err = num_parse((struct str){ colon + 1, authority.len - host.len - 1 }, 1, 65535,
				&port);
	}
	return !err && host_is_valid(host);
}

/* The value of the variable `name`, which may hold a password and is not shown. */
static struct err *parse_proxy(const char *name, const char *value, struct proxy *ret)
{
	AUTO(proxy) struct proxy proxy = { 0 };
	struct str rest = str_trim(str_of(value));
	const char *scheme = cut_scheme(&rest);
	const char *at;

	if (!scheme)
		return err_new(ERR_INVALID,
			       "%s: the URL of a proxy begins with http, https or socks5", name);
	rest.len = strcspn(rest.at, "/?#") < rest.len ? strcspn(rest.at, "/?#") : rest.len;
	at = memrchr(rest.at, '@', rest.len);
	if (at) {
		struct str password = { rest.at, (size_t)(at - rest.at) };
		struct str user = str_cut(&password, ':');

		rest = (struct str){ at + 1, rest.len - (size_t)(at + 1 - rest.at) };
		proxy.user = percent_decode(user);
		proxy.password = percent_decode(password);
		if (!proxy.user || !proxy.password)
			return err_new(ERR_INVALID, "%s: the user or password is malformed", name);
	}
	if (!authority_is_valid(rest))
		return err_new(ERR_INVALID, "%s is not the address of a proxy", name);
	proxy.url = xasprintf("%s://%.*s", scheme, STR_ARG(rest));
	*ret = proxy;
	memset(&proxy, 0, sizeof(proxy)); /* it is the caller's */
	return NULL;
}

void proxy_release(struct proxy *proxy)
{
	if (proxy->password)
		explicit_bzero(proxy->password, strlen(proxy->password));
	free(proxy->password);
	free(proxy->user);
	free(proxy->url);
	*proxy = (struct proxy){ 0 };
}

/* ---- the choice ---- */

static struct err *target_of(const char *scheme, const char *host, const char *port,
			     struct target *ret)
{
	struct str bare = str_of(host);

	if (str_starts(bare, "[") && str_ends(bare, "]"))
		bare = (struct str){ bare.at + 1, bare.len - 2 };
	if (bare.len > HOST_MAX)
		return err_new(ERR_INVALID, "the name of the host is longer than %d bytes",
			       HOST_MAX);
	snprintf(ret->host, sizeof(ret->host), "%.*s", STR_ARG(bare));
	lower(ret->host);
	ret->port = port ? port : strcmp(scheme, "https") == 0 ? "443" : "80";
	ret->address = address_parse(str_of(ret->host));
	return NULL;
}

struct err *proxy_find(const struct config_paths *paths, const char *scheme, const char *host,
		       const char *port, struct proxy *ret)
{
	bool is_https = strcmp(scheme, "https") == 0;
	const char *name = is_https ? "HTTPS_PROXY" : "HTTP_PROXY";
	const char *value = config_variable(paths, name);
	struct target target = { .port = NULL };

	*ret = (struct proxy){ 0 };
	if (!value) {
		name = is_https ? "https_proxy" : "http_proxy";
		value = config_variable(paths, name);
	}
	if (!value)
		return NULL;
	TRY(target_of(scheme, host, port, &target));
	if (!is_https && config_variable(paths, "REQUEST_METHOD"))
		return err_new(ERR_DENIED,
			       "%s is not to be trusted where REQUEST_METHOD is set: a client of a "
			       "CGI program can set it",
			       name);
	return is_exempt(paths, &target) ? NULL : parse_proxy(name, value, ret);
}
