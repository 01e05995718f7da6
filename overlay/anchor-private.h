/*
 * overlay/anchor-private.h - the directory of a hierarchy in which steps get their groups.
 *
 * In the unified shape a group with processes passes no controller on, so a step's
 * group stands beside ours, and a controller that nobody has passed on so far is
 * passed on from the top down, if we may: that is what other engines do as well.
 * In the other shape it stands below ours. A parent that the user names is taken
 * from the top of the hierarchy, made if it is missing, and stays.
 */
#ifndef OVERLAY_ANCHOR_H
#define OVERLAY_ANCHOR_H

#include <stdbool.h>
#include <stddef.h>

#include "base/mem.h"

struct err;
struct hierarchy;
struct resource_setting;

struct anchor {
	const struct hierarchy *hierarchy; /* borrowed */
	char *path;                        /* owned; from the root, without its first slash */
	int dir_fd;                        /* owned */
	const char *option;                /* borrowed; who needs it, NULL: nobody */
	const char *controller;            /* borrowed; for what; NULL with "--cgroup-parent" */
};

/* Everything is borrowed while the anchor lives. Controllers of settings without an option are not
 * passed on: what is there of them is used. */
struct err *anchor_open(int root_fd, const struct hierarchy *hierarchy, const char *parent,
			const struct resource_setting *settings, size_t setting_count,
			struct anchor *ret) MUST_USE;
void anchor_release(struct anchor *anchor);
/* Whether groups in it have the files of a controller, in the unified shape. */
bool anchor_passes_on(const struct anchor *anchor, const char *controller);

/* The story of a limit that cannot be set: `doing` is what failed with `error` (errno) on `path`,
 * which is told from the root. `option` and `controller` may be NULL. ERR_DENIED where other rights
 * would help, ERR_INVALID for a value that the kernel refuses, else ERR_SYSTEM. */
struct err *anchor_refusal(const char *option, const char *controller, const char *doing,
			   const char *path, int error) MUST_USE;

/* A group below a parent's: its directory, which may exist. In the older shape a new one of cpuset
 * gets its parent's CPUs, without which it takes no process. */
struct err *anchor_make_group(const struct hierarchy *hierarchy, int parent_fd, const char *name,
			      bool exclusive, int *ret_fd) MUST_USE;

static inline void anchor_auto_(struct anchor *anchor)
{
	anchor_release(anchor);
}

#endif
