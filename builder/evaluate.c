/* builder/evaluate.c - one instruction: what it changes in the config, the history and the steps.
 *
 * The texts of the history rows are those of BuildKit (reference, image config and history), so
 * that tools which read them understand ours.
 */

#include "builder/evaluate-private.h"

#include <string.h>

#include "base/text.h"
#include "builder/config.h"
#include "builder/demands.h"
#include "builder/expand.h"
#include "builder/quote.h"
#include "builder/scope.h"

/* ---- helpers ---- */

struct err *site_error(const struct site *site, enum err_kind kind, const char *fmt, ...)
{
	AUTO(mem) char *text = NULL;
	va_list args;

	va_start(args, fmt);
	text = xvasprintf(fmt, args);
	va_end(args);
	return script_error(site->plan->recipe->script, &site->in->position, kind, "%s", text);
}

struct err *site_wrap(const struct site *site, struct err *err)
{
	return script_wrap(err, site->plan->recipe->script, &site->in->position);
}

struct err *site_tree(const struct site *site, struct plan_context *context, struct tree **ret)
{
	struct err *err = plan_tree_of(site->plan, context, ret);

	return context->local && !context->name ? err : site_wrap(site, err);
}

struct err *site_hint_json(const struct site *site, const char *word, struct err *err)
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

static struct err *expand_as(const struct site *site, const char *text, char escape,
			     enum expand_mode mode, char **ret)
{
	struct expander expander = scope_expander(site->stage->scope, escape, NULL);

	TRY(site_wrap(site, expand_text(&expander, str_of(text), mode, ret)));
	return NULL;
}

struct err *site_expand(const struct site *site, const char *text, char **ret)
{
	return expand_as(site, text, site->plan->recipe->escape, EXPAND_WORD, ret);
}

struct err *site_expand_heredoc(const struct site *site, const char *text, char **ret)
{
	return expand_as(site, text, '\\', EXPAND_HEREDOC, ret);
}

/* A variable of the stage, or else a global one. */
static const char *get_for_from(const void *arg, struct str name)
{
	const struct site *site = arg;
	const char *value = scope_get(site->stage->scope, name);

	return value ? value : scope_get(site->plan->globals, name);
}

struct err *site_from(const struct site *site, const char *text, bool numbers,
		      struct plan_from *ret)
{
	const struct expander expander = { .escape = site->plan->recipe->escape,
					   .get = get_for_from,
					   .arg = site };
	AUTO(mem) char *name = NULL;

	TRY(site_wrap(site, expand_text(&expander, str_of(text), EXPAND_WORD, &name)));
	if (!name[0])
		return site_error(site, ERR_INVALID,
				  "'%s' is empty once its variables are filled in", text);
	return plan_from_of(site->plan, site->stage, &site->in->position, name, numbers, ret);
}

void step_reads(struct plan_step *step, const struct plan_from *from)
{
	vec_foreach (&step->reads, stage)
		if (*stage == from->stage)
			return;
	if (from->stage)
		vec_push(&step->reads, from->stage);
}

struct err *site_parse_mount(const struct site *site, const char *text, struct mount *ret)
{
	struct expander expander =
		scope_expander(site->stage->scope, site->plan->recipe->escape, NULL);

	return site_wrap(site, mount_parse(str_of(text), &expander, ret));
}

