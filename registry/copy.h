/*
 * registry/copy.h - an image from any place to any other, under the digest that it has.
 *
 *	from, to	a registry, the store, an OCI layout in a directory or a tar, a docker archive
 *
 * Between two registries blobs are streamed, verified on their way, and mounted where both are one;
 * only documents come into the store. Every other way leads through the store, which keeps the blobs
 * but names nothing, unless it is the target. A docker archive has formats of its own: a manifest that
 * is written to one, or read from one, is another one, while the image id stays.
 */
#ifndef REGISTRY_COPY_H
#define REGISTRY_COPY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/mem.h"
#include "registry/location.h"
#include "store/descriptor.h"

struct client;
struct err;
struct platform;
struct progress;
struct store;

struct copy_opts {
	bool all;                        /* an index with everything in it, not one image */
	const struct platform *platform; /* which image of an index; NULL: the host's */
	struct progress *progress;       /* may be NULL */
};

struct copy_side {
	const struct location *at;
	struct client *client; /* used for a registry alone; borrowed */
};

struct copy_result {
	struct descriptor target; /* the image or index that was copied */
	uint64_t bytes;           /* of blobs that were sent to, or came from, a registry */
};

/* ERR_NOT_FOUND if there is no such image; ERR_INVALID if it is not clear which one of an archive is
 * meant, with their names in the notes. */
struct err *copy_image(struct store *store, const struct copy_side *from,
		       const struct copy_side *to, const struct copy_opts *opts,
		       struct copy_result *ret) MUST_USE;

#endif
