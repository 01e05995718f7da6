/*
 * overlay/squash.h - several layers as one: what makes one merged tree out of another.
 *
 * Both trees are views of stacks of one store (stack_view()), so that what neither changed is the same
 * file: inode, times and attributes tell. Entries that differ are written with their parent directories;
 * what is there no more becomes a whiteout, first in its directory. The tar is canonical as that of any
 * layer.
 *
 * Directories are told apart by their inodes. Those of a copied view (overlay/driver.h) are all new, so each
 * is an entry there: another layer, and the same tree.
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
