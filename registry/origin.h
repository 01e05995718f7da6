/*
 * registry/origin.h - an image in a registry as a place that others take from.
 *
 * The places where a reference may be found (registry/registries.h), what it leads to, and its blobs as
 * streams. For everything that reads an image in a registry without bringing it into the store.
 */
#ifndef REGISTRY_ORIGIN_H
#define REGISTRY_ORIGIN_H

#include "base/mem.h"
#include "registry/documents.h"
#include "registry/push.h"
#include "registry/reference.h"

struct client;
struct err;
struct store;

struct origin;

/* Both are borrowed for its life. Nothing is asked yet. */
struct err *origin_open(struct client *client, const struct reference *ref, struct origin **ret)
	MUST_USE;
void origin_free(struct origin *origin);
DEFINE_AUTO(origin)

/* What the name leads to: HEAD. ERR_NOT_FOUND with the places that were asked. */
struct err *origin_resolve(struct origin *origin, struct descriptor *ret) MUST_USE;
/* Where to ask for what is known by its digest; borrowed. */
const struct sources *origin_sources(const struct origin *origin);
/* The place that the name means itself, where it is changed: mirrors are left out. Borrowed. */
const struct repository *origin_home(const struct origin *origin);

/* Remember that its blobs are there, so that a push to the same registry mounts them. */
void origin_note(const struct origin *origin, struct store *store,
		 const struct documents *documents);
/* Its blobs as streams; lives as long as the origin. */
struct blob_origin origin_blobs(struct origin *origin);

#endif
