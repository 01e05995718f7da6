/* cli/prune.c - disk back: prune, and what takes it: du. */

#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/text.h"
#include "builder/duration.h"
#include "builder/mount.h"
#include "cli/commands-private.h"
#include "cli/output.h"
#include "cli/table.h"
#include "store/prune.h"
#include "store/store.h"

#define SECOND 1000000000
#define DAY ((uint64_t)24 * 60 * 60)
#define UNUSED_USUAL (7 * DAY)

enum { FORMAT_TEXT, FORMAT_JSON };

static const char *const formats[] = { "text", "json", NULL };

struct prune_values {
	bool all;
	bool dry_run;
	bool force;
	const char *older_than;
	const char *max_size;
	const char *limit;
	struct strings filters;
	int format;
};

static const struct option prune_options[] = {
	OPTION_FLAG(struct prune_values, all, 'a', "all", "everything that has no name"),
	OPTION_FLAG(struct prune_values, dry_run, 'n', "dry-run", "only tell what would go"),
	OPTION_LIST(struct prune_values, filters, 0, "filter", "KEY=VALUE",
		    "only what fits: type=KIND[,KIND]... or until=DURATION"),
	OPTION_WORD(struct prune_values, format, 0, "format", formats, "how to show it"),
	OPTION_TEXT(
		struct prune_values, limit, 0, "limit", "SIZE",
		"keep the store below this from now on, at the end of each build; none: no more"),
	OPTION_TEXT(struct prune_values, max_size, 0, "max-size", "SIZE",
		    "what was not used for longest, until the store takes no more than this"),
	OPTION_TEXT(struct prune_values, older_than, 0, "older-than", "DURATION",
		    "what was not used for so long (default: 7d)"),
	/* as others call them */
	OPTION_FLAG(struct prune_values, force, 'f', "force", NULL),
	OPTION_TEXT(struct prune_values, max_size, 0, "keep-storage", "SIZE", NULL),
	OPTION_TEXT(struct prune_values, max_size, 0, "max-used-space", "SIZE", NULL),
};

/* ---- words ---- */

/* Seconds; days are written as "7d". */
static struct err *parse_age(const char *text, uint64_t *ret)
{
	const size_t len = strlen(text);
	AUTO(mem) char *hours = NULL;
	int64_t ns = 0;
	uint64_t factor = 1;

	if (len > 1 && text[len - 1] == 'd') {
		hours = xasprintf("%.*sh", (int)len - 1, text);
		factor = 24;
	}
	TRY(duration_parse(str_of(hours ? hours : text), &ns));
	if (ns < 0)
		return err_new(ERR_INVALID, "'%.80s' is less than nothing", text);
	*ret = (uint64_t)ns / SECOND * factor;
	return NULL;
}

/* Bits of kinds, by their names. */
static struct err *parse_kinds(struct str names, unsigned *ret)
{
	*ret = 0;
	while (names.len) {
		const struct str name = str_cut(&names, ',');
		unsigned bit = 0;

		for (int i = HOLDER_NAME + 1; i < HOLDER_KINDS; i++)
			if (str_is(name, holder_kind_name((enum holder_kind)i)))
				bit = 1U << i;
		if (!bit)
			return err_new(ERR_INVALID,
				       "no kind '%.*s': there are image, step, web, mount, git, "
				       "context, log, partial, hint and failed",
				       STR_ARG(name));
		*ret |= bit;
	}
	return NULL;
}

static struct err *parse_filter(const char *text, struct prune_opts *opts)
{
	struct str value = str_of(text);
	const struct str key = str_cut(&value, '=');
	AUTO(mem) char *words = str_dup(value);

	if (str_is(key, "until") || str_is(key, "unused-for"))
		return parse_age(words, &opts->unused);
	if (str_is(key, "type"))
		return parse_kinds(value, &opts->kinds);
	return err_new(ERR_INVALID, "no filter '%.*s': there are until and type", STR_ARG(key));
}

