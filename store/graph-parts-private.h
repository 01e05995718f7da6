/*
 * store/graph-parts-private.h - between store/graph.c, which knows what keeps what, and
 * store/graph_shelves.c, which knows where holders lie.
 */
#ifndef STORE_GRAPH_PARTS_PRIVATE_H
#define STORE_GRAPH_PARTS_PRIVATE_H

#include <sys/stat.h>

#include "store/graph-private.h"

struct strings;

/* A holder as it lies in the store. */
struct holder_found {
	enum holder_kind kind;
	const char *path;             /* copied */
	struct stat st;               /* of it: what it takes, and when it was last used */
	bool settled;                 /* when `st` was asked for, and it was read after that */
	const char *name;             /* of an image with one, borrowed for the call */
	char keeps[66];               /* "L<lid>" or "B<hex>"; "" for nothing */
	const struct strings *layers; /* and these lids, borrowed for the call; NULL: none */
};

/* The object of this kind ('L', 'B', or 'U' for a layer that is not trusted) and name, plus one; 0: none.
 * Of "D" and a diff id it is the first layer. */
uint32_t graph_find(const struct map *names, char kind, const char *name);

/* Add it; another of the same path is dropped. */
struct err *graph_add_holder(struct graph *graph, const struct holder_found *found) MUST_USE;
/* Whether exactly this file was read. A number of an inode is used again: with `changed`, the change
 * time must be equal too, and have been old enough to tell. */
bool graph_knows(const struct graph *graph, const char *path, ino_t inode,
		 const struct timespec *changed);

/* Whether what has this time has rested for long enough that a later change shows in it. */
bool graph_is_settled(const struct graph *graph, const struct timespec *changed);
/* Learn what the times of the store's file system are worth. */
void graph_learn_clock(struct graph *graph);

/* Read names, images without one, steps and files of the web: whatever is new or has been replaced
 * since the last time. */
struct err *graph_load_shelves(struct graph *graph) MUST_USE;
/* Read the caches that keep nothing but themselves. Once. */
struct err *graph_load_caches(struct graph *graph) MUST_USE;

#endif
