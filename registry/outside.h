/*
 * registry/outside.h - a blob where a document says that it is, outside of any registry.
 *
 * Descriptors may have `urls` (image-spec, descriptor): layers that must not be handed on are there
 * alone. The document is outside text, so nobody is trusted less: https only, no credential and no
 * header of ours, addresses of the public Internet only, whatever the name leads to, and the same for
 * every redirect.
 */
#ifndef REGISTRY_OUTSIDE_H
#define REGISTRY_OUTSIDE_H

#include <stdint.h>

#include "base/mem.h"
#include "registry/http.h"

struct client;
struct descriptor;
struct err;

/* Whose URL it is, for messages: "host:port", or what there is of it. Owned. */
char *outside_name(const char *url) MUST_USE;
/* As repository_blob_get(). ERR_INVALID for a URL that leads where it may not. */
struct err *outside_blob_get(struct client *client, const char *url, const struct descriptor *blob,
			     uint64_t offset, struct http_response **ret, uint64_t *ret_offset)
	MUST_USE;

#endif
