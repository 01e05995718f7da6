/* store/cache_dir.c - see store/cache_dir.h. */

#include "store/cache_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/digest.h"
#include "base/err.h"
#include "base/file.h"
#include "base/str.h"
#include "base/vec.h"
#include "store/layer.h"
#include "store/store-private.h"

#define COPIES_MAX 256   /* of one cache, in use at a time */
#define SEARCHES_MAX 100 /* a cache that is pruned under every one of so many has a problem */

/* One cache while a copy of it is sought. */
struct search {
	struct store *store;
	const struct cache_dir_opts *opts;
	int dir_fd; /* mounts/<id>, owned */
	bool told;
};

static inline void search_auto_(struct search *search)
{
	if (search->dir_fd >= 0)
		close(search->dir_fd);
}

static enum lock_mode lock_mode(const struct search *s)
{
	return s->opts->sharing == CACHE_SHARED ? LOCK_SHARED : LOCK_EXCLUSIVE;
}

static struct err *lock_waiting(struct search *s, int copy_fd, enum lock_mode mode,
				struct lock *ret)
{
	bool held;

	TRY(lock_try_file(copy_fd, "lock", mode, ret, &held));
	if (held)
		return NULL;
	if (!s->told && s->opts->waits)
		s->opts->waits(s->opts->self);
	s->told = true;
	return lock_file(copy_fd, "lock", mode, ret);
}

/* Make the contents anew. With the copy locked against everybody, or while it has none. */
static struct err *make_contents(struct search *s, int copy_fd)
{
	AUTO(layer_stage) struct layer_stage *stage = NULL;

	TRY(layer_begin(s->store, &stage));
	if (renameat(copy_fd, "fs", stage->dir_fd, "old") < 0 && errno != ENOENT)
		return err_sys("take away the old contents");
	if (s->opts->fill)
		TRY(s->opts->fill(s->opts->self, stage->fs_fd));
	if (renameat(stage->dir_fd, "fs", copy_fd, "fs") < 0)
		return err_sys("put the contents in place");
	return NULL;
}

/* For those who share: one at a time, with `making` held, which makes others wait instead of taking
 * the copy for one that somebody has for himself. */
static struct err *prepare_shared(struct search *s, int copy_fd, struct lock *lock)
{
	AUTO(lock) struct lock making = LOCK_INIT;

	TRY(lock_file(copy_fd, "making", LOCK_EXCLUSIVE, &making));
	if (!s->opts->empty)
		return file_exists(copy_fd, "fs") ? NULL : make_contents(s, copy_fd);
	lock_release(lock);
	TRY(lock_waiting(s, copy_fd, LOCK_EXCLUSIVE, lock));
	TRY(make_contents(s, copy_fd));
	lock_release(lock);
	return lock_waiting(s, copy_fd, LOCK_SHARED, lock);
}

/* With the copy locked as it was asked for: see to it that it has contents. */
static struct err *prepare(struct search *s, int copy_fd, struct lock *lock)
{
	if (!s->opts->empty && file_exists(copy_fd, "fs"))
		return NULL;
	if (s->opts->sharing == CACHE_SHARED)
		return prepare_shared(s, copy_fd, lock);
	return make_contents(s, copy_fd);
}

/* Lock a copy, if nobody has it for himself. */
static struct err *try_copy(const struct search *s, int copy_fd, struct lock *ret, bool *ret_held)
{
	AUTO(lock) struct lock making = LOCK_INIT;

	TRY(lock_try_file(copy_fd, "lock", lock_mode(s), ret, ret_held));
	if (*ret_held || s->opts->sharing != CACHE_SHARED)
		return NULL;
	/* It may be one who shares, too, and is about to empty it. */
	TRY(lock_file(copy_fd, "making", LOCK_EXCLUSIVE, &making));
	return lock_try_file(copy_fd, "lock", lock_mode(s), ret, ret_held);
}

static struct err *open_copy(const struct search *s, unsigned number, int *ret_fd)
{
	char name[16];

	snprintf(name, sizeof(name), "%u", number);
	return file_make_dirs(s->dir_fd, name, 0700, ret_fd);
}

static bool has_copy(const struct search *s, unsigned number)
{
	char name[16];

	snprintf(name, sizeof(name), "%u", number);
	return file_exists(s->dir_fd, name);
}

/* Take the first copy that is free. Whoever waits for one waits for the first. */
static struct err *take_copy(struct search *s, int *ret_fd, struct lock *ret)
{
	const bool waits = s->opts->sharing == CACHE_LOCKED;

	for (unsigned i = 0; i < COPIES_MAX; i++) {
		AUTO(fd) int copy_fd = -1;
		bool held;

		if (i > 0 && waits && !has_copy(s, i))
			break;
		TRY(open_copy(s, i, &copy_fd));
		TRY(try_copy(s, copy_fd, ret, &held));
		if (held) {
			*ret_fd = STEAL_FD(copy_fd);
			return NULL;
		}
	}
	if (!waits)
		return err_new(ERR_SYSTEM, "%d copies of it are in use", COPIES_MAX);
	TRY(open_copy(s, 0, ret_fd));
	return lock_waiting(s, *ret_fd, LOCK_EXCLUSIVE, ret);
}

