/* builder/evaluate.c - one instruction: what it changes in the config, the history and the steps.
 *
 * The texts of the history rows are those of BuildKit (reference, image config and history), so
 * that tools which read them understand ours.
 */

#include "builder/plan-private.h"

#include <ctype.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/path.h"
#include "base/text.h"
#include "builder/build.h"
#include "builder/config.h"
#include "builder/expand.h"
#include "builder/key.h"
#include "builder/quote.h"
#include "builder/scope.h"

#define TEXT_MAX_BYTES ((size_t)16 * 1024 * 1024)

/* What every handler works on. */
struct site {
	struct plan *plan;
	struct plan_stage *stage;
	const struct instruction *in;
};

/* ---- helpers ---- */

static struct err *fail_here(const struct site *site, enum err_kind kind, const char *fmt, ...)
	PRINTF_LIKE(3, 4) MUST_USE;

static struct err *fail_here(const struct site *site, enum err_kind kind, const char *fmt, ...)
{
	AUTO(mem) char *text = NULL;
	va_list args;

	va_start(args, fmt);
	text = xvasprintf(fmt, args);
	va_end(args);
	return script_error(site->plan->recipe->script, &site->in->position, kind, "%s", text);
}

static struct err *at_place(const struct site *site, struct err *err)
{
	return script_wrap(err, site->plan->recipe->script, &site->in->position);
}

static struct err *not_yet(const struct site *site, const char *what)
{
	return fail_here(site, ERR_UNSUPPORTED, "%s does not work yet", what);
}

/* A remark for each variable that was used without a value and without a declaration. */
static void note_unset(const struct site *site, const struct expand_report *report)
{
	AUTO(strings) struct strings names = { 0 };

	scope_names(site->stage->scope, &names);
	map_foreach (&report->undefined, entry) {
		struct str name = { entry->key, entry->key_len };
		const char *nearest;

		if (scope_is_declared(site->stage->scope, name))
			continue;
		nearest = text_nearest(name, (const char *const *)names.at, names.len);
		lint_add(&site->plan->recipe->lints, "UndefinedVar", site->in->check,
			 &site->in->position, "variable '$%s' has no value%s%s%s", entry->key,
			 nearest ? " (did you mean $" : "", nearest ? nearest : "",
			 nearest ? "?)" : "");
	}
}

/* Operands are split at blanks before quotes are looked at, and what looks like JSON and is none is
 * a list of words: where one of them makes no sense, say what was meant. */
static struct err *hint_json(const struct site *site, const char *word, struct err *err)
{
	if (word[0] == '[')
		return err_note(err,
				"this is no JSON, so it is read as words; JSON has every "
				"string in double quotes: %s [\"a b\", \"c\"]",
				instruction_name(site->in->kind));
	if (strpbrk(word, "\"'"))
		return err_note(err,
				"quotes do not keep words together here; the JSON form does: "
				"%s [\"a b\", \"c\"]",
				instruction_name(site->in->kind));
	return err;
}

static struct err *expand(const struct site *site, const char *text, char **ret)
{
	AUTO(expand_report) struct expand_report report = { 0 };
	struct expander expander =
		scope_expander(site->stage->scope, site->plan->recipe->escape, &report);

	TRY(at_place(site, expand_text(&expander, str_of(text), EXPAND_WORD, ret)));
	note_unset(site, &report);
	return NULL;
}

/* Takes ownership of `created_by`. */
static void add_row(struct plan_stage *stage, char *created_by, struct plan_step *step)
{
	if (stage->row_count == stage->row_cap)
		stage->rows = vec_grow_(stage->rows, &stage->row_cap, stage->row_count + 1,
					sizeof(*stage->rows));
	stage->rows[stage->row_count++] = (struct plan_row){ created_by, step };
}

static void words_to_strings(const struct words *words, struct strings *ret)
{
	for (size_t i = 0; i < words->len; i++)
		strings_push(ret, words->at[i]);
}

/* Exec form as it is; shell form behind the SHELL. */
static void command_argv(const struct site *site, const struct command *command,
			 struct strings *ret)
{
	if (command->exec) {
		words_to_strings(&command->argv, ret);
		return;
	}
	config_shell(site->stage->config, ret);
	strings_push(ret, command->text);
}

/* ---- metadata ---- */

static struct err *apply_pairs(const struct site *site, bool env)
{
	const struct pairs *pairs = &site->in->pairs;
	AUTO(strings) struct strings keys = { 0 };
	AUTO(strings) struct strings values = { 0 };
	struct buf row = BUF_INIT(TEXT_MAX_BYTES);

