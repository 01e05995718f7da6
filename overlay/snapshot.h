/*
 * overlay/snapshot.h - what has changed in a directory tree since it was looked at.
 *
 * A snapshot remembers of every file its inode, when it was made, and the time of its last change,
 * which the kernel sets whenever content, owner, mode, attributes, name or links change, and
 * which nobody can set. What differs in one of
 * them has changed, and nothing has to be read again. Taking a snapshot ends when the
 * clock of the file system has gone on: what changes from then on has another time.
 *
 * The changes become an upper directory as overlayfs would have left it: new and changed
 * files are moved there, names that are gone are whiteouts, directories that were made
 * anew are opaque. Three things cannot be seen, and differ from overlayfs:
 *
 *	a file opened for writing and not written: overlayfs has copied it, here it is unchanged
 *	a directory renamed, and then back, by rename(2): overlayfs refuses that (EXDEV),
 *	and programs then copy all of it; here nothing has changed
 *	a file of several names written by one of them: overlayfs gives that name a file of
 *	its own; here they are one file, as on any other file system, and all names change
 *
 * A file of several names of which one is deleted, renamed or replaced has another time of change, too, though
 * nothing of it is in a layer. Where names are gone and no more have come, what is left is compared with
 * the layer that it is from.
 */
#ifndef OVERLAY_SNAPSHOT_H
#define OVERLAY_SNAPSHOT_H

#include <stdbool.h>

#include "base/mem.h"

struct copies;
struct err;
struct merge;
struct snapshot;

/* Of the tree at `dir_fd`, where nothing changes meanwhile. `beside_fd` is a directory on the same file
 * system, outside the tree, for a file by which its clock is seen. */
struct err *snapshot_take(int dir_fd, int beside_fd, struct snapshot **ret) MUST_USE;
void snapshot_free(struct snapshot *snapshot);
DEFINE_AUTO(snapshot)

/* The tree consists of the layers `below`. Move what has changed since into `upper_fd`, an empty directory on the same file system, and give
 * that the attributes of the tree's root. The tree lacks it afterwards. ERR_INVALID for what a
 * layer cannot have: a character device 0:0, a name that would be a whiteout. What was in the tree when
 * the snapshot was taken, and is changed or renamed, is added to `copies` (may be NULL). `*ret_apart` says
 * that no file has names on both sides afterwards. */
struct err *snapshot_move_changes(const struct snapshot *snapshot, const struct merge *below,
				  int dir_fd, int upper_fd, struct copies *copies, bool *ret_apart)
	MUST_USE;

#endif
