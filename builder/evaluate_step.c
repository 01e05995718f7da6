/* builder/evaluate_step.c - RUN, WORKDIR, COPY: a step, and the key that decides its result. */

#include "builder/evaluate-private.h"

#include <string.h>

#include "base/path.h"
#include "builder/build.h"
#include "builder/config.h"
#include "builder/key.h"
#include "builder/scope.h"

static struct err *not_yet(const struct site *site, const char *what)
{
	return site_error(site, ERR_UNSUPPORTED, "%s does not work yet", what);
}

/* A step on top of what the stage has so far. */
static struct plan_step *add_step(const struct site *site, enum step_kind kind)
{
	struct plan_step *step = xcalloc(1, sizeof(*step));

	vec_push(&site->plan->steps, step);
	step->number = (unsigned)site->plan->steps.len;
	step->kind = kind;
	step->stage = site->stage;
	step->below = site->stage->top;
	step->instruction = site->in;
	step->index = ++site->stage->step_count;
	site->stage->top = step;
	return step;
}

/* Begin a key with what every step depends on. */
static void begin_key(const struct site *site, struct plan_step *step, const char *kind,
		      struct key *key)
{
	AUTO(mem) char *platform = platform_format(&site->stage->platform);

	key_begin(key, &step->record, kind);
	key_add_digest(key, "parent", &site->stage->key);
	key_add(key, "platform", platform);
	if (site->plan->has_epoch) {
		AUTO(mem) char *epoch = xasprintf("%jd", (intmax_t)site->plan->epoch);

		key_add(key, "epoch", epoch);
	}
}

static struct err *end_key(const struct site *site, struct plan_step *step, struct key *key)
{
	TRY(key_finish(key));
	site->stage->key = step->record.key;
	return NULL;
}

static const char *run_directory(const struct site *site)
{
	const char *cwd = config_text(site->stage->config, "WorkingDir");

	return cwd[0] ? cwd : "/";
}

static struct err *check_run(const struct site *site)
{
	const struct run *run = &site->in->run;

	if (run->form == RUN_SCRIPT)
		return not_yet(site, "a heredoc that begins with '#!'");
	if (run->mount_count)
		return not_yet(site, "RUN --mount");
	if (run->device_count)
		return not_yet(site, "RUN --device");
	if (run->security == RUN_SECURITY_INSECURE)
		return not_yet(site, "RUN --security=insecure");
	return NULL;
}

/* A command of another processor cannot be executed. */
static struct err *check_runs_here(const struct site *site)
{
	AUTO(mem) char *foreign = NULL;
	struct platform host;

	platform_host(&host);
	if (strcmp(site->stage->platform.os, host.os) == 0 &&
	    strcmp(site->stage->platform.arch, host.arch) == 0)
		return NULL;
	foreign = platform_format(&site->stage->platform);
	return site_error(site, ERR_UNSUPPORTED,
			  "RUN cannot execute programs for %s on this machine", foreign);
}

static void run_row(const struct site *site, struct plan_step *step)
{
	AUTO(strings) struct strings args = { 0 };
	struct buf row = BUF_INIT(TEXT_MAX_BYTES);

	scope_history_args(site->stage->scope, &args);
	buf_adds(&row, "RUN");
	if (args.len)
		buf_addf(&row, " |%zu", args.len);
	vec_foreach (&args, arg)
		buf_addf(&row, " %s", *arg);
	vec_foreach (&step->argv, word)
		buf_addf(&row, " %s", *word);
	buf_adds(&row, " # buildkit");
	site_add_row(site, buf_steal(&row), step);
}

struct err *evaluate_run(const struct site *site)
{
	const struct run *run = &site->in->run;
	struct plan_step *step;
	AUTO(key) struct key key = { 0 };

	TRY(check_run(site));
	TRY(check_runs_here(site));
	step = add_step(site, STEP_RUN);
	if (run->form == RUN_EXEC) {
		words_to_strings(&run->command.argv, &step->argv);
	} else {
		config_shell(site->stage->config, &step->argv);
		strings_push(&step->argv, run->script);
	}
	if (step->argv.len == 0)
		return site_error(site, ERR_INVALID, "RUN needs a command");
	scope_environment(site->stage->scope, &step->env);
	scope_proxies(site->stage->scope, &step->proxies);
	step->network = run->network == RUN_NETWORK_NONE ? SANDBOX_NETWORK_NONE :
			run->network == RUN_NETWORK_HOST ? SANDBOX_NETWORK_HOST :
							   site->plan->opts->network;
	step->user = xstrdup(config_text(site->stage->config, "User"));
	step->cwd = xstrdup(run_directory(site));

