/*
 * overlay/chain.h - where a walk stands in a tree: the directories down to it, open.
 *
 * A chain starts at the root of a tree and grows and shrinks by one component.
 * Its path is made of real directories only: whoever pushes one has opened it
 * without following a link. Only the deepest levels keep their descriptors, so
 * that a tree of two thousand levels needs no two thousand of them; a level that
 * has lost its own is opened again, by its path and beneath the root, when the walk
 * comes back to it.
 */
#ifndef OVERLAY_CHAIN_H
#define OVERLAY_CHAIN_H

#include <stddef.h>

#include "base/mem.h"
#include "base/str.h"

struct err;

#define CHAIN_OPEN 64 /* descriptors that one chain holds */

struct chain_level {
	size_t path_len; /* of the path down to here */
	int fd;          /* owned; -1 while it is not kept open */
};

struct chain {
	int root_fd;     /* borrowed */
	struct buf path; /* "usr/share/doc"; empty at the root */
	struct chain_level *at;
	size_t len, cap; /* `len` is the depth: 0 at the root */
};

void chain_init(struct chain *chain, int root_fd);
void chain_release(struct chain *chain);

/* Go down into `name`, open as `fd`, which the chain owns from now on, also when it fails:
 * ERR_INVALID for a path longer than a tar can name (TAR_PATH_MAX). */
struct err *chain_push(struct chain *chain, const char *name, int fd) MUST_USE;
void chain_pop(struct chain *chain); /* not at the root */

/* The descriptor of the directory where the chain stands, borrowed until the next push or pop. */
struct err *chain_fd(struct chain *chain, int *ret_fd) MUST_USE;

/* The path, "" at the root; valid until the next push or pop. */
const char *chain_path(const struct chain *chain);

static inline void chain_auto_(struct chain *chain)
{
	chain_release(chain);
}

#endif
