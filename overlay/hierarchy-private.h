/*
 * overlay/hierarchy-private.h - where the control groups of this process are.
 *
 * Linux has them in two shapes. In the unified one (cgroup2) a process is in one
 * group, and a directory has the files of every controller that its parent passes
 * on. In the older one (cgroup v1) each controller, or a few together, has a tree
 * of its own. A machine may have both: then a controller is in one of them.
 *
 * The truth is in /proc/self/mountinfo and /proc/self/cgroup, read beneath a root
 * directory, which for tests is not that of the machine. A container often sees
 * only a part of a tree, with the top of it mounted somewhere else: what is said
 * of the process's own group is translated to the mount.
 */
#ifndef OVERLAY_HIERARCHY_H
#define OVERLAY_HIERARCHY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/mem.h"
#include "base/str.h"

struct err;

struct hierarchy {
	bool unified;
	char *controllers; /* owned; "cpu,cpuacct"; of the unified one those that its top has */
	char *mount;       /* owned; where it is mounted, without the first slash */
	char *own;         /* owned; the directory of our group, the same way */
};

struct hierarchies {
	struct hierarchy *at;
	size_t len, cap;
};

/* Find all that are mounted, in the order of /proc/self/cgroup. A machine without any is no error. */
struct err *hierarchies_find(int root_fd, struct hierarchies *ret) MUST_USE;
void hierarchies_release(struct hierarchies *list);

/* Whether `controller` is in a list that is cut by `separator`. */
bool hierarchy_lists(const char *controllers, char separator, const char *controller);
/* The one that has it; NULL if none does. */
const struct hierarchy *hierarchies_with(const struct hierarchies *list, const char *controller);

static inline void hierarchies_auto_(struct hierarchies *list)
{
	hierarchies_release(list);
}

#endif
