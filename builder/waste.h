/*
 * builder/waste.h - bytes of an image that nobody can see any more.
 *
 * A file that a later layer overwrites or deletes is still in the layer that brought it, and is
 * stored, pushed and pulled with it. The layers' archives are told entry by entry, the
 * lowest layer first; at each moment the tree is what a container would see.
 *
 * What is counted is the content of regular files as it stands in the archives. A name that is
 * a hard link has none of its own. A layer's whiteouts hide what is below it, wherever they stand in
 * it.
 */
#ifndef BUILDER_WASTE_H
#define BUILDER_WASTE_H

#include <stddef.h>
#include <stdint.h>

#include "base/mem.h"
#include "base/tar.h"

struct err;
struct image;
struct store;
struct waste;

enum waste_kind { WASTE_NONE, WASTE_OVERWRITTEN, WASTE_DELETED };

/* A file that was in the image once. */
struct waste_file {
	const char *path; /* without a slash at either end; borrowed from the waste */
	uint64_t size;
	size_t layer; /* 0..: that brought it */
	size_t by;    /* that took it away */
	enum waste_kind kind;
};

struct waste *waste_new(void) MUST_USE;
void waste_free(struct waste *waste);
DEFINE_AUTO(waste)

/* The next entry of the layer `layer`, which is not lower than that of the entry before. ERR_INVALID for a path or
 * whiteout that no layer can have. */
struct err *waste_add(struct waste *waste, size_t layer, const struct tar_entry *entry) MUST_USE;

/* Read all layers of an image out of their blobs. */
struct err *waste_read(struct waste *waste, struct store *store, const struct image *image)
	MUST_USE;

/* Bytes and number of the wasted files of a layer, or, with SIZE_MAX, of all. */
uint64_t waste_bytes(const struct waste *waste, size_t layer, size_t *ret_files);

/* The wasted files with the most bytes, of the same size by path and layer; at most `max`, into `ret`. Returns how many. */
size_t waste_biggest(const struct waste *waste, struct waste_file *ret, size_t max);

#endif
