/* registry/reference.c - see registry/reference.h. */

#include "registry/reference.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/str.h"

#define DEFAULT_DOMAIN "docker.io"
#define OTHER_DEFAULT_DOMAIN "index.docker.io"
#define DEFAULT_PREFIX "library/"
#define DEFAULT_TAG "latest"
#define PORT_MAX 65535

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_lower(char c)
{
	return c >= 'a' && c <= 'z';
}

static bool is_upper(char c)
{
	return c >= 'A' && c <= 'Z';
}

static bool is_hex(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'f');
}

static bool all_hex(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!is_hex(s.at[i]))
			return false;
	return true;
}

static bool has_upper(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if (is_upper(s.at[i]))
			return true;
	return false;
}

/* ---- the parts ---- */

static bool label_is_valid(struct str label)
{
	if (label.len == 0 || label.at[0] == '-' || label.at[label.len - 1] == '-')
		return false;
	for (size_t i = 0; i < label.len; i++) {
		char c = label.at[i];

		if (!is_lower(c) && !is_upper(c) && !is_digit(c) && c != '-')
			return false;
	}
	return true;
}

static bool port_is_valid(struct str port)
{
	uint32_t number = 0;

	for (size_t i = 0; i < port.len; i++) {
		if (!is_digit(port.at[i]))
			return false;
		number = 10 * number + (uint32_t)(port.at[i] - '0');
		if (number > PORT_MAX)
			return false;
	}
	return port.len > 0;
}

/* "[2001:db8::1]", with what follows it left in `*rest`. */
static bool cut_ipv6(struct str *rest)
{
	const char *end = memchr(rest->at, ']', rest->len);
	bool colon = false;

	if (!end)
		return false;
	for (const char *c = rest->at + 1; c < end; c++) {
		colon = colon || *c == ':';
		if (!is_hex(*c) && !(*c >= 'A' && *c <= 'F') && *c != ':')
			return false;
	}
	rest->len -= (size_t)(end + 1 - rest->at);
	rest->at = end + 1;
	return colon;
}

static bool domain_is_valid(struct str domain)
{
	struct str rest = domain;
	struct str host;

	if (str_starts(domain, "[")) {
		if (!cut_ipv6(&rest))
			return false;
		return rest.len == 0 || (str_cut(&rest, ':').len == 0 && port_is_valid(rest));
	}
	host = str_cut(&rest, ':');
	if (rest.at && !port_is_valid(rest))
		return false;
	do {
		if (!label_is_valid(str_cut(&host, '.')))
			return false;
	} while (host.at);
	return true;
}

/* How many bytes of separator `s` begins with, between two runs of [a-z0-9]; 0 if none. */
static size_t separator_length(struct str s)
{
	size_t dashes = 0;

	if (s.len == 0)
		return 0;
	if (str_starts(s, "__"))
		return 2;
	if (s.at[0] == '_' || s.at[0] == '.')
		return 1;
	while (dashes < s.len && s.at[dashes] == '-')
		dashes++;
	return dashes;
}

static bool component_is_valid(struct str s)
{
	for (;;) {
		size_t run = 0;
		size_t separator;

		while (run < s.len && (is_lower(s.at[run]) || is_digit(s.at[run])))
			run++;
		if (run == 0)
			return false;
		if (run == s.len)
			return true;
		s = (struct str){ s.at + run, s.len - run };
		separator = separator_length(s);
		if (separator == 0)
			return false;
		s = (struct str){ s.at + separator, s.len - separator };
	}
}

static bool path_is_valid(struct str path)
{
	do {
		if (!component_is_valid(str_cut(&path, '/')))
			return false;
	} while (path.at);
	return true;
}