	begin_key(site, step, "run 1", &key);
	vec_foreach (&step->argv, word)
		key_add(&key, "argument", *word);
	vec_foreach (&step->env, pair)
		key_add(&key, "env", *pair);
	key_add(&key, "user", step->user);
	key_add(&key, "directory", step->cwd);
	key_add(&key, "network", step->network == SANDBOX_NETWORK_NONE ? "none" : "host");
	if (site->plan->hostname)
		key_add(&key, "host name", site->plan->hostname);
	TRY(end_key(site, step, &key));
	run_row(site, step);
	return NULL;
}

/* `path` seen from `base`: absolute and clean. */
static char *join_path(const char *base, const char *path)
{
	AUTO(buf) struct buf clean = BUF_INIT(TEXT_MAX_BYTES);

	if (path[0] == '/' || path_add(&clean, str_of(base), PATH_STAYS))
		(void)!path_add(&clean, str_of(path), PATH_STAYS);
	return xasprintf("/%.*s", STR_ARG(buf_str(&clean)));
}

struct err *evaluate_workdir(const struct site *site)
{
	AUTO(mem) char *text = NULL;
	AUTO(mem) char *path = NULL;
	struct plan_step *step;
	AUTO(key) struct key key = { 0 };

	TRY(site_expand(site, site->in->word, &text));
	path = join_path(run_directory(site), text);
	config_set_text(site->stage->config, "WorkingDir", path);
	if (strcmp(path, "/") == 0) {
		site_add_row(site, xstrdup("WORKDIR /"), NULL);
		return NULL;
	}
	step = add_step(site, STEP_WORKDIR);
	step->user = xstrdup(config_text(site->stage->config, "User"));
	step->cwd = xstrdup(path);
	begin_key(site, step, "workdir 1", &key);
	key_add(&key, "directory", step->cwd);
	key_add(&key, "user", step->user);
	TRY(end_key(site, step, &key));
	site_add_row(site, xasprintf("WORKDIR %s", path), step);
	return NULL;
}

/* ---- COPY ---- */

static struct err *check_copy(const struct site *site)
{
	const struct copy *copy = &site->in->copy;

	if (copy->heredocs.len)
		return not_yet(site, "a heredoc as a source of COPY");
	if (copy->link)
		return not_yet(site, "COPY --link");
	if (copy->parents)
		return not_yet(site, "COPY --parents");
	if (copy->excludes.len)
		return not_yet(site, "COPY --exclude");
	return NULL;
}

/* --from: a stage before this one, by name or number, or an image. */
static struct err *find_source(const struct site *site, struct plan_copy *copy)
{
	const char *from = site->in->copy.from;
	const struct recipe *recipe = site->plan->recipe;
	AUTO(mem) char *name = NULL;
	const struct stage *stage;

	if (!from)
		return NULL;
	stage = recipe_find_stage(recipe, from, site->stage->stage->index, true);
	if (stage)
		return plan_stage_of(site->plan, stage, &site->in->position, &copy->from_stage);
	if (from[0] && strspn(from, "0123456789") == strlen(from))
		return site_error(site, ERR_INVALID, "there is no stage %s before stage '%s'", from,
				  site->stage->name);
	stage = recipe_find_stage(recipe, from, recipe->stage_count, true);
	if (stage == site->stage->stage)
		return site_error(site, ERR_INVALID, "stage '%s' cannot copy from itself", from);
	if (stage)
		return site_error(site, ERR_INVALID,
				  "stage '%s' comes after stage '%s' and cannot be copied from",
				  from, site->stage->name);
	name = xstrdup(from);
	return plan_image_of(site->plan,
			     &(struct plan_need){ .name = name,
						  .platform = site->plan->opts->platform,
						  .position = &site->in->position },
			     &copy->from_image);
}

