/*
 * overlay/kernel-private.h - system calls that the C libraries we build with may not know.
 *
 * Thin and without opinion: arguments and results are the kernel's, errno is
 * set. <sys/mount.h> is left out on purpose, it fights with <linux/mount.h>.
 * The helper uses them too, so nothing here may need more than syscall(2).
 */
#ifndef OVERLAY_KERNEL_PRIVATE_H
#define OVERLAY_KERNEL_PRIVATE_H

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

/* From <sys/mount.h>. */
#define KERNEL_UMOUNT_DETACH 2
#define KERNEL_PRIVATE (1 << 18)

static inline int kernel_fsopen(const char *type)
{
	return (int)syscall(SYS_fsopen, type, FSOPEN_CLOEXEC);
}

static inline int kernel_fsconfig(int fs_fd, unsigned command, const char *key, const void *value,
				  int aux)
{
	return (int)syscall(SYS_fsconfig, fs_fd, command, key, value, aux);
}

/* `attributes` are MOUNT_ATTR_*. */
static inline int kernel_fsmount(int fs_fd, unsigned attributes)
{
	return (int)syscall(SYS_fsmount, fs_fd, FSMOUNT_CLOEXEC, attributes);
}

/* Attach the detached mount `from_fd` at `path` below `dir_fd`; an empty path is `dir_fd` itself. */
static inline int kernel_attach(int from_fd, int dir_fd, const char *path)
{
	return (int)syscall(SYS_move_mount, from_fd, "", dir_fd, path,
			    MOVE_MOUNT_F_EMPTY_PATH | (*path ? 0 : MOVE_MOUNT_T_EMPTY_PATH));
}

/* A detached clone of the mount at `path`, with that path as its root. */
static inline int kernel_clone_mount(int dir_fd, const char *path)
{
	return (int)syscall(SYS_open_tree, dir_fd, path,
			    OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_SYMLINK_NOFOLLOW |
				    (*path ? 0 : AT_EMPTY_PATH));
}

/* The same with everything that is mounted below it. */
static inline int kernel_clone_tree(int dir_fd, const char *path)
{
	return (int)syscall(SYS_open_tree, dir_fd, path,
			    OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_SYMLINK_NOFOLLOW |
				    AT_RECURSIVE | (*path ? 0 : AT_EMPTY_PATH));
}

static inline int kernel_mount_setattr(int fd, const char *path, unsigned flags, uint64_t set)
{
	struct mount_attr attr = { .attr_set = set };

	return (int)syscall(SYS_mount_setattr, fd, path, flags, &attr, sizeof(attr));
}

/* No mount made on this one, or on its copies, shows at another place, nor one made there here. */
static inline int kernel_make_private(int fd, const char *path, unsigned flags)
{
	struct mount_attr attr = { .propagation = KERNEL_PRIVATE };

	return (int)syscall(SYS_mount_setattr, fd, path, flags, &attr, sizeof(attr));
}

#define KERNEL_OPEN_TRIES 1000

/* Again while a rename or a mount anywhere on the machine confuses the resolution of "..". */
static inline int kernel_openat2(int dir_fd, const char *path, int flags, uint64_t resolve)
{
	struct open_how how = { .flags = (uint64_t)flags | O_CLOEXEC, .resolve = resolve };
	int fd = -1;

	for (int tries = 0; tries < KERNEL_OPEN_TRIES; tries++) {
		fd = (int)syscall(SYS_openat2, dir_fd, path, &how, sizeof(how));
		if (fd >= 0 || errno != EAGAIN)
			break;
	}
	return fd;
}

static inline int kernel_pivot_root(const char *new_root, const char *old_root)
{
	return (int)syscall(SYS_pivot_root, new_root, old_root);
}

static inline int kernel_umount(const char *path, int flags)
{
	return (int)syscall(SYS_umount2, path, flags);
}

#endif
