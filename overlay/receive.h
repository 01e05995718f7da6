/*
 * overlay/receive.h - a layer becomes a tree while its blob is still on the way.
 *
 * The compressed bytes are read once, by whoever keeps the blob (registry/download.h); here they
 * are decompressed and unpacked as they come, so that a pulled image can be mounted as soon as
 * its last byte is here. Keeping the blob, decompressing and unpacking each have a thread. The
 * tree is named by the diff id that its tar turned out to have: a wrong one is merely never
 * looked for. A layer that needs what lies below is left for stack_of_image(), which does it
 * from the blob.
 */
#ifndef OVERLAY_RECEIVE_H
#define OVERLAY_RECEIVE_H

#include <stdbool.h>

#include "base/mem.h"

struct descriptor;
struct err;
struct source;
struct store;

/* Read `bytes` (borrowed) to their end and keep the tree if that came without an error.
 * `*ret_kept` is false for a layer that depends on what lies below. ERR_CORRUPT and ERR_INVALID
 * as unpack(). Any thread. */
struct err *receive_layer(struct store *store, const struct descriptor *blob, struct source *bytes,
			  bool *ret_kept) MUST_USE;

#endif
