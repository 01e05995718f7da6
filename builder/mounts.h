/*
 * builder/mounts.h - what a RUN finds mounted, made ready for the sandbox.
 *
 * Each --mount becomes a detached mount: a view of a stage or an image, a copy of
 * a part of the context, a cache of the store, a file system in memory. Where the
 * image has nothing at a target, a directory of mount points lies on top of its
 * layers, with the image's own metadata for all that leads there. So nothing of it
 * is ever in the upper directory, and none of it in the layer.
 *
 * All of it goes when the step has ended: copies and what was written to them,
 * locks, secrets.
 */
#ifndef BUILDER_MOUNTS_H
#define BUILDER_MOUNTS_H

#include "base/mem.h"
#include "base/vec.h"
#include "overlay/sandbox.h"
#include "store/cache_dir.h"

struct agent_relay;
struct err;
struct execution;
struct idmap;
struct layer_stage;
struct plan;
struct plan_step;

/* What keeps one mount alive. */
struct mount_hold {
	int fd;                         /* of the mount, owned */
	char *source;                   /* as in struct sandbox_mount; owned */
	char *target;                   /* owned */
	bool mapped;                    /* it is made for the user namespace of the step already */
	struct layer_stage *stage;      /* takes what is written, or holds a copy; owned; or NULL */
	struct agent_relay *relay;      /* ssh: answers; owned; or NULL */
	struct sandbox_mount_told told; /* by mounts_tell(); texts in `texts` of struct mounts */
};

struct mounts {
	struct {
		struct mount_hold *at;
		size_t len, cap;
	} holds;
	struct {
		struct cache_dir *at;
		size_t len, cap;
	} caches;
	struct sandbox_mount *list; /* owned; what the sandbox is given, a hold each */
	struct layer_stage *points; /* the mount points; NULL: the image has them all */
	struct strings env;         /* "NAME=value" of devices and secrets; wiped when freed */
	struct strings texts;       /* what mounts_tell() has written */
};

/* Whether everything that must be given for the steps that have to run was given: secrets and agents
 * that are required. ERR_NOT_FOUND with its place. */
struct err *mounts_check(const struct plan *plan) MUST_USE;

/* Start the agents that those steps ask for. By the thread that lives as long as the execution. */
struct err *mounts_start_agents(struct execution *ex) MUST_USE;

/* Make the mounts of a RUN whose root is going to be on top of the view `view_fd`. Waits for caches
 * that somebody else has locked. With an idmap they show owners as the step's user namespace knows
 * them; ERR_UNSUPPORTED if one of them cannot. */
struct err *mounts_make(struct execution *ex, const struct plan_step *step, int view_fd,
			const struct idmap *idmap, struct mounts *ret) MUST_USE;
/* What mounts_make() would make, without making it: targets, and what is told of each. Secrets have no
 * value. */
void mounts_tell(const struct execution *ex, const struct plan_step *step, struct mounts *ret);
void mounts_release(struct mounts *mounts);

/* The directory of mount points, for stack_mount(); -1 if there is none. */
int mounts_points_fd(const struct mounts *mounts);

static inline void mounts_auto_(struct mounts *mounts)
{
	mounts_release(mounts);
}

#endif