void site_add_row(const struct site *site, char *created_by, struct plan_step *step)
{
	struct plan_stage *stage = site->stage;

	if (stage->row_count == stage->row_cap)
		stage->rows = vec_grow_(stage->rows, &stage->row_cap, stage->row_count + 1,
					sizeof(*stage->rows));
	stage->rows[stage->row_count++] = (struct plan_row){ created_by, step };
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

		TRY(site_expand(site, pairs->at[i].key, &text));
		vec_push(&keys, text);
		TRY(site_expand(site, pairs->at[i].value, &text));
		vec_push(&values, text);
		if (!keys.at[i][0])
			return site_error(site, ERR_INVALID, "a name is empty in %s",
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
	site_add_row(site, buf_steal(&row), NULL);
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
	struct buf row = BUF_INIT(TEXT_MAX_BYTES);

	TRY(site_wrap(site,
		      scope_arg(site->stage->scope, pairs, site->plan->recipe->escape, NULL)));
	buf_adds(&row, "ARG");
	for (size_t i = 0; i < pairs->len; i++) {
		const char *value = scope_get(site->stage->scope, str_of(pairs->at[i].key));

		buf_addf(&row, " %s%s%s", pairs->at[i].key, value ? "=" : "", value ? value : "");
	}
	site_add_row(site, buf_steal(&row), NULL);
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
	site_add_row(site, buf_steal(&row), NULL);
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
	site_add_row(site, buf_steal(&row), NULL);
	return NULL;
}

static struct err *apply_user(const struct site *site)
{
	AUTO(mem) char *user = NULL;

	TRY(site_expand(site, site->in->word, &user));
	TRY(site_wrap(site, demand_user(site->in->word, user)));
	config_set_text(site->stage->config, "User", user);
	site_add_row(site, xasprintf("USER %s", user), NULL);
	return NULL;
}

static struct err *apply_stopsignal(const struct site *site)
{
	AUTO(mem) char *text = NULL;

	TRY(site_expand(site, site->in->word, &text));
	TRY(site_wrap(site, demand_signal(text)));
	config_set_text(site->stage->config, "StopSignal", text);
	site_add_row(site, xasprintf("STOPSIGNAL %s", text), NULL);
	return NULL;
}

static struct err *apply_maintainer(const struct site *site)
{
	config_set_author(site->stage->config, site->in->word);
	site_add_row(site, xasprintf("MAINTAINER %s", site->in->word), NULL);
	return NULL;
}

static struct err *apply_volume(const struct site *site)
{
	struct buf row = BUF_INIT(TEXT_MAX_BYTES);
	const struct words *words = &site->in->words;

	buf_adds(&row, "VOLUME [");
	for (size_t i = 0; i < words->len; i++) {
		AUTO(mem) char *path = NULL;
		struct err *err =
			site_hint_json(site, words->at[i], site_expand(site, words->at[i], &path));

		if (!err && !path[0])
			err = site_error(site, ERR_INVALID, "a volume's path is empty");
		if (err) {
			buf_release(&row);
			return err;
		}
		config_add_volume(site->stage->config, path);
		buf_addf(&row, "%s%s", i ? " " : "", path);
	}
	buf_addc(&row, ']');
	site_add_row(site, buf_steal(&row), NULL);
	return NULL;
}

static struct err *expose_one(const struct site *site, struct str word, struct buf *row)
{
	struct port_range range;

	TRY(site_wrap(site, demand_ports(word, &range)));
	for (unsigned port = range.from; port <= range.to; port++) {
		AUTO(mem) char *text = xasprintf("%u/%s", port, range.protocol);

		config_add_port(site->stage->config, text);
		buf_addf(row, "%s%s", row->len > strlen("EXPOSE [") ? " " : "", text);
	}
	return NULL;
}

static struct err *apply_expose(const struct site *site)
{
	AUTO(buf) struct buf row = BUF_INIT(TEXT_MAX_BYTES);
	AUTO(strings) struct strings ports = { 0 };
	struct expander expander =
		scope_expander(site->stage->scope, site->plan->recipe->escape, NULL);

	for (size_t i = 0; i < site->in->words.len; i++)
		TRY(site_wrap(site,
			      expand_words(&expander, str_of(site->in->words.at[i]), &ports)));
	buf_adds(&row, "EXPOSE [");
	vec_foreach (&ports, port)
		TRY(expose_one(site, str_of(*port), &row));
	buf_addc(&row, ']');
	site_add_row(site, buf_steal(&row), NULL);
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
	site_add_row(site, buf_steal(&row), NULL);
	return NULL;
}

static struct err *apply_onbuild(const struct site *site)
{
	config_add_onbuild(site->stage->config, site->in->onbuild.text);
	return NULL; /* no row: as in BuildKit */
}

/* ---- the table ---- */

struct err *evaluate(struct plan *plan, struct plan_stage *stage,
		     const struct instruction *instruction)
{
	static struct err *(*const handlers[INSTRUCTION_COUNT])(const struct site *site) = {
		[INSTRUCTION_ADD] = evaluate_add,
		[INSTRUCTION_ARG] = apply_arg,
		[INSTRUCTION_CMD] = apply_command,
		[INSTRUCTION_COPY] = evaluate_copy,
		[INSTRUCTION_ENTRYPOINT] = apply_command,
		[INSTRUCTION_ENV] = apply_env,
		[INSTRUCTION_EXPOSE] = apply_expose,
		[INSTRUCTION_HEALTHCHECK] = apply_healthcheck,
		[INSTRUCTION_LABEL] = apply_label,
		[INSTRUCTION_MAINTAINER] = apply_maintainer,
		[INSTRUCTION_ONBUILD] = apply_onbuild,
		[INSTRUCTION_RUN] = evaluate_run,
		[INSTRUCTION_SHELL] = apply_shell,
		[INSTRUCTION_STOPSIGNAL] = apply_stopsignal,
		[INSTRUCTION_UNSET] = evaluate_unset,
		[INSTRUCTION_USER] = apply_user,
		[INSTRUCTION_VOLUME] = apply_volume,
		[INSTRUCTION_WORKDIR] = evaluate_workdir,
	};
	struct site site = { plan, stage, instruction };

	if (!handlers[instruction->kind]) /* FROM begins a stage, and is never inside one */
		return site_error(&site, ERR_INVALID, "%s cannot stand here",
				  instruction_name(instruction->kind));
	return handlers[instruction->kind](&site);
}
