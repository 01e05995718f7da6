/* builder/sift.c - see builder/sift.h. */

#include "builder/sift.h"

#include "base/err.h"
#include "base/vec.h"
#include "builder/glob.h"
#include "builder/ignore.h"

struct sift {
	struct ignore *excludes; /* NULL: none */
	struct strings parts;    /* the names in the path that is included; none: everything is */
	struct ignore *includes; /* that path, if it has wildcards */
};

struct sift *sift_new(void)
{
	return xcalloc(1, sizeof(struct sift));
}

void sift_free(struct sift *sift)
{
	if (!sift)
		return;
	ignore_free(sift->excludes);
	strings_release(&sift->parts);
	ignore_free(sift->includes);
	free(sift);
}

struct err *sift_exclude(struct sift *sift, const char *pattern)
{
	if (!sift->excludes)
		sift->excludes = ignore_new();
	return err_wrap(ignore_add(sift->excludes, str_of(pattern)), "--exclude=%s", pattern);
}

struct err *sift_include(struct sift *sift, const char *path)
{
	struct str rest = str_of(path);

	while (rest.len > 0) {
		struct str part = str_cut(&rest, '/');

		TRY(err_wrap(glob_check(part), "source '%s'", path));
		vec_push(&sift->parts, str_dup(part));
	}
	if (!glob_is_pattern(str_of(path)))
		return NULL;
	sift->includes = ignore_new();
	return err_wrap(ignore_add(sift->includes, str_of(path)), "source '%s'", path);
}

/* Whether `path` could lead to something that is included, as far as names can tell: to be asked of
 * a path that is not itself. */
static bool leads_on(const struct sift *sift, const char *path)
{
	struct str rest = str_of(path);

	vec_foreach (&sift->parts, part) {
		struct str name;

		if (rest.len == 0 || strstr(*part, "**"))
			return true;
		name = str_cut(&rest, '/');
		if (sift->includes ? !glob_match(str_of(*part), name) : !str_is(name, *part))
			return false;
	}
	return false;
}

/* Whether a path without wildcards is `path` or above it. */
static bool is_at_or_below(const struct sift *sift, const char *path)
{
	struct str rest = str_of(path);

	vec_foreach (&sift->parts, part)
		if (!str_is(str_cut(&rest, '/'), *part))
			return false;
	return true;
}

static enum sift_answer ask_includes(const struct sift *sift, const char *path)
{
	bool matches = sift->includes ? ignore_match(sift->includes, path, NULL) :
					is_at_or_below(sift, path);

	if (matches)
		return SIFT_IN;
	return leads_on(sift, path) ? SIFT_BELOW : SIFT_OUT;
}

enum sift_answer sift_ask(const struct sift *sift, const char *path)
{
	enum sift_answer answer = ask_includes(sift, path);

	if (answer == SIFT_OUT || !sift->excludes || !ignore_match(sift->excludes, path, NULL))
		return answer;
	return ignore_may_reinclude(sift->excludes, path) ? SIFT_BELOW : SIFT_OUT;
}
