/* cli/inspect.c - everything that is known about an image. */

#include <stdio.h>

#include "base/err.h"
#include "base/str.h"
#include "base/text.h"
#include "builder/duration.h"
#include "cli/commands-private.h"
#include "cli/image.h"
#include "cli/index_view.h"
#include "cli/output.h"
#include "cli/remote.h"
#include "cli/table.h"
#include "registry/index.h"
#include "store/blob.h"
#include "store/store.h"

#define VALUE_MAX ((size_t)16 * 1024 * 1024)

enum { FORMAT_TEXT, FORMAT_JSON };
enum { RAW_NONE, RAW_MANIFEST, RAW_CONFIG };

static const char *const formats[] = { "text", "json", NULL };
static const char *const documents[] = { "none", "manifest", "config", NULL };

struct inspect_values {
	int format;
	int raw;
	const char *platform;
	struct network_values network;
};

static const struct option options[] = {
	OPTION_WORD(struct inspect_values, format, 0, "format", formats, "how to show it"),
	OPTION_TEXT(struct inspect_values, platform, 0, "platform", "OS/ARCH",
		    "which image of an index"),
	OPTION_WORD(struct inspect_values, raw, 0, "raw", documents,
		    "print this document alone, byte for byte as it is stored"),
	NETWORK_OPTIONS(struct inspect_values, network),
};

/* ---- for people ---- */

/* As a shell reads it as one word. */
static void add_quoted(struct buf *out, const char *word)
{
	buf_addc(out, '\'');
	for (; *word; word++) {
		if (*word == '\'')
			buf_adds(out, "'\\'");
		buf_addc(out, *word);
	}
	buf_addc(out, '\'');
}

/* Strings of an array, or keys of an object, separated by blanks; quoted where they must be. */
static char *join(const json_t *value)
{
	AUTO(buf) struct buf text = BUF_INIT(VALUE_MAX);
	const char *key;
	json_t *item;
	size_t i;

	json_array_foreach(value, i, item)
	{
		const char *word = json_string_value(item);

		if (word && i > 0)
			buf_addc(&text, ' ');
		if (word && word[0] && !strpbrk(word, " \t\n\"'\\$&|;<>()*?[]#~`"))
			buf_adds(&text, word);
		else if (word)
			add_quoted(&text, word);
	}
	json_object_foreach((json_t *)value, key, item)
		buf_addf(&text, "%s%s", text.len ? " " : "", key);
	if (json_is_string(value))
		buf_adds(&text, json_string_value(value));
	if (json_is_integer(value))
		buf_addf(&text, "%jd", (intmax_t)json_integer_value(value));
	return buf_steal(&text);
}

static void add_line(struct table *table, const char *name, const char *value)
{
	if (!value || !value[0])
		return;
	table_cell(table, name);
	table_cell(table, value);
}

/* A setting of the config, if it is there. */
static void add_setting(struct table *table, const struct image *image, const char *name)
{
	AUTO(mem) char *text = join(image_setting(image, name));

	add_line(table, name, text);
}

/* A line for each variable, label and the like. */
static void add_list(struct table *table, const struct image *image, const char *name)
{
	const json_t *value = image_setting(image, name);
	const char *key;
	json_t *item;
	size_t i;

	json_array_foreach(value, i, item) add_line(table, i ? "" : name, json_string_value(item));
	json_object_foreach((json_t *)value, key, item)
	{
		AUTO(mem)
		char *line = xasprintf("%s=%s", key,
				       json_string_value(item) ? json_string_value(item) : "");

		add_line(table, name, line);
		name = "";
	}
}

/* "CMD-SHELL 'curl -f x', interval 5s, retries 3": what is not said is left to the engine. */
static void add_healthcheck(struct table *table, const struct image *image)
{
	static const struct {
		const char *key;
		const char *name;
	} times[] = { { "Interval", "interval" },
		      { "Timeout", "timeout" },
		      { "StartPeriod", "start period" },
		      { "StartInterval", "start interval" } };
	const json_t *check = image_setting(image, "Healthcheck");
	const json_t *retries = json_object_get(check, "Retries");
	AUTO(buf) struct buf line = BUF_INIT(VALUE_MAX);
	AUTO(mem) char *test = join(json_object_get(check, "Test"));

	if (!test)
		return;
	buf_adds(&line, test);
	for (size_t i = 0; i < ARRAY_SIZE(times); i++) {
		const json_t *value = json_object_get(check, times[i].key);
		char text[DURATION_TEXT_SIZE];

		if (json_integer_value(value) != 0)
			buf_addf(&line, ", %s %s", times[i].name,
				 duration_format(json_integer_value(value), text));
	}
	if (json_integer_value(retries) != 0)
		buf_addf(&line, ", retries %jd", (intmax_t)json_integer_value(retries));
	add_line(table, "Healthcheck", line.at);
}