static struct err *describe(const struct search *s)
{
	AUTO(mem) char *line = xasprintf("%s\n", s->opts->about);

	if (file_exists(s->dir_fd, "about"))
		return NULL;
	return file_replace(s->dir_fd, "about", str_of(line), 0600, FILE_QUICK);
}

static char *path_of(const struct search *s)
{
	char hex[DIGEST_TEXT_SIZE];

	return xasprintf("mounts/%s", strchr(digest_format(s->opts->id, hex), ':') + 1);
}

static struct err *open_search(struct search *s)
{
	AUTO(mem) char *path = path_of(s);

	if (s->dir_fd >= 0)
		close(s->dir_fd);
	s->dir_fd = -1;
	TRY(file_make_dirs(store_fd(s->store), path, 0700, &s->dir_fd));
	file_note_use(s->dir_fd, ".");
	return describe(s);
}

/* Whether the cache is still where it was opened. */
static bool is_in_place(const struct search *s)
{
	AUTO(mem) char *path = path_of(s);
	struct stat ours, theirs;

	return fstat(s->dir_fd, &ours) == 0 &&
	       fstatat(store_fd(s->store), path, &theirs, AT_SYMLINK_NOFOLLOW) == 0 &&
	       ours.st_ino == theirs.st_ino && ours.st_dev == theirs.st_dev;
}

/* What was pruned between opening and locking is nobody's any more, and fails in many ways. */
static struct err *lock_copy(struct search *s, int *ret_fd, struct lock *ret)
{
	for (int i = 0; i < SEARCHES_MAX; i++) {
		AUTO(fd) int copy_fd = -1;
		struct err *err = open_search(s);

		if (!err)
			err = take_copy(s, &copy_fd, ret);
		if (is_in_place(s)) {
			*ret_fd = STEAL_FD(copy_fd);
			return err;
		}
		err_free(err);
		lock_release(ret);
	}
	return err_new(ERR_SYSTEM, "it is pruned again and again");
}

static struct err *search_copy(struct search *s, struct cache_dir *ret)
{
	AUTO(fd) int copy_fd = -1;

	TRY(lock_copy(s, &copy_fd, &ret->lock));
	TRY(prepare(s, copy_fd, &ret->lock));
	return file_open_dir(copy_fd, "fs", &ret->fd);
}

/* ---- pruning ---- */

/* Lock every copy, none of which may be in use; they are held until `locks` are given back. */
static struct err *lock_all(int dir_fd, const struct strings *names, struct lock *locks,
			    bool *ret_held)
{
	for (size_t i = 0; i < names->len; i++) {
		AUTO(fd) int copy_fd = -1;

		if (strcmp(names->at[i], "about") == 0)
			continue;
		TRY(file_open_dir(dir_fd, names->at[i], &copy_fd));
		TRY(lock_try_file(copy_fd, "lock", LOCK_EXCLUSIVE, &locks[i], ret_held));
		if (!*ret_held)
			return NULL;
	}
	*ret_held = true;
	return NULL;
}

struct err *cache_dir_drop(struct store *store, const char *name, bool *ret_gone)
{
	AUTO(mem) char *path = xasprintf("mounts/%s", name);
	AUTO(strings) struct strings names = { 0 };
	AUTO(mem) struct lock *locks = NULL;
	AUTO(fd) int dir_fd = -1;
	struct err *err;

	*ret_gone = false;
	TRY(file_open_dir(store_fd(store), path, &dir_fd));
	TRY(file_list(dir_fd, ".", &names));
	locks = xcalloc(names.len + 1, sizeof(*locks));
	for (size_t i = 0; i < names.len; i++)
		locks[i] = LOCK_INIT;
	err = lock_all(dir_fd, &names, locks, ret_gone);
	if (!err && *ret_gone)
		err = trash_put(store, store_fd(store), path);
	for (size_t i = 0; i < names.len; i++)
		lock_release(&locks[i]);
	return err;
}

struct err *cache_dir_open(struct store *store, const struct cache_dir_opts *opts,
			   struct cache_dir *ret)
{
	AUTO(search) struct search search = { .store = store, .opts = opts, .dir_fd = -1 };
	AUTO(cache_dir) struct cache_dir dir = CACHE_DIR_INIT;

	TRY(err_wrap(search_copy(&search, &dir), "cache '%s'", opts->about));
	*ret = dir;
	dir = CACHE_DIR_INIT;
	return NULL;
}

void cache_dir_close(struct cache_dir *dir)
{
	if (dir->fd >= 0)
		close(dir->fd);
	lock_release(&dir->lock);
	*dir = CACHE_DIR_INIT;
}
