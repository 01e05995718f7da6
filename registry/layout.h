/*
 * registry/layout.h - OCI image layouts (image-spec, image-layout): into the store and out of it.
 *
 *	oci-layout            {"imageLayoutVersion":"1.0.0"}
 *	index.json            descriptors of images, with their names in annotations
 *	blobs/sha256/<hex>    manifests, configs, layers; kept byte for byte on both ways
 *
 * A name is the annotation io.containerd.image.name (canonical, as containerd and
 * Docker write it) or else org.opencontainers.image.ref.name (what skopeo, umoci
 * and podman call the image). Both are written.
 *
 * An index may be nested, and may lack images of other platforms: what is there
 * is taken, and one image at least must be whole.
 */
#ifndef REGISTRY_LAYOUT_H
#define REGISTRY_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/mem.h"
#include "registry/loaded.h"
#include "registry/saved.h"

struct err;
struct members;
struct pack;
struct store;

/* Whether it is an OCI layout at all. */
bool layout_is(struct members *members);

/* Bring all its blobs into the store and list its images. A blob that does not have its digest or
 * size is ERR_CORRUPT; with `all` also one that the store has already. With `only` (may be NULL), those of images of that name; all are listed. */
struct err *layout_load(struct store *store, struct members *members, const char *only, bool all,
			struct loaded_list *ret) MUST_USE;

/* Its images by their names, without loading anything. Platforms are left empty. */
struct err *layout_list(struct store *store, struct members *members, struct loaded_list *ret)
	MUST_USE;

/* Write a layout that holds these images. Every blob is hashed on its way: ERR_CORRUPT names one
 * that the store has lost or damaged. Of an index, those manifests are taken whose blobs are all
 * in the store. */
struct err *layout_save(struct store *store, const struct saved_image *images, size_t count,
			struct pack *pack) MUST_USE;

#endif
