/* builder/survey.c - see builder/survey.h. */

#include "builder/survey.h"

#include <string.h>

#include "base/err.h"
#include "base/text.h"
#include "base/vec.h"
#include "builder/config.h"
#include "builder/expand.h"
#include "builder/parse.h"
#include "store/platform.h"

/* ---- the global scope ---- */

static void set_automatic(struct scope *globals, const char *prefix,
			  const struct platform *platform)
{
	AUTO(mem) char *text = platform_format(platform);
	const struct {
		const char *suffix;
		const char *value;
	} names[] = { { "PLATFORM", text },
		      { "OS", platform->os },
		      { "OSVERSION", "" },
		      { "ARCH", platform->arch },
		      { "VARIANT", platform->variant } };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		AUTO(mem) char *name = xasprintf("%s%s", prefix, names[i].suffix);

		scope_set_automatic(globals, name, names[i].value);
	}
}

struct err *survey_globals(const struct recipe *recipe, struct build_args *args,
			   const struct platform *platform, const char *target, struct scope **ret)
{
	AUTO(scope) struct scope *globals = scope_new(args);
	const struct stage *last = &recipe->stages[recipe->stage_count - 1];
	struct platform host;

	target = target ? target : last->name;
	platform_host(&host);
	set_automatic(globals, "TARGET", platform);
	set_automatic(globals, "BUILD", &host);
	scope_set_automatic(globals, "TARGETSTAGE", target ? target : "default");
	for (size_t i = 0; i < recipe->globals.len; i++) {
		const struct instruction *arg = &recipe->globals.at[i];

		TRY(script_wrap(scope_arg(globals, &arg->pairs, recipe->escape, NULL),
				recipe->script, &arg->position));
	}
	*ret = STEAL(globals);
	return NULL;
}

/* ---- the walk ---- */

struct walk {
	const struct survey *survey;
	struct scope **scopes; /* at the end of each stage that was visited */
	bool *known;
};

static void walk_auto_(struct walk *walk)
{
	for (size_t i = 0; walk->scopes && i < walk->survey->recipe->stage_count; i++)
		scope_free(walk->scopes[i]);
	free(walk->scopes);
	free(walk->known);
}

static struct err *expand_base(const struct recipe *recipe, const struct scope *globals,
			       const struct stage *stage, char **ret)
{
	struct expander expander = scope_expander(globals, recipe->escape, NULL);

	return script_wrap(expand_text(&expander, str_of(stage->base), EXPAND_WORD, ret),
			   recipe->script, &stage->position);
}

/* UNSET ENV NAME... */
static struct err *unset(struct scope *scope, const struct expander *expander,
			 const struct words *words)
{
	for (size_t i = 1; strcasecmp(words->at[0], "ENV") == 0 && i < words->len; i++) {
		AUTO(mem) char *name = NULL;

		TRY(expand_text(expander, str_of(words->at[i]), EXPAND_WORD, &name));
		scope_unset(scope, str_of(name));
	}
	return NULL;
}

/* What an instruction does to the variables. */
static struct err *apply(struct scope *scope, const struct recipe *recipe,
			 const struct instruction *in)
{
	const struct pairs *pairs = &in->pairs;
	AUTO(strings) struct strings texts = { 0 };
	struct expander expander = scope_expander(scope, recipe->escape, NULL);

	if (in->kind == INSTRUCTION_ARG)
		return scope_arg(scope, pairs, recipe->escape, NULL);
	if (in->kind == INSTRUCTION_UNSET)
		return unset(scope, &expander, &in->words);
	if (in->kind != INSTRUCTION_ENV)
		return NULL;
	for (size_t i = 0; i < pairs->len; i++) { /* all see the environment before this one */
		char *text;

		TRY(expand_text(&expander, str_of(pairs->at[i].key), EXPAND_WORD, &text));
		vec_push(&texts, text);
		TRY(expand_text(&expander, str_of(pairs->at[i].value), EXPAND_WORD, &text));
		vec_push(&texts, text);
	}
	for (size_t i = 0; i < texts.len; i += 2)
		scope_env(scope, str_of(texts.at[i]), texts.at[i + 1]);
	return NULL;
}

/* Variables that a base sets, by its environment and by what it left to its children. */
static struct err *take_base(const struct walk *walk, struct scope *scope, const char *name,
			     const struct stage *stage, bool *ret_known)
{
	const struct survey *survey = walk->survey;
	AUTO(config) struct config *config = NULL;
	AUTO(strings) struct strings env = { 0 };
	AUTO(strings) struct strings triggers = { 0 };
	const bool scratch = strcmp(name, "scratch") == 0;

	if (survey->base && !scratch)
		TRY(survey->base(survey->base_self, stage, name, &config));
	*ret_known = scratch || config;
	if (!config)
		TRY(config_new(NULL, &config));
	config_env(config, &env);
	vec_foreach (&env, pair) {
		struct str value = str_of(*pair);
		struct str key = str_cut(&value, '=');

		scope_env(scope, key, value.at ? value.at : "");
	}
	config_take_onbuild(config, &triggers);
	vec_foreach (&triggers, text) {
		struct instruction *trigger;

		TRY(recipe_parse_trigger(survey->recipe, *text, &trigger));
		TRY(apply(scope, survey->recipe, trigger));
	}
	return NULL;
}

/* Variables that the triggers of a stage set for the one that is built on it. */
static struct err *take_triggers(const struct recipe *recipe, struct scope *scope,
				 const struct stage *parent)
{
	for (size_t i = 0; i < parent->instructions.len; i++) {
		const struct instruction *in = &parent->instructions.at[i];

		if (in->kind == INSTRUCTION_ONBUILD)
			TRY(apply(scope, recipe, in->onbuild.trigger));
	}
	return NULL;
}

