/* registry/cache.c - see registry/cache.h. */

#include "registry/cache.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "base/err.h"
#include "registry/cache-private.h"

struct cache {
	struct cache_at at;
	const struct cache_ops *ops;
	void *self;
	atomic_bool dead;
};

struct err *cache_open(const struct cache_spec *spec, enum cache_way way, struct client *client,
		       const struct platform *platform, struct cache **ret)
{
	AUTO(cache) struct cache *cache = xcalloc(1, sizeof(*cache));

	cache->at = (struct cache_at){ spec, way, platform, client };
	if (spec->kind == CACHE_LOCAL)
		TRY(cache_layout_open(&cache->at, &cache->ops, &cache->self));
	else
		TRY(cache_repository_open(&cache->at, &cache->ops, &cache->self));
	*ret = STEAL(cache);
	return NULL;
}

void cache_free(struct cache *cache)
{
	if (cache && cache->ops)
		cache->ops->free(cache->self);
	free(cache);
}

const struct cache_spec *cache_spec_of(const struct cache *cache)
{
	return cache->at.spec;
}

bool cache_err_is_of_entry(const struct err *err)
{
	switch (err_kind(err)) {
	case ERR_INVALID:
	case ERR_CORRUPT:
	case ERR_UNSUPPORTED:
		return true;
	default:
		return false;
	}
}

struct err *cache_find(struct cache *cache, const struct digest *key, bool *ret_found,
		       struct cache_entry *ret)
{
	struct err *err;

	*ret_found = false;
	if (atomic_load(&cache->dead))
		return NULL;
	err = cache->ops->find(cache->self, key, ret_found, ret);
	if (!err || cache_err_is_of_entry(err))
		return err;
	if (!atomic_exchange(&cache->dead, true) || err_kind(err) == ERR_CANCELLED)
		return err;
	err_free(err); /* another thread has said so */
	return NULL;
}

struct err *cache_fetch(struct cache *cache, struct store *store, const struct descriptor *blob,
			const struct taker *taker, struct progress *progress)
{
	return cache->ops->fetch(cache->self, store, blob, taker, progress);
}

struct err *cache_put(struct cache *cache, struct store *store, const struct cache_entry *entry,
		      bool replace, struct progress *progress, bool *ret_written)
{
	struct cache_entry there;
	bool found = false;
	struct err *err;

	*ret_written = false;
	err = replace ? NULL : cache->ops->find(cache->self, &entry->key, &found, &there);
	if (err && !cache_err_is_of_entry(err) && err_kind(err) != ERR_NOT_FOUND)
		return err;
	err_free(err); /* one that nobody can read is replaced; a directory is yet to be made */
	if (found)
		return NULL;
	*ret_written = true;
	return cache->ops->put(cache->self, store, entry, progress);
}

struct err *cache_finish(struct cache *cache)
{
	return cache->ops->finish ? cache->ops->finish(cache->self) : NULL;
}
