/* cli/call.c - see cli/call.h. */

#include "cli/call.h"

#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/text.h"
#include "builder/check.h"
#include "builder/outline.h"
#include "builder/scope.h"
#include "cli/diagnose.h"
#include "cli/lint.h"
#include "cli/output.h"
#include "cli/table.h"

/* ---- what is asked ---- */

static const char *const calls[] = { "build", "check", "outline", "targets" };
static const char *const formats[] = { "text", "json", "sarif" };

static struct err *find_word(struct str word, const char *what, const char *const *words,
			     size_t count, size_t *ret)
{
	AUTO(buf) struct buf all = BUF_INIT(200);
	const char *nearest;

	for (*ret = 0; *ret < count; ++*ret)
		if (str_is(word, words[*ret]))
			return NULL;
	nearest = text_nearest(word, words, count);
	for (size_t i = 0; i < count; i++)
		buf_addf(&all, "%s%s", i > 0 ? ", " : "", words[i]);
	return err_new(ERR_INVALID, "unknown %s '%.*s' (%s%s%s)", what,
		       (int)(word.len < 80 ? word.len : 80), word.at,
		       nearest ? "did you mean " : "it is one of: ", nearest ? nearest : all.at,
		       nearest ? "?" : "");
}

struct err *call_parse(const char *text, struct call_spec *ret)
{
	struct str rest = str_of(text);
	struct str method = str_cut(&rest, ',');
	size_t index = 0;

	if (str_is(method, "lint"))
		method = STR("check");
	TRY(find_word(method, "method", calls, ARRAY_SIZE(calls), &index));
	*ret = (struct call_spec){ .call = (enum call)index };
	while (rest.at) {
		struct str value = str_cut(&rest, ',');
		struct str key = str_cut(&value, '=');

		if (!str_is(key, "format") || !value.at)
			return err_new(ERR_INVALID, "'%.*s' is not format=...", STR_ARG(key));
		TRY(find_word(value, "format", formats,
			      ret->call == CALL_CHECK ? ARRAY_SIZE(formats) : 2, &index));
		ret->json = index == 1;
		ret->sarif = index == 2;
	}
	return NULL;
}

/* ---- tables ---- */

/* A table of a list, with a line of its own before it if it is not the first. */
static void print_list(const struct outline_list *list, const char *title, bool args, bool *first)
{
	AUTO(table) struct table table = { .columns = args ? 3 : 2 };

	if (list->len == 0)
		return;
	if (!*first)
		puts("");
	*first = false;
	table_cell(&table, title);
	table_cell(&table, args ? "VALUE" : "REQUIRED");
	if (args)
		table_cell(&table, "DESCRIPTION");
	vec_foreach (list, entry) {
		table_cell(&table, entry->name);
		if (args)
			table_cell(&table, entry->value ? entry->value : "");
		else
			table_cell(&table, entry->required ? "true" : "");
		if (args)
			table_cell(&table, entry->doc ? entry->doc : "");
	}
	table_print(&table);
}

static void print_caches(const struct outline_list *list, bool first)
{
	AUTO(table) struct table table = { .columns = 1 };

	if (list->len == 0)
		return;
	if (!first)
		puts("");
	table_cell(&table, "CACHE");
	vec_foreach (list, entry)
		table_cell(&table, entry->name);
	table_print(&table);
}

static void print_head(const struct stage *target, bool *first)
{
	AUTO(table) struct table table = { .columns = 2 };

	if (!target->name)
		return;
	table_cell(&table, "TARGET:");
	table_cell(&table, target->name);
	if (target->doc) {
		table_cell(&table, "DESCRIPTION:");
		table_cell(&table, target->doc);
	}
	table_print(&table);
	*first = false;
}

static struct err *call_outline(const struct check *check, const char *target, bool json)
{
	AUTO(outline) struct outline outline = { 0 };
	AUTO(json) json_t *document = NULL;
	bool first = true;

	TRY(outline_make(check, target, &outline));
	if (json) {
		document = outline_describe(&outline, check);
		output_json(document);
		return NULL;
	}
	print_head(outline.target, &first);
	print_list(&outline.args, "BUILD ARG", true, &first);
	print_list(&outline.secrets, "SECRET", false, &first);
	print_list(&outline.ssh, "SSH", false, &first);
	print_caches(&outline.caches, first);
	return NULL;
}

static void call_targets(const struct check *check, bool json)
{
	const struct recipe *recipe = check->recipe;
	AUTO(table) struct table table = { .columns = 2 };

	if (json) {
		AUTO(json) json_t *document = outline_describe_targets(check);

		output_json(document);
		return;
	}
	table_cell(&table, "TARGET");
	table_cell(&table, "DESCRIPTION");
	for (size_t i = 0; i < recipe->stage_count; i++) {
		const struct stage *stage = &recipe->stages[i];
		const bool last = i + 1 == recipe->stage_count;

		if (stage->name)
			table_cellf(&table, "%s%s", stage->name, last ? " (default)" : "");
		else
			table_cellf(&table, "%zu%s", i, last ? " (default)" : "");
		table_cell(&table, stage->doc ? stage->doc : "");
	}
	table_print(&table);
}

struct err *call_run(struct cli *cli, const struct call_spec *spec, const struct check_opts *opts)
{
	AUTO(check) struct check check = { 0 };

	if (spec->call == CALL_CHECK)
		return lint_run(cli, opts,
				spec->sarif ? DIAGNOSE_SARIF :
				spec->json  ? DIAGNOSE_JSON :
					      DIAGNOSE_TEXT);
	TRY(check_read(opts, &check));
	if (check.error)
		return STEAL(check.error);
	if (spec->call == CALL_OUTLINE)
		return call_outline(&check, opts->target, spec->json);
	call_targets(&check, spec->json);
	return NULL;
}
