/* cli/build_cache.c - see cli/build_cache.h. */

#include "cli/build_cache.h"

#include "base/err.h"
#include "builder/build.h"

void build_caches_release(struct build_caches *caches)
{
	cache_specs_release(&caches->from);
	cache_specs_release(&caches->to);
}

struct err *build_caches_read(const struct build_cache_values *values, struct build_caches *ret,
			      struct build_opts *opts)
{
	vec_foreach (&values->from, text)
		TRY(option_refuse(cache_specs_add(&ret->from, CACHE_FROM, *text), "--cache-from"));
	vec_foreach (&values->to, text)
		TRY(option_refuse(cache_specs_add(&ret->to, CACHE_TO, *text), "--cache-to"));
	opts->cache_from = &ret->from;
	opts->cache_to = &ret->to;
	return NULL;
}
