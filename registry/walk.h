/*
 * registry/walk.h - all the blobs that an image or an index leads to.
 *
 * The walk reads documents from a layout that is being loaded, or from the
 * store; either may lack blobs, and what is absent is not wanted. Documents are
 * verified against their digests before they are believed, the number of
 * descriptors and the nesting of indexes are bounded.
 */
#ifndef REGISTRY_WALK_H
#define REGISTRY_WALK_H

#include <stdbool.h>
#include <stddef.h>

#include "base/json.h"
#include "base/map.h"
#include "base/mem.h"
#include "store/descriptor.h"
#include "store/platform.h"

struct err;
struct members;
struct store;

/* On an index entry: it is no image, but something said about one. */
#define WALK_ATTESTATION "vnd.docker.reference.type"

struct descriptors {
	struct descriptor *at;
	size_t len, cap;
};

struct walk {
	struct store *store;
	struct members *members;      /* NULL: read from the store */
	struct map wanted;            /* "blobs/sha256/<hex>" -> struct descriptor *, owned */
	struct descriptors manifests; /* of images, in the order in which they were met */
	size_t steps;                 /* descriptors met */
};

void walk_release(struct walk *walk);

/* Note a descriptor and all that it leads to. `image`: a manifest here is one of an image, and
 * goes to `manifests`. */
struct err *walk_descriptor(struct walk *walk, const struct descriptor *d, bool image) MUST_USE;

/* Of `count` manifests from number `first` on, one must be whole: its documents are right and all
 * its blobs are in the store. The error is that of the first one. */
struct err *walk_expect_image(const struct walk *walk, size_t first, size_t count,
			      struct platform *ret_platform) MUST_USE;

/* An annotation of the descriptor at `at`; NULL if it has none by this name. */
struct err *walk_annotation(const struct json_at *at, const char *key, const char **ret) MUST_USE;

static inline void walk_auto_(struct walk *walk)
{
	walk_release(walk);
}

#endif