	for (size_t i = 0; i < pairs->len; i++) { /* all see the environment before this one */
		char *text;

		TRY(expand(site, pairs->at[i].key, &text));
		vec_push(&keys, text);
		TRY(expand(site, pairs->at[i].value, &text));
		vec_push(&values, text);
		if (!keys.at[i][0])
			return fail_here(site, ERR_INVALID, "a name is empty in %s",
					 instruction_name(site->in->kind));
	}
	buf_adds(&row, instruction_name(site->in->kind));
	for (size_t i = 0; i < keys.len; i++) {
		buf_addf(&row, " %s=%s", keys.at[i], values.at[i]);
		if (env) {
			config_set_env(site->stage->config, str_of(keys.at[i]), values.at[i]);
			scope_env(site->stage->scope, str_of(keys.at[i]), values.at[i]);
		} else {
			config_set_label(site->stage->config, keys.at[i], values.at[i]);
		}
	}
	add_row(site->stage, buf_steal(&row), NULL);
	return NULL;
}

static struct err *apply_env(const struct site *site)
{
	return apply_pairs(site, true);
}

static struct err *apply_label(const struct site *site)
{
	return apply_pairs(site, false);
}

static struct err *apply_arg(const struct site *site)
{
	const struct pairs *pairs = &site->in->pairs;
	AUTO(expand_report) struct expand_report report = { 0 };
	struct buf row = BUF_INIT(TEXT_MAX_BYTES);

	TRY(at_place(site,
		     scope_arg(site->stage->scope, pairs, site->plan->recipe->escape, &report)));
	note_unset(site, &report);
	buf_adds(&row, "ARG");
	for (size_t i = 0; i < pairs->len; i++) {
		const char *value = scope_get(site->stage->scope, str_of(pairs->at[i].key));

		buf_addf(&row, " %s%s%s", pairs->at[i].key, value ? "=" : "", value ? value : "");
	}
	add_row(site->stage, buf_steal(&row), NULL);
	return NULL;
}

static struct err *apply_command(const struct site *site)
{
	bool cmd = site->in->kind == INSTRUCTION_CMD;
	AUTO(strings) struct strings argv = { 0 };
	struct buf row = BUF_INIT(TEXT_MAX_BYTES);

	command_argv(site, &site->in->command, &argv);
	if (cmd)
		config_set_cmd(site->stage->config, &argv);
	else
		config_set_entrypoint(site->stage->config, &argv);
	buf_addf(&row, "%s ", instruction_name(site->in->kind));
	quote_list(&row, &argv);
	add_row(site->stage, buf_steal(&row), NULL);
	return NULL;
}

static struct err *apply_shell(const struct site *site)
{
	AUTO(strings) struct strings argv = { 0 };
	struct buf row = BUF_INIT(TEXT_MAX_BYTES);

	words_to_strings(&site->in->shell, &argv);
	config_set_shell(site->stage->config, &argv);
	buf_adds(&row, "SHELL [");
	vec_foreach (&argv, word)
		buf_addf(&row, "%s%s", word > argv.at ? " " : "", *word);
	buf_addc(&row, ']');
	add_row(site->stage, buf_steal(&row), NULL);
	return NULL;
}

static struct err *apply_user(const struct site *site)
{
	AUTO(mem) char *user = NULL;

	TRY(expand(site, site->in->word, &user));
	if (strcmp(user, ":") == 0) /* now, and not in a RUN that may never come */
		return fail_here(site, ERR_INVALID, "'%s' names neither a user nor a group",
				 site->in->word);
	config_set_text(site->stage->config, "User", user);
	add_row(site->stage, xasprintf("USER %s", user), NULL);
	return NULL;
}

/* A signal's number, or its name with or without "SIG". */
static bool is_signal(const char *text)
{
	const char *name = strncasecmp(text, "SIG", 3) == 0 ? text + 3 : text;
	AUTO(err) struct err *err = NULL;
	uint64_t number;

	for (int i = 1; i < NSIG; i++) {
		const char *known = sigabbrev_np(i);

		if (known && strcasecmp(known, name) == 0)
			return true;
	}
	if (strncasecmp(name, "RTMIN", 5) == 0 || strncasecmp(name, "RTMAX", 5) == 0)
		return true;
	err = num_parse(str_of(text), 1, NSIG - 1, &number);
	return !err;
}

static struct err *apply_stopsignal(const struct site *site)
{
	AUTO(mem) char *text = NULL;

	TRY(expand(site, site->in->word, &text));
	if (!is_signal(text))
		return fail_here(site, ERR_INVALID, "'%s' is no signal", text);
	config_set_text(site->stage->config, "StopSignal", text);
	add_row(site->stage, xasprintf("STOPSIGNAL %s", text), NULL);
	return NULL;
}

