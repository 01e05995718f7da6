/*
 * overlay/trees.h - copied trees that go from one step to the next.
 *
 * For the storage driver `copy` (overlay/driver.h). A step stands on what the one before it left, so
 * its tree is nearly made: the tree of that step, with the layer laid on it that its changes became.
 * A build keeps a few trees, each with the layers that it consists of; who needs one takes the tree of most
 * of his layers, and where there is none copies them all. A tree belongs to one step at a time, and
 * is in a staging directory of its own.
 *
 * All functions are thread safe.
 */
#ifndef OVERLAY_TREES_H
#define OVERLAY_TREES_H

#include "base/mem.h"

struct err;
struct merge;
struct store;
struct tree_copy;
struct trees;

#define TREES_MAX 4 /* that are kept though nobody uses them: each may take the space of an image */

struct trees *trees_new(struct store *store);
void trees_free(struct trees *trees); /* nobody has one any more */
DEFINE_AUTO(trees)

/* A tree of these layers, made or taken; `what->link` is not for it. Its owner keeps or frees it. */
struct err *trees_take(struct trees *trees, const struct merge *what, struct tree_copy **ret)
	MUST_USE;
/* Its directory, borrowed. */
int tree_copy_fd(const struct tree_copy *tree);
void tree_copy_free(struct tree_copy *tree);
DEFINE_AUTO(tree_copy)

/* Keep it for others: what was changed in it has been moved to `upper_fd`, and shares no file with it.
 * It serves whoever has that directory as the next layer, or what was in it no more, if it is empty.
 * Takes ownership. */
void trees_keep(struct trees *trees, struct tree_copy *tree, int upper_fd);

#endif
