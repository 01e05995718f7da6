/*
 * builder/landing.h - directories of a layer in the making, over what lies below.
 *
 * COPY and WORKDIR write into the upper directory of a layer without a mount.
 * Every directory on the way gets an entry of its own there, with the metadata
 * that it has below, so that the layer stands alone. A name that the layer has
 * decides alone what it is; only one that it does not have is looked for below.
 *
 * Two things wait until a directory is left: its time, which making something in
 * it changes, and its default ACL, which what is made in it would inherit.
 */
#ifndef BUILDER_LANDING_H
#define BUILDER_LANDING_H

#include <stdbool.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <time.h>

#include "base/mem.h"
#include "base/vec.h"
#include "overlay/xattr.h"

struct err;

/* A directory of the layer that is being filled. */
struct landing {
	char *path;   /* from the root, without a slash in front; "" is the root; owned */
	int upper_fd; /* owned */
	int below_fd; /* the same directory below, owned; -1: there is none */
	bool fresh;   /* made a moment ago: empty, and not set-group-id */

	/* For landing_leave(). */
	bool holds;           /* it was there before, here or below */
	struct timespec time; /* that it had */
	struct xattrs xattrs; /* that it had */
};

#define LANDING_INIT ((struct landing){ .upper_fd = -1, .below_fd = -1 })

void landing_release(struct landing *landing);

static inline void landing_auto_(struct landing *landing)
{
	landing_release(landing);
}

/* Move one out of an AUTO() local. */
struct landing landing_steal(struct landing *landing);

/* What a directory that exists nowhere yet gets. */
struct landing_dir {
	mode_t mode;
	uid_t uid;
	gid_t gid;
};

/* "/" of the layer whose upper directory is `upper_fd`, on top of the view `below_fd` (-1: nothing).
 * Neither is taken. */
struct err *landing_root(int upper_fd, int below_fd, struct landing *ret) MUST_USE;

/* Enter a directory, making its entry in the layer: with the attributes that it has below, or with
 * those of `fresh` if it is nowhere. ERR_INVALID if something else has the name. `ret` is the
 * caller's to release, and to leave first unless he gives it other metadata. */
struct err *landing_enter(const struct landing *from, const char *name,
			  const struct landing_dir *fresh, struct landing *ret) MUST_USE;

/* Nothing more will be made in it: give it back its time and default ACL. */
struct err *landing_leave(const struct landing *landing) MUST_USE;

/* Whether a name is there, in the layer or else below. */
bool landing_has(const struct landing *landing, const char *name, struct stat *ret);

/* Turn a path with links into the components of one without, as it would be seen from inside; added
 * to `ret`. What does not exist yet is taken literally. ERR_INVALID for too many links. */
struct err *landing_resolve(int upper_fd, int below_fd, const char *path, struct strings *ret)
	MUST_USE;

/* True if such components lead to a directory that exists. */
bool landing_is_dir(int upper_fd, int below_fd, const struct strings *parts);

#endif
