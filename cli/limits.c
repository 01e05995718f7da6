/* cli/limits.c - see cli/limits.h. */

#include "cli/limits.h"

#include <limits.h>
#include <string.h>

#include "base/err.h"
#include "base/path.h"
#include "base/str.h"
#include "builder/mount.h"

#define USUAL_PERIOD 100000
#define LEAST_PERIOD 1000 /* of the kernel, as the next one */
#define MOST_PERIOD 1000000
#define LEAST_QUOTA 1000
#define CPUS_MAX 100000
#define MILLIONTHS 6 /* digits behind the point of --cpus that count */

/* A number, or -1 for no limit. */
static struct err *read_number(const char *option, const char *text, uint64_t min, uint64_t max,
			       bool unlimited, uint64_t *ret)
{
	if (!text)
		return NULL;
	if (unlimited && strcmp(text, "-1") == 0) {
		*ret = SANDBOX_NO_LIMIT;
		return NULL;
	}
	return option_refuse(num_parse(str_of(text), min, max, ret), option);
}

static struct err *read_size(const char *option, const char *text, bool unlimited, uint64_t *ret)
{
	if (!text)
		return NULL;
	if (unlimited && strcmp(text, "-1") == 0) {
		*ret = SANDBOX_NO_LIMIT;
		return NULL;
	}
	TRY(option_refuse(mount_parse_size(text, ret), option));
	if (*ret == 0)
		return err_new(ERR_USAGE, "option %s: '%s' is nothing", option, text);
	return NULL;
}

static struct err *read_memory(const struct limit_values *values, struct sandbox_resources *ret)
{
	TRY(read_size("--memory", values->memory, false, &ret->memory));
	TRY(read_size("--memory-swap", values->memory_swap, true, &ret->memory_swap));
	if (ret->memory_swap && !ret->memory)
		return err_new(ERR_USAGE, "option --memory-swap: it needs --memory beside it");
	if (ret->memory_swap < ret->memory && ret->memory_swap)
		return err_new(ERR_USAGE,
			       "option --memory-swap: it is memory and swap together, so no less "
			       "than --memory");
	return NULL;
}

static bool is_digits(struct str text)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.at[i] < '0' || text.at[i] > '9')
			return false;
	return true;
}

/* "1.5" CPUs as microseconds of the usual period; digits that say less than one are cut off. */
static struct err *read_cpus(const char *text, uint64_t *ret)
{
	struct str fraction = str_of(text);
	struct str whole = str_cut(&fraction, '.');
	struct err *wrong = err_new(ERR_USAGE,
				    "option --cpus: '%.80s' is not a number of CPUs such as 1.5, "
				    "and at least 0.01",
				    text);
	AUTO(err) struct err *err = NULL;
	uint64_t number = 0, parts = 0;

	if (whole.len > 0)
		err = num_parse(whole, 0, CPUS_MAX, &number);
	if (!err && !is_digits(fraction))
		return wrong;
	if (fraction.len > MILLIONTHS)
		fraction.len = MILLIONTHS;
	if (!err && fraction.len > 0)
		err = num_parse(fraction, 0, UINT64_MAX, &parts);
	if (!err && (whole.len > 0 || fraction.len > 0)) {
		for (size_t i = fraction.len; i < MILLIONTHS; i++)
			parts *= 10;
		*ret = number * USUAL_PERIOD + parts / (1000000 / USUAL_PERIOD);
		if (*ret >= LEAST_QUOTA) {
			err_free(wrong);
			return NULL;
		}
	}
	return wrong;
}

/* "3" or "0-3". */
static bool is_range(struct str text)
{
	struct str last = text;
	struct str first = str_cut(&last, '-');
	uint64_t from, to;
	struct err *err = num_parse(first, 0, UINT32_MAX, &from);

	if (!err && last.at)
		err = num_parse(last, from, UINT32_MAX, &to);
	err_free(err);
	return !err;
}

static bool is_set(struct str text)
{
	while (text.at)
		if (!is_range(str_cut(&text, ',')))
			return false;
	return true;
}

/* Lists as the kernel takes them: numbers and ranges. */
static struct err *read_set(const char *option, const char *text, const char **ret)
{
	if (text && !is_set(str_of(text)))
		return err_new(ERR_USAGE, "option %s: '%.80s' is no list such as 0-3,6", option,
			       text);
	if (text && strlen(text) > 200)
		return err_new(ERR_USAGE, "option %s: the list is too long", option);
	*ret = text;
	return NULL;
}

