/* overlay/same.c - see overlay/same.h. */

#include "overlay/same.h"

#include <fcntl.h>
#include <limits.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cancel.h"
#include "base/err.h"
#include "base/file.h"
#include "base/str.h"
#include "overlay/merge.h"
#include "overlay/owner.h"
#include "overlay/xattr.h"

#define CHUNK ((size_t)16 * 1024)

/* The directory of the newest of the layers that has anything at `path`, and what that is; -1 if none has.
 * `*ret_name` is the end of `path`. */
static int find_below(const struct merge *below, const char *path, const char **ret_name,
		      struct stat *ret)
{
	const char *slash = strrchr(path, '/');
	AUTO(mem)
	char *dir = slash ? str_dup((struct str){ path, (size_t)(slash - path) }) : xstrdup(".");

	*ret_name = slash ? slash + 1 : path;
	for (size_t i = 0; i < below->count; i++) {
		AUTO(fd) int fd = -1;
		AUTO(err)
		struct err *none = file_open(below->layer_fds[i], dir, O_PATH | O_DIRECTORY, 0,
					     FILE_NO_LINKS, &fd);

		if (!none && fstatat(fd, *ret_name, ret, AT_SYMLINK_NOFOLLOW) == 0)
			return STEAL_FD(fd);
	}
	return -1;
}

/* A file by its directory and name. */
struct file {
	int dir_fd;
	const char *name;
};

static struct err *open_file(const struct file *file, int *ret)
{
	*ret = openat(file->dir_fd, file->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	return *ret < 0 ? err_sys("open it") : NULL;
}

static struct err *compare_targets(const struct file *a, const struct file *b, bool *ret)
{
	char here[PATH_MAX], there[PATH_MAX];
	const ssize_t len = readlinkat(a->dir_fd, a->name, here, sizeof(here));
	const ssize_t other = readlinkat(b->dir_fd, b->name, there, sizeof(there));

	if (len < 0 || other < 0)
		return err_sys("read the link");
	*ret = len == other && memcmp(here, there, (size_t)len) == 0;
	return NULL;
}

static struct err *compare_content(int a_fd, int b_fd, bool *ret)
{
	UNCLEARED char a[CHUNK];
	UNCLEARED char b[CHUNK];
	ssize_t len = 1, other;

	for (off_t at = 0; len > 0; at += len) {
		TRY(cancel_check());
		len = pread(a_fd, a, sizeof(a), at);
		other = pread(b_fd, b, sizeof(b), at);
		if (len < 0 || other < 0)
			return err_sys("read it");
		if (other != len || memcmp(a, b, (size_t)len) != 0) {
			*ret = false;
			return NULL;
		}
	}
	*ret = true;
	return NULL;
}

static struct err *compare_attributes(int below_fd, int fd, bool *ret)
{
	AUTO(xattrs) struct xattrs below = { 0 };
	AUTO(xattrs) struct xattrs here = { 0 };

	TRY(xattrs_read(below_fd, XATTR_LAYER, &below));
	TRY(xattrs_read(fd, XATTR_VIEW, &here));
	*ret = xattrs_equal(&below, &here);
	return NULL;
}

static struct err *compare_files(const struct file *below, const struct file *file, bool *ret)
{
	AUTO(fd) int below_fd = -1;
	AUTO(fd) int fd = -1;

	TRY(open_file(below, &below_fd));
	TRY(open_file(file, &fd));
	TRY(compare_attributes(below_fd, fd, ret));
	return *ret ? compare_content(below_fd, fd, ret) : NULL;
}

static bool is_alike(const struct stat *a, const struct stat *b)
{
	return a->st_mode == b->st_mode && a->st_uid == b->st_uid && a->st_gid == b->st_gid &&
	       a->st_rdev == b->st_rdev && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

struct err *same_as_below(const struct merge *below, const char *path, int dir_fd, const char *name,
			  bool *ret)
{
	struct stat was, is;
	struct file file = { dir_fd, name }, old;
	AUTO(fd) int below_fd = find_below(below, path, &old.name, &was);

	old.dir_fd = below_fd;
	*ret = false;
	if (below_fd < 0 || fstatat(dir_fd, name, &is, AT_SYMLINK_NOFOLLOW) < 0)
		return NULL;
	if (!S_ISREG(is.st_mode) && !S_ISLNK(is.st_mode))
		return NULL;
	TRY(err_wrap(owner_stat_at(old.dir_fd, old.name, &was), "'%s'", path));
	TRY(err_wrap(owner_stat_at(dir_fd, name, &is), "'%s'", path));
	if (!is_alike(&was, &is))
		return NULL;
	if (S_ISLNK(is.st_mode))
		return err_wrap(compare_targets(&old, &file, ret), "'%s'", path);
	return err_wrap(compare_files(&old, &file, ret), "'%s'", path);
}