static struct err *parse_opts(const struct prune_values *values, struct prune_opts *opts)
{
	*opts = (struct prune_opts){
		.kinds = ~0U,
		.unused = values->all || values->max_size ? 0 : UNUSED_USUAL,
		.max_bytes = PRUNE_NO_LIMIT,
		.dry_run = values->dry_run,
	};
	vec_foreach (&values->filters, filter)
		TRY(option_refuse(parse_filter(*filter, opts), "--filter"));
	if (values->older_than)
		TRY(option_refuse(parse_age(values->older_than, &opts->unused), "--older-than"));
	if (values->max_size)
		TRY(option_refuse(mount_parse_size(values->max_size, &opts->max_bytes),
				  "--max-size"));
	return NULL;
}

static struct err *keep_limit(struct store *store, const char *text)
{
	uint64_t limit = PRUNE_NO_LIMIT;

	if (strcmp(text, "none") != 0)
		TRY(option_refuse(mount_parse_size(text, &limit), "--limit"));
	return prune_set_limit(store, limit);
}

/* ---- showing ---- */

static void add_count(struct table *table, json_t *array, const char *name,
		      const struct prune_count *count)
{
	json_t *object = json_object();
	char size[TEXT_SIZE_MAX];

	json_set_text(object, "kind", name);
	json_set(object, "count", json_integer((json_int_t)count->count));
	json_set(object, "bytes", json_integer((json_int_t)count->bytes));
	json_push(array, object);
	if (!count->count)
		return;
	table_cell(table, name);
	table_cellf(table, "%ju", (uintmax_t)count->count);
	table_cell(table, text_size(count->bytes, size));
}

static void show_json(const struct prune_report *report, json_t *removed, bool dry_run)
{
	AUTO(json) json_t *object = json_object();

	json_set(object, "dry_run", json_boolean(dry_run));
	json_set(object, "before", json_integer((json_int_t)report->before));
	json_set(object, "after", json_integer((json_int_t)report->after));
	json_set(object, "in_use", json_integer((json_int_t)report->in_use));
	json_set(object, "lock_held", json_integer((json_int_t)report->held_ns));
	json_set(object, "removed", json_incref(removed));
	output_json(object);
}

static void show_text(const struct prune_report *report, const struct table *table, bool dry_run)
{
	char before[TEXT_SIZE_MAX], after[TEXT_SIZE_MAX];

	if (table->cells.len > table->columns)
		table_print(table);
	if (report->in_use)
		printf("%ju in use, and kept\n", (uintmax_t)report->in_use);
	printf("%s %s (%ju bytes), %s %s (%ju bytes)\n", dry_run ? "now" : "before",
	       text_size(report->before, before), (uintmax_t)report->before,
	       dry_run ? "then about" : "after", text_size(report->after, after),
	       (uintmax_t)report->after);
}

static void show(const struct prune_values *values, const struct prune_report *report)
{
	AUTO(table) struct table table = { .columns = 3 };
	AUTO(json) json_t *removed = json_array();

	table_cell(&table, values->dry_run ? "WOULD GO" : "REMOVED");
	table_cell(&table, "COUNT");
	table_cell(&table, "SIZE");
	for (int i = HOLDER_NAME + 1; i < HOLDER_KINDS; i++)
		add_count(&table, removed, holder_kind_name((enum holder_kind)i),
			  &report->holders[i]);
	add_count(&table, removed, "layer", &report->layers);
	add_count(&table, removed, "blob", &report->blobs);
	if (values->format == FORMAT_JSON)
		show_json(report, removed, values->dry_run);
	else
		show_text(report, &table, values->dry_run);
}

/* ---- the commands ---- */

static struct err *run_prune(struct cli *cli, void *arg, struct strings *operands)
{
	const struct prune_values *values = arg;
	AUTO(store) struct store *store = NULL;
	struct prune_report report = { 0 };
	struct prune_opts opts;

