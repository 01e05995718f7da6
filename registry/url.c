/* registry/url.c - see registry/url.h. */

#include "registry/url.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "registry/address.h"
#include "registry/curl-private.h"

#define HTTP_PORT 80
#define HTTPS_PORT 443

/* ---- reading ---- */

void url_free(struct url *url)
{
	if (!url)
		return;
	free(url->text);
	free(url->host);
	free(url);
}

static struct err *refuse(const char *text, const char *why)
{
	AUTO(mem) char *shown = url_redacted(text);

	return err_new(ERR_INVALID, "URL '%.200s': %s", shown, why);
}

/* What no URL holds; libcurl is kinder in places, and versions of it differ. */
static const char *offence(const char *text)
{
	size_t len = strnlen(text, URL_MAX + 1);

	if (len > URL_MAX)
		return "too long";
	for (size_t i = 0; i < len; i++) {
		if (text[i] <= ' ' || text[i] >= 0x7f || text[i] == '\\')
			return "has a character that URLs cannot have";
	}
	/* The first "//" begins the authority: "https:///x" has none, and libcurl makes x the host. */
	text += strcspn(text, "/?#");
	return strncmp(text, "///", 3) == 0 ? "has no host" : NULL;
}

/* One part, owned by the caller; NULL if there is none. */
static char *part(const struct curl *curl, CURLU *handle, CURLUPart what, unsigned flags)
{
	char *value = NULL;
	char *copy;

	if (curl->url_get(handle, what, &value, flags) != CURLUE_OK)
		return NULL;
	copy = xstrdup(value);
	curl->free(value);
	return copy;
}

/* Host names are compared as bytes: lower case, and IPv6 bare and in its one canonical form. */
static char *canonical_host(char *host)
{
	size_t len = strlen(host);
	struct in6_addr six;
	struct in_addr four;
	char text[INET6_ADDRSTRLEN] = "";

	if (host[0] == '[' && host[len - 1] == ']') {
		host[len - 1] = '\0';
		if (inet_pton(AF_INET6, host + 1, &six) == 1)
			inet_ntop(AF_INET6, &six, text, sizeof(text));
	} else if (inet_aton(host, &four)) {
		inet_ntop(AF_INET, &four, text, sizeof(text));
	}
	if (*text) {
		free(host);
		return xstrdup(text);
	}
	for (char *c = host; *c; c++) {
		if (*c >= 'A' && *c <= 'Z')
			*c = (char)(*c - 'A' + 'a');
	}
	return host;
}

