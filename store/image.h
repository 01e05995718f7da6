/*
 * store/image.h - image manifests and configs as documents of the store.
 *
 * Reads OCI image manifests and indexes (image-spec 1.1) and Docker's
 * schema 2 manifests and lists; writes OCI manifests. A document that we did
 * not make is kept as received bytes. Checked on reading: schemaVersion, that
 * the media type agrees with the document's shape (CVE-2021-41190), digests,
 * sizes, at most 512 layers, and that the config names as many diff ids as
 * there are layers.
 */
#ifndef STORE_IMAGE_H
#define STORE_IMAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/codec.h"
#include "base/digest.h"
#include "base/json.h"
#include "base/mem.h"
#include "store/descriptor.h"
#include "store/platform.h"

struct err;
struct store;

#define MEDIA_OCI_INDEX "application/vnd.oci.image.index.v1+json"
#define MEDIA_OCI_MANIFEST "application/vnd.oci.image.manifest.v1+json"
#define MEDIA_OCI_CONFIG "application/vnd.oci.image.config.v1+json"
#define MEDIA_OCI_LAYER "application/vnd.oci.image.layer.v1.tar" /* "+gzip", "+zstd" */
#define MEDIA_DOCKER_LIST "application/vnd.docker.distribution.manifest.list.v2+json"
#define MEDIA_DOCKER_MANIFEST "application/vnd.docker.distribution.manifest.v2+json"
#define MEDIA_DOCKER_CONFIG "application/vnd.docker.container.image.v1+json"
#define MEDIA_DOCKER_LAYER "application/vnd.docker.image.rootfs.diff.tar" /* ".gzip" */

enum image_format { IMAGE_OCI, IMAGE_DOCKER };

/* The media type of a layer that we compressed ourselves: a literal. */
const char *image_layer_media_type(enum codec codec);
/* The same layer as a manifest of `format` calls it: `media_type` itself if it belongs there, NULL
 * if that format has no such layers (Docker's has no zstd). What must not be distributed stays as it
 * is. `media_type` is one that image_parse_manifest() accepts. */
const char *image_layer_media_type_in(enum image_format format, const char *media_type);

#define IMAGE_LAYERS_MAX 512
#define IMAGE_INDEX_DEPTH 8 /* indexes within indexes */
/* Of a manifest, index or config that is read, wherever it comes from. */
#define IMAGE_DOCUMENT_MAX ((size_t)8 * 1024 * 1024)
/* Of a manifest or index that is made, or put into a registry: few of them take more. */
#define IMAGE_PUT_MAX ((size_t)4 * 1024 * 1024)

struct image_layer {
	struct descriptor blob;
	struct digest diff_id;
	struct digest chain_id; /* of this layer and all below (image-spec, config) */
};

struct image {
	struct descriptor manifest;
	struct descriptor config_blob;
	json_t *config; /* the whole config document, owned */
	struct platform platform;
	struct image_layer *layers; /* lowest first, owned */
	size_t layer_count;
	json_t *annotations; /* of the manifest, owned; NULL if none */
};

/* ---- documents, wherever they come from ---- */

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

/* ---- images of a store ---- */

/* The image that a descriptor leads to: a manifest, or the entry of an index for `want` (NULL:
 * the host's platform). ERR_NOT_FOUND lists the platforms that there are. */
struct err *image_open(struct store *store, const struct descriptor *target,
		       const struct platform *want, struct image **ret) MUST_USE;
void image_free(struct image *image);
DEFINE_AUTO(image)

/* Write config and manifest of a new image, and tell their descriptors. `config` is formatted
 * compactly as it stands; of `layers` only `blob` is used. `annotations` may be NULL.
 * ERR_INVALID for a config above IMAGE_DOCUMENT_MAX, and a manifest above IMAGE_PUT_MAX. */
struct err *image_put_in(struct store *store, enum image_format format, const json_t *config,
			 const struct image_layer *layers, size_t layer_count,
			 const json_t *annotations, struct descriptor *ret_manifest,
			 struct descriptor *ret_config) MUST_USE;
/* The same as IMAGE_OCI. */
struct err *image_put(struct store *store, const json_t *config, const struct image_layer *layers,
		      size_t layer_count, const json_t *annotations,
		      struct descriptor *ret_manifest, struct descriptor *ret_config) MUST_USE;
/* The same for a config that is in the store already, kept byte for byte. */
struct err *image_put_manifest(struct store *store, const struct descriptor *config,
			       const struct image_layer *layers, size_t layer_count,
			       const json_t *annotations, struct descriptor *ret_manifest) MUST_USE;

/* Chain id of `diff_id` on top of `below` (NULL: it is the lowest). */
struct err *chain_id_next(const struct digest *below, const struct digest *diff_id,
			  struct digest *ret) MUST_USE;

#endif
