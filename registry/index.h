/*
 * registry/index.h - image indexes of our own: one name for the images of several platforms.
 *
 * An index is a JSON document while it is being made, and a blob of the store when it is done
 * (image-spec, image-index). Entries of other indexes are taken over as they are, with their annotations
 * and what is said about the images (attestations); an image of its own gets the platform that its
 * config names. One image for each platform: a later one takes the place of an earlier one.
 */
#ifndef REGISTRY_INDEX_H
#define REGISTRY_INDEX_H

#include <jansson.h>

#include "base/mem.h"
#include "store/descriptor.h"

struct err;
struct lock;
struct platform;
struct store;

#define INDEX_ENTRIES_MAX 1000

/* An empty one; the caller's. */
json_t *index_new(void) MUST_USE;

/* One of the store, to be changed. ERR_INVALID if `target` is no index. */
struct err *index_read(struct store *store, const struct descriptor *target, json_t **ret) MUST_USE;

/* Add an image, or all entries of an index. Manifest and config (of an index its document) must be in
 * the store. ERR_INVALID for an image that does not say for which platform it is. */
struct err *index_add(struct store *store, json_t *index, const struct descriptor *target) MUST_USE;

/* Add what is said about one of its images: a manifest of attestations, for platform unknown/unknown, with
 * the annotations by which BuildKit and those who read it find the image. */
struct err *index_add_attestation(json_t *index, const struct descriptor *attestation,
				  const struct digest *image) MUST_USE;
/* The same of an image alone, for a platform and with annotations that an index says of it (NULL or empty: none;
 * borrowed). What the config says of the platform besides stays if it is of that one. */
struct err *index_add_for(struct store *store, json_t *index, const struct descriptor *target,
			  const struct platform *platform, const json_t *annotations) MUST_USE;

/* Annotate the index itself: "NAME=VALUE". ERR_INVALID without a name. */
struct err *index_annotate(json_t *index, const char *text) MUST_USE;

/* Hold an index of the store while it is read, changed and named again: whoever else changes the one of this
 * canonical name waits. */
struct err *index_hold(struct store *store, const char *name, struct lock *ret) MUST_USE;

/* Store it. ERR_INVALID if it has no entry. */
struct err *index_put(struct store *store, const json_t *index, struct descriptor *ret) MUST_USE;

/* "linux/arm/v7" of an entry; "unknown" for what is said about images, "" if it names none. Owned. */
char *index_entry_platform(const json_t *entry) MUST_USE;

#endif
