/*
 * overlay/cgroup-private.h - a control group for a step: limits, and what it used.
 *
 * A step gets a leaf: a directory `cairn-<id>-<n>` in each hierarchy that matters,
 * beside the group of this process in the unified shape, where a group that has
 * processes cannot limit others, and in it otherwise; or below a parent that the
 * user names. The step's first process is born in it (CLONE_INTO_CGROUP) or enters
 * it before anything else, so nothing of a step is ever outside.
 *
 * If nothing was asked for, a leaf is made where that is free of side effects, for
 * the number of processes; where there is none, nobody is told. With anything
 * asked for, whatever is in the way is an error.
 *
 * A leaf is locked (flock(2) on its directory) for as long as its process lives.
 * Whoever makes leaves first removes those that nobody holds: what is left of a
 * builder that was killed goes with the next one. A leaf that only counts processes
 * is used again by later steps.
 */
#ifndef OVERLAY_CGROUP_H
#define OVERLAY_CGROUP_H

#include <stddef.h>
#include <stdint.h>

#include "base/mem.h"

struct cgroups;
struct cgroup_leaf;
struct err;
struct sandbox_resources;

#define CGROUP_PARTS_MAX 12 /* hierarchies that a leaf is in */

/* Find where leaves go, beneath `root_fd` (borrowed; the machine's root), and remove dead ones.
 * `resources` is borrowed while the result lives. `*ret` is NULL if there will be no leaves.
 * ERR_UNSUPPORTED if a controller that is needed is missing, ERR_DENIED if we may not use it. */
struct err *cgroups_open(int root_fd, const struct sandbox_resources *resources,
			 struct cgroups **ret) MUST_USE;
void cgroups_free(struct cgroups *groups); /* every leaf was put back before */
DEFINE_AUTO(cgroups)

/* A leaf for one step at a time, the limits set. Thread safe. It lacks a hierarchy that nothing was
 * asked of and that cannot be used; `*ret` is NULL if there is none at all. */
struct err *cgroups_take(struct cgroups *groups, struct cgroup_leaf **ret) MUST_USE;

/* How a step gets into it; all borrowed. */
struct cgroup_entry {
	int clone_fd;                    /* the directory to be born in; -1: none */
	int enter_fds[CGROUP_PARTS_MAX]; /* files into which the step writes "0" */
	size_t enter_count;
	/* the controllers of each enter_fd, "cpu,cpuacct"; NULL-terminated */
	const char *shown[CGROUP_PARTS_MAX + 1];
};
void cgroup_leaf_entry(const struct cgroup_leaf *leaf, struct cgroup_entry *ret);

/* Its path in a hierarchy that it is in, the unified one if it can be; owned by the caller. NULL: it is in
 * none. */
char *cgroup_leaf_path(const struct cgroup_leaf *leaf) MUST_USE;

struct cgroup_usage {
	uint64_t memory_peak; /* bytes; 0: not known */
	uint64_t cpu_us;      /* 0: not known */
	uint64_t oom_kills;
	uint64_t forks_refused; /* for want of processes that it may have */
};
/* What was used since the leaf was taken. */
void cgroup_leaf_usage(const struct cgroup_leaf *leaf, struct cgroup_usage *ret);

/* Kill all that is in it, if the kernel can do that at once. */
void cgroup_leaf_kill(const struct cgroup_leaf *leaf);

/* Give it back. Nothing runs in it any more, or will be dead soon. NULL is nothing. */
void cgroup_leaf_put(struct cgroup_leaf *leaf);

#endif
