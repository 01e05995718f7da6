/*
 * store/meta-private.h - the record of a layer, layers/<lid>/meta, and whether it is trusted.
 *
 *	cairn-layer 1
 *	lid <lid>
 *	boot <id of the boot in which the tree was written>
 *	entries <n>
 *	bytes <n>
 *	dependent 0|1
 *	root 0|1
 *	diff <digest>                       once known
 *	blob <digest> <size> <media type>   once known
 *	sum ...
 */
#ifndef STORE_META_PRIVATE_H
#define STORE_META_PRIVATE_H

#include "store/layer.h"
#include "store/store-private.h"

struct meta_record {
	struct layer_meta meta;
	char boot[STORE_BOOT_SIZE];
};

#define META_MAX ((size_t)4096)

/* ERR_CORRUPT for anything but what meta_format() writes. */
struct err *meta_parse(struct str text, struct meta_record *ret) MUST_USE;
/* Appended to `buf`. ERR_INVALID if the media type does not fit into a line. */
struct err *meta_format(const struct meta_record *record, struct buf *buf) MUST_USE;

/* "layers/<lid>/<name>" in `buf`. */
char *meta_path(const char *lid, const char *name, char buf[static STORE_PATH_SIZE]);

/* The record of a layer that is there, whole and trusted; else `*ret_found` is false. Pins
 * nothing. The layer is noted for the next store_sync() if it is trusted by boot alone. */
struct err *meta_find(struct store *store, const char *lid, bool *ret_found,
		      struct meta_record *ret) MUST_USE;

#endif
