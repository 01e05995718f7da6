/*
 * store/descriptor.h - OCI content descriptors: what bytes there are, and where.
 *
 * Of the members that a descriptor may have (image-spec, descriptor) these are
 * the ones that say which bytes are meant; `urls` and `data` are for who fetches them
 * (registry/documents.h).
 */
#ifndef STORE_DESCRIPTOR_H
#define STORE_DESCRIPTOR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/digest.h"
#include "base/json.h"
#include "base/mem.h"

struct err;

struct descriptor {
	char media_type[96]; /* empty if unknown */
	struct digest digest;
	uint64_t size;
};

/* mediaType, digest and size of a JSON object, all of them required. ERR_INVALID with the path. */
struct err *descriptor_parse(const struct json_at *at, struct descriptor *ret) MUST_USE;
/* The same three members in a new object, in this order. */
json_t *descriptor_format(const struct descriptor *d) MUST_USE;
bool descriptor_equal(const struct descriptor *a, const struct descriptor *b);

#endif
