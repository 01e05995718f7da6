/* builder/evaluate_run.c - RUN: its step, and the key that decides its result. */

#include "builder/evaluate-private.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "builder/build.h"
#include "builder/cdi.h"
#include "builder/config.h"
#include "builder/emulation.h"
#include "builder/key.h"
#include "builder/scope.h"
#include "overlay/capability.h"

#define AGENT_VARIABLE "SSH_AUTH_SOCK"

static struct err *check_run(const struct site *site)
{
	const struct run *run = &site->in->run;

	if (run->security == RUN_SECURITY_INSECURE && !site->plan->opts->allow_insecure)
		return site_error(site, ERR_DENIED,
				  "RUN --security=insecure has to be allowed: say --allow "
				  "security.insecure, if you trust this Recipe with the machine");
	return NULL;
}

/* ---- --device ---- */

/* Whether the user lets the Recipe have a device: as it is asked for, in full, or all of its kind. */
static bool is_allowed(const struct build_opts *opts, const char *asked, const char *found)
{
	const struct str kind = { found, strcspn(found, "=") };

	if (opts->allow_devices)
		return true;
	if (!opts->allowed_devices)
		return false;
	vec_foreach (opts->allowed_devices, name) {
		struct str rest = str_of(*name);
		const struct str its_kind = str_cut(&rest, '=');

		if (strcmp(*name, asked) == 0 || strcmp(*name, found) == 0)
			return true;
		if (str_equal(its_kind, kind) && (!rest.at || str_is(rest, "*")))
			return true;
	}
	return false;
}

static struct err *check_found(const struct site *site, const char *asked,
			       const struct cdi_found *found)
{
	vec_foreach (&found->guarded, name)
		if (!is_allowed(site->plan->opts, asked, *name))
			return err_new(ERR_DENIED,
				       "%s has to be allowed: say --allow device=%s, if you "
				       "trust this Recipe with it",
				       asked, *name);
	return NULL;
}

/* One that is not required, and not there, is done without. */
static struct err *find_device(const struct site *site, struct cdi *cdi,
			       const struct device_flag *flag, struct volumes *ret)
{
	AUTO(cdi_found) struct cdi_found found = { 0 };

	TRY(cdi_find(cdi, flag->name, ret, &found));
	if (found.names.len == 0 && flag->required)
		return cdi_missing(cdi, flag->name);
	if (found.names.len == 0)
		log_info("device '%s' is not on this machine, and not required", flag->name);
	TRY(check_found(site, flag->name, &found));
	strings_copy(&ret->names, &found.names);
	return NULL;
}

static struct err *find_devices(const struct site *site, struct volumes *ret)
{
	const struct run *run = &site->in->run;
	AUTO(cdi) struct cdi *own = site->plan->opts->cdi ? NULL : cdi_new(NULL);
	struct cdi *cdi = own ? own : site->plan->opts->cdi;

	for (size_t i = 0; i < run->device_count; i++)
		TRY(site_wrap(site, err_wrap(find_device(site, cdi, &run->devices[i], ret),
					     "RUN --device")));
	return NULL;
}

/* A command of another processor needs an emulator. */
static struct err *check_runs_here(const struct site *site)
{
	AUTO(mem) char *foreign = platform_format(&site->stage->platform);

	if (emulation_runs(EMULATION_HANDLERS, &site->stage->platform))
		return NULL;
	return err_note(
		site_error(site, ERR_UNSUPPORTED,
			   "RUN cannot execute programs for %s on this machine", foreign),
		"an emulator can, if it is registered with the kernel's binfmt_misc and its flag F: "
		"the package qemu-user-static brings one; or begin the stage with FROM "
		"--platform=$BUILDPLATFORM, and let it make what is for %s",
		foreign);
}

/* Take out of `pairs` those with these names; `ret`, which may be NULL, gets the names of what there was. */
static void leave_out(struct strings *pairs, const struct strings *names, struct strings *ret)
{
	size_t kept = 0;

	vec_foreach (pairs, pair) {
		struct str rest = str_of(*pair);
		const struct str name = str_cut(&rest, '=');
		bool out = false;

		vec_foreach (names, other)
			out = out || str_is(name, *other);
		if (out && ret)
			vec_push(ret, str_dup(name));
		if (out)
			free(*pair);
		else
			pairs->at[kept++] = *pair;
	}
	pairs->len = kept;
}

/* Under # syntax=cairn/1 a command has only the ARGs that it names, so that another value of another one can be
 * none of its inputs. What a base has left for its children was written for any builder. */