static bool tag_is_valid(struct str tag)
{
	if (tag.len == 0 || tag.len > REFERENCE_TAG_MAX || tag.at[0] == '.' || tag.at[0] == '-')
		return false;
	for (size_t i = 0; i < tag.len; i++) {
		char c = tag.at[i];

		if (!is_lower(c) && !is_upper(c) && !is_digit(c) && c != '_' && c != '.' &&
		    c != '-')
			return false;
	}
	return true;
}

/* ---- the whole; `text` is what the user wrote ---- */

static struct err *check_digest(const char *text, struct str digest)
{
	struct str hex = digest;
	struct str algorithm = str_cut(&hex, ':');
	size_t want = str_is(algorithm, "sha512") ? 128 : 64;

	if (algorithm.len == 0)
		return err_new(ERR_INVALID, "reference '%.300s': no digest behind '@'", text);
	if (memchr(digest.at, '/', digest.len)) /* USER:PASSWORD@HOST/NAME, which is not shown */
		return err_new(ERR_INVALID, "a reference has a digest behind '@'; who you are is "
					    "for cairn login to say, or --creds");
	if (!hex.at && !str_is(algorithm, "sha256") && !str_is(algorithm, "sha512"))
		return err_new(ERR_INVALID, "reference '%.300s': '%.*s' is no digest", text,
			       STR_ARG(digest));
	if (!str_is(algorithm, "sha256") && !str_is(algorithm, "sha512"))
		return err_new(ERR_UNSUPPORTED,
			       "reference '%.300s': digest is neither sha256 nor sha512", text);
	if (hex.len != want)
		return err_new(ERR_INVALID,
			       "reference '%.300s': digest has %zu hex digits, not %zu", text,
			       hex.len, want);
	if (!all_hex(hex))
		return err_new(ERR_INVALID, "reference '%.300s': digest is not lower-case hex",
			       text);
	return NULL;
}

/* Whether what stands before a "/" is a domain. */
static bool is_domain(struct str first)
{
	return str_is(first, "localhost") || has_upper(first) ||
	       (first.len > 0 &&
		(memchr(first.at, '.', first.len) || memchr(first.at, ':', first.len)));
}

/* Cut a domain off the front of `*rest`; an absent one is the default. */
static struct str cut_domain(struct str *rest)
{
	struct str behind = *rest;
	struct str first = str_cut(&behind, '/');

	if (!behind.at || !is_domain(first))
		return STR(DEFAULT_DOMAIN);
	*rest = behind;
	return str_is(first, OTHER_DEFAULT_DOMAIN) ? STR(DEFAULT_DOMAIN) : first;
}

bool reference_is_short(const char *text)
{
	struct str rest = str_of(text);

	cut_domain(&rest);
	return rest.at == text;
}

bool reference_is_domain(struct str text)
{
	return text.len <= REFERENCE_NAME_MAX && domain_is_valid(text);
}

/* `part` cut to what fits a message. */
#define SHOWN(part) ((part).len > 200 ? 200 : (int)(part).len), (part).at

static struct err *path_error(const char *text, struct str path)
{
	if (path.len == 0)
		return err_new(ERR_INVALID, "reference '%.300s' has no name", text);
	if (has_upper(path))
		return err_new(ERR_INVALID, "reference '%.300s': the name must be lowercase", text);
	return err_new(ERR_INVALID, "reference '%.300s': bad name '%.*s'", text, SHOWN(path));
}

static struct err *check_parts(const char *text, struct str domain, struct str path, struct str tag)
{
	if (!domain_is_valid(domain))
		return err_new(ERR_INVALID, "reference '%.300s': bad registry '%.*s'", text,
			       SHOWN(domain));
	if (!path_is_valid(path))
		return path_error(text, path);
	if (tag.at && !tag_is_valid(tag))
		return err_new(ERR_INVALID, "reference '%.300s': bad tag '%.*s'", text, SHOWN(tag));
	return NULL;
}

static struct err *check_whole(const char *text)
{
	struct str whole = str_of(text);

