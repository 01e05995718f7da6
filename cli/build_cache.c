/* cli/build_cache.c - see cli/build_cache.h. */

#include "cli/build_cache.h"

#include <sys/stat.h>

#include "base/err.h"
#include "base/vec.h"
#include "builder/build.h"

void build_caches_release(struct build_caches *caches)
{
	cache_specs_release(&caches->from);
	cache_specs_release(&caches->to);
}

/* What is in the way of a directory is said before anything runs. */
static struct err *check_dirs(const struct cache_specs *to)
{
	struct stat st;

	vec_foreach (to, spec)
		if (spec->dir && !spec->ignore_error && stat(spec->dir, &st) == 0 &&
		    !S_ISDIR(st.st_mode))
			return err_new(ERR_INVALID,
				       "option --cache-to: directory '%s' cannot be made: there is "
				       "a file",
				       spec->dir);
	return NULL;
}

struct err *build_caches_read(const struct build_cache_values *values, struct build_caches *ret,
			      struct build_opts *opts)
{
	vec_foreach (&values->from, text)
		TRY(option_refuse(cache_specs_add(&ret->from, CACHE_FROM, *text), "--cache-from"));
	vec_foreach (&values->to, text)
		TRY(option_refuse(cache_specs_add(&ret->to, CACHE_TO, *text), "--cache-to"));
	TRY(check_dirs(&ret->to));
	opts->cache_from = &ret->from;
	opts->cache_to = &ret->to;
	return NULL;
}