static void find_unused(const struct site *site, const struct plan_step *step, struct strings *ret)
{
	const struct run *run = &site->in->run;
	AUTO(strings) struct strings texts = { 0 };

	if (!syntax_is_dialect(site->plan->recipe->syntax) || site->in->position.trigger)
		return;
	strings_copy(&texts, &step->argv);
	if (step->script)
		strings_push(&texts, step->script);
	for (size_t i = 0; i < run->mount_count; i++)
		strings_push(&texts, run->mounts[i].text);
	strings_copy(&texts, &site->plan->opts->mounts);
	scope_unused(site->stage->scope, &texts, ret);
}

static void run_row(const struct site *site, const struct strings *unused, struct plan_step *step)
{
	AUTO(strings) struct strings args = { 0 };
	struct buf row = BUF_INIT(TEXT_MAX_BYTES);

	scope_history_args(site->stage->scope, &args);
	leave_out(&args, unused, NULL);
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

/* The command: as it stands, a text for the shell, or a file that the shell is given. */
static struct err *set_command(const struct site *site, struct plan_step *step)
{
	const struct run *run = &site->in->run;

	if (run->form == RUN_EXEC) {
		words_to_strings(&run->command.argv, &step->argv);
	} else {
		config_shell(site->stage->config, &step->argv);
		if (run->form == RUN_SHELL) {
			strings_push(&step->argv, run->script);
		} else {
			step->script = run->script;
			step->script_name = run->heredocs.at[0].name;
			vec_push(&step->argv, xasprintf(SCRIPT_DIR "/%s", step->script_name));
		}
	}
	if (step->argv.len == 0)
		return site_error(site, ERR_INVALID, "RUN needs a command");
	if (step->script && (strchr(step->script_name, '/') || step->script_name[0] == '.'))
		return site_error(site, ERR_INVALID,
				  "'%s' cannot name the file that a heredoc becomes",
				  step->script_name);
	return NULL;
}

/* Take ownership of the mounts. */
static struct plan_step *add_run(const struct site *site, struct plan_mounts *mounts)
{
	struct plan_step *step = site_add_step(site, STEP_RUN);

	step->mounts = *mounts;
	*mounts = (struct plan_mounts){ 0 };
	vec_foreach (&step->mounts, mount)
		step_reads(step, &mount->from);
	return step;
}

/* The variable by which programs find the agent, unless the Recipe has set it. */
static void name_agent(struct plan_step *step)
{
	const struct plan_mount *first = NULL;

	vec_foreach (&step->env, pair)
		if (str_starts(str_of(*pair), AGENT_VARIABLE "="))
			return;
	vec_foreach (&step->mounts, mount)
		if (mount->flag.type == MOUNT_SSH && (!first || mount->number < first->number))
			first = mount;
	if (first)
		vec_push(&step->env, xasprintf(AGENT_VARIABLE "=%s", first->target));
}

/* What the command may do, if the user said so, decides what it does. */
static void key_of_security(const struct site *site, struct key *key)
{
	const struct sandbox_security *security = site->plan->opts->security;
	char text[32];

	if (!security || site->in->run.security == RUN_SECURITY_INSECURE)
		return;
	if (security->capabilities_given && security->capabilities != CAPABILITY_DEFAULT) {
		snprintf(text, sizeof(text), "%jx", (uintmax_t)security->capabilities);
		key_add(key, "capabilities", text);
	}
	if (security->unconfined || security->profile)
		key_add(key, "seccomp", security->unconfined ? "unconfined" : security->profile);
	if (security->no_new_privileges)
		key_add(key, "no new privileges", "true");
}

struct err *evaluate_run(const struct site *site)
{
	const struct run *run = &site->in->run;
	AUTO(plan_mounts) struct plan_mounts mounts = { 0 };
	AUTO(strings) struct strings unused = { 0 };
	struct plan_step *step;
	AUTO(key) struct key key = { 0 };

	TRY(check_run(site));
	TRY(check_runs_here(site));
	TRY(evaluate_mounts(site, &mounts));
	step = add_run(site, &mounts);
	TRY(find_devices(site, &step->devices));
	TRY(set_command(site, step));
	step->insecure = run->security == RUN_SECURITY_INSECURE;
	find_unused(site, step, &unused);
	scope_environment(site->stage->scope, &step->env);
	leave_out(&step->env, &unused, &step->unused);
	name_agent(step);
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
	if (step->insecure)
		key_add(&key, "security", "insecure");
	key_of_security(site, &key);
	if (step->script)
		key_add(&key, "script", step->script);
	for (size_t i = 0; i < run->device_count; i++)
		key_add(&key, "device asked", run->devices[i].name);
	TRY(key_of_mounts(site, step, &key));
	vec_foreach (&site->plan->opts->hosts, line)
		key_add(&key, "host", strchr(*line, '\t') + 1); /* where it is may change */
	if (site->plan->hostname)
		key_add(&key, "host name", site->plan->hostname);
	TRY(site_end_key(site, step, &key));
	run_row(site, &unused, step);
	return NULL;
}
