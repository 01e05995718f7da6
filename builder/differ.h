/*
 * builder/differ.h - where two images of one Recipe differ.
 *
 * Layers are compared in order, as the archives that they are: of the first pair
 * that differs the first entry that does, and what about it. Then the configs,
 * field by field. Bytes are read a block at a time, whatever the size of a layer.
 */
#ifndef BUILDER_DIFFER_H
#define BUILDER_DIFFER_H

#include "base/mem.h"

struct buf;
struct err;
struct image;
struct store;

/* Append what the first difference is; nothing if there is none. Names in it are outside text. */
struct err *differ_images(struct store *store, const struct image *first,
			  const struct image *second, struct buf *ret) MUST_USE;

#endif
