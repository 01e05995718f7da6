/*
 * store/cache_dir.h - directories that RUN --mount=type=cache keeps from build to build.
 *
 *	mounts/<id>/about      what it is for, in words; for people
 *	mounts/<id>/<n>/fs     its contents
 *	mounts/<id>/<n>/lock   locked by everybody who uses them, while he does
 *	mounts/<id>/<n>/making locked by one of those who share while he fills or empties it
 *
 * An id is a digest of all that tells one cache from another. It has one copy, 0,
 * as long as nobody wants it for himself: who does, and finds it in use, gets the
 * next one, which begins like the first. A copy is filled aside and renamed into its
 * place, and a lock dies with its holder, so a kill leaves nothing half done. The time of mounts/<id>
 * is that of its last use (at most one update an hour). Whoever has locked a copy looks whether it
 * still has its name: a prune takes a cache away while it holds the locks of all copies.
 *
 * Caches are no part of any image: losing one costs time, and nothing else.
 */
#ifndef STORE_CACHE_DIR_H
#define STORE_CACHE_DIR_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/lock.h"
#include "base/mem.h"

struct digest;
struct err;
struct store;

enum cache_sharing {
	CACHE_SHARED,  /* with all others who share */
	CACHE_PRIVATE, /* a copy that nobody else has now */
	CACHE_LOCKED,  /* the same, but wait for one that is in use */
};

struct cache_dir_opts {
	const struct digest *id;
	const char *about; /* one line */
	enum cache_sharing sharing;
	bool empty; /* throw away what it holds */

	/* What a new one begins with: `fill` gets the new directory, made 0755 root; it may be
	 * NULL. Called with the copy locked. */
	struct err *(*fill)(void *self, int fs_fd);
	/* Said once before waiting for others; may be NULL. */
	void (*waits)(void *self);
	void *self;
};

/* A copy in use. */
struct cache_dir {
	int fd; /* .../fs, owned; -1: none */
	struct lock lock;
};

#define CACHE_DIR_INIT ((struct cache_dir){ .fd = -1, .lock = LOCK_INIT })

/* Get a copy, making it if need be. ERR_CANCELLED if the scope of the thread is stopped while it
 * waits. Who wants several locked ones takes them in the order of their ids, lest two wait for
 * each other. */
struct err *cache_dir_open(struct store *store, const struct cache_dir_opts *opts,
			   struct cache_dir *ret) MUST_USE;
void cache_dir_close(struct cache_dir *dir);

/* Take the cache with this name below mounts/ out of view with all of its copies, unless one is in
 * use: `*ret_gone` is false then. Nobody waits. */
struct err *cache_dir_drop(struct store *store, const char *name, bool *ret_gone) MUST_USE;

static inline void cache_dir_auto_(struct cache_dir *dir)
{
	cache_dir_close(dir);
}

#endif
