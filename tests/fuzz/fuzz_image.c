/*
 * tests/fuzz/fuzz_image.c - no document is an index to one reader and a manifest to another.
 *
 * And what parses as manifest, index or config has sound descriptors.
 */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "store/image-private.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool law)
{
	if (!law)
		abort();
}

/* A descriptor formats and parses back to itself. */
static void check_descriptor(const struct descriptor *d)
{
	AUTO(json) json_t *doc = descriptor_format(d);
	const struct json_at root = json_root(doc, "descriptor");
	struct descriptor again;

	check(!descriptor_parse(&root, &again));
	check(descriptor_equal(d, &again));
}

static void check_kind(const struct json_at *root)
{
	static const char *const announced[] = { "", MEDIA_OCI_INDEX, MEDIA_OCI_MANIFEST,
						 MEDIA_DOCKER_LIST, MEDIA_DOCKER_MANIFEST };
	bool as_index = false, as_manifest = false;

	for (size_t i = 0; i < ARRAY_SIZE(announced); i++) {
		bool is_index;
		struct err *err = image_document_kind(root, announced[i], &is_index);

		if (!err) {
			as_index = as_index || is_index;
			as_manifest = as_manifest || !is_index;
		}
		err_free(err);
	}
	check(!as_index || !as_manifest);
}

static void try_choose(const struct json_at *root)
{
	struct platform want;
	struct descriptor chosen;
	struct err *err;

	platform_host(&want);
	err = image_choose(root, &want, &chosen);
	if (!err)
		check_descriptor(&chosen);
	err_free(err);
}

static void try_manifest(const struct json_at *root)
{
	AUTO(image) struct image *image = xcalloc(1, sizeof(*image));
	AUTO(err) struct err *err = image_parse_manifest(root, image);

	if (err)
		return;
	check(image->layer_count <= IMAGE_LAYERS_MAX);
	check_descriptor(&image->config_blob);
	for (size_t i = 0; i < image->layer_count; i++)
		check_descriptor(&image->layers[i].blob);
}

static void try_config(const struct json_at *root)
{
	AUTO(image) struct image *image = xcalloc(1, sizeof(*image));
	const struct json_at rootfs = json_member(root, "rootfs");
	const struct json_at diff_ids = json_member(&rootfs, "diff_ids");

	image->layer_count = json_length(&diff_ids) % (IMAGE_LAYERS_MAX + 1);
	image->layers = xcalloc(image->layer_count, sizeof(*image->layers));
	err_free(image_parse_config(root, image)); /* it only must not crash */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(json) json_t *doc = NULL;
	AUTO(err)
	struct err *err =
		json_parse((struct str){ (const char *)data, size }, JSON_MAX, "fuzz", &doc);
	struct json_at root;

	if (err)
		return 0;
	root = json_root(doc, "fuzz");
	check_kind(&root);
	try_choose(&root);
	try_manifest(&root);
	try_config(&root);
	return 0;
}
