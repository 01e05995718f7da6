/* cli/history.c - how an image came to be. */

#include <string.h>

#include "base/err.h"
#include "base/str.h"
#include "base/text.h"
#include "cli/commands-private.h"
#include "cli/image.h"
#include "cli/output.h"
#include "cli/table.h"
#include "cli/width.h"
#include "store/store.h"

#define COMMAND_COLUMNS 60 /* of a command that is not shown whole */
#define COLUMNS 4          /* with the comments, which stand there only if there is one */
#define COMMAND_MAX ((size_t)1024 * 1024)

/* The comment of every row that a Recipe made: it tells nothing, and is not shown in a table. */
#define USUAL_COMMENT "buildkit.dockerfile.v0"

enum { FORMAT_TABLE, FORMAT_JSON };

static const char *const formats[] = { "table", "json", NULL };

struct history_values {
	bool no_trunc;
	int format;
	const char *platform;
};

static const struct option options[] = {
	OPTION_WORD(struct history_values, format, 0, "format", formats, "how to show it"),
	OPTION_FLAG(struct history_values, no_trunc, 0, "no-trunc", "show commands whole"),
	OPTION_TEXT(struct history_values, platform, 0, "platform", "OS/ARCH",
		    "which image of an index"),
};

/* One entry of the history, and the layer that it made. */
struct made {
	const json_t *entry;
	const struct image_layer *layer; /* NULL if it made none */
};

static const char *member(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

/* The newest first. `ret` has room for every entry; returns how many there are. */
static size_t pair_up(const struct image *image, struct made *ret)
{
	const json_t *history = json_object_get(image->config, "history");
	size_t count = json_array_size(history);
	size_t layer = 0;

	for (size_t i = 0; i < count; i++) {
		const json_t *entry = json_array_get(history, i);
		bool empty = json_is_true(json_object_get(entry, "empty_layer"));

		ret[count - 1 - i] = (struct made){
			.entry = entry,
			.layer = empty || layer >= image->layer_count ? NULL :
									&image->layers[layer++],
		};
	}
	return count;
}

static const char *comment_of(const struct made *made)
{
	const char *comment = member(made->entry, "comment");

	return strcmp(comment, USUAL_COMMENT) == 0 ? "" : comment;
}

static void add_row(struct table *table, const struct made *made, bool whole)
{
	AUTO(mem) char *age = image_age(member(made->entry, "created"));
	AUTO(mem) char *command = text_escaped(str_of(member(made->entry, "created_by")));
	AUTO(buf) struct buf shown = BUF_INIT(COMMAND_MAX);
	char size[TEXT_SIZE_MAX];

	width_fit(&shown, str_of(command), whole ? SIZE_MAX : COMMAND_COLUMNS);
	table_cell(table, age);
	table_cell(table, shown.at ? shown.at : "");
	table_cell(table, made->layer ? text_size(made->layer->blob.size, size) : "");
	if (table->columns == COLUMNS)
		table_cell(table, comment_of(made));
}

static json_t *describe(const struct made *made)
{
	json_t *object = json_deep_copy(made->entry);
	char text[DIGEST_TEXT_SIZE];

	if (!made->layer)
		return object;
	json_set_text(object, "layer", digest_format(&made->layer->blob.digest, text));
	json_set_text(object, "diff_id", digest_format(&made->layer->diff_id, text));
	json_set(object, "size", json_integer((json_int_t)made->layer->blob.size));
	return object;
}

static void print_table(const struct made *made, size_t count, bool whole)
{
	static const char *const titles[COLUMNS] = { "CREATED", "COMMAND", "SIZE", "COMMENT" };
	AUTO(table) struct table table = { .columns = COLUMNS - 1 };

	for (size_t i = 0; i < count; i++)
		if (comment_of(&made[i])[0])
			table.columns = COLUMNS;
	for (size_t i = 0; i < table.columns; i++)
		table_cell(&table, titles[i]);
	for (size_t i = 0; i < count; i++)
		add_row(&table, &made[i], whole);
	table_print(&table);
}

static void print_json(const struct made *made, size_t count)
{
	json_t *array = json_array();

	for (size_t i = 0; i < count; i++)
		json_push(array, describe(&made[i]));
	output_json(array);
	json_decref(array);
}

static struct err *run_history(struct cli *cli, void *arg, struct strings *operands)
{
	const struct history_values *values = arg;
	AUTO(store) struct store *store = NULL;
	AUTO(image) struct image *image = NULL;
	AUTO(mem) struct made *made = NULL;
	size_t count;

	TRY(cli_open_store(cli, &store));
	TRY(image_find_open(store, operands->at[0], values->platform, &image));
	made = xcalloc(json_array_size(json_object_get(image->config, "history")), sizeof(*made));
	count = pair_up(image, made);
	if (values->format == FORMAT_JSON)
		print_json(made, count);
	else
		print_table(made, count, values->no_trunc);
	return NULL;
}

const struct cli_command command_history = {
	.name = "history",
	.summary = "show how an image came to be",
	.operands = "IMAGE",
	.about = "Show the instructions that made an image, the newest first, with the sizes of "
		 "the layers that they added.",
	.examples = "cairn history app\n"
		    "cairn history --no-trunc app",
	.options = options,
	.option_count = ARRAY_SIZE(options),
	.values_size = sizeof(struct history_values),
	.min_operands = 1,
	.max_operands = 1,
	.completes = COMPLETE_IMAGES,
	.run = run_history,
};
