/*
 * builder/caches.h - the caches of --cache-from and --cache-to, as a build uses them.
 *
 *	look-up   keys that the store lacks are asked for, a few at a time, one request for each
 *	fetch     the layers that this build needs, and no others
 *	write     what the build did, after it
 *
 * A cache can only save work. One that cannot be reached is told of once and then left alone; an
 * entry that lies, or whose layer is not to be had, is told of, and its step looked for in the next
 * cache, and made at last. Nothing enters the store but blobs of the right digest and layers of
 * the right diff id.
 *
 * The layer of a step that was found is either here, and everything is as if the store had found it,
 * or `absent`: then this build does not need it.
 */
#ifndef BUILDER_CACHES_H
#define BUILDER_CACHES_H

#include <stdbool.h>

#include "base/mem.h"
#include "builder/plan.h"

struct build_events;
struct build_opts;
struct caches;
struct err;

/* For a plan, which it gets as plan->caches: NULL if the options name none. `result`: something is made of the
 * target's layers. All are borrowed. ERR_DENIED and ERR_INVALID for a registry that is not to be used. */
struct err *caches_open(struct plan *plan, const struct build_events *events, bool result,
			struct caches **ret) MUST_USE;
void caches_free(struct caches *caches);
DEFINE_AUTO(caches)

/* Some steps of the plan. */
struct plan_steps {
	struct plan_step **at;
	size_t len, cap;
};

/* Ask for those of the steps that are not `asked` yet. Afterwards they are, and some are `cached`. Only being cancelled,
 * and a store that cannot be written, are errors. */
struct err *caches_ask(struct caches *caches, const struct plan_steps *steps) MUST_USE;
/* Fetch the layers that are needed and absent, when it is known which steps are needed. `*ret_lost`: some were not
 * to be had, their steps are no longer `cached`, and may be asked for again. */
struct err *caches_fetch(struct caches *caches, bool *ret_lost) MUST_USE;

/* Whether the layer of a step is to be written somewhere. */
bool caches_want_blob(const struct caches *caches, const struct plan_step *step);
/* Whether layers are to be written at all. */
bool caches_take_layers(const struct build_opts *opts);
/* Whether the images that are made get facts. */
bool caches_are_inline(const struct build_opts *opts);
/* Write what was done, after execute() with blobs. The first error of a cache that has no
 * ignore-error, when all were tried. */
struct err *caches_write(struct caches *caches) MUST_USE;

#endif
