/*
 * store/resolve.h - from what a user writes to an image of the store.
 *
 * A name is looked up in the refs, an id in ids/ (store/id.h): neither gets slower
 * with the number of images. Only what is not found is looked for among all of
 * them, to make lost ids known again and to suggest a near name.
 */
#ifndef STORE_RESOLVE_H
#define STORE_RESOLVE_H

#include "base/mem.h"
#include "store/descriptor.h"

struct err;
struct store;

/* Find an image by what a user writes: `canonical`, its name in refs (NULL if the text cannot be
 * a name), or the hex of an image id (config digest) or manifest digest of at least 4 digits;
 * "sha256:" may stand before it. ERR_NOT_FOUND suggests a near name; ERR_INVALID lists, in its
 * notes, the images that an ambiguous id may be. */
struct err *image_resolve(struct store *store, const char *text, const char *canonical,
			  struct descriptor *ret) MUST_USE;

#endif