static void add_layers(struct table *table, const struct image *image)
{
	for (size_t i = 0; i < image->layer_count; i++) {
		char digest[DIGEST_TEXT_SIZE], size[TEXT_SIZE_MAX];
		AUTO(mem)
		char *line =
			xasprintf("%s  %s", digest_format(&image->layers[i].blob.digest, digest),
				  text_size(image->layers[i].blob.size, size));

		add_line(table, i ? "" : "Layers", line);
	}
}

static void print_text(const char *name, const struct image *image)
{
	static const char *const settings[] = { "User",    "WorkingDir", "Entrypoint",
						"Cmd",     "Shell",      "ExposedPorts",
						"Volumes", "StopSignal", "StopTimeout" };
	AUTO(table) struct table table = { .columns = 2 };
	AUTO(mem) char *platform = platform_format(&image->platform);
	const json_t *created = json_object_get(image->config, "created");
	const json_t *author = json_object_get(image->config, "author");
	char digest[DIGEST_TEXT_SIZE], size[TEXT_SIZE_MAX];

	add_line(&table, "Image", name);
	add_line(&table, "Id", digest_format(&image->config_blob.digest, digest));
	add_line(&table, "Digest", digest_format(&image->manifest.digest, digest));
	add_line(&table, "Platform", platform);
	add_line(&table, "Created", json_string_value(created));
	add_line(&table, "Author", json_string_value(author));
	add_line(&table, "Size", text_size(image_size(image), size));
	for (size_t i = 0; i < ARRAY_SIZE(settings); i++)
		add_setting(&table, image, settings[i]);
	add_healthcheck(&table, image);
	add_list(&table, image, "OnBuild");
	add_list(&table, image, "Env");
	add_list(&table, image, "Labels");
	add_layers(&table, image);
	table_print(&table);
}

/* ---- for programs ---- */

static struct err *describe(struct store *store, const char *name, const struct image *image,
			    json_t **ret)
{
	AUTO(buf) struct buf text = BUF_INIT(JSON_MAX);
	AUTO(mem) char *platform = platform_format(&image->platform);
	AUTO(json) json_t *manifest = NULL;
	char digest[DIGEST_TEXT_SIZE];
	json_t *layers = json_array();

	*ret = json_object();
	json_set_text(*ret, "name", name);
	json_set_text(*ret, "id", digest_format(&image->config_blob.digest, digest));
	json_set_text(*ret, "digest", digest_format(&image->manifest.digest, digest));
	json_set_text(*ret, "platform", platform);
	json_set(*ret, "size", json_integer((json_int_t)image_size(image)));
	json_set(*ret, "layers", layers);
	for (size_t i = 0; i < image->layer_count; i++) {
		json_t *layer = descriptor_format(&image->layers[i].blob);

		json_set_text(layer, "diff_id", digest_format(&image->layers[i].diff_id, digest));
		json_push(layers, layer);
	}
	TRY(blob_read(store, &image->manifest.digest, JSON_MAX, &text));
	TRY(json_parse(buf_str(&text), JSON_MAX, "manifest", &manifest));
	json_object_set(*ret, "manifest", manifest);
	json_object_set(*ret, "config", image->config);
	return NULL;
}

static struct err *print_raw(struct store *store, const struct descriptor *document)
{
	AUTO(buf) struct buf text = BUF_INIT(JSON_MAX);

	TRY(blob_read(store, &document->digest, JSON_MAX, &text));
	fwrite(text.at, 1, text.len, stdout);
	return NULL;
}

static struct err *show(struct store *store, const struct inspect_values *values, const char *name,
			const struct image *image, json_t *array)
{
	json_t *object = NULL;

	if (values->raw != RAW_NONE)
		return print_raw(store, values->raw == RAW_CONFIG ? &image->config_blob :
								    &image->manifest);
	if (values->format == FORMAT_TEXT) {
		print_text(name, image);
		return NULL;
	}
	TRY(describe(store, name, image, &object));
	json_push(array, object);
	return NULL;
}

