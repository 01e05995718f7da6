/*
 * store/graph-parts-private.h - between store/graph.c, which knows what keeps what, and
 * store/graph_shelves.c, which knows where holders lie.
 */
#ifndef STORE_GRAPH_PARTS_PRIVATE_H
#define STORE_GRAPH_PARTS_PRIVATE_H

#include <sys/stat.h>

#include "store/graph-private.h"

/* A holder as it lies in the store. */
struct holder_found {
	enum holder_kind kind;
	const char *path; /* copied */
	struct stat st;   /* of it: what it takes, and when it was last used */
	char keeps[66];   /* "L<lid>" or "B<hex>"; "" for nothing */
};

/* Add it; another of the same path is dropped. */
struct err *graph_add_holder(struct graph *graph, const struct holder_found *found) MUST_USE;
/* Whether exactly this file was read. */
bool graph_knows(const struct graph *graph, const char *path, ino_t inode);

/* Read names, images without one, steps and files of the web: whatever is new or has been replaced
 * since the last time. */
struct err *graph_load_shelves(struct graph *graph) MUST_USE;
/* Read the caches that keep nothing but themselves. Once. */
struct err *graph_load_caches(struct graph *graph) MUST_USE;

#endif