	if (strstr(text, "://"))
		return err_new(ERR_INVALID,
			       "reference '%.300s' is a URL: write it without the scheme", text);
	if (whole.len == 64 && all_hex(whole))
		return err_new(ERR_INVALID, "'%s' is an image id, not a name", text);
	return NULL;
}

struct err *reference_parse(const char *text, struct reference *ret)
{
	struct str digest = str_of(text);
	struct str tag = str_cut(&digest, '@');
	struct str domain = cut_domain(&tag);
	struct str path = str_cut(&tag, ':');
	const char *prefix = "";
	struct reference ref = { 0 };

	TRY(check_whole(text));
	TRY(check_parts(text, domain, path, tag));
	if (digest.at)
		TRY(check_digest(text, digest));
	if (str_is(domain, DEFAULT_DOMAIN) && !memchr(path.at, '/', path.len))
		prefix = DEFAULT_PREFIX;
	if (domain.len + 1 + strlen(prefix) + path.len > REFERENCE_NAME_MAX)
		return err_new(ERR_INVALID, "reference '%.300s': the name is longer than %d bytes",
			       text, REFERENCE_NAME_MAX);

	snprintf(ref.domain, sizeof(ref.domain), "%.*s", STR_ARG(domain));
	snprintf(ref.path, sizeof(ref.path), "%s%.*s", prefix, STR_ARG(path));
	snprintf(ref.tag, sizeof(ref.tag), "%.*s", STR_ARG(tag));
	snprintf(ref.digest, sizeof(ref.digest), "%.*s", STR_ARG(digest));
	*ret = ref;
	return NULL;
}

/* ---- the two forms ---- */

static char *format(const struct reference *ref, const char *domain, const char *path)
{
	bool bare = !ref->tag[0] && !ref->digest[0];
	const char *tag = bare ? DEFAULT_TAG : ref->tag;

	return xasprintf("%s%s%s%s%s%s%s", domain, domain[0] ? "/" : "", path, tag[0] ? ":" : "",
			 tag, ref->digest[0] ? "@" : "", ref->digest);
}

char *reference_canonical(const struct reference *ref)
{
	return format(ref, ref->domain, ref->path);
}

/* The shortest path that means `ref->path` on the default domain, or NULL if leaving the domain
 * out would change the meaning. */
static const char *short_path(const struct reference *ref)
{
	struct str rest = str_of(ref->path);
	struct str first = str_cut(&rest, '/');
	const char *last = ref->path + strlen(DEFAULT_PREFIX);

	if (!str_starts(str_of(ref->path), DEFAULT_PREFIX) || strchr(last, '/'))
		return is_domain(first) ? NULL : ref->path;
	return strlen(last) == 64 && all_hex(str_of(last)) ? NULL : last;
}

char *reference_familiar(const struct reference *ref)
{
	const char *path = strcmp(ref->domain, DEFAULT_DOMAIN) == 0 ? short_path(ref) : NULL;

	return path ? format(ref, "", path) : reference_canonical(ref);
}

char *reference_repository(const struct reference *ref)
{
	return xasprintf("%s/%s", ref->domain, ref->path);
}

struct err *reference_normalize(const char *text, char **ret_canonical)
{
	struct reference ref = { 0 };

	TRY(reference_parse(text, &ref));
	if (ref.digest[0])
		return err_new(ERR_INVALID, "reference '%.300s': a name to keep has no digest",
			       text);
	if (strcmp(ref.path, "library/sha256") == 0 || strcmp(ref.path, "library/sha512") == 0)
		return err_new(
			ERR_INVALID,
			"reference '%.300s': a name that reads as a digest would hide an image",
			text);
	*ret_canonical = reference_canonical(&ref);
	return NULL;
}

char *reference_shorten(const char *canonical)
{
	struct reference ref = { 0 };
	AUTO(err) struct err *err = reference_parse(canonical, &ref);

	return err ? xstrdup(canonical) : reference_familiar(&ref);
}
