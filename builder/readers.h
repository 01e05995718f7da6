/*
 * builder/readers.h - which instructions of a Recipe read a path of the build's context.
 *
 * For people who ask why a file is in an image, or why a step ran again: COPY and
 * ADD whose sources select it, and RUN that mounts it. Variables have the values
 * that they have without base images; a source that cannot be expanded or found
 * selects nothing.
 */
#ifndef BUILDER_READERS_H
#define BUILDER_READERS_H

#include <stddef.h>

#include "base/mem.h"

struct build_args;
struct err;
struct instruction;
struct recipe;
struct tree;
struct tree_node;

struct readers {
	const struct instruction **at; /* of the recipe, in order */
	size_t len, cap;
};

/* The readers of `node`. Loads what it needs of `tree`; the list's array is the caller's. */
struct err *readers_find(struct recipe *recipe, struct build_args *args, struct tree *tree,
			 const struct tree_node *node, struct readers *ret) MUST_USE;
void readers_release(struct readers *readers);

static inline void readers_auto_(struct readers *readers)
{
	readers_release(readers);
}

#endif
