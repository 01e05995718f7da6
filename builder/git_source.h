/*
 * builder/git_source.h - the files of a commit of a repository somewhere.
 *
 *	git_source_resolve(&opts, &url, commit);	one question to the server
 *	git_source_open(&opts, &url, commit, keep, &fd);	a directory, fetched if need be
 *
 * No working copy is ever made by git: the tree of the commit comes as a tar out of a bare repository,
 * and is unpacked as any other hostile tar (overlay/unpack.h). Submodules are fetched
 * and unpacked likewise, by URL and commit; their names and what .gitmodules says beside the URL mean
 * nothing. So nothing in a repository can make git run or write anything. Where it may lead git says
 * builder/git_place.h.
 *
 * Files are 0644 or 0755, directories 0755, of root, with the time of the commit. `.git` is left out,
 * unless it is asked for: then it is one commit deep, with a detached HEAD and without hooks.
 */
#ifndef BUILDER_GIT_SOURCE_H
#define BUILDER_GIT_SOURCE_H

#include <stdbool.h>

#include "base/mem.h"
#include "builder/git_cache.h"
#include "builder/git_url.h"

struct client;
struct err;
struct progress;
struct secrets;
struct store;

struct git_source_opts {
	struct store *store;
	bool offline;                  /* nobody may be asked: what was fetched must do */
	const struct secrets *secrets; /* builder/remote_auth.h; may be NULL */
	struct client *client;         /* follows redirects; NULL: none are followed */
	struct progress *progress;     /* hears of fetching; NULL: silence */
};

/* The commit that a URL means now. Nobody is asked for one that is named by its whole id. Offline it is
 * the one that was fetched last. ERR_NOT_FOUND for a ref that is not there, ERR_CORRUPT if it is not the
 * one of url->checksum; else as git_failure() has it. */
struct err *git_source_resolve(const struct git_source_opts *opts, const struct git_url *url,
			       char ret[static GIT_COMMIT_SIZE]) MUST_USE;

/* Fill the empty directory `dir_fd` with all files of the commit, whatever the URL says of a
 * subdirectory. */
struct err *git_source_checkout(const struct git_source_opts *opts, const struct git_url *url,
				const char *commit, bool keep_git_dir, int dir_fd) MUST_USE;

/* The same into a directory that goes when the store is closed. `*ret_fd` is what the URL means of it:
 * links to the subdirectory are followed and do not lead out. */
struct err *git_source_open(const struct git_source_opts *opts, const struct git_url *url,
			    const char *commit, bool keep_git_dir, int *ret_fd) MUST_USE;

#endif