static struct err *apply_maintainer(const struct site *site)
{
	config_set_author(site->stage->config, site->in->word);
	add_row(site->stage, xasprintf("MAINTAINER %s", site->in->word), NULL);
	return NULL;
}

static struct err *apply_volume(const struct site *site)
{
	struct buf row = BUF_INIT(TEXT_MAX_BYTES);
	const struct words *words = &site->in->words;

	buf_adds(&row, "VOLUME [");
	for (size_t i = 0; i < words->len; i++) {
		AUTO(mem) char *path = NULL;
		struct err *err = hint_json(site, words->at[i], expand(site, words->at[i], &path));

		if (!err && !path[0])
			err = fail_here(site, ERR_INVALID, "a volume's path is empty");
		if (err) {
			buf_release(&row);
			return err;
		}
		config_add_volume(site->stage->config, path);
		buf_addf(&row, "%s%s", i ? " " : "", path);
	}
	buf_addc(&row, ']');
	add_row(site->stage, buf_steal(&row), NULL);
	return NULL;
}

/* "PORT[-PORT][/PROTOCOL]", an address or a host port in front is passed over. */
static struct err *expose_one(const struct site *site, struct str word, struct buf *row)
{
	struct str proto = word;
	struct str range = str_cut(&proto, '/');
	AUTO(mem) char *lower = str_dup(proto.len ? proto : STR("tcp"));
	const char *colon = memrchr(range.at, ':', range.len);
	struct str last;
	uint64_t from, to;

	for (char *c = lower; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	if (colon)
		range = (struct str){ colon + 1, (size_t)(range.at + range.len - colon - 1) };
	if (strcmp(lower, "tcp") != 0 && strcmp(lower, "udp") != 0 && strcmp(lower, "sctp") != 0)
		return fail_here(site, ERR_INVALID, "'%.*s': a port's protocol is tcp, udp or sctp",
				 STR_ARG(word));
	last = range;
	range = str_cut(&last, '-');
	TRY(at_place(site,
		     err_wrap(num_parse(range, 0, 65535, &from), "port '%.*s'", STR_ARG(word))));
	to = from;
	if (last.at)
		TRY(at_place(site, err_wrap(num_parse(last, 0, 65535, &to), "port '%.*s'",
					    STR_ARG(word))));
	if (to < from)
		return fail_here(site, ERR_INVALID, "port range '%.*s' ends before it begins",
				 STR_ARG(word));
	for (uint64_t port = from; port <= to; port++) {
		AUTO(mem) char *text = xasprintf("%ju/%s", (uintmax_t)port, lower);

		config_add_port(site->stage->config, text);
		buf_addf(row, "%s%s", row->len > strlen("EXPOSE [") ? " " : "", text);
	}
	return NULL;
}

static struct err *apply_expose(const struct site *site)
{
	AUTO(buf) struct buf row = BUF_INIT(TEXT_MAX_BYTES);
	AUTO(strings) struct strings ports = { 0 };
	AUTO(expand_report) struct expand_report report = { 0 };
	struct expander expander =
		scope_expander(site->stage->scope, site->plan->recipe->escape, &report);

	for (size_t i = 0; i < site->in->words.len; i++)
		TRY(at_place(site, expand_words(&expander, str_of(site->in->words.at[i]), &ports)));
	note_unset(site, &report);
	buf_adds(&row, "EXPOSE [");
	vec_foreach (&ports, port)
		TRY(expose_one(site, str_of(*port), &row));
	buf_addc(&row, ']');
	add_row(site->stage, buf_steal(&row), NULL);
	return NULL;
}

static struct err *apply_healthcheck(const struct site *site)
{
	const struct healthcheck *check = &site->in->healthcheck;
	AUTO(strings) struct strings test = { 0 };
	struct buf row = BUF_INIT(TEXT_MAX_BYTES);

	if (check->form == HEALTHCHECK_NONE) {
		strings_push(&test, "NONE");
	} else if (check->command.exec) {
		strings_push(&test, "CMD");
		words_to_strings(&check->command.argv, &test);
	} else {
		strings_push(&test, "CMD-SHELL");
		strings_push(&test, check->command.text);
	}
	config_set_healthcheck(site->stage->config, &test, check);
	buf_adds(&row, "HEALTHCHECK ");
	quote_healthcheck(&row, &test, check);
	add_row(site->stage, buf_steal(&row), NULL);
	return NULL;
}

static struct err *apply_onbuild(const struct site *site)
{
	config_add_onbuild(site->stage->config, site->in->onbuild.text);
	return NULL; /* no row: as in BuildKit */
}

/* ---- steps ---- */

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
	return fail_here(site, ERR_UNSUPPORTED,
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
	add_row(site->stage, buf_steal(&row), step);
}

static struct err *apply_run(const struct site *site)
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
		return fail_here(site, ERR_INVALID, "RUN needs a command");
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

static struct err *apply_workdir(const struct site *site)
{
	AUTO(mem) char *text = NULL;
	AUTO(mem) char *path = NULL;
	struct plan_step *step;
	AUTO(key) struct key key = { 0 };

