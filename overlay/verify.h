/*
 * overlay/verify.h - whether a layer's tree is what it was, and making it anew.
 *
 * A layer that was digested here has a list: each entry of the tree must be in it as it was, with
 * the same content. One that was unpacked from a blob has none: the blob is unpacked once more, aside,
 * and the two trees must give the same tar. Of a layer that was never digested, or that depends on
 * what lies below, only the record can be judged.
 *
 * Extended attributes are no part of a list: a change of one shows only where a blob tells.
 */
#ifndef OVERLAY_VERIFY_H
#define OVERLAY_VERIFY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/mem.h"

struct err;
struct image;
struct layer_meta;
struct store;

/* `*ret_wrong`, the caller's, says what is wrong with the layer; NULL: nothing that could be found.
 * The layer is pinned. ERR_NOT_FOUND if it is absent or not trusted. */
struct err *verify_layer(struct store *store, const char *lid, struct err **ret_wrong) MUST_USE;

/* Unpack the blob that `meta` names into a layer with the diff id that it names. `*ret_done` is false if
 * that cannot be: the blob is absent or makes another tree, or the layer depends on others. */
struct err *verify_remake_layer(struct store *store, const struct layer_meta *meta, bool *ret_done)
	MUST_USE;

/* Make the blob of the i-th layer of an image anew, from its tree and those below. `*ret_done` is false
 * if one of them is absent, or the compressor gives other bytes than the image names. */
struct err *verify_remake_blob(struct store *store, const struct image *image, size_t i,
			       bool *ret_done) MUST_USE;

#endif