static struct err *begin_stage(struct walk *walk, const struct stage *stage,
			       const struct stage **ret_parent)
{
	const struct survey *survey = walk->survey;
	const struct stage *parent;
	struct scope **scope = &walk->scopes[stage->index];
	AUTO(mem) char *name = NULL;

	TRY(expand_base(survey->recipe, survey->globals, stage, &name));
	parent = recipe_find_stage(survey->recipe, name, stage->index, false);
	if (parent && !walk->scopes[parent->index])
		parent = NULL; /* not wanted: nothing is known of it */
	*ret_parent = parent;
	if (parent) {
		*scope = scope_new_child(walk->scopes[parent->index]);
		walk->known[stage->index] = walk->known[parent->index];
		return script_wrap(take_triggers(survey->recipe, *scope, parent),
				   survey->recipe->script, &stage->position);
	}
	*scope = scope_new_stage(survey->globals);
	return script_wrap(take_base(walk, *scope, name, stage, &walk->known[stage->index]),
			   survey->recipe->script, &stage->position);
}

static struct err *walk_stage(struct walk *walk, const struct stage *stage)
{
	const struct survey *survey = walk->survey;
	struct survey_site site = { .recipe = survey->recipe,
				    .stage = stage,
				    .scope = survey->globals,
				    .position = &stage->position };

	TRY(begin_stage(walk, stage, &site.parent));
	TRY(survey->visit(survey->visit_self, &site));
	site.scope = walk->scopes[stage->index];
	site.known = walk->known[stage->index];
	for (size_t i = 0; i < stage->instructions.len; i++) {
		site.in = &stage->instructions.at[i];
		site.position = &site.in->position;
		TRY(survey->visit(survey->visit_self, &site));
		TRY(script_wrap(apply(walk->scopes[stage->index], survey->recipe, site.in),
				survey->recipe->script, site.position));
	}
	return NULL;
}

struct err *survey_run(const struct survey *survey)
{
	struct recipe *recipe = survey->recipe;
	AUTO(walk)
	struct walk walk = { .survey = survey,
			     .scopes = xcalloc(recipe->stage_count, sizeof(struct scope *)),
			     .known = xcalloc(recipe->stage_count, sizeof(bool)) };

	for (size_t i = 0; i < recipe->globals.len; i++) {
		const struct instruction *in = &recipe->globals.at[i];
		const struct survey_site site = { .recipe = recipe,
						  .in = in,
						  .scope = survey->globals,
						  .position = &in->position };

		TRY(survey->visit(survey->visit_self, &site));
	}
	for (size_t i = 0; i < recipe->stage_count; i++)
		if (!survey->wanted || survey->wanted[i])
			TRY(walk_stage(&walk, &recipe->stages[i]));
	return NULL;
}

/* ---- what a stage needs ---- */

struct err *survey_find_target(const struct recipe *recipe, const char *target,
			       const struct stage **ret)
{
	AUTO(mem) const char **names = NULL;
	const char *nearest;
	size_t count = 0;

	*ret = &recipe->stages[recipe->stage_count - 1];
	if (!target || !target[0])
		return NULL;
	*ret = recipe_find_stage(recipe, target, recipe->stage_count, true);
	if (*ret)
		return NULL;
	names = xcalloc(recipe->stage_count, sizeof(*names));
	for (size_t i = 0; i < recipe->stage_count; i++)
		if (recipe->stages[i].name)
			names[count++] = recipe->stages[i].name;
	nearest = text_nearest(str_of(target), names, count);
	return err_new(ERR_USAGE, "option --target: %s has no stage '%.200s'%s%s%s",
		       script_name(recipe->script), target, nearest ? " (did you mean " : "",
		       nearest ? nearest : "", nearest ? "?)" : "");
}

/* What a name with variables may mean, nobody knows before its stage is walked: any stage. */
static void mark(const struct recipe *recipe, const char *name, const struct stage *user,
		 bool *needed)
{
	const struct stage *stage;

	if (!name)
		return;
	if (strchr(name, '$')) {
		memset(needed, true, user->index * sizeof(*needed));
		return;
	}
	stage = recipe_find_stage(recipe, name, user->index, true);
	if (stage)
		needed[stage->index] = true;
}

/* All that `stage` names stands before it: one pass from the end to the beginning finds everything. */
static void mark_needs(const struct recipe *recipe, const struct stage *stage, bool *needed)
{
	for (size_t i = 0; i < stage->instructions.len; i++) {
		const struct instruction *in = &stage->instructions.at[i];

		if (in->kind == INSTRUCTION_ONBUILD)
			in = in->onbuild.trigger;
		if (in->kind == INSTRUCTION_COPY)
			mark(recipe, in->copy.from, stage, needed);
		for (size_t k = 0; in->kind == INSTRUCTION_RUN && k < in->run.mount_count; k++)
			mark(recipe, in->run.mounts[k].from, stage, needed);
	}
}

struct err *survey_needed(const struct recipe *recipe, const struct scope *globals,
			  const struct stage *target, bool **ret)
{
	AUTO(mem) bool *needed = xcalloc(recipe->stage_count, sizeof(bool));

	needed[target->index] = true;
	for (size_t i = target->index + 1; i-- > 0;) {
		const struct stage *stage = &recipe->stages[i];
		const struct stage *parent;
		AUTO(mem) char *name = NULL;

		if (!needed[i])
			continue;
		TRY(expand_base(recipe, globals, stage, &name));
		parent = recipe_find_stage(recipe, name, i, false);
		if (parent)
			needed[parent->index] = true;
		mark_needs(recipe, stage, needed);
	}
	*ret = STEAL(needed);
	return NULL;
}
