/*
 * cli/shell.c - enter a step of a build: its files, its environment, its sandbox.
 *
 * As with `cairn run`, the exit code is that of what runs, and 125 means that it
 * could not be run.
 */

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "base/str.h"
#include "builder/build.h"
#include "builder/enter.h"
#include "builder/scope.h"
#include "builder/secrets.h"
#include "builder/ssh.h"
#include "cli/build_args.h"
#include "cli/commands-private.h"
#include "cli/dns.h"
#include "cli/limits.h"
#include "cli/relay.h"
#include "cli/security.h"
#include "overlay/resolver.h"
#include "overlay/sandbox.h"
#include "store/failed.h"
#include "store/platform.h"
#include "store/store.h"

#define FAILED 125
#define WRONG_USAGE 2

struct shell_values {
	struct build_arg_values build_args;
	const char *context, *recipe, *target;
	struct strings env, secrets, ssh;
	const char *user, *workdir;
	int context_mode;
	bool before, interactive, tty;
	struct limit_values limits;
	struct security_values security;
	struct dns_values dns;
};

static const struct option options[] = {
	BUILD_ARG_OPTIONS(struct shell_values, build_args),
	OPTION_FLAG(struct shell_values, before, 0, "before",
		    "with the files as they were before the step"),
	OPTION_PATH(struct shell_values, context, 0, "context", "CONTEXT",
		    "the context of the build (default: the current directory)"),
	OPTION_WORD(struct shell_values, context_mode, 0, "context-mode", context_mode_names,
		    "the modes that files of the context have in the build: exact or git"),
	OPTION_LIST(struct shell_values, env, 'e', "env", "NAME[=VALUE]",
		    "set a variable; without VALUE it is taken from the environment"),
	OPTION_PATH(struct shell_values, recipe, 'f', "file", "PATH",
		    "the Recipe (default: that of CONTEXT)"),
	OPTION_FLAG(struct shell_values, interactive, 'i', "interactive",
		    "let COMMAND read standard input"),
	OPTION_LIST(struct shell_values, secrets, 0, "secret", "id=ID[,src=PATH|,env=NAME]",
		    "give a secret of the step again: none is kept"),
	OPTION_LIST(struct shell_values, ssh, 0, "ssh", "default|ID[=PATH[,PATH]...]",
		    "give an agent of the step again"),
	OPTION_TEXT(struct shell_values, target, 0, "target", "STAGE",
		    "the stage that the build is for (default: the last one)"),
	OPTION_FLAG(struct shell_values, tty, 't', "tty", "give COMMAND a terminal"),
	OPTION_TEXT(struct shell_values, user, 'u', "user", "USER[:GROUP]",
		    "be this user, and not that of the step"),
	OPTION_TEXT(struct shell_values, workdir, 'w', "workdir", "DIR",
		    "begin in this directory, and not in that of the step"),
	LIMIT_OPTIONS(struct shell_values, limits),
	SECURITY_OPTIONS(struct shell_values, security),
	DNS_OPTIONS(struct shell_values, dns),
};

/* What lives as long as the command. */
struct visit {
	struct cli *cli;
	bool interactive, tty;
	struct build_opts opts;
	struct build_target target;
	struct build_args *args;
	bool planned; /* the Recipe is asked, not what is kept */
	struct secrets *secrets;
	struct ssh_sources *ssh;
	struct limits limits;
	struct security security;
	struct resolver_wishes resolver;
	struct entry entry;
	const char *step; /* borrowed; NULL: the last one that failed */
};

static inline void visit_auto_(struct visit *visit)
{
	build_args_free(visit->args);
	secrets_free(visit->secrets);
	ssh_sources_free(visit->ssh);
	limits_release(&visit->limits);
	security_release(&visit->security);
	strings_release(&visit->entry.argv);
	strings_release(&visit->entry.env);
}

/* ---- words ---- */

/* "[STEP] [-- COMMAND [ARGUMENT]...]" */
static struct err *read_operands(const struct strings *operands, struct visit *ret)
{
	size_t i = 0;

