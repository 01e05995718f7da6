/* cli/volume.c - the volumes of the store: volume ls, volume rm. */

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/json.h"
#include "base/text.h"
#include "cli/commands-private.h"
#include "cli/output.h"
#include "cli/table.h"
#include "store/store.h"
#include "store/volume_dir.h"

enum { FORMAT_TABLE, FORMAT_JSON };

static const char *const formats[] = { "table", "json", NULL };

struct volume_values {
	int format;
	bool quiet;
};

static const struct option options[] = {
	OPTION_WORD(struct volume_values, format, 0, "format", formats, "how to show it"),
	OPTION_FLAG(struct volume_values, quiet, 'q', "quiet", "show names alone"),
};

static json_t *describe(const struct volume_entry *entry)
{
	json_t *object = json_object();
	char time[CLOCK_TEXT_SIZE];

	json_set_text(object, "name", entry->name);
	json_set_text(object, "made", clock_format(entry->made, time));
	json_set(object, "in_use", json_boolean(entry->in_use));
	return object;
}

static void show(const struct volume_list *list, const struct volume_values *values)
{
	AUTO(table) struct table table = { .columns = 2 };
	AUTO(json) json_t *array = json_array();

	table_cell(&table, "NAME");
	table_cell(&table, "STATE");
	vec_foreach (list, entry) {
		if (values->quiet)
			puts(entry->name);
		json_push(array, describe(entry));
		table_cell(&table, entry->name);
		table_cell(&table, entry->in_use ? "in use" : "free");
	}
	if (values->quiet)
		return;
	if (values->format == FORMAT_JSON)
		output_json(array);
	else
		table_print(&table);
}

static struct err *run_volume(struct cli *cli, void *arg, struct strings *operands)
{
	AUTO(volume_list) struct volume_list list = { 0 };
	AUTO(store) struct store *store = NULL;
	const char *action = operands->at[0];
	const bool removes = strcmp(action, "rm") == 0;

	if (!removes && strcmp(action, "ls") != 0)
		return err_new(ERR_USAGE, "'%.80s' is neither ls nor rm", action);
	if (removes != (operands->len > 1))
		return err_new(ERR_USAGE,
			       removes ? "volume rm needs a name" : "volume ls takes no names");
	for (size_t i = 1; i < operands->len; i++)
		if (!volume_name_is_valid(operands->at[i]))
			return err_new(
				ERR_USAGE,
				"'%.200s' is no name of a volume: letters, digits, '_', '.', "
				"'-', and a letter or digit first",
				operands->at[i]);
	if (removes)
		TRY(cli_be_root());
	TRY(cli_open_store(cli, &store));
	for (size_t i = 1; i < operands->len; i++) {
		TRY(volume_dir_remove(store, operands->at[i]));
		puts(operands->at[i]);
	}
	if (removes)
		return NULL;
	TRY(volume_dir_list(store, &list));
	show(&list, arg);
	return NULL;
}

const struct cli_command command_volume = {
	.name = "volume",
	.summary = "list volumes, or delete them",
	.operands = "ls|rm [NAME]...",
	.about =
		"A volume is a directory of the store that `cairn run -v NAME:TARGET` makes when it "
		"is first named, and that stays. Nothing but rm takes it away.",
	.examples = "cairn volume ls\n"
		    "cairn volume rm data",
	.options = options,
	.option_count = ARRAY_SIZE(options),
	.values_size = sizeof(struct volume_values),
	.min_operands = 1,
	.max_operands = OPERANDS_ANY,
	.completes = COMPLETE_NOTHING,
	.run = run_volume,
};
