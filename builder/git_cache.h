/*
 * builder/git_cache.h - repositories that were fetched, in the store.
 *
 *	git/<hex SHA-256 of the remote>/	a bare repository
 *		refs/commits/<id>		a commit that was asked for, without its history
 *		refs/asked/<hex>		to which of them a ref led last; of the SHA-256 of its name
 *
 * A repository is never changed where it lies: the next one is made aside, of links to what the
 * old one has, fetched into, and put in its place by one rename. So a process that dies leaves
 * nothing that stands in anybody's way. Who holds a cache is alone with it.
 *
 * Nothing of it is flushed. It says in which boot it was made ("boot"); after another one it is verified
 * before it is believed, and is as good as absent if anything of it is gone. The same happens when it
 * does not give what it should: git_cache_doubt().
 */
#ifndef BUILDER_GIT_CACHE_H
#define BUILDER_GIT_CACHE_H

#include <stdbool.h>

#include "base/lock.h"
#include "base/mem.h"
#include "builder/git_url.h"

struct err;
struct store;

struct git_cache {
	struct store *store;
	char *name; /* owned: hex */
	struct lock lock;
	int repo_fd;  /* owned: the repository, -1 if there is none that can be trusted */
	int fresh_fd; /* owned: the directory of "repo", the one that is being made; -1 */
};

/* Hold the cache of a remote. */
struct err *git_cache_open(struct store *store, const struct git_url *url, struct git_cache *ret)
	MUST_USE;
void git_cache_release(struct git_cache *cache);

static inline void git_cache_auto_(struct git_cache *cache)
{
	git_cache_release(cache);
}

/* Something went wrong with what it has: verify it. `*ret_damaged` if it was damaged, and is now gone. */
struct err *git_cache_doubt(struct git_cache *cache, bool *ret_damaged) MUST_USE;

/* Whether it has a commit. */
struct err *git_cache_has(const struct git_cache *cache, const char *commit, bool *ret) MUST_USE;
/* The commit that `ref` (NULL: HEAD) led to when it was last fetched; "" if that is not known. */
struct err *git_cache_asked(const struct git_cache *cache, const char *ref,
			    char ret[static GIT_COMMIT_SIZE]) MUST_USE;

/* Begin the next one, to fetch `commit` into: `*ret_fd` is borrowed and the directory of "repo". With
 * `whole` it has no history that is cut off, and so perhaps nothing. What was begun before is dropped. */
struct err *git_cache_begin(struct git_cache *cache, const char *commit, bool whole, int *ret_fd)
	MUST_USE;
/* Put it in the place of the old one; `ref` has led to `commit`, which it has. */
struct err *git_cache_commit(struct git_cache *cache, const char *ref, const char *commit) MUST_USE;

#endif
