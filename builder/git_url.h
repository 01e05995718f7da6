/*
 * builder/git_url.h - what names a git repository, and what of it is meant.
 *
 *	https://HOST/PATH.git[?QUERY][#REF[:SUBDIR]]	also http
 *	ssh://[USER@]HOST/PATH[?QUERY][#...]		also git
 *	USER@HOST:PATH[?QUERY][#...]			as scp(1) writes it
 *	github.com/OWNER/REPOSITORY[#...]		only where contexts are named
 *
 * An http URL is a repository's only if its path ends in ".git"; "./x" and "../x" never
 * are, and no other scheme is. In QUERY stand ref, tag, branch, subdir, checksum (or commit),
 * submodules, keep-git-dir, mtime and fetch-by-commit, each once; they may repeat what the
 * fragment says, and not contradict it. Fragment and query are percent-decoded.
 *
 * What could be taken for an option by git or ssh is refused.
 */
#ifndef BUILDER_GIT_URL_H
#define BUILDER_GIT_URL_H

#include <stdbool.h>

#include "base/mem.h"
#include "builder/recipe.h"

struct err;

#define GIT_COMMIT_SIZE 65 /* hex digits of an id and the NUL */

enum git_scheme { GIT_HTTP, GIT_HTTPS, GIT_SSH, GIT_GIT };

struct git_url {
	enum git_scheme scheme;
	char *remote; /* what git is told: without query, fragment, and the login of an http URL */
	char *authority; /* "host" or "host:port" as written, in lower case */
	char *login;     /* "user:password" of an http URL, percent-encoded: a secret; or NULL */
	char *ref; /* a branch, tag, commit or "refs/...": never empty; NULL: the remote's HEAD */
	char *subdir;   /* clean, relative; "" is the whole */
	char *checksum; /* the hex digits with which the commit begins; NULL if not given */
	enum tristate submodules;   /* not given: they are wanted */
	enum tristate keep_git_dir; /* not given: what who asks says otherwise */
};

enum git_url_use { GIT_URL_SOURCE, GIT_URL_CONTEXT };

/* Read one. `*ret_is` is false for what does not name a repository; `ret` is then empty. ERR_INVALID for one
 * that is wrong; the text shows no login. */
struct err *git_url_parse(const char *text, enum git_url_use use, bool *ret_is, struct git_url *ret)
	MUST_USE;

/* What another URL, absolute or "./x" or "../x", means in a repository: for submodules. `ret` has no ref. */
struct err *git_url_resolve(const struct git_url *base, const char *text, struct git_url *ret)
	MUST_USE;

/* Whether a text is a whole commit id, and one that begins one: lower case hex digits, 40 or 64; 1 to 64. */
bool git_is_commit(const char *text);
bool git_is_commit_prefix(const char *text);

void git_url_release(struct git_url *url);

static inline void git_url_auto_(struct git_url *url)
{
	git_url_release(url);
}

#endif
