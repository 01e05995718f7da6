/*
 * overlay/dest.h - where in a layer that is being unpacked an entry goes.
 *
 * A `struct dest` stands in a directory of the layer and moves to the parent of
 * the next entry: up to what both paths share, then down by single components,
 * opened without following anything. Entries come in the order of a walk, so
 * most moves open nothing at all.
 *
 * A component that is a symbolic link is expanded here, in text, against the
 * root of the layer (as every container tool does it): ".." stops at the root, an
 * absolute target starts there. So no path leads out of the layer, whatever it
 * holds, and no part of that depends on who wins a race.
 *
 * A component that the layer does not have makes the layer depend on what lies
 * below: it is taken from `below_fd` (a directory's metadata, a link's target), or
 * made 0755 root where there is nothing.
 *
 * Filling a directory changes its time, so each level knows the one that it shall
 * have, and gets it when the walk leaves it. A default ACL likewise comes last: it
 * would be passed on to every entry made before.
 */
#ifndef OVERLAY_DEST_H
#define OVERLAY_DEST_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/tar.h"
#include "overlay/chain.h"
#include "overlay/place.h"

struct err;

struct dest_level {
	bool known;            /* the next four are; otherwise nothing was changed here yet */
	struct timespec mtime; /* what the directory's time shall be */
	bool dirty;            /* its time is not that */
	bool inherits;         /* see struct place_dir */
	struct str acl;        /* a default ACL to set on leaving, owned; `at` NULL: none */
	bool hidden;           /* it or a directory above it is opaque; known if asked for */
};

struct dest {
	struct place place;
	struct chain chain;
	struct {
		struct dest_level *at; /* [0] is the root, [chain.len] where the dest stands */
		size_t len, cap;
	} levels;
	int below_fd;     /* a view of what lies below, borrowed; -1: not known */
	bool dependent;   /* something was missing in the layer */
	bool acls;        /* some directory was given a default ACL */
	bool ask_opaque;  /* work out `hidden` for the levels entered from now on */
	struct buf alias; /* the path that dest_move() was last given, if it held links */
};

void dest_init(struct dest *dest, int fs_fd, int below_fd);
void dest_release(struct dest *dest);

/* What to do about a component that is missing in the layer. */
enum dest_missing {
	DEST_MAKE, /* make it, from below or from nothing, with time `mtime` in the latter case */
	DEST_KNOW, /* the same, unless it is known that nothing below has it: then it is not found */
};

/* Go to the directory `path` ("" is the root; clean: no "." or ".." and no empty component).
 * `*ret_found` is false if a component is neither a directory nor leads to one, or by DEST_KNOW.
 * ERR_INVALID for a loop of links. */
struct err *dest_move(struct dest *dest, struct str path, enum dest_missing missing, int64_t mtime,
		      bool *ret_found) MUST_USE;

/* The directory where it stands, to make or remove entries in: its time is set on leaving. */
struct err *dest_here(struct dest *dest, struct place_dir *ret) MUST_USE;
struct dest_level *dest_level(struct dest *dest);

/* Give the directory where it stands the attributes of `entry`, in place of those it has. */
struct err *dest_adopt(struct dest *dest, const struct tar_entry *entry) MUST_USE;
/* Make the directory `name` and go there. ERR_SYSTEM with EEXIST if the name is taken. */
struct err *dest_make(struct dest *dest, const char *name, const struct tar_entry *entry) MUST_USE;
/* Go into the directory `name`, which is there. */
struct err *dest_enter(struct dest *dest, const char *name) MUST_USE;

/* Go up to the root and set the times that are due, the root's too. */
struct err *dest_finish(struct dest *dest) MUST_USE;

static inline void dest_auto_(struct dest *dest)
{
	dest_release(dest);
}

#endif
