/* builder/plan.c - stages, bases and what needs what; see builder/plan.h. */

#include "builder/plan-private.h"

#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/err.h"
#include "builder/build.h"
#include "builder/config.h"
#include "builder/context.h"
#include "builder/expand.h"
#include "builder/git_source.h"
#include "builder/image_changes.h"
#include "builder/parse.h"
#include "builder/scope.h"
#include "builder/survey.h"

/* ---- stages ---- */

static struct err *expand_from(struct plan *plan, const struct stage *stage, const char *text,
			       char **ret)
{
	struct expander expander = scope_expander(plan->globals, plan->recipe->escape, NULL);

	return script_wrap(expand_text(&expander, str_of(text), EXPAND_WORD, ret),
			   plan->recipe->script, &stage->position);
}

/* The platform that a FROM line asks for: --platform, or the build's. */
static struct err *stage_platform(struct plan *plan, const struct stage *stage,
				  struct plan_need *need)
{
	AUTO(mem) char *text = NULL;

	need->platform = plan->opts->platform;
	need->exact = plan->opts->platform_given;
	if (!stage->platform)
		return NULL;
	TRY(expand_from(plan, stage, stage->platform, &text));
	if (!text[0])
		return script_error(plan->recipe->script, &stage->position, ERR_INVALID,
				    "--platform: '%s' is empty once its variables are filled in",
				    stage->platform);
	need->exact = true;
	return script_wrap(platform_parse(text, &need->platform), plan->recipe->script,
			   &stage->position);
}

struct err *plan_base_of(struct plan *plan, const struct stage *stage, struct plan_need *ret_need,
			 struct plan_name *ret_name)
{
	struct plan_context *context = plan_replacement(plan, stage);
	AUTO(mem) char *name = NULL;

	*ret_need = (struct plan_need){ .position = &stage->position };
	*ret_name = (struct plan_name){ .kind = NAME_CONTEXT, .context = context };
	if (!context) {
		TRY(expand_from(plan, stage, stage->base, &name));
		*ret_name = plan_look_up(plan, name, stage->index, false);
		context = ret_name->context;
	}
	TRY(stage_platform(plan, stage, ret_need));
	if (context && context->image)
		ret_need->context = context;
	ret_need->name =
		context ? xstrdup(context->image ? context->image : context->name) : STEAL(name);
	return NULL;
}

/* An image of one platform is taken as it is, whatever was asked for, and so is what is built on
 * it. */
static void take_platform(struct plan *plan, struct plan_stage *stage, const struct platform *asked)
{
	AUTO(mem) char *has = platform_format(&stage->image->image->platform);
	AUTO(mem) char *wanted = platform_format(asked);

	stage->platform = stage->image->image->platform;
	if (!platform_equal(&stage->platform, asked))
		lint_add(&plan->recipe->lints, "InvalidBaseImagePlatform", stage->stage->check,
			 &stage->stage->position, "base image '%s' is for %s, not for %s",
			 stage->image->name, has, wanted);
}

/* A directory as the base of a stage: all of it is copied into nothing. */
static struct err *copy_base(struct plan *plan, struct plan_stage *stage,
			     const struct plan_context *context)
{
	struct arena *arena = &plan->recipe->arena;
	struct instruction *all = arena_alloc(arena, sizeof(*all));
	const char **source = arena_array(arena, 2, sizeof(*source));

	source[0] = "/";
	*all = (struct instruction){
		.kind = INSTRUCTION_COPY,
		.position = stage->stage->position,
		.text = stage->stage->text,
		.copy = { .sources = { source, 1 },
			  .destination = "/",
			  .from = arena_text(arena, str_of(context->name)) },
	};
	return evaluate(plan, stage, all);
}

static void drop_labels(const struct plan *plan, struct plan_stage *stage)
{
	if (plan->opts->changes && plan->opts->changes->drop_labels)
		config_unset(stage->config, "Labels", NULL);
}

