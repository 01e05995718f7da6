/*
 * overlay/skeleton.h - the directories that a step needs and no image should have to hold.
 *
 * The skeleton is the bottom lower directory of every overlay that a step runs
 * in: `proc`, `sys`, `dev`, `etc` and empty `etc/hosts` and `etc/resolv.conf`.
 * Mount points therefore exist without anything being made in the upper
 * directory, so nothing leaks into the layer and nothing has to be removed
 * afterwards; whatever the image itself has at these places wins, because it
 * lies above.
 *
 * It is a plain directory in a place that the caller empties one day (the
 * staging directory of its lease): kernels before 6.15 refuse a detached mount
 * as a layer. Modes are fixed and times are the epoch, so that what a step sees
 * depends neither on umask nor on clock. A diff never counts it as a lower.
 */
#ifndef OVERLAY_SKELETON_H
#define OVERLAY_SKELETON_H

#include "base/mem.h"

struct err;

struct skeleton {
	int root_fd;  /* owned; the bottom of a step's overlay */
	int empty_fd; /* owned; an empty directory, the bottom of a read-only view */
};

#define SKELETON_INIT ((struct skeleton){ .root_fd = -1, .empty_fd = -1 })

/* Make `skeleton` in the directory and open it; one that is there is completed and used.
 * Not for two threads or processes at once in one directory. */
struct err *skeleton_open(int dir_fd, struct skeleton *ret) MUST_USE;
void skeleton_close(struct skeleton *skeleton);

static inline void skeleton_auto_(struct skeleton *skeleton)
{
	skeleton_close(skeleton);
}

#endif
