/*
 * store/image-private.h - the documents of an image, as parsed JSON.
 *
 * The steps of image_open(), without the store, for its tests.
 */
#ifndef STORE_IMAGE_PRIVATE_H
#define STORE_IMAGE_PRIVATE_H

#include "store/image.h"

/* Whether a document is an index or a manifest. `announced` is its descriptor's media type, or
 * empty. ERR_INVALID if type and shape disagree, ERR_UNSUPPORTED for what is no image. */
struct err *image_document_kind(const struct json_at *root, const char *announced,
				bool *ret_is_index) MUST_USE;

/* The entry of an index that fits `want` best. ERR_NOT_FOUND lists what there is. */
struct err *image_choose(const struct json_at *root, const struct platform *want,
			 struct descriptor *ret) MUST_USE;

/* Fill `config_blob`, `layers` (their blobs) and `annotations`. After an error `image` may be
 * filled in part; it is still to be freed. */
struct err *image_parse_manifest(const struct json_at *root, struct image *image) MUST_USE;

/* Fill diff ids, chain ids and platform; the layers must be there. */
struct err *image_parse_config(const struct json_at *root, struct image *image) MUST_USE;

#endif
