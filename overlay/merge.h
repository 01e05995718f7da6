/*
 * overlay/merge.h - layers laid over one another into a plain directory.
 *
 * What overlayfs shows of a stack, without overlayfs: for the storage driver `copy`
 * (overlay/driver.h). A tree that is only read is made of hard links to the files of
 * the layers and costs no data; where links cannot be made, and in a tree that is
 * written to, files are copied: by sharing their extents where the file system can
 * (FICLONE: xfs, btrfs), else by copy_file_range(2), without their holes.
 *
 * Owners, modes, times, attributes, holes and hard links come along; of the attributes,
 * a tree has them under the names under which overlayfs would show them.
 */
#ifndef OVERLAY_MERGE_H
#define OVERLAY_MERGE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/mem.h"

struct err;

#define MERGE_DEPTH_MAX 1000 /* directories within directories */

struct merge {
	const int *layer_fds; /* directories of layers, the newest first; O_PATH is enough */
	size_t count;
	int root_fd; /* what "/" is: owner, mode, attributes, time */
	bool link;   /* for reading alone: hard links */
};

/* Into the empty directory `dest_fd`. ERR_UNSUPPORTED above MERGE_DEPTH_MAX; paths are in every error. */
struct err *merge_layers(const struct merge *what, int dest_fd) MUST_USE;

/* As merge_layers(), on a tree in `dest_fd` that has all layers below these: what was there before. It costs
 * what is in them. After an error the tree is of no use. */
struct err *merge_more(const struct merge *what, int dest_fd) MUST_USE;

/* Whether files of this directory's file system can share their data: tried with one that is made in it. */
bool merge_can_share(int dir_fd);

/* Give a directory owner, mode, time and attributes of another one, which is in a layer or in a view;
 * those that it has stay if the other lacks them. */
struct err *merge_dress(int from_fd, bool layer, int to_fd) MUST_USE;

#endif