/* Everything of `stage` that its base decides: config, scope, key. */
static struct err *begin_stage(struct plan *plan, struct plan_stage *stage,
			       const struct plan_name *found, const struct plan_need *base,
			       struct strings *ret_triggers)
{
	const struct stage *own = stage->stage;
	AUTO(strings) struct strings env = { 0 };

	if (found->kind == NAME_STAGE) {
		TRY(plan_stage_of(plan, found->stage, &own->position, &stage->parent));
		stage->config = config_copy(stage->parent->config);
		stage->scope = scope_new_child(stage->parent->scope);
		stage->top = stage->parent->top;
		stage->key = stage->parent->key;
		stage->platform = stage->parent->platform;
		config_take_onbuild(stage->config, ret_triggers);
		drop_labels(plan, stage);
		return NULL;
	}
	stage->scope = scope_new_stage(plan->globals);
	stage->platform = base->platform;
	if (found->kind == NAME_SCRATCH || (found->context && !base->context)) {
		TRY(config_new(NULL, &stage->config));
	} else {
		TRY(plan_image_of(plan, base, &stage->image));
		TRY(script_wrap(config_new(stage->image->image->config, &stage->config),
				plan->recipe->script, &own->position));
		stage->key = stage->image->key;
		take_platform(plan, stage, &base->platform);
	}
	config_take_onbuild(stage->config, ret_triggers);
	drop_labels(plan, stage);
	config_env(stage->config, &env);
	vec_foreach (&env, pair) {
		struct str value = str_of(*pair);
		struct str name = str_cut(&value, '=');

		scope_env(stage->scope, name, value.at ? value.at : "");
	}
	return found->context && !base->context ? copy_base(plan, stage, found->context) : NULL;
}

/* A trigger stands nowhere in the Recipe: it is at the FROM that makes it run. */
static void place_trigger(const struct plan *plan, const struct stage *stage,
			  struct instruction *trigger)
{
	struct str text = str_of(trigger->text);
	AUTO(mem) char *what = NULL;

	text = str_cut(&text, '\n');
	what = xasprintf("ONBUILD %.*s of '%s'", (int)(text.len < 80 ? text.len : 80), text.at,
			 stage->base);
	trigger->position = stage->position;
	trigger->position.trigger = arena_text(&plan->recipe->arena, str_of(what));
}

/* Instructions that the base image left for its children. */
static struct err *run_triggers(struct plan *plan, struct plan_stage *stage,
				const struct strings *triggers)
{
	vec_foreach (triggers, text) {
		struct instruction *instruction;

		TRY(script_wrap(recipe_parse_trigger(plan->recipe, *text, &instruction),
				plan->recipe->script, &stage->stage->position));
		place_trigger(plan, stage->stage, instruction);
		TRY(evaluate(plan, stage, instruction));
	}
	return NULL;
}

static struct err *plan_stage(struct plan *plan, struct plan_stage *stage)
{
	const struct stage *own = stage->stage;
	AUTO(strings) struct strings triggers = { 0 };
	AUTO(mem) char *base = NULL;
	struct plan_need need;
	struct plan_name name;

	TRY(plan_base_of(plan, own, &need, &name));
	base = need.name;
	if (!base[0])
		return plan_note_arguments(
			plan, own,
			script_error(plan->recipe->script, &own->position, ERR_INVALID,
				     "'%s' is empty once its variables are filled in", own->base));
	TRY(begin_stage(plan, stage, &name, &need, &triggers));
	TRY(run_triggers(plan, stage, &triggers));
	if (plan_replacement(plan, own))
		return NULL; /* it stands for what the Recipe would have made */
	for (size_t i = 0; i < own->instructions.len; i++)
		TRY(evaluate(plan, stage, &own->instructions.at[i]));
	return NULL;
}

struct err *plan_stage_of(struct plan *plan, const struct stage *stage, const struct position *at,
			  struct plan_stage **ret)
{
	struct plan_stage *planned = &plan->stages[stage->index];

