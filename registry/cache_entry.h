/*
 * registry/cache_entry.h - what a build cache says of a step, as documents that any registry takes.
 *
 * An entry is an OCI image of at most one layer that nobody runs: a manifest under
 * the tag "v1-" and the 64 hex digits of the step's key, with "SCOPE-" in front of it in
 * a scope. All that a look-up needs is in the manifest, which is small:
 *
 *	annotations	cairn.cache.key		sha256:..., the key; it must be the one asked for
 *			cairn.cache.created	when the step was done, as in the history of images
 *			cairn.cache.duration	how long its work took, in nanoseconds
 *			cairn.cache.diff-id	of the layer; absent: the step changed no file
 *	layers		the layer's blob; of a step that changed no file an empty tar, since
 *			some registries take no image without layers
 *	config		a plain image config that fits the layer
 *
 * An entry says nothing of what the step was: no command, no variable, no path.
 *
 * The facts of an image built with inline cache are a list in its config,
 *
 *	"cairn.cache.v1": [{"key": "sha256:...", "created": "...", "layer": 2}, ...]
 *
 * where `layer` counts the image's layers from 0 and is absent for a step that changed no file.
 * There are no durations: with an epoch an image has the same digest on every machine.
 *
 * What is read is not trusted: ERR_INVALID says what is wrong with it. Whether a layer is
 * what its digests say is for who fetches it.
 */
#ifndef REGISTRY_CACHE_ENTRY_H
#define REGISTRY_CACHE_ENTRY_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "base/digest.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "registry/cache_spec.h"
#include "store/descriptor.h"
#include "store/platform.h"

struct err;
struct image;

#define CACHE_ENTRY_MAX ((size_t)64 * 1024)    /* bytes of a manifest */
#define CACHE_LAYER_MAX ((uint64_t)64 << 30)   /* bytes of a layer's blob */
#define CACHE_DURATION_MAX ((uint64_t)1 << 60) /* nanoseconds */
#define CACHE_TAG_SIZE (CACHE_SCOPE_MAX + 1 + 3 + 64 + 1)
#define CACHE_INLINE_MEMBER "cairn.cache.v1"
#define CACHE_INLINE_MAX 4096 /* facts in one image */

struct cache_entry {
	struct digest key;
	struct timespec created;
	uint64_t duration; /* nanoseconds; 0: not known */
	bool has_layer;
	struct descriptor blob; /* has_layer: one of the media types of OCI or Docker */
	struct digest diff_id;  /* likewise */
};

struct cache_entries {
	struct cache_entry *at;
	size_t len, cap;
};

/* "SCOPE-v1-<hex>", "v1-<hex>". Returns `buf`. */
char *cache_entry_tag(const char *scope, const struct digest *key, char buf[static CACHE_TAG_SIZE]);

/* The config of an entry; owned. */
char *cache_entry_config(const struct cache_entry *entry, const struct platform *platform) MUST_USE;
/* The blob of an entry without a layer, and what it holds: it is always the same. */
void cache_entry_no_layer(struct descriptor *ret, struct str *ret_bytes);
/* Its manifest; owned. */
char *cache_entry_format(const struct cache_entry *entry, const struct descriptor *config) MUST_USE;
struct err *cache_entry_parse(struct str manifest, const struct digest *key,
			      struct cache_entry *ret) MUST_USE;

/* A fact for the list in an image's config; `layer` counts if entry->has_layer. The caller's. */
json_t *cache_inline_format(const struct cache_entry *entry, size_t layer) MUST_USE;
/* The facts of an image, none if it has no list. */
struct err *cache_inline_parse(const struct json_at *config, const struct image *image,
			       struct cache_entries *ret) MUST_USE;

#endif
