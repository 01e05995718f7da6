/*
 * builder/recompress.h - layers that are there, as a blob of another compression.
 *
 * The tar stays as it is, byte for byte, and so does the diff id: only the
 * blob's digest changes. What is made is checked against the diff id.
 */
#ifndef BUILDER_RECOMPRESS_H
#define BUILDER_RECOMPRESS_H

#include "base/codec.h"
#include "base/mem.h"
#include "store/image.h"

struct err;
struct store;

/* How a blob of this media type is compressed. */
enum codec recompress_codec_of(const char *media_type);

/* Put the blob of `layer` into the store compressed as `how` says, and make it the layer's. ERR_CORRUPT if
 * what is in it is not what the diff id says. */
struct err *recompress(struct store *store, const struct compression *how,
		       struct image_layer *layer) MUST_USE;

#endif
