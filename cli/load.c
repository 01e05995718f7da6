/* cli/load.c - images out of archives. */

#include "base/err.h"
#include "base/vec.h"
#include "builder/fetch.h"
#include "cli/commands-private.h"
#include "cli/output.h"
#include "registry/archive.h"
#include "registry/download.h"
#include "registry/reference.h"
#include "store/store.h"

struct load_values {
	const char *name;
};

static const struct option options[] = {
	OPTION_TEXT(struct load_values, name, 0, "name", "NAME",
		    "call the image NAME, whatever it is called in the archive"),
};

static struct err *run_load(struct cli *cli, void *arg, struct strings *operands)
{
	const struct load_values *values = arg;
	AUTO(loaded_list) struct loaded_list list = { 0 };
	AUTO(store) struct store *store = NULL;
	AUTO(mem) char *name = NULL;
	struct taker taker;

	if (values->name)
		TRY(option_refuse(reference_normalize(values->name, &name), "--name"));
	TRY(cli_be_root());
	TRY(cli_open_store(cli, &store));
	taker = fetch_taker(store);
	TRY(archive_load(store, operands->at[0], name, &taker, &list));
	vec_foreach (&list, loaded) {
		AUTO(mem) char *familiar = reference_shorten(loaded->name);

		output_text(familiar);
	}
	return NULL;
}

const struct cli_command command_load = {
	.name = "load",
	.summary = "load images from an archive or a directory",
	.operands = "PATH",
	.about = "Load all images of an OCI layout (a directory or a tar of it) or of an archive "
		 "made by docker save or podman save, plain or compressed by gzip or zstd; '-' "
		 "reads standard input. Print their names.",
	.examples = "cairn load app.tar\n"
		    "podman save app | cairn load -",
	.options = options,
	.option_count = ARRAY_SIZE(options),
	.values_size = sizeof(struct load_values),
	.min_operands = 1,
	.max_operands = 1,
	.completes = COMPLETE_FILES,
	.run = run_load,
};
