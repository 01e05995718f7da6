/* cli/images.c - list what the store has. */

#include <stdio.h>

#include "base/err.h"
#include "base/json.h"
#include "base/log.h"
#include "base/map.h"
#include "base/str.h"
#include "base/text.h"
#include "cli/commands-private.h"
#include "cli/image.h"
#include "cli/output.h"
#include "cli/table.h"
#include "registry/index.h"
#include "registry/reference.h"
#include "store/id.h"
#include "store/ref.h"
#include "store/resolve.h"
#include "store/store.h"

enum { FORMAT_TABLE, FORMAT_JSON };

static const char *const formats[] = { "table", "json", NULL };

struct images_values {
	bool all, quiet, no_trunc;
	int format;
};

static const struct option options[] = {
	OPTION_FLAG(struct images_values, all, 'a', "all", "also those that have no name"),
	OPTION_WORD(struct images_values, format, 0, "format", formats, "how to show them"),
	OPTION_FLAG(struct images_values, no_trunc, 0, "no-trunc", "show ids whole"),
	OPTION_FLAG(struct images_values, quiet, 'q', "quiet", "show ids alone"),
};

/* What is shown as the name; owned by the caller. */
static char *name_of(const struct ref *ref)
{
	return ref->name ? reference_shorten(ref->name) : xstrdup("<none>");
}

static void add_row(struct table *table, const struct ref *ref, const struct image *image,
		    bool whole)
{
	AUTO(mem) char *name = name_of(ref);
	AUTO(mem)
	char *age = image_age(json_string_value(json_object_get(image->config, "created")));
	AUTO(mem) char *platform = platform_format(&image->platform);
	char id[DIGEST_TEXT_SIZE], size[TEXT_SIZE_MAX];

	table_cell(table, name);
	table_cell(table, whole ? digest_format(&image->config_blob.digest, id) :
				  image_short_id(&image->config_blob.digest, id));
	table_cell(table, platform);
	table_cell(table, age);
	table_cell(table, text_size(image_size(image), size));
}

static void add_unreadable(struct table *table, const struct ref *ref)
{
	AUTO(mem) char *name = name_of(ref);

	table_cell(table, name);
	table_cell(table, "?");
	for (int i = 0; i < 3; i++)
		table_cell(table, "");
}

static json_t *describe(const struct ref *ref, const struct image *image)
{
	AUTO(mem) char *name = name_of(ref);
	AUTO(mem) char *platform = platform_format(&image->platform);
	json_t *created = json_object_get(image->config, "created");
	json_t *object = json_object();
	char text[DIGEST_TEXT_SIZE];

	if (ref->name)
		json_set_text(object, "name", name);
	else
		json_set(object, "name", json_null());
	json_set_text(object, "id", digest_format(&image->config_blob.digest, text));
	json_set_text(object, "digest", digest_format(&ref->target.digest, text));
	json_set_text(object, "platform", platform);
	if (created)
		json_object_set(object, "created", created);
	json_set(object, "size", json_integer((json_int_t)image_size(image)));
	return object;
}

struct listing {
	const struct images_values *values;
	struct table table;
	json_t *array; /* owned */
};

static void listing_auto_(struct listing *listing)
{
	table_auto_(&listing->table);
	json_decref(listing->array);
}

static void show_image(struct listing *listing, const struct ref *ref, const struct image *image)
{
	const struct images_values *values = listing->values;
	char id[DIGEST_TEXT_SIZE];

	if (values->quiet)
		puts(values->no_trunc ? digest_format(&image->config_blob.digest, id) :
					image_short_id(&image->config_blob.digest, id));
	else if (values->format == FORMAT_JSON)
		json_push(listing->array, describe(ref, image));
	else
		add_row(&listing->table, ref, image, values->no_trunc);
}

