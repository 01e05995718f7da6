/*
 * overlay/mount.h - layer directories stacked by overlayfs, as a detached mount.
 *
 * The result of overlay_mount() is the root of the merged tree: openat(2) works
 * beneath it, and sandbox_start() can make it the root of a step. It is
 * attached nowhere, so no path leads to it, and when the last descriptor is
 * closed it is gone: a killed program leaves no mount behind.
 *
 * Options: userxattr always, so that redirects and metacopy are off and an
 * upper directory can be walked as it is; index=off, xino=off; volatile when
 * there is an upper directory (nothing is synced, the store has its own rule
 * for what it trusts); uuid=null where the kernel knows it. The mount is nodev:
 * a step may make device nodes, and cannot open them.
 *
 * Three ways lead there, the best that works is found by trying once per
 * process: layers by descriptor (Linux 6.13), layers by path with fsconfig(2)
 * (6.5), and mount(2) in a namespace made for the purpose.
 *
 * All functions are thread safe.
 */
#ifndef OVERLAY_MOUNT_H
#define OVERLAY_MOUNT_H

#include <stddef.h>

#include "base/mem.h"

struct err;
struct idmap;
struct skeleton;
struct trees;

#define OVERLAY_LOWER_MAX 498 /* the kernel's 500, less the upper and the skeleton */

enum overlay_way {
	OVERLAY_BEST, /* the best that works here */
	OVERLAY_BY_FD,
	OVERLAY_BY_PATH,
	OVERLAY_BY_STRING,
};

struct overlay_spec {
	const int *lower_fds; /* layer directories, newest first; O_PATH is enough */
	size_t lower_count;   /* 0 (FROM scratch) to OVERLAY_LOWER_MAX */
	int upper_fd;         /* takes the changes; 0 or -1: a read-only view */
	int work_fd;          /* empty, unused so far, on the file system of the upper; with it */
	const struct skeleton *skeleton; /* its root lies below a step, its empty below a view */
	/* All of it as this shows it, by descriptor; NULL: as it is. ERR_UNSUPPORTED if the kernel or
	 * a file system cannot. */
	const struct idmap *idmap;
	int pair_fd; /* then, with an upper: the directory that has it as `fs` and work as `work` */
	struct trees *trees;  /* of the build, for copies; NULL: this one stays alone */
	enum overlay_way way; /* for tests and for explaining; else OVERLAY_BEST */
};

/*
 * Mount it. `*ret_fd` is an O_PATH descriptor of the merged root, the caller's to close. The
 * descriptors of `spec` are borrowed for the call. While the mount lives the lower directories
 * must not change and nobody may write to the upper by another way; a work directory serves once.
 *
 * ERR_INVALID for too many layers; ERR_UNSUPPORTED when the file system of the upper cannot be
 * one; ERR_SYSTEM with the kernel's own words where it has any.
 */
struct err *overlay_mount(const struct overlay_spec *spec, int *ret_fd) MUST_USE;

#endif
