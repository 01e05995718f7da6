/*
 * registry/cache-private.h - the two places where entries are kept.
 *
 *	cache_repository.c  a repository in a registry, or the config of an image there
 *	cache_layout.c      a directory
 */
#ifndef REGISTRY_CACHE_PRIVATE_H
#define REGISTRY_CACHE_PRIVATE_H

#include "registry/cache.h"

/* As the functions of registry/cache.h; any thread. */
struct cache_ops {
	struct err *(*find)(void *self, const struct digest *key, bool *ret_found,
			    struct cache_entry *ret);
	struct err *(*fetch)(void *self, struct store *store, const struct descriptor *blob,
			     const struct taker *taker, struct progress *progress);
	struct err *(*put)(void *self, struct store *store, const struct cache_entry *entry,
			   struct progress *progress);
	struct err *(*finish)(void *self); /* NULL: nothing to do */
	void (*free)(void *self);
};

struct cache_at {
	const struct cache_spec *spec; /* borrowed, like the others */
	enum cache_way way;
	const struct platform *platform;
	struct client *client;
};

/* `*ret_self` is for the operations. */
struct err *cache_repository_open(const struct cache_at *at, const struct cache_ops **ret_ops,
				  void **ret_self) MUST_USE;
struct err *cache_layout_open(const struct cache_at *at, const struct cache_ops **ret_ops,
			      void **ret_self) MUST_USE;

#endif
