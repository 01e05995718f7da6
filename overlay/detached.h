/*
 * overlay/detached.h - mounts that stand nowhere yet: what a step can be given.
 *
 * A mount is a descriptor and nothing else, until a step attaches it in its own
 * namespace (struct sandbox_mount). None but detached_device() allows devices. When the last
 * descriptor is closed it is gone, by `kill -9` too.
 */
#ifndef OVERLAY_DETACHED_H
#define OVERLAY_DETACHED_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/mem.h"

struct err;

/* An empty file system in memory, whose root has `mode`; `size` in bytes, 0: half of the machine's
 * memory. Set-id programs in it have no effect. */
struct err *detached_tmpfs(mode_t mode, uint64_t size, int *ret_fd) MUST_USE;

/* The same, with more to say about it. */
struct detached_memory {
	mode_t mode; /* of its root */
	uid_t uid;   /* the owner of its root; nobody's where there is only one id */
	gid_t gid;
	uint64_t size;   /* in bytes; 0: half of the machine's memory */
	uint64_t inodes; /* how many files fit; 0: as the kernel likes */
	bool no_exec;    /* no program in it can be executed */
};

struct err *detached_memory(const struct detached_memory *memory, int *ret_fd) MUST_USE;

/* The same for one file of these bytes and attributes, called DETACHED_FILE, in a file system that
 * is read-only, executes nothing else than an
 * `executable` one, and is not written to a swap device where the kernel knows how. */
#define DETACHED_FILE "file"
struct detached_file {
	const char *data;
	size_t len;
	mode_t mode;
	uid_t uid;
	gid_t gid;
	bool executable;
};
struct err *detached_file(const struct detached_file *file, int *ret_fd) MUST_USE;

/* The file or directory `fd`, which lies in the machine's own tree, as a mount; what is mounted
 * below it is not part of it. Changes go to the original, unless `read_only`; mounts made within
 * it never do. */
struct err *detached_clone(int fd, bool read_only, int *ret_fd) MUST_USE;
/* The same with all that is mounted below. */
struct err *detached_clone_all(int fd, bool read_only, int *ret_fd) MUST_USE;

/* The device node `fd` of the machine as a mount that is this one file. ERR_INVALID if it is none. */
struct err *detached_device(int fd, int *ret_fd) MUST_USE;

/* Take set-id programs, or all programs, from a detached mount and those below it. */
struct err *detached_restrict(int fd, bool no_set_id, bool no_exec) MUST_USE;
/* A node of its own for the same device, called DETACHED_FILE, with the same owner and mode: a file
 * system that can show other owners, as /dev itself cannot. ERR_INVALID as above. */
struct err *detached_node(int fd, int *ret_fd) MUST_USE;

/* Make a detached mount read-only. */
struct err *detached_fix(int fd) MUST_USE;

#endif
