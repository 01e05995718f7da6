/* builder/git_url.c - see builder/git_url.h. */

#include "builder/git_url.h"

#include <assert.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/err.h"
#include "base/path.h"
#include "base/str.h"
#include "base/text.h"
#include "registry/url.h"

#define TEXT_MAX ((size_t)16 * 1024)

void git_url_release(struct git_url *url)
{
	free(url->remote);
	free(url->authority);
	if (url->login)
		explicit_bzero(url->login, strlen(url->login));
	free(url->login);
	free(url->ref);
	free(url->subdir);
	free(url->checksum);
	*url = (struct git_url){ 0 };
}

static struct git_url steal(struct git_url *url)
{
	struct git_url stolen = *url;

	*url = (struct git_url){ 0 };
	return stolen;
}

/* ---- commits ---- */

static size_t hex_digits(const char *text)
{
	return strspn(text, "0123456789abcdef");
}

bool git_is_commit(const char *text)
{
	size_t len = strlen(text);

	return hex_digits(text) == len && (len == 40 || len == 64);
}

bool git_is_commit_prefix(const char *text)
{
	size_t len = strlen(text);

	return hex_digits(text) == len && len >= 1 && len <= 64;
}

/* ---- the parts ---- */

struct parts {
	struct str main, query, fragment; /* `at` NULL: there is none */
};

static struct parts split(const char *text)
{
	struct parts parts = { .fragment = str_of(text) };
	struct str before = str_cut(&parts.fragment, '#');

	parts.query = before;
	parts.main = str_cut(&parts.query, '?');
	return parts;
}

static const struct {
	const char *name;
	enum git_scheme scheme;
} schemes[] = {
	{ "http", GIT_HTTP }, { "https", GIT_HTTPS }, { "ssh", GIT_SSH }, { "git", GIT_GIT }
};

/* "NAME://": its length with the slashes; 0 if there is none. */
static size_t scheme_len(const char *text)
{
	size_t len = 0;

	while (isalnum((unsigned char)text[len]))
		len++;
	return len && strncmp(text + len, "://", 3) == 0 ? len + 3 : 0;
}

static bool find_scheme(const char *text, size_t len, enum git_scheme *ret)
{
	for (size_t i = 0; i < ARRAY_SIZE(schemes); i++) {
		if (strlen(schemes[i].name) != len - 3 ||
		    strncasecmp(text, schemes[i].name, len - 3) != 0)
			continue;
		*ret = schemes[i].scheme;
		return true;
	}
	return false;
}

static size_t span_of(const char *text, const char *also)
{
	size_t len = 0;

	while (isalnum((unsigned char)text[len]) || (text[len] && strchr(also, text[len])))
		len++;
	return len;
}

/* "USER@HOST:", of which `*ret_user` is the length of the user; 0 if that is not how it begins. */
static size_t scp_len(const char *text, bool needs_user, size_t *ret_user)
{
	size_t user = span_of(text, "-_"), host;

	*ret_user = 0;
	if (user && text[user] == '@')
		*ret_user = user + 1;
	else if (needs_user)
		return 0;
	host = span_of(text + *ret_user, "-.");
	return host && text[*ret_user + host] == ':' ? *ret_user + host + 1 : 0;
}

/* What neither git nor ssh should see. */
static struct err *check_remote(const char *remote)
{
	for (const char *c = remote; *c; c++)
		if ((unsigned char)*c <= ' ' || *c == 0x7f)
			return err_new(ERR_INVALID,
				       "a git URL cannot hold blanks or control characters");
	return NULL;
}

static struct err *check_authority(const char *authority)
{
	if (!authority[0] || authority[0] == ':')
		return err_new(ERR_INVALID, "the git URL names no host");
	if (authority[0] == '-')
		return err_new(ERR_INVALID, "the host of the git URL begins with '-'");
	return NULL;
}