	TRY(expand(site, site->in->word, &text));
	path = join_path(run_directory(site), text);
	config_set_text(site->stage->config, "WorkingDir", path);
	if (strcmp(path, "/") == 0) {
		add_row(site->stage, xstrdup("WORKDIR /"), NULL);
		return NULL;
	}
	step = add_step(site, STEP_WORKDIR);
	step->user = xstrdup(config_text(site->stage->config, "User"));
	step->cwd = xstrdup(path);
	begin_key(site, step, "workdir 1", &key);
	key_add(&key, "directory", step->cwd);
	key_add(&key, "user", step->user);
	TRY(end_key(site, step, &key));
	add_row(site->stage, xasprintf("WORKDIR %s", path), step);
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
	const struct stage *stage;

	if (!from)
		return NULL;
	stage = recipe_find_stage(recipe, from, site->stage->stage->index, true);
	if (stage)
		return plan_stage_of(site->plan, stage, &site->in->position, &copy->from_stage);
	if (from[0] && strspn(from, "0123456789") == strlen(from))
		return fail_here(site, ERR_INVALID, "there is no stage %s before stage '%s'", from,
				 site->stage->name);
	stage = recipe_find_stage(recipe, from, recipe->stage_count, true);
	if (stage == site->stage->stage)
		return fail_here(site, ERR_INVALID, "stage '%s' cannot copy from itself", from);
	if (stage)
		return fail_here(site, ERR_INVALID,
				 "stage '%s' comes after stage '%s' and cannot be copied from",
				 from, site->stage->name);
	return plan_image_of(site->plan, from, &site->plan->opts->platform, &site->in->position,
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
	TRY(at_place(site, hint_json(site, pattern,
				     selection_add(&found, tree, pattern, "the build context"))));
	TRY(at_place(site, selection_digest(&found, tree, false, site->plan->pool, h)));
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

		TRY(hint_json(site, in->sources.at[i], expand(site, in->sources.at[i], &source)));
		vec_push(&copy->sources, source);
	}
	TRY(hint_json(site, in->destination, expand(site, in->destination, &dest)));
	end = str_of(dest);
	copy->dest_is_dir = copy->sources.len > 1 || end.len == 0 || str_ends(end, "/") ||
			    str_is(end, ".") || str_ends(end, "/.");
	copy->dest = join_path(run_directory(site), dest);
	if (in->chown)
		TRY(expand(site, in->chown, &copy->chown));
	if (in->chmod) {
		TRY(expand(site, in->chmod, &copy->mode));
		TRY(at_place(site, chmod_parse(str_of(copy->mode), &copy->chmod)));
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
	add_row(site->stage, buf_steal(&row), step);
}

static struct err *apply_copy(const struct site *site)
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

static struct err *apply_add(const struct site *site)
{
	return not_yet(site, "ADD");
}

/* ---- the table ---- */

struct err *evaluate(struct plan *plan, struct plan_stage *stage,
		     const struct instruction *instruction)
{
	static struct err *(*const handlers[INSTRUCTION_COUNT])(const struct site *site) = {
		[INSTRUCTION_ADD] = apply_add,
		[INSTRUCTION_ARG] = apply_arg,
		[INSTRUCTION_CMD] = apply_command,
		[INSTRUCTION_COPY] = apply_copy,
		[INSTRUCTION_ENTRYPOINT] = apply_command,
		[INSTRUCTION_ENV] = apply_env,
		[INSTRUCTION_EXPOSE] = apply_expose,
		[INSTRUCTION_HEALTHCHECK] = apply_healthcheck,
		[INSTRUCTION_LABEL] = apply_label,
		[INSTRUCTION_MAINTAINER] = apply_maintainer,
		[INSTRUCTION_ONBUILD] = apply_onbuild,
		[INSTRUCTION_RUN] = apply_run,
		[INSTRUCTION_SHELL] = apply_shell,
		[INSTRUCTION_STOPSIGNAL] = apply_stopsignal,
		[INSTRUCTION_USER] = apply_user,
		[INSTRUCTION_VOLUME] = apply_volume,
		[INSTRUCTION_WORKDIR] = apply_workdir,
	};
	struct site site = { plan, stage, instruction };

	if (!handlers[instruction->kind]) /* FROM begins a stage, and is never inside one */
		return fail_here(&site, ERR_INVALID, "%s cannot stand here",
				 instruction_name(instruction->kind));
	return handlers[instruction->kind](&site);
}
