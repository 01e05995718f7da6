/*
 * cli/build_cache.h - the options of a build about caches that others share.
 */
#ifndef CLI_BUILD_CACHE_H
#define CLI_BUILD_CACHE_H

#include "base/mem.h"
#include "base/vec.h"
#include "cli/option.h"
#include "registry/cache_spec.h"

struct build_opts;
struct err;

struct build_cache_values {
	struct strings from, to;
};

/* For a table of a command whose values have a `struct build_cache_values` called `field`. */
/* clang-format off */
#define BUILD_CACHE_OPTIONS(type, field) \
	OPTION_LIST(type, field.from, 0, "cache-from", "SPEC", \
		    "look for steps there, too: type=registry,ref=NAME, type=local,src=DIR, " \
		    "type=inline,ref=IMAGE or a repository"), \
	OPTION_LIST(type, field.to, 0, "cache-to", "SPEC", \
		    "write steps there: type=registry,ref=NAME, type=local,dest=DIR, each with " \
		    "mode=min|max, type=inline or a repository")
/* clang-format on */

/* What the options become; the options of the build borrow from it. */
struct build_caches {
	struct cache_specs from, to; /* owned */
};

void build_caches_release(struct build_caches *caches);
/* ERR_USAGE and ERR_UNSUPPORTED name the option. */
struct err *build_caches_read(const struct build_cache_values *values, struct build_caches *ret,
			      struct build_opts *opts) MUST_USE;

#endif
