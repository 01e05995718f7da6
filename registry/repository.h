/*
 * registry/repository.h - what one can ask of a repository in a registry.
 *
 * The verbs of the OCI distribution specification 1.1, one function each. Digests
 * and names that go into a URL were checked before; what comes back is bounded, verified
 * against its digest where one is known, and never believed otherwise. Messages call the
 * image by its logical name and the host by its physical one.
 */
#ifndef REGISTRY_REPOSITORY_H
#define REGISTRY_REPOSITORY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/digest.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/vec.h"
#include "registry/client.h"
#include "store/descriptor.h"
#include "store/image.h"

/* A value; the client is borrowed, the place is borrowed. */
struct repository {
	struct client *client;
	const struct place *place;
	bool pushes; /* ask for tokens that allow it from the start: one for everything */
	bool hasty;  /* what fails is not tried again */
};

/* Places in the order in which to ask; borrowed. */
struct sources {
	const struct repository *at;
	size_t len;
};

/* Is there such a manifest (`what` is a tag or a digest)? HEAD, and GET where HEAD will not do. What
 * a tag leads to is only the registry's word until it was fetched by digest. */
struct err *repository_manifest_find(const struct repository *repo, const char *what,
				     bool *ret_found, struct descriptor *ret) MUST_USE;
/* Fetch it: the exact bytes. By digest they are verified; by tag the digest is computed. The media
 * type is the document's own (CVE-2021-41190: a contradiction is ERR_INVALID). Schema 1 is
 * ERR_UNSUPPORTED by name. */
struct err *repository_manifest_get(const struct repository *repo, const char *what,
				    struct descriptor *ret, struct buf *ret_bytes) MUST_USE;
/* Put it by tag or by digest, and check that the registry names the digest that we sent. */
struct err *repository_manifest_put(const struct repository *repo, const char *what,
				    const char *media_type, struct str bytes,
				    const struct digest *digest) MUST_USE;
/* 405 and 400 are ERR_UNSUPPORTED: many registries do not delete. */
struct err *repository_manifest_delete(const struct repository *repo, const char *what) MUST_USE;

/* Whether the blob is there. A size that contradicts is ERR_CORRUPT. A registry that will not say
 * (403, 405) counts as "not there"; one that cannot be reached is an error. */
struct err *repository_blob_find(const struct repository *repo, const struct descriptor *blob,
				 bool *ret) MUST_USE;
/* The bytes from `offset` on (0 or Range), as they come and not verified. `*ret_offset` is where the
 * answer really starts: 0 if the registry ignores ranges. ERR_CORRUPT for another range. */
struct err *repository_blob_get(const struct repository *repo, const struct descriptor *blob,
				uint64_t offset, struct http_response **ret, uint64_t *ret_offset)
	MUST_USE;

/* Does an answer of `host` to a GET of the blob from `offset` on begin where it should, and announce as
 * much as there is? */
struct err *repository_blob_answer(const char *host, const struct descriptor *blob, uint64_t offset,
				   const struct http_response *response, uint64_t *ret_offset)
	MUST_USE;

/* All tags, in the order of the registry, as copies; links followed. Entries that are no tags are
 * left out. */
struct err *repository_tags(const struct repository *repo, struct strings *ret) MUST_USE;

/* GET /v2/: whether the credentials are good, for `login`. */
struct err *repository_ping(const struct repository *repo) MUST_USE;

#endif
