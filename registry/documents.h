/*
 * registry/documents.h - what an image in a registry is made of, in the order of finding out.
 *
 * A document (manifest or index) is taken from the store if it is there, and fetched by its
 * digest if not, from the first place that has it; then it is in the store. The list of what it
 * leads to has every descriptor once. Everything is bounded: nesting, number of descriptors.
 * What a descriptor carries itself (`data`) is in the store then, if it is what it should be.
 */
#ifndef REGISTRY_DOCUMENTS_H
#define REGISTRY_DOCUMENTS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/map.h"
#include "base/mem.h"
#include "registry/repository.h"
#include "registry/walk.h"
#include "store/platform.h"

struct err;
struct store;

#define DOCUMENTS_MAX 10000                    /* descriptors in all */
#define DOCUMENTS_URLS_MAX 10                  /* of one descriptor that are looked at */
#define DOCUMENTS_DATA_MAX ((size_t)64 * 1024) /* that a descriptor may carry */

struct documents {
	struct descriptors
		manifests; /* of images, and of what else an index holds if all is wanted */
	struct descriptors indexes;         /* the outer ones first */
	struct descriptors configs, layers; /* each blob once */
	struct map seen;                    /* hex digests */
	struct map urls;                    /* digest of a layer -> struct strings, owned */
	bool fetched;                       /* some document was not in the store */
};

/* All that `target` leads to: of an index the image for `platform` (never NULL), or with `all`
 * everything. */
struct err *documents_find(struct store *store, const struct sources *sources,
			   const struct descriptor *target, const struct platform *platform,
			   bool all, struct documents *ret) MUST_USE;
/* Where its descriptor says that a blob is, beside the registry; NULL if it does not. Borrowed. */
const struct strings *documents_urls(const struct documents *documents,
				     const struct digest *digest);
void documents_release(struct documents *documents);

/* Warn if what was found is one image, of no index, and its config says that it is for another platform than the
 * one that was asked for. What cannot be told is not. */
void documents_warn_of_platform(struct store *store, const struct sources *sources,
				const struct documents *documents, const struct platform *wanted);
/* Its exact bytes, verified. ERR_NOT_FOUND if no place has it. */
struct err *documents_get(struct store *store, const struct sources *sources,
			  const struct descriptor *document, struct buf *ret, bool *ret_fetched)
	MUST_USE;

static inline void documents_auto_(struct documents *documents)
{
	documents_release(documents);
}

#endif
