/*
 * registry/push.h - an image of the store into a registry.
 *
 * HEAD of the tag first: if it leads to the image there is nothing to do. Then HEAD by digest: an
 * image that is there costs these two and the tag. Else blobs in parallel, each by upload_blob();
 * then manifests, indexes, the tag last. Nothing is ever compressed again.
 */
#ifndef REGISTRY_PUSH_H
#define REGISTRY_PUSH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/mem.h"
#include "registry/reference.h"
#include "store/descriptor.h"

struct client;
struct err;
struct platform;
struct progress;
struct source;
struct store;

/* Whoever has blobs that the store has not. */
struct blob_origin {
	/* The bytes from the start, unverified; called again where an upload must begin again, on any thread.
	 * Owned by the caller. */
	struct err *(*open)(void *self, const struct descriptor *blob, struct source **ret);
	void *self;
};

struct push_opts {
	const struct platform *platform;  /* of an index this image alone; NULL: all of it */
	unsigned parallel;                /* blobs at a time; 0: 6 */
	bool foreign;                     /* send layers that are not to be handed on, too */
	struct progress *progress;        /* may be NULL */
	const struct blob_origin *origin; /* NULL: the store has everything */
};

struct push_result {
	struct digest digest;            /* of the manifest or index that the tag leads to */
	unsigned sent, mounted, present; /* blobs */
	uint64_t bytes;                  /* that were sent */
};

/* `target` is an image or an index of the store: its documents, and all blobs that `origin` has not. */
struct err *push_image(struct store *store, struct client *client, const struct descriptor *target,
		       const struct reference *to, const struct push_opts *opts,
		       struct push_result *ret) MUST_USE;

#endif