	if (operands->len > 0 && strcmp(operands->at[0], "--") != 0)
		ret->step = operands->at[i++];
	if (i == operands->len)
		return NULL;
	if (strcmp(operands->at[i], "--") != 0)
		return err_new(ERR_USAGE,
			       "'%.200s' is one word too much: a command comes behind --",
			       operands->at[i]);
	for (i++; i < operands->len; i++)
		strings_push(&ret->entry.argv, operands->at[i]);
	return ret->entry.argv.len ? NULL : err_new(ERR_USAGE, "there is no command behind --");
}

static struct err *read_env(const struct strings *list, struct strings *ret)
{
	vec_foreach (list, text) {
		const char *inherited = strchr(*text, '=') ? NULL : getenv(*text);

		if ((*text)[0] == '=' || !(*text)[0])
			return err_new(ERR_USAGE, "option --env: '%.80s' has no name", *text);
		if (inherited)
			vec_push(ret, xasprintf("%s=%s", *text, inherited));
		else if (strchr(*text, '='))
			strings_push(ret, *text);
	}
	return NULL;
}

/* What a step of the Recipe is found by. */
static struct err *read_recipe(const struct shell_values *values, struct visit *ret)
{
	ret->target.stage = values->target;
	ret->opts.targets = &ret->target;
	ret->opts.target_count = values->target ? 1 : 0;
	TRY(build_args_read(&values->build_args, ret->args));
	ret->opts.args = ret->args;
	ret->opts.context = values->context ? values->context : ".";
	ret->opts.context_mode = (enum context_mode)values->context_mode;
	ret->opts.recipe = values->recipe;
	platform_host(&ret->opts.platform);
	ret->planned = values->context || values->recipe || values->target;
	ret->entry.step = ret->step;
	if (ret->planned && !ret->step)
		return err_new(ERR_USAGE, "say which step of the Recipe: a number or a stage");
	return NULL;
}

/* What the step is given that is not kept. */
static struct err *read_sandbox(struct shell_values *values, struct visit *ret)
{
	vec_foreach (&values->secrets, text)
		TRY(option_refuse(secrets_add(ret->secrets, *text), "--secret"));
	vec_foreach (&values->ssh, text)
		TRY(option_refuse(ssh_sources_add(ret->ssh, *text), "--ssh"));
	TRY(limits_read(&values->limits, &ret->limits));
	TRY(security_read(&values->security, &ret->security));
	TRY(dns_read(&values->dns, &ret->resolver));
	ret->opts = (struct build_opts){ .secrets = ret->secrets,
					 .ssh = ret->ssh,
					 .resources = &ret->limits.resources,
					 .ulimits = &ret->limits.ulimits,
					 .shm_size = ret->limits.shm_size,
					 .security = &ret->security.sandbox,
					 .resolver = &ret->resolver };
	return NULL;
}

static struct err *read_values(struct shell_values *values, const struct strings *operands,
			       struct visit *ret)
{
	const bool terminal = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);

	TRY(read_operands(operands, ret));
	if (values->user && !values->user[0])
		return err_new(ERR_USAGE, "option --user: an empty name is no user");
	if (values->workdir && values->workdir[0] != '/')
		return err_new(ERR_USAGE, "option --workdir: '%.200s' is not absolute",
			       values->workdir);
	ret->tty = values->tty || (!ret->entry.argv.len && terminal);
	ret->interactive = values->interactive || !ret->entry.argv.len;
	if (ret->tty)
		vec_push(&ret->entry.env,
			 xasprintf("TERM=%s", getenv("TERM") ? getenv("TERM") : "xterm"));
	TRY(read_env(&values->env, &ret->entry.env));
	TRY(read_sandbox(values, ret));
	TRY(read_recipe(values, ret));
	ret->entry.before = values->before;
	ret->entry.user = values->user;
	ret->entry.cwd = values->workdir;
	return NULL;
}

/* ---- which step ---- */

static bool is_called(void *self, const struct failed_step *step)
{
	return enter_is_called(self, step->number, step->stage, step->index, step->count);
}

static struct err *find_step(struct store *store, const char *name, struct failed_step *ret,
			     int *ret_lock)
{
	struct err *err = failed_find(store, name ? is_called : NULL, (char *)name, ret, ret_lock);

	if (err_kind(err) != ERR_NOT_FOUND || name)
		return err;
	err_free(err);
	return err_note(err_new(ERR_NOT_FOUND, "no step that failed is kept"),
			"A RUN of a build that fails is kept until a few others have.");
}

