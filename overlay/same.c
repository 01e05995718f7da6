/* overlay/same.c - see overlay/same.h. */

#include "overlay/same.h"

#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cancel.h"
#include "base/err.h"
#include "base/file.h"
#include "overlay/merge.h"
#include "overlay/owner.h"
#include "overlay/xattr.h"

#define CHUNK ((size_t)16 * 1024)

/* -1 if it is none, or no regular file. */
static int open_below(const struct merge *below, const char *path)
{
	struct stat st;

	for (size_t i = 0; i < below->count; i++) {
		AUTO(fd) int fd = -1;
		AUTO(err)
		struct err *none = file_open(below->layer_fds[i], path, O_PATH | O_NOFOLLOW, 0,
					     FILE_NO_LINKS, &fd);
		AUTO(err) struct err *unreadable = NULL;
		int file_fd = -1;

		if (none) /* the next one has it, or none */
			continue;
		if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
			return -1;
		unreadable = file_open(below->layer_fds[i], path, O_RDONLY | O_NOFOLLOW, 0,
				       FILE_NO_LINKS, &file_fd);
		return unreadable ? -1 : file_fd;
	}
	return -1;
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

static bool is_alike(const struct stat *a, const struct stat *b)
{
	return a->st_mode == b->st_mode && a->st_uid == b->st_uid && a->st_gid == b->st_gid &&
	       a->st_rdev == b->st_rdev && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

struct err *same_as_below(const struct merge *below, const char *path, int dir_fd, const char *name,
			  bool *ret)
{
	AUTO(fd) int below_fd = open_below(below, path);
	AUTO(fd) int fd = -1;
	struct stat was, is;

	*ret = false;
	if (below_fd < 0 || fstatat(dir_fd, name, &is, AT_SYMLINK_NOFOLLOW) < 0 ||
	    !S_ISREG(is.st_mode))
		return NULL;
	fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return err_sys("open '%s'", path);
	if (fstat(below_fd, &was) < 0)
		return err_sys("look at '%s'", path);
	TRY(owner_stat(below_fd, &was));
	TRY(owner_stat(fd, &is));
	if (!is_alike(&was, &is))
		return NULL;
	TRY(err_wrap(compare_attributes(below_fd, fd, ret), "'%s'", path));
	return *ret ? err_wrap(compare_content(below_fd, fd, ret), "'%s'", path) : NULL;
}
