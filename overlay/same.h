/*
 * overlay/same.h - is a file still what a layer below has?
 *
 * For storage drivers that are misled by hard links: when one name of a file goes, the others change, too, as
 * far as the system's times and counts tell (overlay/snapshot.h).
 */
#ifndef OVERLAY_SAME_H
#define OVERLAY_SAME_H

#include <stdbool.h>

#include "base/mem.h"

struct err;
struct merge;

/* Whether the regular file or symbolic link `name` of `dir_fd` is in all that a layer keeps - mode, owner, time,
 * attributes, content or target - what the newest of these layers that has anything there has at `path`. Other
 * kinds never are. */
struct err *same_as_below(const struct merge *below, const char *path, int dir_fd, const char *name,
			  bool *ret) MUST_USE;

#endif