/* The image that a name leads to; of an index without one for this machine the first that is here. */
static struct err *open_any(struct store *store, const struct descriptor *target,
			    struct image **ret)
{
	struct err *err = image_open(store, target, NULL, ret);
	AUTO(json) json_t *index = NULL;
	AUTO(err) struct err *no_index = NULL;
	struct json_at root, entries;

	if (err_kind(err) != ERR_NOT_FOUND)
		return err;
	no_index = index_read(store, target, &index);
	if (no_index)
		return err;
	root = json_root(index, "index");
	entries = json_member(&root, "manifests");
	for (size_t i = 0; i < json_length(&entries); i++) {
		const struct json_at entry = json_element(&entries, i);
		struct descriptor d;
		AUTO(err) struct err *problem = descriptor_parse(&entry, &d);

		if (!problem)
			problem = image_open(store, &d, NULL, ret);
		if (problem)
			continue;
		err_free(err);
		return NULL;
	}
	return err;
}

static void list_one(struct store *store, const struct ref *ref, struct listing *listing)
{
	AUTO(image) struct image *image = NULL;
	AUTO(err) struct err *err = open_any(store, &ref->target, &image);
	AUTO(mem) char *name = name_of(ref);

	if (!err) {
		show_image(listing, ref, image);
		return;
	}
	/* one image that cannot be read does not hide the others */
	log_warn("image %s: %s", name, err_text(err));
	if (!listing->values->quiet && listing->values->format == FORMAT_TABLE)
		add_unreadable(&listing->table, ref);
}

static inline void set_auto_(struct map *set)
{
	map_release(set, NULL);
}

static struct err *list_nameless(struct store *store, const struct ref_list *refs,
				 struct listing *listing)
{
	AUTO(id_matches) struct id_matches all = { 0 };
	AUTO(set) struct map named = MAP_INIT;
	char text[DIGEST_TEXT_SIZE];

	vec_foreach (refs, ref)
		map_put(&named, str_of(digest_format(&ref->target.digest, text)), listing);
	TRY(id_list(store, &all));
	vec_foreach (&all, match) {
		AUTO(err) struct err *err = NULL;
		struct ref ref = { .name = NULL };

		digest_format(&match->target, text);
		if (map_has(&named, str_of(text)))
			continue;
		err = image_resolve(store, text, NULL, &ref.target);
		if (!err)
			list_one(store, &ref, listing);
		else
			log_warn("image %s: %s", text, err_text(err));
	}
	return NULL;
}

static struct err *list_all(struct store *store, struct listing *listing)
{
	AUTO(ref_list) struct ref_list refs = { 0 };

	TRY(ref_list(store, &refs));
	vec_foreach (&refs, ref)
		list_one(store, ref, listing);
	return listing->values->all ? list_nameless(store, &refs, listing) : NULL;
}

static struct err *run_images(struct cli *cli, void *values, struct strings *operands)
{
	static const char *const titles[] = { "NAME", "ID", "PLATFORM", "CREATED", "SIZE" };
	AUTO(listing)
	struct listing listing = { .values = values,
				   .table = { .columns = ARRAY_SIZE(titles) },
				   .array = json_array() };
	AUTO(store) struct store *store = NULL;

	(void)operands;
	for (size_t i = 0; i < ARRAY_SIZE(titles); i++)
		table_cell(&listing.table, titles[i]);
	TRY(cli_open_store(cli, &store));
	TRY(list_all(store, &listing));
	if (listing.values->quiet)
		return NULL;
	if (listing.values->format == FORMAT_JSON)
		output_json(listing.array);
	else
		table_print(&listing.table);
	return NULL;
}

const struct cli_command command_images = {
	.name = "images",
	.summary = "list the images in the store",
	.operands = "",
	.about = "List every name in the store with the id and the platform of its image, its age "
		 "and its compressed size.",
	.examples = "cairn images\n"
		    "cairn images --format json | jq -r \".[].name\"",
	.options = options,
	.option_count = ARRAY_SIZE(options),
	.values_size = sizeof(struct images_values),
	.completes = COMPLETE_NOTHING,
	.run = run_images,
};