	if (planned->state == PLAN_OPEN)
		return script_error(plan->recipe->script, at, ERR_INVALID,
				    "stage '%s' needs itself", planned->name);
	if (planned->state == PLAN_NEW) {
		planned->state = PLAN_OPEN;
		TRY(plan_stage(plan, planned));
		planned->state = PLAN_DONE;
	}
	*ret = planned;
	return NULL;
}

/* ---- the whole ---- */

/* The epoch of the options, of the build argument SOURCE_DATE_EPOCH, or of an ARG of that name
 * before the first FROM. "context" is the time of a context that has one, which a directory has
 * not. */
static struct err *find_epoch(struct plan *plan)
{
	const struct build_opts *opts = plan->opts;
	const char *text = build_args_get(opts->args, STR("SOURCE_DATE_EPOCH"));

	if (!text)
		text = scope_get(plan->globals, STR("SOURCE_DATE_EPOCH"));
	plan->has_epoch = opts->has_epoch;
	plan->epoch = opts->epoch;
	if (plan->has_epoch || !text || !text[0])
		return NULL;
	if (strcmp(text, "context") == 0) {
		plan->has_epoch = opts->fetched && opts->fetched->has_time;
		plan->epoch = plan->has_epoch ? opts->fetched->time : 0;
		return NULL;
	}
	TRY(err_wrap(clock_parse_epoch(str_of(text), &plan->epoch), "%s: SOURCE_DATE_EPOCH",
		     script_name(plan->recipe->script)));
	plan->has_epoch = true;
	return NULL;
}

/* The name of the machine that RUN finds itself on. */
static struct err *find_hostname(struct plan *plan)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789-.";
	const char *name = build_args_get(plan->opts->args, STR("BUILDKIT_SANDBOX_HOSTNAME"));

	if (!name || !name[0]) {
		plan->hostname = plan->opts->trial ? TRIAL_HOSTNAME : NULL;
		return NULL;
	}
	if (strlen(name) > 63 || strspn(name, allowed) != strlen(name))
		return err_new(ERR_USAGE,
			       "--build-arg BUILDKIT_SANDBOX_HOSTNAME: '%.80s' is no host name",
			       name);
	plan->hostname = name;
	return NULL;
}

static bool is_target(const struct plan *plan, const struct plan_stage *stage)
{
	for (size_t i = 0; i < plan->target_count; i++)
		if (plan->targets[i].stage == stage)
			return true;
	return false;
}

/* Behind the targets: every other stage that was planned. One that is only a FROM is its base. */
static void keep_stages(struct plan *plan, const struct build_target *nameless)
{
	for (size_t i = 0; i < plan->stage_count; i++) {
		struct plan_stage *stage = &plan->stages[i];

		if (stage->state != PLAN_DONE || stage->row_count == 0 || is_target(plan, stage))
			continue;
		plan->targets[plan->target_count + plan->kept_count++] =
			(struct plan_target){ .stage = stage, .asked = nameless };
	}
}

/* Plan the stages that are wanted, and all that they need. */
static struct err *plan_targets(struct plan *plan)
{
	static const struct build_target last;
	const struct build_opts *opts = plan->opts;
	const size_t count = opts->target_count ? opts->target_count : 1;
	AUTO(mem) const struct stage **stages = xcalloc(count, sizeof(*stages));

	plan->targets = xcalloc(count + plan->stage_count, sizeof(*plan->targets));
	plan->target_count = count;
	for (size_t i = 0; i < count; i++) {
		plan->targets[i].asked = opts->target_count ? &opts->targets[i] : &last;
		TRY(survey_find_target(plan->recipe, plan->targets[i].asked->stage, &stages[i]));
	}
	TRY(plan_bases(plan, stages, count));
	for (size_t i = 0; i < count; i++)
		TRY(plan_stage_of(plan, stages[i], &stages[i]->position, &plan->targets[i].stage));
	plan->target = plan->targets[0].stage;
	if (opts->save_stages)
		keep_stages(plan, &last);
	return NULL;
}

