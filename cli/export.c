/* cli/export.c - the root filesystem of an image as one flat tar. */

#include "overlay/export.h"
#include "base/err.h"
#include "base/output.h"
#include "base/pool.h"
#include "base/stream.h"
#include "cli/commands-private.h"
#include "cli/image.h"
#include "overlay/stack.h"
#include "store/store.h"

struct export_values {
	const char *output;
	const char *platform;
};

static const struct option options[] = {
	OPTION_PATH(struct export_values, output, 'o', "output", "FILE",
		    "where to (default: standard output)"),
	OPTION_TEXT(struct export_values, platform, 0, "platform", "OS/ARCH",
		    "which image of an index"),
};

static struct err *run_export(struct cli *cli, void *arg, struct strings *operands)
{
	const struct export_values *values = arg;
	AUTO(store) struct store *store = NULL;
	AUTO(image) struct image *image = NULL;
	AUTO(pool) struct pool *pool = NULL;
	AUTO(stack) struct stack stack = { 0 };
	AUTO(output) struct output *output = NULL;
	AUTO(fd) int view = -1;

	TRY(cli_be_root());
	TRY(cli_open_store(cli, &store));
	TRY(image_find_open(store, operands->at[0], values->platform, &image));
	TRY(output_open(values->output ? values->output : "-", &output));
	pool = pool_new(pool_default_threads());
	TRY(stack_of_image(store, image, pool, NULL, &stack));
	TRY(stack_view(&stack, &view));
	TRY(export_tar(view, output_sink(output)));
	return output_commit(output);
}

const struct cli_command command_export = {
	.name = "export",
	.summary = "write the root filesystem of an image as a tar",
	.operands = "IMAGE",
	.about = "Write the root filesystem of an image as one tar without layers and whiteouts. "
		 "Equal images give equal bytes.",
	.examples = "cairn export -o app.tar app\n"
		    "cairn export app | tar -x -C root",
	.options = options,
	.option_count = ARRAY_SIZE(options),
	.values_size = sizeof(struct export_values),
	.min_operands = 1,
	.max_operands = 1,
	.completes = COMPLETE_IMAGES,
	.run = run_export,
};
