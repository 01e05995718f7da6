/*
 * builder/caches-private.h - what reading and writing caches share.
 *
 *	caches.c        opening, asking, fetching
 *	caches_write.c  writing
 */
#ifndef BUILDER_CACHES_PRIVATE_H
#define BUILDER_CACHES_PRIVATE_H

#include "builder/caches.h"
#include "registry/cache.h"

/* What is known of a step. */
struct caches_step {
	size_t next;      /* the caches before this one were asked */
	struct cache *in; /* the cache that has it; NULL: none */
	bool spoilt;      /* a cache has an entry that is not good */
};

struct caches {
	struct plan *plan;                 /* borrowed */
	const struct build_events *events; /* borrowed; may be NULL */
	bool result;
	struct platform platform;
	struct cache **from; /* owned */
	size_t from_len;
	struct caches_step *steps; /* by number - 1; owned; made when the first is asked */
};

void caches_warn(const struct caches *caches, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Whether a step is written to a cache of this spec. */
bool caches_write_step(const struct caches *caches, const struct cache_spec *to,
		       const struct plan_step *step);

#endif