bool plan_stage_is(const struct plan_stage *stage, const char *wanted)
{
	AUTO(mem) char *number = xasprintf("%zu", stage->stage->index);

	return strcasecmp(wanted, stage->name) == 0 || strcmp(wanted, number) == 0;
}

static void name_stages(struct plan *plan)
{
	plan->stage_count = plan->recipe->stage_count;
	plan->stages = xcalloc(plan->stage_count, sizeof(*plan->stages));
	for (size_t i = 0; i < plan->stage_count; i++) {
		const struct stage *stage = &plan->recipe->stages[i];

		plan->stages[i].stage = stage;
		plan->stages[i].name =
			stage->name ? xstrdup(stage->name) : xasprintf("stage-%zu", i);
	}
}

struct err *plan_make(struct store *store, const struct build_opts *opts, struct recipe *recipe,
		      struct pool *pool, struct plan **ret)
{
	AUTO(plan) struct plan *plan = xcalloc(1, sizeof(*plan));

	*plan = (struct plan){ .store = store, .opts = opts, .recipe = recipe, .pool = pool };
	name_stages(plan);
	TRY(plan_contexts(plan));
	TRY(survey_globals(recipe, opts->args, &opts->platform,
			   opts->target_count ? opts->targets[0].stage : NULL, &plan->globals));
	TRY(find_epoch(plan));
	TRY(find_hostname(plan));
	TRY(plan_targets(plan));
	*ret = STEAL(plan);
	return NULL;
}

struct git_source_opts plan_git_opts(const struct plan *plan)
{
	struct client *client = plan->opts->client;

	return (struct git_source_opts){ .store = plan->store,
					 .offline = !client || client_is_offline(client),
					 .secrets = plan->opts->secrets,
					 .client = client };
}

/* ---- freeing ---- */

void plan_mounts_release(struct plan_mounts *mounts)
{
	vec_foreach (mounts, mount) {
		mount_release(&mount->flag);
		free(mount->target);
		free(mount->id);
		selection_release(&mount->selection);
	}
	vec_release(mounts);
}

static void step_free(struct plan_step *step)
{
	plan_mounts_release(&step->mounts);
	strings_release(&step->argv);
	strings_release(&step->env);
	strings_release(&step->unused);
	strings_release(&step->proxies);
	volumes_release(&step->devices);
	vec_release(&step->reads);
	free(step->user);
	free(step->cwd);
	strings_release(&step->copy.sources);
	strings_release(&step->copy.excludes);
	vec_foreach (&step->copy.texts, text) {
		free(text->name);
		free(text->content);
	}
	vec_release(&step->copy.texts);
	selection_release(&step->copy.selection);
	vec_foreach (&step->copy.adds, add) {
		selection_release(&add->selection);
		git_url_release(&add->git);
		free(add->url);
		free(add->name);
		free(add->source);
	}
	vec_release(&step->copy.adds);
	free(step->copy.dest);
	free(step->copy.chown);
	free(step->copy.mode);
	step_record_release(&step->record);
	free(step);
}

static void stage_release(struct plan_stage *stage)
{
	free(stage->name);
	config_free(stage->config);
	scope_free(stage->scope);
	for (size_t i = 0; i < stage->row_count; i++)
		free(stage->rows[i].created_by);
	free(stage->rows);
}

void plan_free(struct plan *plan)
{
	if (!plan)
		return;
	for (size_t i = 0; i < plan->stage_count; i++)
		stage_release(&plan->stages[i]);
	free(plan->stages);
	free(plan->targets);
	vec_foreach (&plan->steps, step)
		step_free(*step);
	vec_release(&plan->steps);
	vec_foreach (&plan->images, image) {
		stack_release(&(*image)->stack);
		image_free((*image)->image);
		free((*image)->name);
		free(*image);
	}
	vec_release(&plan->images);
	vec_foreach (&plan->contexts, context)
		plan_context_free(*context);
	vec_release(&plan->contexts);
	scope_free(plan->globals);
	recipe_free(plan->recipe);
	free(plan);
}
