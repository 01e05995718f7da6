/* store/volume_dir.c - see store/volume_dir.h. */

#include "store/volume_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/err.h"
#include "base/file.h"
#include "base/vec.h"
#include "store/layer.h"
#include "store/store-private.h"

#define NAME_LENGTH_MAX 128

static bool is_plain(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool volume_name_is_valid(const char *name)
{
	const size_t len = strlen(name);

	if (!len || len > NAME_LENGTH_MAX || !is_plain(name[0]))
		return false;
	for (size_t i = 0; i < len; i++)
		if (!is_plain(name[i]) && !strchr("_.-", name[i]))
			return false;
	return true;
}

static struct err *check_name(const char *name)
{
	if (volume_name_is_valid(name))
		return NULL;
	return err_new(ERR_INVALID,
		       "'%.200s' is no name of a volume: letters, digits, '_', '.', '-', and a "
		       "letter or digit first",
		       name);
}

/* Make the contents aside, and put them in place unless somebody was faster. */
static struct err *make(struct store *store, int dir_fd, struct err *(*fill)(void *self, int fs_fd),
			void *self)
{
	AUTO(layer_stage) struct layer_stage *stage = NULL;

	TRY(layer_begin(store, &stage));
	if (fill)
		TRY(fill(self, stage->fs_fd));
	if (renameat(stage->dir_fd, "fs", dir_fd, "fs") < 0 && errno != EEXIST &&
	    errno != ENOTEMPTY)
		return err_sys("put the contents in place");
	return NULL;
}

/* Whether the directory still has its name: a removal may have come before the lock. */
static bool is_in_place(struct store *store, const char *path, int dir_fd)
{
	struct stat ours, theirs;

	return fstat(dir_fd, &ours) == 0 &&
	       fstatat(store->root_fd, path, &theirs, AT_SYMLINK_NOFOLLOW) == 0 &&
	       ours.st_ino == theirs.st_ino;
}

static struct err *open_volume(struct store *store, const char *path,
			       struct err *(*fill)(void *self, int fs_fd), void *self,
			       struct volume_dir *ret)
{
	AUTO(fd) int dir_fd = -1;

	do {
		if (dir_fd >= 0)
			close(dir_fd);
		dir_fd = -1;
		lock_release(&ret->lock);
		TRY(file_make_dirs(store->root_fd, path, 0700, &dir_fd));
		TRY(lock_file(dir_fd, "lock", LOCK_SHARED, &ret->lock));
	} while (!is_in_place(store, path, dir_fd));
	if (!file_exists(dir_fd, "fs"))
		TRY(make(store, dir_fd, fill, self));
	return file_open_dir(dir_fd, "fs", &ret->fd);
}

struct err *volume_dir_open(struct store *store, const char *name,
			    struct err *(*fill)(void *self, int fs_fd), void *self,
			    struct volume_dir *ret)
{
	AUTO(volume_dir) struct volume_dir dir = VOLUME_DIR_INIT;
	AUTO(mem) char *path = xasprintf("volumes/%s", name);

	TRY(check_name(name));
	TRY(err_wrap(open_volume(store, path, fill, self, &dir), "volume '%s'", name));
	*ret = dir;
	dir = VOLUME_DIR_INIT;
	return NULL;
}

void volume_dir_close(struct volume_dir *dir)
{
	if (dir->fd >= 0)
		close(dir->fd);
	lock_release(&dir->lock);
	*dir = VOLUME_DIR_INIT;
}

/* ---- all of them ---- */

static struct err *open_existing(struct store *store, const char *name, int *ret_fd)
{
	AUTO(mem) char *path = xasprintf("volumes/%s", name);
	struct err *err;

	TRY(check_name(name));
	err = file_open_dir(store->root_fd, path, ret_fd);
	if (err_kind(err) != ERR_NOT_FOUND)
		return err;
	err_free(err);
	return err_new(ERR_NOT_FOUND, "there is no volume '%s'", name);
}

static struct err *describe(struct store *store, const char *name, struct volume_list *list)
{
	AUTO(lock) struct lock lock = LOCK_INIT;
	AUTO(fd) int dir_fd = -1;
	struct volume_entry *entry;
	struct stat st;
	bool is_free;

	if (!volume_name_is_valid(name))
		return NULL;
	TRY(open_existing(store, name, &dir_fd));
	TRY(lock_try_file(dir_fd, "lock", LOCK_EXCLUSIVE, &lock, &is_free));
	if (fstat(dir_fd, &st) < 0)
		return err_sys("look at volume '%s'", name);
	entry = vec_add(list);
	entry->name = xstrdup(name);
	entry->made = st.st_mtim;
	entry->in_use = !is_free;
	return NULL;
}

struct err *volume_dir_list(struct store *store, struct volume_list *ret)
{
	AUTO(volume_list) struct volume_list list = { 0 };
	AUTO(strings) struct strings names = { 0 };
	struct err *err = file_list(store->root_fd, "volumes", &names);

	if (err_kind(err) == ERR_NOT_FOUND) {
		err_free(err); /* none was ever made */
		return NULL;
	}
	TRY(err);
	vec_foreach (&names, name)
		TRY(describe(store, *name, &list));
	*ret = list;
	list = (struct volume_list){ 0 };
	return NULL;
}

void volume_list_release(struct volume_list *list)
{
	vec_foreach (list, entry)
		free(entry->name);
	vec_release(list);
}

struct err *volume_dir_remove(struct store *store, const char *name)
{
	AUTO(mem) char *path = xasprintf("volumes/%s", name);
	AUTO(lock) struct lock lock = LOCK_INIT;
	AUTO(fd) int dir_fd = -1;
	bool is_free;

	TRY(open_existing(store, name, &dir_fd));
	TRY(lock_try_file(dir_fd, "lock", LOCK_EXCLUSIVE, &lock, &is_free));
	if (!is_free)
		return err_new(ERR_INVALID, "volume '%s' is in use", name);
	return trash_put(store, store->root_fd, path);
}
