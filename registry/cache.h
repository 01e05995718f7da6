/*
 * registry/cache.h - a build cache: what others know of a step, by its key.
 *
 * A cache is asked for keys one at a time, from any thread; the answer is an entry of a few
 * hundred bytes (registry/cache_entry.h), and costs one request. The layer of an entry is
 * fetched when it is needed, and not before. Entries are written once: different keys are
 * different names, so writers at the same time lose nothing, and the same key has the same
 * meaning whoever wrote it.
 *
 * To read, a registry is first asked by one thread alone, and without repeats: one that cannot be
 * reached costs no more than that. Once something failed that is not one entry's fault, the cache
 * is dead: it finds nothing more, and is not asked.
 */
#ifndef REGISTRY_CACHE_H
#define REGISTRY_CACHE_H

#include <stdbool.h>

#include "base/mem.h"
#include "registry/cache_entry.h"
#include "registry/cache_spec.h"

struct cache;
struct client;
struct err;
struct progress;
struct store;
struct taker;

/* To read it or to write it; all are borrowed for its life. Nothing is asked yet. `platform` is for which an image with facts is
 * looked at, and what entries that are written say. */
struct err *cache_open(const struct cache_spec *spec, enum cache_way way, struct client *client,
		       const struct platform *platform, struct cache **ret) MUST_USE;
void cache_free(struct cache *cache);
DEFINE_AUTO(cache)

const struct cache_spec *cache_spec_of(const struct cache *cache);

/* Ask for a key. ERR_INVALID, ERR_CORRUPT and ERR_UNSUPPORTED are about this entry; every other error is about
 * the cache, and its last one. */
struct err *cache_find(struct cache *cache, const struct digest *key, bool *ret_found,
		       struct cache_entry *ret) MUST_USE;
/* Whether an error of cache_find() or cache_fetch() is about one entry alone. */
bool cache_err_is_of_entry(const struct err *err);

/* Bring the blob of an entry into the store, verified. `taker` (may be NULL) may see its bytes on the way: not if the
 * blob is there already, and not from a directory. */
struct err *cache_fetch(struct cache *cache, struct store *store, const struct descriptor *blob,
			const struct taker *taker, struct progress *progress) MUST_USE;

/* Write an entry whose blob is in the store. One that is there and can be read stays as it is, unless
 * `replace`. `*ret_written` tells whether there was something to do. */
struct err *cache_put(struct cache *cache, struct store *store, const struct cache_entry *entry,
		      bool replace, struct progress *progress, bool *ret_written) MUST_USE;
/* After the last cache_put(): what readers other than caches want to see. */
struct err *cache_finish(struct cache *cache) MUST_USE;

#endif