/* Letters, digits, "-", "." and "_"; or an address in brackets. Percent-encoding is undone by now. */
static bool is_host(const char *host)
{
	static const char name[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._";
	static const char address[] = "[]:.0123456789abcdefABCDEF";

	return *host && host[strspn(host, *host == '[' ? address : name)] == '\0';
}

static struct err *take_apart(const struct curl *curl, CURLU *handle, const char *text,
			      struct url **ret)
{
	AUTO(url) struct url *url = xcalloc(1, sizeof(*url));
	AUTO(mem) char *scheme = part(curl, handle, CURLUPART_SCHEME, 0);
	AUTO(mem) char *port = part(curl, handle, CURLUPART_PORT, CURLU_DEFAULT_PORT);
	AUTO(mem) char *user = part(curl, handle, CURLUPART_USER, 0);
	AUTO(mem) char *password = part(curl, handle, CURLUPART_PASSWORD, 0);
	AUTO(mem) char *zone = part(curl, handle, CURLUPART_ZONEID, 0);
	AUTO(err) struct err *err = NULL;
	uint64_t number;

	url->host = part(curl, handle, CURLUPART_HOST, 0);
	url->text = part(curl, handle, CURLUPART_URL, 0);
	if (user || password)
		return refuse(text, "credentials do not belong into a URL");
	if (zone)
		return refuse(text, "an address of one network interface is no place for images");
	if (!scheme || !url->host || !url->text || !port)
		return refuse(text, "not an absolute URL");
	if (!is_host(url->host))
		return refuse(text, "the host is no name of the Internet");
	if (strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0)
		return refuse(text, "neither http nor https");
	err = num_parse(str_of(port), 1, UINT16_MAX, &number);
	if (err)
		return refuse(text, "the port is not a number from 1 to 65535");
	url->host = canonical_host(url->host);
	url->port = (uint16_t)number;
	url->is_https = strcmp(scheme, "https") == 0;
	*ret = STEAL(url);
	return NULL;
}

/* Read `text`, relative to `base` if that is not NULL. */
static struct err *read_url(const char *base, const char *text, struct url **ret)
{
	const struct curl *curl;
	const char *why = offence(text);
	struct err *err = NULL;
	CURLUcode code = CURLUE_OK;
	CURLU *handle;

	if (why)
		return refuse(text, why);
	TRY(curl_load(&curl));
	handle = curl->url();
	if (!handle)
		return err_new(ERR_INTERNAL, "libcurl: no handle for a URL");
	if (base)
		code = curl->url_set(handle, CURLUPART_URL, base, 0);
	if (code == CURLUE_OK)
		code = curl->url_set(handle, CURLUPART_URL, text, 0);
	if (code == CURLUE_OK)
		code = curl->url_set(handle, CURLUPART_FRAGMENT, NULL, 0);
	err = code == CURLUE_OK ? take_apart(curl, handle, text, ret) :
				  refuse(text, curl->url_strerror(code));
	curl->url_cleanup(handle);
	return err;
}

struct err *url_parse(const char *text, struct url **ret)
{
	if (!strstr(text, "://"))
		return refuse(text, "not an absolute URL");
	return read_url(NULL, text, ret);
}

static bool is_digits(struct str s)
{
	for (size_t i = 0; i < s.len; i++) {
		if (s.at[i] < '0' || s.at[i] > '9')
			return false;
	}
	return s.len > 0;
}

/* "registry.example.com/x", "host:5000/x", "[::1]:5000/x", "localhost/x": a host, not a path. */
static bool begins_with_host(const char *text)
{
	struct str rest = { text, strcspn(text, "/?#") };
	struct str name;

	if (rest.len > 0 && *text == '[')
		return true;
	if (str_is(rest, ".") || str_is(rest, ".."))
		return false;
	name = str_cut(&rest, ':');
	if (rest.at)
		return name.len > 0 && is_digits(rest);
	return str_is(name, "localhost") || (name.len > 0 && memchr(name.at, '.', name.len));
}

/* True if the reference starts with a scheme: letters, digits, "+-.", and a colon. */
static bool has_scheme(const char *text)
{
	size_t len = strcspn(text, ":/?#");

	return len > 0 && text[len] == ':';
}

struct err *url_resolve(const struct url *base, const char *reference, struct url **ret)
{
	if (strcspn(reference, "/?#") != 0 && begins_with_host(reference)) {
		AUTO(mem)
		char *whole = xasprintf("http%s://%s", base->is_https ? "s" : "", reference);

		return read_url(NULL, whole, ret);
	}
	if (has_scheme(reference))
		return url_parse(reference, ret);
	return read_url(base->text, reference, ret);
}

/* ---- judging ---- */

bool url_same_origin(const struct url *a, const struct url *b)
{
	return a->is_https == b->is_https && a->port == b->port && strcmp(a->host, b->host) == 0;
}

char *url_authority(const struct url *url)
{
	bool is_six = strchr(url->host, ':');
	AUTO(mem) char *host = xasprintf(is_six ? "[%s]" : "%s", url->host);

	if (url->port == (url->is_https ? HTTPS_PORT : HTTP_PORT))
		return STEAL(host);
	return xasprintf("%s:%u", host, url->port);
}

bool url_is_loopback(const struct url *url)
{
	struct address address = address_parse(str_of(url->host));

	return address_is_loopback(&address) || strcmp(url->host, "localhost") == 0;
}

bool url_is_private(const struct url *url)
{
	struct str host = str_of(url->host);
	struct address address = address_parse(host);
	AUTO(mem) char *bare = NULL;
	struct in_addr four;

	if (address.len == 16)
		return address_reach(&address) < ADDRESS_PUBLIC;
	while (str_ends(host, ".")) /* "localhost." is the same, and "127.0.0.1." to some */
		host.len--;
	if (str_is(host, "localhost") || str_ends(host, ".localhost"))
		return true;
	bare = str_dup(host);
	if (address.len == 0 && inet_aton(bare, &four)) {
		memcpy(address.bytes, &four, 4);
		address.len = 4;
	}
	return address_reach(&address) < ADDRESS_PUBLIC;
}

/* ---- as text ---- */

/* The names of the query's parameters; what has no name is a value. */
static void redact_query(struct buf *out, struct str query)
{
	char before = '?';

	while (query.at) {
		struct str value = str_cut(&query, '&');
		struct str name = str_cut(&value, '=');

		buf_addc(out, before);
		if (value.at) {
			buf_add_str(out, name);
			buf_addc(out, '=');
		}
		buf_adds(out, "...");
		before = '&';
	}
}

char *url_redacted(const char *text)
{
	AUTO(buf) struct buf out = BUF_INIT((size_t)4 * URL_MAX);
	struct str rest = { text, strcspn(text, "#") };
	struct str head = str_cut(&rest, '?');
	const char *slashes = strstr(text, "//");
	size_t at = slashes && slashes < text + head.len ? (size_t)(slashes - text) + 2 : 0;
	size_t end = at + strcspn(text + at, "/?#");
	const char *sign = at > 0 && end <= head.len ? memrchr(text + at, '@', end - at) : NULL;

	if (head.len > URL_MAX)
		head.len = URL_MAX;
	if (sign && (size_t)(sign - text) < head.len) {
		buf_add(&out, text, at);
		buf_add(&out, sign + 1, head.len - (size_t)(sign + 1 - text));
	} else {
		buf_add_str(&out, head);
	}
	if (rest.len > URL_MAX)
		rest.len = URL_MAX;
	redact_query(&out, rest);
	return buf_steal(&out);
}

/* "http://" or "https://" at the beginning: its length, or 0. */
static size_t web_scheme_len(const char *text)
{
	return strncasecmp(text, "http://", 7) == 0  ? 7 :
	       strncasecmp(text, "https://", 8) == 0 ? 8 :
						       0;
}

char *url_without_logins(const char *text)
{
	AUTO(buf) struct buf out = BUF_INIT(strlen(text) + 1);

	while (*text) {
		size_t scheme = web_scheme_len(text);
		size_t len = scheme ? strcspn(text + scheme, "/?# \t\r\n\"'") : 0;
		const char *sign = len ? memrchr(text + scheme, '@', len) : NULL;

		buf_add(&out, text, scheme ? scheme : 1);
		text = sign ? sign + 1 : text + (scheme ? scheme : 1);
	}
	return out.len ? buf_steal(&out) : xstrdup("");
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

char *url_decoded(struct str text)
{
	char *out = xcalloc(text.len + 1, 1);
	size_t len = 0;

	for (size_t i = 0; i < text.len; i++) {
		bool coded = text.at[i] == '%' && i + 2 < text.len &&
			     hex_digit(text.at[i + 1]) >= 0 && hex_digit(text.at[i + 2]) >= 0;

		out[len] = text.at[i];
		if (coded) {
			out[len] =
				(char)(hex_digit(text.at[i + 1]) * 16 + hex_digit(text.at[i + 2]));
			i += 2;
		}
		if (!out[len++]) {
			free(out);
			return NULL;
		}
	}
	return out;
}

char *url_with_parameter(const char *text, const char *parameter)
{
	size_t len = strcspn(text, "#");
	bool has_query = memchr(text, '?', len);
	bool is_open = len > 0 && (text[len - 1] == '?' || (has_query && text[len - 1] == '&'));
	const char *between = is_open ? "" : has_query ? "&" : "?";

	return xasprintf("%.*s%s%s", (int)len, text, between, parameter);
}
