/*
 * builder/points.h - mount points where an image has none.
 *
 * They are made in a directory that lies on top of the image's layers and below
 * what a step writes to. Whatever the image has on the way to one is there too,
 * with the same metadata, because the topmost layer decides how a directory looks.
 */
#ifndef BUILDER_POINTS_H
#define BUILDER_POINTS_H

#include <stdbool.h>

#include "base/mem.h"

struct err;

/* False if there is something at `target`, links followed, in the view, or it lies in /proc, /sys or
 * /dev, which no image decides about. */
bool points_needed(int view_fd, const char *target);

/* Make `target`, a directory or an empty file, in `points_fd`, with all that leads there. Links of the
 * image are followed. ERR_INVALID if something in the way is no directory. */
struct err *points_make(int points_fd, int view_fd, const char *target, bool directory) MUST_USE;

#endif