/* ---- running it ---- */

static struct err *run_command(void *self, struct sandbox *sandbox, struct sandbox_spec *spec)
{
	struct visit *visit = self;
	AUTO(sandbox_run) struct sandbox_run *run = NULL;
	AUTO(relay) struct relay *relay = NULL;
	struct sandbox_result result = { 0 };
	char text[SANDBOX_OOM_SIZE];

	TRY(relay_new(visit->interactive, visit->tty, spec, &relay));
	TRY(sandbox_start(sandbox, spec, &run));
	TRY(relay_run(relay, run, &result));
	visit->cli->exit_code = result.code;
	if (result.code && result.oom_kills)
		log_warn("%s", sandbox_oom_text(&result, text));
	if (result.exec_errno)
		return err_new(ERR_INVALID, "cannot execute '%.200s' in the step: %s",
			       spec->argv[0], sandbox_exec_reason(&result));
	return NULL;
}

/* A step of the Recipe, whatever became of it. */
static struct err *enter_recipe(struct store *store, struct visit *visit)
{
	AUTO(build_result) struct build_result result = { 0 };

	visit->opts.entry = &visit->entry;
	visit->opts.user_umask = umask(022);
	return build_run(store, &visit->opts, &result);
}

/* A step that failed and is kept. `*ret_found` is false if there is none of the name. */
static struct err *enter_kept(struct store *store, struct visit *visit, bool *ret_found)
{
	AUTO(failed_step) struct failed_step failed = { 0 };
	AUTO(fd) int lock_fd = -1;
	struct err *err = find_step(store, visit->step, &failed, &lock_fd);

	*ret_found = err_kind(err) != ERR_NOT_FOUND || !visit->step;
	if (!*ret_found)
		err_free(STEAL(err));
	if (err || !*ret_found)
		return err;
	log_info("step #%u of stage %s, %.200s: it failed with exit code %d%s", failed.number,
		 failed.stage, failed.title, failed.code,
		 visit->entry.before ? "; these are the files before it" : "");
	return enter_failed(store, &visit->entry, &failed);
}

static struct err *enter(struct cli *cli, struct shell_values *values,
			 const struct strings *operands)
{
	AUTO(visit)
	struct visit visit = { .cli = cli,
			       .args = build_args_new(),
			       .secrets = secrets_new(),
			       .ssh = ssh_sources_new() };
	AUTO(store) struct store *store = NULL;
	bool found = false;

	visit.entry.run = run_command;
	visit.entry.self = &visit;
	visit.entry.opts = &visit.opts;
	TRY(read_values(values, operands, &visit));
	TRY(cli_be_root());
	TRY(cli_open_store(cli, &store));
	if (!visit.planned)
		TRY(enter_kept(store, &visit, &found));
	return found ? NULL : enter_recipe(store, &visit);
}

/* As that of `cairn run`. */
static struct err *run_shell(struct cli *cli, void *arg, struct strings *operands)
{
	struct err *err;

	mem_exhausted_code(FAILED);
	err = enter(cli, arg, operands);
	if (err && !cli->exit_code) /* else it is that of the command */
		cli->exit_code = err_kind(err) == ERR_USAGE ? WRONG_USAGE : FAILED;
	return err;
}

const struct cli_command command_shell = {
	.name = "shell",
	.summary = "enter a step of a build, such as the one that failed",
	.operands = "[STEP] [-- COMMAND [ARGUMENT]...]",
	.about =
		"Run a shell, or COMMAND, where a RUN failed: with the files that it left, its "
		"environment, user, directory, caches and network. What is changed is thrown away: "
		"who enters again finds the same. STEP is a number or a stage as progress shows "
		"them; without it, it is the step that failed last. One that did not fail is "
		"entered by the Recipe, after what lies below it was built. The exit code is the "
		"command's; 125 if it could not be run.",
	.examples = "cairn shell\n"
		    "cairn shell --before\n"
		    "cairn shell test -- cat /app/test.log\n"
		    "cairn shell --before --file Recipe 3",
	.options = options,
	.option_count = ARRAY_SIZE(options),
	.values_size = sizeof(struct shell_values),
	.max_operands = OPERANDS_ANY,
	.keeps_dashes = true,
	.completes = COMPLETE_NOTHING,
	.run = run_shell,
};
