/* overlay/skeleton.c - see overlay/skeleton.h. */

#include "overlay/skeleton.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/err.h"
#include "base/file.h"

static const struct timespec epoch[2] = { { 0 } };

static struct err *make_dir(int dir_fd, const char *path)
{
	AUTO(fd) int fd = -1;

	return file_make_dirs(dir_fd, path, 0755, &fd);
}

static struct err *make_file(int dir_fd, const char *path)
{
	AUTO(fd) int fd = openat(dir_fd, path, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644);

	if (fd < 0 || fchmod(fd, 0644) < 0 || futimens(fd, epoch) < 0)
		return err_sys("%s", path);
	return NULL;
}

static struct err *fill(int root_fd)
{
	static const char *const dirs[] = { "dev", "proc", "sys", "etc", "." };

	for (size_t i = 0; i < ARRAY_SIZE(dirs) - 1; i++)
		TRY(make_dir(root_fd, dirs[i]));
	TRY(make_file(root_fd, "etc/hosts"));
	TRY(make_file(root_fd, "etc/resolv.conf"));
	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++)
		if (utimensat(root_fd, dirs[i], epoch, AT_SYMLINK_NOFOLLOW) < 0)
			return err_sys("%s", dirs[i]);
	return NULL;
}

struct err *skeleton_open(int dir_fd, struct skeleton *ret)
{
	AUTO(fd) int root_fd = -1;
	AUTO(fd) int empty_fd = -1;

	TRY(err_wrap(file_make_dirs(dir_fd, "skeleton/root", 0755, &root_fd), "skeleton"));
	TRY(err_wrap(file_make_dirs(dir_fd, "skeleton/empty", 0755, &empty_fd), "skeleton"));
	TRY(err_wrap(fill(root_fd), "skeleton"));
	*ret = (struct skeleton){ .root_fd = STEAL_FD(root_fd), .empty_fd = STEAL_FD(empty_fd) };
	return NULL;
}

void skeleton_close(struct skeleton *skeleton)
{
	if (skeleton->root_fd >= 0)
		close(skeleton->root_fd);
	if (skeleton->empty_fd >= 0)
		close(skeleton->empty_fd);
	*skeleton = SKELETON_INIT;
}
