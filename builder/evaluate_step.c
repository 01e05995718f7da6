/* builder/evaluate_step.c - RUN, WORKDIR: a step, and the key that decides its result. */

#include "builder/evaluate-private.h"

#include <string.h>

#include "base/path.h"
#include "builder/build.h"
#include "builder/config.h"
#include "builder/key.h"
#include "builder/scope.h"

struct err *site_not_yet(const struct site *site, const char *what)
{
	return site_error(site, ERR_UNSUPPORTED, "%s does not work yet", what);
}

struct plan_step *site_add_step(const struct site *site, enum step_kind kind)
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

void site_begin_key(const struct site *site, struct plan_step *step, const char *kind,
		    struct key *key)
{
	AUTO(mem) char *platform = platform_format(&site->stage->platform);

	key_begin(key, &step->record, kind);
	if (!step->alone || step->looks_below)
		key_add_digest(key, "parent", &site->stage->key);
	key_add(key, "platform", platform);
	if (site->plan->has_epoch) {
		AUTO(mem) char *epoch = xasprintf("%jd", (intmax_t)site->plan->epoch);

		key_add(key, "epoch", epoch);
	}
}

/* The key of what `*below` is the key of, with a layer on top whose own key knows nothing of it. */
static struct err *stack_key(const struct digest *layer, struct digest *below)
{
	AUTO(step_record) struct step_record record = { 0 };
	AUTO(key) struct key key = { 0 };

	key_begin(&key, &record, "stack 1");
	key_add_digest(&key, "parent", below);
	key_add_digest(&key, "layer", layer);
	TRY(key_finish(&key));
	*below = record.key;
	return NULL;
}

struct err *site_end_key(const struct site *site, struct plan_step *step, struct key *key)
{
	TRY(key_finish(key));
	if (step->alone)
		return stack_key(&step->record.key, &site->stage->key);
	site->stage->key = step->record.key;
	return NULL;
}

const char *site_directory(const struct site *site)
{
	const char *cwd = config_text(site->stage->config, "WorkingDir");

	return cwd[0] ? cwd : "/";
}

static struct err *check_run(const struct site *site)
{
	const struct run *run = &site->in->run;

	if (run->form == RUN_SCRIPT)
		return site_not_yet(site, "a heredoc that begins with '#!'");
	if (run->mount_count)
		return site_not_yet(site, "RUN --mount");
	if (run->device_count)
		return site_not_yet(site, "RUN --device");
	if (run->security == RUN_SECURITY_INSECURE)
		return site_not_yet(site, "RUN --security=insecure");
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
	step = site_add_step(site, STEP_RUN);
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
	step->cwd = xstrdup(site_directory(site));

	site_begin_key(site, step, "run 1", &key);
	vec_foreach (&step->argv, word)
		key_add(&key, "argument", *word);
	vec_foreach (&step->env, pair)
		key_add(&key, "env", *pair);
	key_add(&key, "user", step->user);
	key_add(&key, "directory", step->cwd);
	key_add(&key, "network", step->network == SANDBOX_NETWORK_NONE ? "none" : "host");
	if (site->plan->hostname)
		key_add(&key, "host name", site->plan->hostname);
	TRY(site_end_key(site, step, &key));
	run_row(site, step);
	return NULL;
}

char *site_join_path(const char *base, const char *path)
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
	path = site_join_path(site_directory(site), text);
	config_set_text(site->stage->config, "WorkingDir", path);
	if (strcmp(path, "/") == 0) {
		site_add_row(site, xstrdup("WORKDIR /"), NULL);
		return NULL;
	}
	step = site_add_step(site, STEP_WORKDIR);
	step->user = xstrdup(config_text(site->stage->config, "User"));
	step->cwd = xstrdup(path);
	site_begin_key(site, step, "workdir 1", &key);
	key_add(&key, "directory", step->cwd);
	key_add(&key, "user", step->user);
	TRY(site_end_key(site, step, &key));
	site_add_row(site, xasprintf("WORKDIR %s", path), step);
	return NULL;
}

struct err *evaluate_add(const struct site *site)
{
	return site_not_yet(site, "ADD");
}
