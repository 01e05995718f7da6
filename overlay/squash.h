/*
 * overlay/squash.h - several layers as one: what makes one merged tree out of another.
 *
 * Both trees are views of stacks of one store (stack_view()), so that a file that neither changed is the
 * same one: inode, owner, mode, size and time tell. A copied view (overlay/driver.h) has directories of its
 * own, so these are told by owner, mode, time and extended attributes, and every driver leads to the same
 * layer. Entries that differ are written with their parent directories; what is there no more becomes a
 * whiteout, first in its directory. The tar is canonical as that of any layer.
 */
#ifndef OVERLAY_SQUASH_H
#define OVERLAY_SQUASH_H

#include <stdint.h>

#include "base/mem.h"

struct err;
struct sink;

/* Write what is to be laid on `below_fd` (-1: nothing; then it is all of it) to get `full_fd`. `*ret_entries`
 * is how many there are: 0 for trees that are the same. `out` is not finished. */
struct err *squash_write(int below_fd, int full_fd, struct sink *out, uint64_t *ret_entries)
	MUST_USE;

#endif
