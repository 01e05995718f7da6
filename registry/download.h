/*
 * registry/download.h - one blob into the store, verified while it streams.
 *
 * The bytes are hashed and written while they come; at the same time they are given
 * to a `taker`, who may unpack them. What was received stays as partial/<hex> in the store when
 * the connection, the process or the machine breaks, and the next download goes on there.
 * Within a run a broken transfer is continued by Range, as long as it advances. Size is checked
 * before digest, digest before use: the blob gets its name, and the taker its end of stream, only
 * when both are right. One process per blob fetches; others wait and find it (store_single).
 */
#ifndef REGISTRY_DOWNLOAD_H
#define REGISTRY_DOWNLOAD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/mem.h"
#include "registry/repository.h"

struct err;
struct image;
struct progress;
struct source;
struct store;
struct strings;

/* Whoever wants the bytes of a layer while they come. */
struct taker {
	/* Called for a blob that was not there yet; again, from the start, if the transfer had to
	 * restart. `bytes` is borrowed, compressed as it is, and must be read to its end. What was
	 * made of it may be kept only if its end came without an error. Called on any thread, several
	 * at once for different blobs. */
	struct err *(*take)(void *self, const struct descriptor *blob, struct source *bytes);
	/* All of an image is here and nothing has named it yet: an error keeps it nameless. May be
	 * NULL. */
	struct err *(*finish)(void *self, const struct image *image);
	void *self;
};

/* Where a blob may be: repositories, mirrors first, at least one; then URLs that its descriptor has
 * (registry/outside.h), which may be NULL. Borrowed. */
struct download_from {
	const struct sources *sources;
	const struct strings *urls;
};

/* Fetch `blob` from the first that has it. `taker` may be NULL. `*ret_fetched` is false if it was in the
 * store already, or another process brought it meanwhile. */
struct err *download_blob(struct store *store, const struct download_from *from,
			  const struct descriptor *blob, const struct taker *taker,
			  struct progress *progress, bool *ret_fetched) MUST_USE;

#endif