/* ---- in a registry ---- */

/* What the name leads to, and whether it is an index; the document is in the store then. */
static struct err *ask(struct store *store, const struct remote *remote, struct descriptor *ret,
		       bool *ret_is_index)
{
	AUTO(buf) struct buf bytes = BUF_INIT(IMAGE_DOCUMENT_MAX + 1);
	AUTO(json) json_t *document = NULL;
	struct json_at root;
	bool fetched;

	TRY(origin_resolve(remote->origin, ret));
	TRY(documents_get(store, origin_sources(remote->origin), ret, &bytes, &fetched));
	TRY(json_parse(buf_str(&bytes), IMAGE_DOCUMENT_MAX, "manifest", &document));
	root = json_root(document, "manifest");
	return image_document_kind(&root, ret->media_type, ret_is_index);
}

static struct err *show_index(struct store *store, const struct inspect_values *values,
			      const char *name, const struct descriptor *target, json_t *array)
{
	AUTO(json) json_t *index = NULL;

	if (values->raw == RAW_MANIFEST)
		return print_raw(store, target);
	TRY(index_read(store, target, &index));
	if (values->format == FORMAT_TEXT)
		index_view_print(name, target, index);
	else
		json_push(array, index_view_describe(name, target, index));
	return NULL;
}

/* Of an index the index itself, unless an image in it is asked for. Layers stay where they are. */
static struct err *inspect_remote(struct store *store, const struct inspect_values *values,
				  const char *text, json_t *array)
{
	AUTO(remote) struct remote remote = { .client = NULL };
	AUTO(image) struct image *image = NULL;
	struct descriptor target;
	struct platform want;
	bool is_index = false;

	if (values->platform)
		TRY(option_refuse(platform_parse(values->platform, &want), "--platform"));
	else
		platform_host(&want);
	TRY(remote_open(&values->network, text, &remote));
	TRY(ask(store, &remote, &target, &is_index));
	if (is_index && !values->platform && values->raw != RAW_CONFIG)
		return show_index(store, values, remote.name, &target, array);
	TRY(remote_fetch_documents(&remote, store, &target, &want, false));
	TRY(image_open(store, &target, &want, &image));
	return show(store, values, remote.name, image, array);
}

/* ---- the command ---- */

static struct err *inspect_one(struct store *store, const struct inspect_values *values,
			       const char *name, json_t *array)
{
	AUTO(image) struct image *image = NULL;

	if (remote_is(name))
		return network_named(inspect_remote(store, values, name, array),
				     network_skip_scheme(name));
	TRY(image_find_open(store, name, values->platform, &image));
	return show(store, values, name, image, array);
}

static struct err *run_inspect(struct cli *cli, void *arg, struct strings *operands)
{
	const struct inspect_values *values = arg;
	AUTO(json) json_t *array = json_array();
	AUTO(store) struct store *store = NULL;

	TRY(cli_open_store(cli, &store));
	for (size_t i = 0; i < operands->len; i++) {
		if (i > 0 && values->format == FORMAT_TEXT && values->raw == RAW_NONE)
			putchar('\n');
		TRY(inspect_one(store, values, operands->at[i], array));
	}
	if (values->format == FORMAT_JSON && values->raw == RAW_NONE)
		output_json(array);
	return NULL;
}

const struct cli_command command_inspect = {
	.name = "inspect",
	.summary = "show all about an image",
	.operands = "IMAGE...",
	.about = "Show an image of the store, or in a registry (docker://NAME): its digests, its "
		 "settings, its layers. Of an index in a registry the images in it are shown. With "
		 "--format json, an array of one object for each image, which holds manifest and "
		 "config too.",
	.examples = "cairn inspect app\n"
		    "cairn inspect --platform linux/arm64 docker://debian:trixie\n"
		    "cairn inspect --raw config app | jq .config.Env",
	.options = options,
	.option_count = ARRAY_SIZE(options),
	.values_size = sizeof(struct inspect_values),
	.min_operands = 1,
	.max_operands = OPERANDS_ANY,
	.completes = COMPLETE_IMAGES,
	.run = run_inspect,
};