	(void)operands;
	TRY(parse_opts(values, &opts));
	TRY(cli_be_root()); /* layers may belong to other ids of ours */
	TRY(cli_open_store(cli, &store));
	if (values->limit)
		return keep_limit(store, values->limit);
	TRY(prune_run(store, &opts, &report));
	show(values, &report);
	return NULL;
}

const struct cli_command command_prune = {
	.name = "prune",
	.summary = "give back disk that nothing needs any more",
	.operands = "",
	.about = "Delete what was not used for a week: results of build steps, images without a "
		 "name, caches, logs; and whatever nothing leads to any more. Images with a name "
		 "stay, and what a running command uses. What goes is made or fetched again when "
		 "it is needed.",
	.examples = "cairn prune --dry-run\n"
		    "cairn prune --all\n"
		    "cairn prune --max-size 20GB",
	.options = prune_options,
	.option_count = ARRAY_SIZE(prune_options),
	.values_size = sizeof(struct prune_values),
	.completes = COMPLETE_NOTHING,
	.run = run_prune,
};

struct du_values {
	int format;
};

static const struct option du_options[] = {
	OPTION_WORD(struct du_values, format, 0, "format", formats, "how to show it"),
};

static void add_usage(struct table *table, json_t *array, const struct usage_line *line)
{
	json_t *object = json_object();
	char size[TEXT_SIZE_MAX], back[TEXT_SIZE_MAX];

	json_set_text(object, "name", line->name);
	json_set(object, "known", json_boolean(line->known));
	json_set(object, "count", json_integer((json_int_t)line->count));
	json_set(object, "bytes", json_integer((json_int_t)line->bytes));
	json_set(object, "reclaimable", json_integer((json_int_t)line->reclaimable));
	json_push(array, object);
	table_cellf(table, "%s%s", line->name, line->known ? "" : " (not cairn's)");
	if (line->count)
		table_cellf(table, "%ju", (uintmax_t)line->count);
	else
		table_cell(table, "-");
	table_cell(table, text_size(line->bytes, size));
	table_cell(table, line->reclaimable ? text_size(line->reclaimable, back) : "-");
}

static void show_usage(const struct usage_report *report, int format)
{
	AUTO(table) struct table table = { .columns = 4 };
	AUTO(json) json_t *object = json_object();
	json_t *lines = json_array();
	struct usage_line total = { .name = (char *)"total", .known = true };

	table_cell(&table, "NAME");
	table_cell(&table, "COUNT");
	table_cell(&table, "SIZE");
	table_cell(&table, "RECLAIMABLE");
	vec_foreach (report, line) {
		add_usage(&table, lines, line);
		total.reclaimable += line->reclaimable;
	}
	json_set(object, "lines", lines);
	json_set(object, "total", json_integer((json_int_t)report->total));
	json_set(object, "reclaimable", json_integer((json_int_t)total.reclaimable));
	if (format == FORMAT_JSON) {
		output_json(object);
		return;
	}
	total.bytes = report->total;
	lines = json_array();
	add_usage(&table, lines, &total);
	json_decref(lines);
	table_print(&table);
}

static struct err *run_du(struct cli *cli, void *arg, struct strings *operands)
{
	const struct du_values *values = arg;
	AUTO(usage_report) struct usage_report report = { 0 };
	AUTO(store) struct store *store = NULL;

	(void)operands;
	TRY(cli_be_root()); /* layers may belong to other ids of ours */
	TRY(cli_open_store(cli, &store));
	TRY(usage_tell(store, &report));
	show_usage(&report, values->format);
	return NULL;
}

const struct cli_command command_du = {
	.name = "du",
	.summary = "show what takes how much disk",
	.operands = "",
	.about = "List everything at the top of the store with the disk space that it takes, which "
		 "adds up to what du(1) says, and how much of it `cairn prune --all` would give "
		 "back now.",
	.examples = "cairn du\n"
		    "cairn du --format json | jq .total",
	.options = du_options,
	.option_count = ARRAY_SIZE(du_options),
	.values_size = sizeof(struct du_values),
	.completes = COMPLETE_NOTHING,
	.run = run_du,
};
