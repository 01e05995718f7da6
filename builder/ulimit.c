/* builder/ulimit.c - see builder/ulimit.h. */

#include "builder/ulimit.h"

#include <string.h>
#include <sys/resource.h>

#include "base/err.h"
#include "base/str.h"

/* The names that docker has. */
static const struct {
	const char *name;
	int resource;
} limits[] = {
	{ "core", RLIMIT_CORE },         { "cpu", RLIMIT_CPU },
	{ "data", RLIMIT_DATA },         { "fsize", RLIMIT_FSIZE },
	{ "locks", RLIMIT_LOCKS },       { "memlock", RLIMIT_MEMLOCK },
	{ "msgqueue", RLIMIT_MSGQUEUE }, { "nice", RLIMIT_NICE },
	{ "nofile", RLIMIT_NOFILE },     { "nproc", RLIMIT_NPROC },
	{ "rss", RLIMIT_RSS },           { "rtprio", RLIMIT_RTPRIO },
	{ "rttime", RLIMIT_RTTIME },     { "sigpending", RLIMIT_SIGPENDING },
	{ "stack", RLIMIT_STACK },
};

static struct err *find_limit(struct str name, int *ret)
{
	AUTO(buf) struct buf names = BUF_INIT(1024);

	for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
		if (str_is(name, limits[i].name)) {
			*ret = limits[i].resource;
			return NULL;
		}
		buf_addf(&names, "%s%s", i ? ", " : "", limits[i].name);
	}
	return err_new(ERR_INVALID, "'%.*s' is none of: %s", STR_ARG(name), names.at);
}

static struct err *parse_value(struct str text, uint64_t *ret)
{
	if (str_is(text, "-1") || str_is(text, "unlimited")) {
		*ret = SANDBOX_NO_LIMIT;
		return NULL;
	}
	return num_parse(text, 0, INT64_MAX, ret);
}

struct err *ulimits_add(struct ulimits *ulimits, const char *text)
{
	struct str hard = str_of(text);
	struct str name = str_cut(&hard, '=');
	struct str soft;
	struct sandbox_limit limit;

	if (!hard.at)
		return err_new(ERR_INVALID, "'%.200s' is not NAME=SOFT[:HARD]", text);
	soft = str_cut(&hard, ':');
	TRY(find_limit(name, &limit.resource));
	TRY(parse_value(soft, &limit.soft));
	TRY(parse_value(hard.at ? hard : soft, &limit.hard));
	if (limit.soft > limit.hard)
		return err_new(ERR_INVALID, "%.200s: the soft limit is above the hard one", text);
	vec_foreach (ulimits, before)
		if (before->resource == limit.resource) {
			*before = limit;
			return NULL;
		}
	vec_push(ulimits, limit);
	return NULL;
}
