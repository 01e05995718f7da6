/*
 * base/sparse.h - where the bytes of a sparse file belong.
 *
 * A map lists the extents of a file that are stored; all else is holes. It is
 * built from hostile numbers, so it only ever grows forward: an extent begins
 * at or behind the end of the one before it, and sparse_finish() holds the
 * whole to the sizes that the archive declares. Tar spells maps in four ways
 * (GNU tar manual, "Storing Sparse Files"); version 1.0, whose map stands in
 * the content, is read in base/untar.c.
 */
#ifndef BASE_SPARSE_H
#define BASE_SPARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/vec.h"

struct err;

struct extent {
	uint64_t offset, len;
};

struct sparse {
	VEC(struct extent) extents; /* ascending, none overlapping; some may be empty */
	uint64_t pending;           /* an offset whose length has not come yet */
	bool is_pending;
	size_t run; /* index of the extent that sparse_run() has come to */
};

void sparse_reset(struct sparse *map); /* no extents; memory kept */
void sparse_release(struct sparse *map);

/* One extent more. ERR_CORRUPT if it is out of order or ends above INT64_MAX. */
struct err *sparse_add(struct sparse *map, uint64_t offset, uint64_t len) MUST_USE;
/* Version 0.0: a record for each offset and each length, in turn. */
struct err *sparse_add_offset(struct sparse *map, uint64_t offset) MUST_USE;
struct err *sparse_add_len(struct sparse *map, uint64_t len) MUST_USE;
/* Version 0.1: offset, length, offset, length, with commas between them. */
struct err *sparse_add_list(struct sparse *map, struct str text) MUST_USE;
/* The old GNU format: pairs of 12-byte number fields, ended by an empty one or by `count`. */
#define SPARSE_PAIR_SIZE 24
struct err *sparse_add_fields(struct sparse *map, const char *fields, size_t count) MUST_USE;

/* ERR_CORRUPT unless all extents lie within `size` bytes, are `stored` bytes together, and no
 * offset waits for its length. Begins the walk of sparse_run(). */
struct err *sparse_finish(struct sparse *map, uint64_t size, uint64_t stored) MUST_USE;
/* From `pos`, which never goes back, how many bytes of the same nature follow; UINT64_MAX for the
 * hole behind the last extent. */
uint64_t sparse_run(struct sparse *map, uint64_t pos, bool *ret_hole);

#endif
