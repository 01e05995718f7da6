/* cli/save.c - images into archives. */

#include "base/err.h"
#include "base/vec.h"
#include "cli/commands-private.h"
#include "cli/image.h"
#include "registry/archive.h"
#include "registry/reference.h"
#include "store/ref.h"
#include "store/store.h"

struct save_values {
	int format;
	const char *output;
};

static const struct option options[] = {
	OPTION_WORD(struct save_values, format, 0, "format", archive_format_names, "what to write"),
	OPTION_PATH(struct save_values, output, 'o', "output", "PATH",
		    "where to (default: standard output)"),
};

/* The name under which an image is saved: none if it was given by an id. Owned by the caller. */
static char *name_to_save(struct store *store, const char *text)
{
	struct descriptor target;
	char *name = NULL;
	struct err *err = reference_normalize(text, &name);

	if (!err)
		err = ref_get(store, name, &target);
	if (!err)
		return name;
	err_free(err); /* an id, then; image_find() says it if it is none */
	free(name);
	return NULL;
}

static struct err *find_images(struct store *store, const struct strings *texts,
			       struct saved_image *images)
{
	for (size_t i = 0; i < texts->len; i++)
		TRY(image_find(store, texts->at[i], &images[i].target));
	return NULL;
}

static struct err *save_all(struct store *store, const struct save_values *values,
			    const struct strings *texts, struct saved_image *images)
{
	TRY(find_images(store, texts, images));
	return archive_save(store, (enum archive_format)values->format,
			    values->output ? values->output : "-", images, texts->len);
}

static struct err *run_save(struct cli *cli, void *arg, struct strings *operands)
{
	const struct save_values *values = arg;
	AUTO(mem) struct saved_image *images = xcalloc(operands->len, sizeof(*images));
	AUTO(strings) struct strings names = { 0 }; /* owns what `images` points at */
	AUTO(store) struct store *store = NULL;

	if (values->format == ARCHIVE_OCI_DIR && !values->output)
		return err_new(ERR_USAGE, "--format oci-dir needs --output");
	TRY(cli_open_store(cli, &store));
	for (size_t i = 0; i < operands->len; i++) {
		char *name = name_to_save(store, operands->at[i]);

		images[i].name = name;
		if (name)
			vec_push(&names, name);
	}
	return save_all(store, values, operands, images);
}

const struct cli_command command_save = {
	.name = "save",
	.summary = "write images to an archive or a directory",
	.operands = "IMAGE...",
	.about = "Write images to an OCI layout, in a tar or in a directory, or to an archive that "
		 "docker load reads. Equal images give equal bytes. A directory that is an OCI "
		 "layout already keeps its other images; any other must be empty or absent.",
	.examples = "cairn save -o app.tar app\n"
		    "cairn save --format docker-archive app | ssh host podman load",
	.options = options,
	.option_count = ARRAY_SIZE(options),
	.values_size = sizeof(struct save_values),
	.min_operands = 1,
	.max_operands = OPERANDS_ANY,
	.completes = COMPLETE_IMAGES,
	.run = run_save,
};
