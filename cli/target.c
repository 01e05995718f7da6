/* cli/target.c - see cli/target.h. */

#include "cli/target.h"

#include <stdbool.h>
#include <string.h>

#include "base/err.h"
#include "base/str.h"
#include "base/vec.h"
#include "cli/option.h"
#include "registry/reference.h"

static bool has_name(const struct build_target *target, const char *name)
{
	vec_foreach (&target->tags, tag)
		if (strcmp(*tag, name) == 0)
			return true;
	return false;
}

static void add_name(struct build_target *target, const char *name)
{
	if (!has_name(target, name))
		strings_push(&target->tags, name);
}

/* The target of that stage, new if there is none. */
static struct build_target *target_of(struct targets *targets, char *stage)
{
	vec_foreach (targets, target)
		if (strcmp(target->stage, stage) == 0)
			return target;
	strings_push(&targets->stages, stage);
	vec_push(targets, (struct build_target){ .stage = *vec_last(&targets->stages) });
	return vec_last(targets);
}

static struct err *read_target(const char *text, struct targets *targets)
{
	struct str name = str_of(text);
	AUTO(mem) char *stage = str_dup(str_cut(&name, '='));
	AUTO(mem) char *full = NULL;

	if (!stage[0])
		return err_new(ERR_USAGE, "option --target: '%.80s' names no stage", text);
	if (name.at)
		TRY(option_refuse(reference_normalize(name.at, &full), "--target"));
	if (full)
		add_name(target_of(targets, stage), full);
	else
		target_of(targets, stage);
	return NULL;
}

/* Whose the names are that say it not; NULL if that could be several. */
static struct build_target *find_nameless(struct targets *targets)
{
	struct build_target *found = NULL;

	if (targets->len == 1)
		return &targets->at[0];
	vec_foreach (targets, target) {
		if (target->tags.len > 0)
			continue;
		if (found)
			return NULL;
		found = target;
	}
	return found;
}

/* A name is that of one image. */
static struct err *check_names(const struct build_target *one, const struct build_target *other)
{
	vec_foreach (&one->tags, tag)
		if (has_name(other, *tag))
			return err_new(
				ERR_USAGE,
				"option --target: '%.200s' cannot be the name of both '%.80s' "
				"and '%.80s'",
				*tag, one->stage, other->stage);
	return NULL;
}

struct err *targets_read(const struct strings *values, const struct strings *names,
			 struct targets *ret)
{
	struct build_target *nameless;

	vec_foreach (values, text)
		TRY(read_target(*text, ret));
	if (ret->len == 0)
		vec_push(ret, (struct build_target){ .stage = NULL });
	nameless = find_nameless(ret);
	if (names->len > 0 && !nameless)
		return err_new(ERR_USAGE,
			       "option --tag: '%.200s' could be for each of %zu targets: say "
			       "--target STAGE=NAME",
			       names->at[0], ret->len);
	vec_foreach (names, name)
		add_name(nameless, *name);
	for (size_t i = 1; i < ret->len; i++)
		for (size_t j = 0; j < i; j++)
			TRY(check_names(&ret->at[j], &ret->at[i]));
	return NULL;
}

void targets_release(struct targets *targets)
{
	vec_foreach (targets, target)
		strings_release(&target->tags);
	vec_release(targets);
	strings_release(&targets->stages);
}

const char *targets_first_name(const struct targets *targets)
{
	vec_foreach (targets, target)
		if (target->tags.len > 0)
			return target->tags.at[0];
	return NULL;
}