static struct err *read_cpu(const struct limit_values *values, struct sandbox_resources *ret)
{
	if (values->cpus && (values->cpu_period || values->cpu_quota))
		return err_new(ERR_USAGE, "option --cpus: it says the same as --cpu-period and "
					  "--cpu-quota, so not both");
	if (values->cpus)
		TRY(read_cpus(values->cpus, &ret->cpu_quota));
	ret->cpus = values->cpus;
	TRY(read_number("--cpu-period", values->cpu_period, LEAST_PERIOD, MOST_PERIOD, false,
			&ret->cpu_period));
	TRY(read_number("--cpu-quota", values->cpu_quota, LEAST_QUOTA, INT64_MAX / 1000, true,
			&ret->cpu_quota));
	TRY(read_number("--cpu-shares", values->cpu_shares, 2, 262144, false, &ret->cpu_shares));
	TRY(read_set("--cpuset-cpus", values->cpuset_cpus, &ret->cpuset_cpus));
	return read_set("--cpuset-mems", values->cpuset_mems, &ret->cpuset_mems);
}

/* ---- --resource ---- */

/* The field of the option that is called `name`, or NULL. */
static const char **find_field(struct limit_values *values, struct str name)
{
	const struct {
		const char *name;
		const char **field;
	} fields[] = {
		{ "memory", &values->memory },
		{ "memory-swap", &values->memory_swap },
		{ "cpus", &values->cpus },
		{ "cpu-period", &values->cpu_period },
		{ "cpu-quota", &values->cpu_quota },
		{ "cpu-shares", &values->cpu_shares },
		{ "cpuset-cpus", &values->cpuset_cpus },
		{ "cpuset-mems", &values->cpuset_mems },
		{ "pids-limit", &values->pids_limit },
		{ "shm-size", &values->shm_size },
	};

	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		if (str_is(name, fields[i].name))
			return fields[i].field;
	return NULL;
}

/* The next "NAME=VALUE" of a list; what stands behind a comma and has no "=" is of the value: "0-3,6". */
static struct str cut_pair(struct str *rest)
{
	struct str pair = str_cut(rest, ',');

	while (rest->at) {
		struct str more = *rest;
		const struct str part = str_cut(&more, ',');

		if (memchr(part.at, '=', part.len) || !part.len)
			break;
		pair.len += 1 + part.len;
		*rest = more;
	}
	return pair;
}

/* Put what --resource says in the place of options of those names. */
static struct err *take_resources(struct limit_values *values, struct strings *texts)
{
	vec_foreach (&values->resources, text) {
		struct str rest = str_of(*text);

		while (rest.at) {
			struct str value = cut_pair(&rest);
			const struct str name = str_cut(&value, '=');
			const char **field = find_field(values, name);

			if (!field || !value.len)
				return err_new(ERR_USAGE,
					       "option --resource: '%.80s' is not NAME=VALUE, with "
					       "the names of options such as memory or cpu-quota",
					       *text);
			vec_push(texts, str_dup(value));
			*field = *vec_last(texts);
		}
	}
	return NULL;
}

/* A path below the top of each hierarchy, or a slice. */
static struct err *check_parent(const char *text)
{
	AUTO(buf) struct buf below = BUF_INIT((size_t)PATH_MAX);

	if (text && (!path_add(&below, str_of(text), PATH_REFUSED) || below.len == 0))
		return err_new(ERR_USAGE, "option --cgroup-parent: '%.200s' names no control group",
			       text);
	return NULL;
}

struct err *limits_read(const struct limit_values *given, struct limits *ret)
{
	struct sandbox_resources *resources = &ret->resources;
	struct limit_values own = *given; /* its lists stay the caller's */
	const struct limit_values *values = &own;

	TRY(take_resources(&own, &ret->texts));
	TRY(read_memory(values, resources));
	TRY(read_cpu(values, resources));
	TRY(read_number("--pids-limit", values->pids_limit, 0, INT32_MAX, true, &resources->pids));
	if (values->pids_limit &&
	    resources->pids == 0) /* docker's and podman's other word for it */
		resources->pids = SANDBOX_NO_LIMIT;
	TRY(check_parent(values->cgroup_parent));
	resources->cgroup_parent = values->cgroup_parent;
	if (values->shm_size)
		TRY(option_refuse(mount_parse_size(values->shm_size, &ret->shm_size),
				  "--shm-size"));
	vec_foreach (&values->ulimits, text)
		TRY(option_refuse(ulimits_add(&ret->ulimits, *text), "--ulimit"));
	return NULL;
}

void limits_release(struct limits *limits)
{
	ulimits_release(&limits->ulimits);
	strings_release(&limits->texts);
}
