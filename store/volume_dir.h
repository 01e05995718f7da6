/*
 * store/volume_dir.h - directories that people keep from one run of an image to the next.
 *
 *	volumes/<name>/fs     the contents
 *	volumes/<name>/lock   locked, shared, by everybody who uses it, while he does
 *
 * A volume is data, not a cache: nothing but its removal by name takes it away.
 */
#ifndef STORE_VOLUME_DIR_H
#define STORE_VOLUME_DIR_H

#include <stdbool.h>
#include <time.h>

#include "base/lock.h"
#include "base/mem.h"

struct err;
struct store;

/* A volume in use. */
struct volume_dir {
	int fd; /* .../fs, owned; -1: none */
	struct lock lock;
};

#define VOLUME_DIR_INIT ((struct volume_dir){ .fd = -1, .lock = LOCK_INIT })

/* A letter or digit, then those, "_", "." and "-"; up to 128 bytes. */
bool volume_name_is_valid(const char *name);

/* Open the volume, making it if it is absent: `fill` (may be NULL) then gets the new directory, 0755
 * root, before anybody else sees it. ERR_INVALID for what is no name. */
struct err *volume_dir_open(struct store *store, const char *name,
			    struct err *(*fill)(void *self, int fs_fd), void *self,
			    struct volume_dir *ret) MUST_USE;
void volume_dir_close(struct volume_dir *dir);

struct volume_entry {
	char *name;           /* owned */
	struct timespec made; /* the directory's own time */
	bool in_use;
};

struct volume_list {
	struct volume_entry *at; /* by name */
	size_t len, cap;
};

struct err *volume_dir_list(struct store *store, struct volume_list *ret) MUST_USE;
void volume_list_release(struct volume_list *list);

/* ERR_NOT_FOUND if there is none, ERR_INVALID while it is in use. */
struct err *volume_dir_remove(struct store *store, const char *name) MUST_USE;

static inline void volume_dir_auto_(struct volume_dir *dir)
{
	volume_dir_close(dir);
}

static inline void volume_list_auto_(struct volume_list *list)
{
	volume_list_release(list);
}

#endif
