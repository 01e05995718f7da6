/*
 * builder/statcache.h - digests of context files that need not be read again.
 *
 * contexts/<id> of the store, one file per context directory: a header, the
 * directories sorted by path, the files sorted by directory and name, their
 * names, and a checksum. It is mapped and searched in place. A file that cannot
 * be read or fails its checksum is an empty cache. The id is the digest of the
 * directory's real path, device and inode.
 *
 *	header     struct statcache_header
 *	dirs       struct statcache_dir[dir_count], sorted by path bytes
 *	files      struct statcache_file[file_count], each directory's sorted by name bytes
 *	text       all names, not terminated
 *	checksum   SHA-256 of everything before it
 *
 * An entry is only kept if its file had not changed for STATCACHE_SETTLED when
 * the scan began: otherwise a change within the same tick of the file system's
 * clock could go unseen.
 */
#ifndef BUILDER_STATCACHE_H
#define BUILDER_STATCACHE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <time.h>

#include "base/digest.h"
#include "base/mem.h"
#include "base/str.h"

struct err;
struct statcache;
struct store;

#define STATCACHE_SETTLED 30000000 /* nanoseconds: above the tick of any kernel clock */

/* What must be equal for a digest to be believed. */
struct statcache_key {
	uint64_t dev, ino, size;
	int64_t mtime_sec, ctime_sec;
	uint32_t mtime_nsec, ctime_nsec;
};

typedef bool statcache_is_gone(const void *arg, struct str dir);

/* Open the cache of the context directory `root_fd`. Never fails for a bad cache. */
struct err *statcache_open(struct store *store, int root_fd, struct statcache **ret) MUST_USE;

/* The digest of a file if it is known and its key is equal. Thread safe. `dir` and `name` as in
 * "src", "main.c"; the root is "". */
bool statcache_find(const struct statcache *cache, struct str dir, struct str name,
		    const struct statcache_key *key, struct digest *ret);

/* One file of a directory that was just scanned. `name` is borrowed for the call. */
struct statcache_entry {
	const char *name;
	struct statcache_key key;
	struct digest digest;
};

/* Replace what is known of one directory by these files, sorted by name. Entries that changed too
 * lately are left out. */
void statcache_put(struct statcache *cache, struct str dir, const struct statcache_entry *entries,
		   size_t count);

/* Write the file if anything was put; other directories are kept as they were, but for those of
 * which `is_gone` (NULL: none) says that they exist no more. A failure is ERR_SYSTEM, and
 * harmless. */
struct err *statcache_save(struct statcache *cache, statcache_is_gone *is_gone, const void *arg)
	MUST_USE;
void statcache_free(struct statcache *cache);
DEFINE_AUTO(statcache)

#endif