static char *lower(struct str text)
{
	char *copy = str_dup(text);

	for (char *c = copy; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	return copy;
}

/* "SCHEME://[LOGIN@]HOST/PATH". `prefix` is the length of the scheme with its slashes. */
static struct err *read_absolute(const char *text, size_t prefix, struct git_url *url)
{
	const char *rest = text + prefix;
	size_t len = strcspn(rest, "/");
	const char *at = memrchr(rest, '@', len);
	const char *host = at ? at + 1 : rest;
	bool is_http = url->scheme == GIT_HTTP || url->scheme == GIT_HTTPS;
	AUTO(mem) char *scheme = lower((struct str){ text, prefix });

	if (rest[0] == '-')
		return err_new(ERR_INVALID, "the user of the git URL begins with '-'");
	url->authority = lower((struct str){ host, len - (size_t)(host - rest) });
	if (is_http && at)
		url->login = str_dup((struct str){ rest, (size_t)(at - rest) });
	url->remote = xasprintf("%s%s", scheme, is_http ? host : rest);
	return check_authority(url->authority);
}

static struct err *read_scp(const char *text, size_t prefix, size_t user, struct git_url *url)
{
	if (text[0] == '-')
		return err_new(ERR_INVALID, "the user of the git URL begins with '-'");
	if (text[prefix] == ':' || strstr(text, "://")) /* git would take it for a helper's */
		return err_new(ERR_INVALID, "the path of the git URL begins or goes on like a URL");
	url->scheme = GIT_SSH;
	url->authority = lower((struct str){ text + user, prefix - user - 1 });
	url->remote = xstrdup(text);
	return check_authority(url->authority);
}

/* ---- what is meant of it ---- */

static struct err *check_ref(const char *ref)
{
	if (ref[0] == '-' || ref[0] == '/' || strstr(ref, "..") || strstr(ref, "@{"))
		return err_new(ERR_INVALID, "'%.200s' is no name of a branch, tag or commit", ref);
	for (const char *c = ref; *c; c++)
		if ((unsigned char)*c <= ' ' || *c == 0x7f || strchr("~^:?*[\\", *c))
			return err_new(ERR_INVALID,
				       "'%.200s' is no name of a branch, tag or commit", ref);
	return NULL;
}

/* Say `value` where nothing else was said. Takes ownership. */
static struct err *say(const char *what, char **slot, char *value)
{
	AUTO(mem) char *given = value;

	if (!*slot) {
		*slot = STEAL(given);
		return NULL;
	}
	if (strcmp(*slot, given) == 0)
		return NULL;
	return err_new(ERR_INVALID,
		       "the git URL says two different things about its %s: '%.200s' and '%.200s'",
		       what, *slot, given);
}

static char *clean_subdir(const char *text)
{
	AUTO(buf) struct buf clean = BUF_INIT(TEXT_MAX);

	if (!path_add(&clean, str_of(text), PATH_STAYS))
		return NULL;
	return str_dup(buf_str(&clean));
}

static struct err *say_subdir(struct git_url *url, const char *text)
{
	char *clean = clean_subdir(text);

	if (!clean)
		return err_new(ERR_INVALID, "the directory in the git URL is too long");
	return say("subdir", &url->subdir, clean);
}

static struct err *say_switch(const char *name, const char *value, enum tristate *slot)
{
	static const char *const yes[] = { "", "1", "t", "T", "true", "TRUE", "True" };
	static const char *const no[] = { "0", "f", "F", "false", "FALSE", "False" };

	for (size_t i = 0; i < ARRAY_SIZE(yes); i++)
		if (strcmp(value, yes[i]) == 0)
			*slot = TRISTATE_TRUE;
	for (size_t i = 0; i < ARRAY_SIZE(no); i++)
		if (strcmp(value, no[i]) == 0)
			*slot = TRISTATE_FALSE;
	if (*slot == TRISTATE_UNSET)
		return err_new(ERR_INVALID, "%s=%.80s in the git URL is neither true nor false",
			       name, value);
	return NULL;
}

static struct err *say_commit(struct git_url *url, const char *value)
{
	if (!git_is_commit_prefix(value))
		return err_new(
			ERR_INVALID,
			"the checksum '%.200s' in the git URL is no commit, nor the begin of one",
			value);
	return say("checksum", &url->checksum, xstrdup(value));
}

enum query {
	REF,
	TAG,
	BRANCH,
	SUBDIR,
	CHECKSUM,
	COMMIT,
	SUBMODULES,
	KEEP_GIT_DIR,
	MTIME,
	FETCH_BY_COMMIT,
	QUERY_COUNT
};

static const char *const query_names[] = {
	[REF] = "ref",
	[TAG] = "tag",
	[BRANCH] = "branch",
	[SUBDIR] = "subdir",
	[CHECKSUM] = "checksum",
	[COMMIT] = "commit",
	[SUBMODULES] = "submodules",
	[KEEP_GIT_DIR] = "keep-git-dir",
	[MTIME] = "mtime",
	[FETCH_BY_COMMIT] = "fetch-by-commit",
};

/* "refs/tags/v1" of "v1". */
static char *with_prefix(const char *prefix, const char *name)
{
	return str_starts(str_of(name), prefix) ? xstrdup(name) : xasprintf("%s%s", prefix, name);
}

static struct err *say_query(struct git_url *url, enum query what, const char *value)
{
	enum tristate ignored = TRISTATE_UNSET;

	switch (what) {
	case REF:
		return say("ref", &url->ref, xstrdup(value));
	case TAG:
		return say("ref", &url->ref, with_prefix("refs/tags/", value));
	case BRANCH:
		return say("ref", &url->ref, with_prefix("refs/heads/", value));
	case SUBDIR:
		return say_subdir(url, value);
	case CHECKSUM:
	case COMMIT:
		return say_commit(url, value);
	case SUBMODULES:
		return say_switch("submodules", value, &url->submodules);
	case KEEP_GIT_DIR:
		return say_switch("keep-git-dir", value, &url->keep_git_dir);
	case MTIME: /* files always have the time of their commit */
		if (strcmp(value, "commit") == 0 || strcmp(value, "checkout") == 0)
			return NULL;
		return err_new(ERR_INVALID,
			       "mtime=%.80s in the git URL: checkout and commit are possible",
			       value);
	case FETCH_BY_COMMIT: /* as it is always done, where the server lets us */
		return say_switch("fetch-by-commit", value, &ignored);
	case QUERY_COUNT:
		break;
	}
	return NULL;
}

static struct err *unknown_query(const char *name)
{
	const char *near = text_nearest(str_of(name), query_names, QUERY_COUNT);

	return err_new(ERR_INVALID, "the git URL has an unknown parameter '%.80s'%s%s%s", name,
		       near ? " (did you mean " : "", near ? near : "", near ? "?)" : "");
}

/* '+' is a blank in a query. */
static char *decode_query(struct str text)
{
	AUTO(mem) char *copy = str_dup(text);

	for (char *c = copy; *c; c++)
		if (*c == '+')
			*c = ' ';
	return url_decoded(str_of(copy));
}

static struct err *read_parameter(struct git_url *url, struct str pair, bool seen[QUERY_COUNT])
{
	struct str rest = pair;
	AUTO(mem) char *name = decode_query(str_cut(&rest, '='));
	AUTO(mem) char *value = decode_query(rest);
	size_t i = 0;

	if (!name || !value)
		return err_new(ERR_INVALID, "the git URL holds a NUL");
	while (i < QUERY_COUNT && strcmp(query_names[i], name) != 0)
		i++;
	if (i == QUERY_COUNT)
		return unknown_query(name);
	if (seen[i])
		return err_new(ERR_INVALID, "the git URL has the parameter '%s' twice", name);
	seen[i] = true;
	if (!value[0] && i != SUBMODULES && i != KEEP_GIT_DIR)
		return err_new(ERR_INVALID, "the parameter '%s' of the git URL has no value", name);
	return say_query(url, (enum query)i, value);
}

static struct err *read_query(struct git_url *url, struct str query)
{
	bool seen[QUERY_COUNT] = { false };

	while (query.len > 0) {
		struct str pair = str_cut(&query, '&');

		if (pair.len > 0)
			TRY(read_parameter(url, pair, seen));
	}
	return NULL;
}

static struct err *read_fragment(struct git_url *url, struct str fragment)
{
	AUTO(mem) char *text = url_decoded(fragment);
	struct str subdir, ref;

	if (!text)
		return err_new(ERR_INVALID, "the git URL holds a NUL");
	subdir = str_of(text);
	ref = str_cut(&subdir, ':');
	if (ref.len)
		url->ref = str_dup(ref);
	return subdir.len ? say_subdir(url, subdir.at) : NULL;
}

/* ---- the whole ---- */

/* `url` has its scheme. */
static struct err *finish(const struct parts *parts, struct git_url *url)
{
	TRY(check_remote(url->remote));
	TRY(read_fragment(url, parts->fragment));
	TRY(read_query(url, parts->query));
	if (url->ref)
		TRY(check_ref(url->ref));
	if (!url->subdir)
		url->subdir = xstrdup("");
	return NULL;
}

/* Read what stands before query and fragment; `*ret_is` is false if it is no repository's. */
static struct err *read_main(const char *text, enum git_url_use use, bool *ret_is,
			     struct git_url *url)
{
	size_t prefix = scheme_len(text), user;

	*ret_is = false;
	if (prefix) {
		if (!find_scheme(text, prefix, &url->scheme) ||
		    ((url->scheme == GIT_HTTP || url->scheme == GIT_HTTPS) &&
		     !str_ends(str_of(text), ".git")))
			return NULL;
		*ret_is = true;
		return read_absolute(text, prefix, url);
	}
	if (use == GIT_URL_CONTEXT && str_starts(str_of(text), "github.com/")) {
		AUTO(mem) char *whole = xasprintf("https://%s", text);

		*ret_is = true;
		url->scheme = GIT_HTTPS;
		return read_absolute(whole, strlen("https://"), url);
	}
	prefix = scp_len(text, true, &user);
	*ret_is = prefix > 0;
	return prefix ? read_scp(text, prefix, user, url) : NULL;
}

struct err *git_url_parse(const char *text, enum git_url_use use, bool *ret_is, struct git_url *ret)
{
	AUTO(git_url) struct git_url url = { 0 };
	struct parts parts = split(text);
	AUTO(mem) char *main = str_dup(parts.main);

	*ret = (struct git_url){ 0 };
	*ret_is = false;
	if (str_starts(str_of(text), "./") || str_starts(str_of(text), "../"))
		return NULL;
	TRY(read_main(main, use, ret_is, &url));
	if (!*ret_is)
		return NULL;
	TRY(finish(&parts, &url));
	*ret = steal(&url);
	return NULL;
}

/* ---- submodules ---- */

/* `base` without its last name; NULL if nothing of a path would be left. */
static char *parent_of(const char *base, size_t least)
{
	const char *end = base + strlen(base);

	while (end > base + least && end[-1] != '/')
		end--;
	return end > base + least ? str_dup((struct str){ base, (size_t)(end - base) - 1 }) : NULL;
}

/* "./a" and "../a", seen from the repository `base`. */
static char *join(const struct git_url *base, const char *text)
{
	size_t user, prefix = scheme_len(base->remote);
	size_t least = prefix ? prefix + strcspn(base->remote + prefix, "/") :
				scp_len(base->remote, false, &user);
	AUTO(mem) char *at = xstrdup(base->remote);
	bool is_top = false;

	for (size_t len = strlen(at); len > least && at[len - 1] == '/'; len--)
		at[len - 1] = '\0';
	for (;;) {
		if (str_starts(str_of(text), "./")) {
			text += 2;
		} else if (str_starts(str_of(text), "../")) {
			char *up = parent_of(at, least);

			if (!up && (is_top || prefix))
				return NULL;
			is_top = !up;
			free(at);
			at = up ? up : str_dup((struct str){ base->remote, least });
			text += 3;
		} else {
			return xasprintf("%s%s%s", at, is_top ? "" : "/", text);
		}
	}
}

struct err *git_url_resolve(const struct git_url *base, const char *text, struct git_url *ret)
{
	bool is_relative = str_starts(str_of(text), "./") || str_starts(str_of(text), "../");
	AUTO(mem) char *whole = is_relative ? join(base, text) : xstrdup(text);
	AUTO(git_url) struct git_url url = { 0 };
	size_t user, prefix;

	*ret = (struct git_url){ 0 };
	if (!whole)
		return err_new(ERR_INVALID, "the URL '%.200s' leads above that of its repository",
			       text);
	TRY(check_remote(whole));
	prefix = scheme_len(whole);
	if (prefix && find_scheme(whole, prefix, &url.scheme))
		TRY(read_absolute(whole, prefix, &url));
	else if (!prefix && (prefix = scp_len(whole, false, &user)))
		TRY(read_scp(whole, prefix, user, &url));
	else
		return err_new(ERR_UNSUPPORTED,
			       "'%.200s' is no URL by http, https, ssh or git of a repository",
			       text);
	assert(url.authority);
	if (!url.login && base->login && strcmp(url.authority, base->authority) == 0 &&
	    url.scheme == base->scheme)
		url.login = xstrdup(base->login);
	url.subdir = xstrdup("");
	*ret = steal(&url);
	return NULL;
}