/* Select and digest one source of the context. */
static struct err *add_context_source(const struct site *site, struct plan_copy *copy,
				      const char *pattern, struct key *key)
{
	AUTO(selection) struct selection found = { 0 };
	AUTO(hasher) struct hasher *h = hasher_new();
	AUTO(mem) char *name = xasprintf("source %s", pattern);
	struct digest digest;
	struct tree *tree;

	TRY(plan_context(site->plan, &tree));
	TRY(site_wrap(site,
		      site_hint_json(site, pattern,
				     selection_add(&found, tree, pattern, "the build context"))));
	TRY(site_wrap(site, selection_digest(&found, tree, false, site->plan->pool, h)));
	TRY(hasher_finish(h, &digest));
	key_add_digest(key, name, &digest);
	vec_foreach (&found, item)
		vec_push(&copy->selection, *item);
	found.len = 0;
	return NULL;
}

static struct err *key_of_sources(const struct site *site, struct plan_copy *copy, struct key *key)
{
	if (copy->from_stage)
		key_add_digest(key, "from", &copy->from_stage->key);
	if (copy->from_image)
		key_add_digest(key, "from", &copy->from_image->key);
	vec_foreach (&copy->sources, source) {
		if (copy->from_stage || copy->from_image)
			key_add(key, "source", *source);
		else
			TRY(add_context_source(site, copy, *source, key));
	}
	return NULL;
}

/* `ret_dest` is the destination as it is written in the history: expanded, and no more. */
static struct err *expand_copy(const struct site *site, struct plan_copy *copy, char **ret_dest)
{
	const struct copy *in = &site->in->copy;
	AUTO(mem) char *dest = NULL;
	struct str end;

	for (size_t i = 0; i < in->sources.len; i++) {
		char *source;

		TRY(site_hint_json(site, in->sources.at[i],
				   site_expand(site, in->sources.at[i], &source)));
		vec_push(&copy->sources, source);
	}
	TRY(site_hint_json(site, in->destination, site_expand(site, in->destination, &dest)));
	end = str_of(dest);
	copy->dest_is_dir = copy->sources.len > 1 || end.len == 0 || str_ends(end, "/") ||
			    str_is(end, ".") || str_ends(end, "/.");
	copy->dest = join_path(run_directory(site), dest);
	if (in->chown)
		TRY(site_expand(site, in->chown, &copy->chown));
	if (in->chmod) {
		TRY(site_expand(site, in->chmod, &copy->mode));
		TRY(site_wrap(site, chmod_parse(str_of(copy->mode), &copy->chmod)));
	}
	*ret_dest = STEAL(dest);
	return NULL;
}

static void copy_row(const struct site *site, struct plan_step *step, const char *dest)
{
	struct buf row = BUF_INIT(TEXT_MAX_BYTES);

	buf_adds(&row, "COPY");
	if (step->copy.chown)
		buf_addf(&row, " --chown=%s", step->copy.chown);
	if (step->copy.mode)
		buf_addf(&row, " --chmod=%s", step->copy.mode);
	vec_foreach (&step->copy.sources, source)
		buf_addf(&row, " %s", *source);
	buf_addf(&row, " %s # buildkit", dest);
	site_add_row(site, buf_steal(&row), step);
}

struct err *evaluate_copy(const struct site *site)
{
	AUTO(mem) char *dest = NULL;
	struct plan_copy found = { 0 };
	struct plan_step *step;
	AUTO(key) struct key key = { 0 };

	TRY(check_copy(site));
	TRY(find_source(site, &found)); /* plans the other stage, and numbers its steps, first */
	step = add_step(site, STEP_COPY);
	step->copy = found;
	TRY(expand_copy(site, &step->copy, &dest));
	begin_key(site, step, "copy 2", &key);
	TRY(key_of_sources(site, &step->copy, &key));
	key_add(&key, "destination", step->copy.dest);
	key_add(&key, "into directory", step->copy.dest_is_dir ? "yes" : "no");
	key_add(&key, "chown", step->copy.chown ? step->copy.chown : "");
	key_add(&key, "chmod", step->copy.mode ? step->copy.mode : "");
	TRY(end_key(site, step, &key));
	copy_row(site, step, dest);
	return NULL;
}

struct err *evaluate_add(const struct site *site)
{
	return not_yet(site, "ADD");
}
