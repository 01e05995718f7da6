/*
 * overlay/driver.h - the ladder of storage drivers: how layers become a tree.
 *
 *	overlay         the kernel stacks them (overlay/mount.h): the best
 *	fuse-overlayfs  a program does, by way of /dev/fuse
 *	copy            they are merged into a directory, and what a step changed is found
 *	                by looking at all of it (overlay/merge.h, overlay/snapshot.h): slow, and
 *	                works wherever files can be made; the next step gets the tree
 *	                (overlay/trees.h)
 *
 * All of them lead to the same layers: what a step leaves is an upper directory as
 * overlayfs spells it. Where that is not so: `copy` sees no file that was opened for writing and
 * not written, lets directories of the base be renamed, writes to all names of a file of
 * several names, and takes a name that goes and one that comes for one that was renamed
 * (overlay/snapshot.h); fuse-overlayfs copies up another one of its names when one is
 * deleted or renamed, which then is in the layer, unchanged, and loses set-id bits of
 * directories (overlay/fuse-settle.c) and the group that they give. A tree is a detached mount in each case, and
 * nothing of it is left when its descriptors are closed, by `kill -9` too; a copied one
 * lies in a staging directory of a lease.
 *
 * Which one is taken is found by doing: a tiny stack is mounted on the store's own file
 * system, files in it are deleted and renamed, and what that left is read as a layer. The
 * answers are kept in cache/storage for as long as the machine runs, the same user works
 * with the same kernel, and the store is on the same file system. Who has to do with
 * less than the best is told why.
 */
#ifndef OVERLAY_DRIVER_H
#define OVERLAY_DRIVER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/mem.h"

struct copies;
struct err;
struct mounted;
struct overlay_spec;
struct store;

enum driver {
	DRIVER_AUTO, /* the first that works */
	DRIVER_OVERLAY,
	DRIVER_FUSE,
	DRIVER_COPY,
};

#define DRIVER_COUNT 4

extern const char *const driver_names[]; /* by enum driver; NULL-terminated */

/* The driver that a user means, also by the names of other tools ("overlay2", "vfs"). ERR_USAGE. */
struct err *driver_parse(const char *name, enum driver *ret) MUST_USE;

/* The store's driver; what was not set before (store_set_driver()) is found out, once. The user
 * hears of it if it is not the best. Nothing is tried again that is known. */
struct err *driver_of(struct store *store, enum driver *ret) MUST_USE;

/* What trying one came to. */
struct driver_answer {
	bool tried, works;
	bool passing; /* it does not for a reason that may be gone next time: not remembered */
	char *reason; /* owned; why it does not, one line */
};

struct driver_answers {
	struct driver_answer at[DRIVER_COUNT];
};

void driver_answers_release(struct driver_answers *answers);

/* Try them all, whatever was known. `*ret_best` is the first that works. */
struct err *driver_try_all(struct store *store, struct driver_answers *ret, enum driver *ret_best)
	MUST_USE;

/* What one that works does here, for people: static text. */
const char *driver_describe(struct store *store, enum driver driver);

/* A tree that nobody writes to; as overlay_mount(). */
struct err *driver_view(struct store *store, const struct overlay_spec *spec, int *ret_fd) MUST_USE;

/* One that is written to. Afterwards mounted_settle() leaves the changes in the upper directory;
 * until then the layer must not be read. `*ret` is NULL where there is nothing to be done; `ret` may be
 * NULL if nobody wants to know the changes. */
struct err *driver_mount(struct store *store, const struct overlay_spec *spec, int *ret_fd,
			 struct mounted **ret) MUST_USE;

/* All that was written is in the upper directory, as a layer has it. Once, when nobody writes any more,
 * while the upper is open. NULL is fine. ERR_INVALID for what no layer can have. What was brought up from
 * below is added to `copies` (NULL if nobody asks), which has to be all zero. */
struct err *mounted_settle(struct mounted *mounted, struct copies *copies) MUST_USE;
void mounted_free(struct mounted *mounted);
DEFINE_AUTO(mounted)

static inline void driver_answers_auto_(struct driver_answers *answers)
{
	driver_answers_release(answers);
}

#endif
