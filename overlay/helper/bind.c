/*
 * overlay/helper/bind.c - what is mounted for one step alone: caches, secrets, other trees.
 *
 * Sources come as detached mounts, so no path of the host is looked up here. A
 * part of one is found beneath its own root, while that stands apart from the
 * step's; targets are found beneath the step's root, and neither by a magic link.
 *
 * While the spawner's root lies on the step's, ".." at the top of that leads into
 * it. So sources are taken apart before it goes, and targets looked for after.
 *
 * A target is not made in the image's tree: the caller has seen to it that it is
 * there without being of the layer. Only in what was mounted before, which is no
 * part of the image, one that is missing is made.
 */

#include "overlay/helper/helper.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

#include "overlay/kernel-private.h"

#define INSIDE (RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS)

/* The part of a mount that is to be shown, as a mount of its own. */
static int take_part(const struct step *step, int fd, const char *source)
{
	int part_fd;
	int clone_fd;

	/* only what is attached can be cloned in part */
	if (kernel_attach(fd, step->base_fd, BASE_SOURCE) < 0)
		step_fail(step, STAGE_BIND_SOURCE, source);
	part_fd = kernel_openat2(fd, source, O_PATH, INSIDE);
	if (part_fd < 0)
		step_fail(step, STAGE_BIND_SOURCE, source);
	clone_fd = kernel_clone_mount(part_fd, "");
	if (clone_fd < 0 || fchdir(step->base_fd) < 0 ||
	    kernel_umount(BASE_SOURCE, KERNEL_UMOUNT_DETACH) < 0)
		step_fail(step, STAGE_BIND_SOURCE, source);
	close(part_fd);
	return clone_fd;
}

static uint64_t mount_id(const struct step *step, int fd, const char *target)
{
	struct statx st;

	if (statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &st) < 0)
		step_fail(step, STAGE_BIND_TARGET, target);
	return st.stx_mnt_id;
}

/* Open what stands at a place that was to be made: another step that has the same mount may have been
 * first. A link is no place: it leads to nothing, or it would have been followed. */
static int open_point(int parent_fd, const char *name)
{
	int fd = openat(parent_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || (fstat(fd, &st) == 0 && !S_ISLNK(st.st_mode)))
		return fd;
	close(fd);
	errno = EEXIST;
	return -1;
}

/* Make `path`, whose last component is missing in `parent_fd`: a directory, or an empty file. */
static int make_point(const struct step *step, int parent_fd, char *path, bool directory)
{
	const char *name = strrchr(path, '/') + 1;
	mode_t mode = directory ? S_IFDIR | 0755 : S_IFREG | 0644;
	int failed;

	if (mount_id(step, parent_fd, path) == mount_id(step, step->root_fd, path)) {
		errno = ENOENT;
		return -1;
	}
	failed = directory ? mkdirat(parent_fd, name, mode) : mknodat(parent_fd, name, mode, 0);
	if (failed && errno != EEXIST)
		return -1;
	return open_point(parent_fd, name);
}

/* Open `path`, which begins with a slash; the text is cut on the way and mended again. */
static int open_target(const struct step *step, char *path, bool directory)
{
	int fd = kernel_openat2(step->root_fd, path, O_PATH, INSIDE);
	int parent_fd = step->root_fd;

	if (fd >= 0 || errno != ENOENT)
		return fd;
	for (char *end = strchr(path + 1, '/');; end = strchr(end + 1, '/')) {
		if (end)
			*end = '\0';
		fd = kernel_openat2(step->root_fd, path, O_PATH, INSIDE);
		if (fd < 0 && errno == ENOENT)
			fd = make_point(step, parent_fd, path, end || directory);
		if (end)
			*end = '/';
		if (!end || fd < 0)
			return fd;
		if (parent_fd != step->root_fd)
			close(parent_fd);
		parent_fd = fd;
	}
}

static void bind_one(const struct step *step, const struct request_mount *mount, int fd)
{
	char *target = step_text(step, mount->target);
	int target_fd;
	struct stat st, there;

	if (fstat(fd, &st) < 0)
		step_fail(step, STAGE_BIND_TARGET, target);
	target_fd = open_target(step, target, S_ISDIR(st.st_mode));
	if (target_fd < 0 || fstat(target_fd, &there) < 0)
		step_fail(step, STAGE_BIND_TARGET, target);
	errno = ENOTDIR;
	if (S_ISDIR(st.st_mode) != S_ISDIR(there.st_mode) || kernel_attach(fd, target_fd, "") < 0)
		step_fail(step, STAGE_BIND_TARGET, target);
	close(target_fd);
}

static const struct request_mount *mounts_of(const struct step *step)
{
	return (const struct request_mount *)(void *)step_text(step, step->request->mounts.at);
}

void bind_take_sources(const struct step *step)
{
	const struct request_mount *mounts = mounts_of(step);

	for (uint32_t i = 0; i < step->mount_count; i++)
		if (mounts[i].source)
			step->mount_fds[i] = take_part(step, step->mount_fds[i],
						       step_text(step, mounts[i].source));
}

void bind_all(const struct step *step)
{
	const struct request_mount *mounts = mounts_of(step);

	for (uint32_t i = 0; i < step->mount_count; i++)
		bind_one(step, &mounts[i], step->mount_fds[i]);
}
