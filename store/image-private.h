/*
 * store/image-private.h - the documents of an image, as parsed JSON.
 *
 * The steps of image_open(), without the store, for its tests.
 */
#ifndef STORE_IMAGE_PRIVATE_H
#define STORE_IMAGE_PRIVATE_H

#include "store/image.h"

/* Fill diff ids, chain ids and platform; the layers must be there. */
struct err *image_parse_config(const struct json_at *root, struct image *image) MUST_USE;

/* The configs of the images that a manifest or index leads to and that are there, each with where
 * its id leads: to the manifest, but to the index for the image that this host takes of it. */
struct id_matches;
struct err *image_configs(struct store *store, const struct descriptor *target,
			  struct id_matches *ret) MUST_USE;

/* The digest of the config of the image that this host takes of a manifest or index: what people
 * call the image id. */
struct err *image_config_digest(struct store *store, const struct descriptor *target,
				struct digest *ret) MUST_USE;

/* Of a blob, by digest and size: its media type, if it is a manifest or an index. ERR_INVALID or
 * ERR_UNSUPPORTED if it is neither. */
struct err *image_identify(struct store *store, struct descriptor *target) MUST_USE;

#endif
