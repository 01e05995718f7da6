/*
 * store/trash.c - deleting later, and a little at a time.
 *
 * Taking something out of view is one rename, whatever its size. Deleting it
 * has no such bound, so it is done in steps that all are short: a directory's
 * files are unlinked, its subdirectories are renamed to the top of trash/, and
 * what is then empty is removed. A tree of any depth melts away without
 * recursion, can be left at any point, and any number of processes can help.
 */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/err.h"
#include "store/store-private.h"

struct drain {
	int fd;                     /* trash/, borrowed */
	uint64_t deadline;          /* monotonic nanoseconds */
	char prefix[STORE_ID_SIZE]; /* of the names that are given to subdirectories */
	unsigned names;             /* how many were given */
	bool progress;              /* something was deleted in this pass */
};

struct err *trash_put(struct store *store, int dir_fd, const char *path)
{
	char id[STORE_ID_SIZE];
	char target[STORE_PATH_SIZE];

	TRY(store_random_id(id));
	snprintf(target, sizeof(target), "trash/%s", id);
	if (renameat(dir_fd, path, store->root_fd, target) == 0 || errno == ENOENT)
		return NULL;
	return err_sys("move %s to trash", path);
}

static bool is_late(const struct drain *d)
{
	return clock_monotonic() >= d->deadline;
}

static bool is_dot(const char *name)
{
	return name[0] == '.' && (!name[1] || (name[1] == '.' && !name[2]));
}

/* Move a subdirectory to the top of trash/. One that is not ours to write must be made so, since
 * the move changes its ".." entry. */
static void lift(struct drain *d, int dir_fd, const char *name)
{
	char top[STORE_ID_SIZE + 16];

	snprintf(top, sizeof(top), "%s-%u", d->prefix, d->names++);
	if (renameat(dir_fd, name, d->fd, top) == 0 ||
	    (errno == EACCES && fchmodat(dir_fd, name, 0700, AT_SYMLINK_NOFOLLOW) == 0 &&
	     renameat(dir_fd, name, d->fd, top) == 0))
		d->progress = true;
}

/* Empty one directory; false when time is up. */
static bool empty_dir(struct drain *d, int fd)
{
	DIR *dir = fdopendir(fd); /* owns fd */
	const struct dirent *entry;
	bool in_time = true;

	if (!dir) {
		close(fd);
		return true;
	}
	while (in_time && (entry = readdir(dir))) {
		if (is_dot(entry->d_name))
			continue;
		if (entry->d_type != DT_DIR && unlinkat(dirfd(dir), entry->d_name, 0) == 0)
			d->progress = true;
		else
			lift(d, dirfd(dir), entry->d_name);
		in_time = !is_late(d);
	}
	closedir(dir);
	return in_time;
}

/* Delete one thing at the top of trash/, or take it apart; false when time is up. */
static bool melt(struct drain *d, const char *name)
{
	int fd;

	if (unlinkat(d->fd, name, 0) == 0 || unlinkat(d->fd, name, AT_REMOVEDIR) == 0) {
		d->progress = true;
		return !is_late(d);
	}
	fd = openat(d->fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && errno == EACCES && fchmodat(d->fd, name, 0700, AT_SYMLINK_NOFOLLOW) == 0)
		fd = openat(d->fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return !is_late(d);
	if (faccessat(fd, ".", W_OK | X_OK, 0) < 0)
		(void)fchmod(fd, 0700); /* if that fails, deleting below it does too */
	if (!empty_dir(d, fd))
		return false;
	if (unlinkat(d->fd, name, AT_REMOVEDIR) == 0)
		d->progress = true;
	return !is_late(d);
}

void trash_drain(struct store *store, uint64_t deadline)
{
	struct drain d = { .deadline = deadline, .progress = true };
	AUTO(fd) int fd = -1;

	err_free(file_open_dir(store->root_fd, "trash", &fd)); /* then there is nothing to do */
	d.fd = fd;
	while (fd >= 0 && d.progress) {
		AUTO(strings) struct strings names = { 0 };
		struct err *err = file_list(fd, ".", &names);
		bool in_time = !err && names.len > 0;

		if (in_time && !d.prefix[0])
			err = store_random_id(d.prefix);
		err_free(err); /* rubbish that stays for another time harms nobody */
		d.progress = false;
		for (size_t i = 0; in_time && i < names.len; i++)
			in_time = melt(&d, names.at[i]);
		if (!in_time)
			return;
	}
}
