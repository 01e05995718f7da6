/* registry/cache_entry.c - see registry/cache_entry.h. */

#include "registry/cache_entry.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/vec.h"
#include "store/image.h"

#define NOTE_KEY "cairn.cache.key"
#define NOTE_CREATED "cairn.cache.created"
#define NOTE_DURATION "cairn.cache.duration"
#define NOTE_DIFF_ID "cairn.cache.diff-id"

/* A tar without entries: two blocks of zeros. */
static const char empty_tar[1024];
#define EMPTY_TAR "sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef"

char *cache_entry_tag(const char *scope, const struct digest *key, char buf[static CACHE_TAG_SIZE])
{
	char text[DIGEST_TEXT_SIZE];

	digest_format(key, text);
	snprintf(buf, CACHE_TAG_SIZE, "%s%sv1-%s", scope, scope[0] ? "-" : "",
		 text + strlen("sha256:"));
	return buf;
}

void cache_entry_no_layer(struct descriptor *ret, struct str *ret_bytes)
{
	*ret = (struct descriptor){ .media_type = MEDIA_OCI_LAYER, .size = sizeof(empty_tar) };
	err_free(digest_parse(EMPTY_TAR, &ret->digest)); /* a literal */
	*ret_bytes = (struct str){ empty_tar, sizeof(empty_tar) };
}

/* ---- making ---- */

static const char *diff_id_of(const struct cache_entry *entry, char buf[static DIGEST_TEXT_SIZE])
{
	return entry->has_layer ? digest_format(&entry->diff_id, buf) : EMPTY_TAR;
}

char *cache_entry_config(const struct cache_entry *entry, const struct platform *platform)
{
	char created[CLOCK_TEXT_SIZE], diff_id[DIGEST_TEXT_SIZE];
	AUTO(json) json_t *config = json_object();
	json_t *rootfs = json_object();
	json_t *diff_ids = json_array();
	json_t *history = json_array();
	json_t *row = json_object();

	clock_format(entry->created, created);
	json_set_text(config, "created", created);
	json_set_text(config, "architecture", platform->arch);
	json_set_text(config, "os", platform->os);
	if (platform->variant[0])
		json_set_text(config, "variant", platform->variant);
	json_set(config, "config", json_object());
	json_push(diff_ids, json_text(str_of(diff_id_of(entry, diff_id))));
	json_set_text(rootfs, "type", "layers");
	json_set(rootfs, "diff_ids", diff_ids);
	json_set(config, "rootfs", rootfs);
	json_set_text(row, "created", created);
	json_set_text(row, "created_by", "cairn cache entry");
	json_push(history, row);
	json_set(config, "history", history);
	return json_format(config);
}

static json_t *format_notes(const struct cache_entry *entry)
{
	char created[CLOCK_TEXT_SIZE], text[DIGEST_TEXT_SIZE], number[24];
	json_t *notes = json_object();

	json_set_text(notes, NOTE_KEY, digest_format(&entry->key, text));
	json_set_text(notes, NOTE_CREATED, clock_format(entry->created, created));
	snprintf(number, sizeof(number), "%" PRIu64, entry->duration);
	json_set_text(notes, NOTE_DURATION, number);
	if (entry->has_layer)
		json_set_text(notes, NOTE_DIFF_ID, digest_format(&entry->diff_id, text));
	return notes;
}

char *cache_entry_format(const struct cache_entry *entry, const struct descriptor *config)
{
	AUTO(json) json_t *manifest = json_object();
	struct descriptor layer = entry->blob;
	json_t *layers = json_array();
	struct str bytes;

	if (!entry->has_layer)
		cache_entry_no_layer(&layer, &bytes);
	json_set(manifest, "schemaVersion", json_integer(2));
	json_set_text(manifest, "mediaType", MEDIA_OCI_MANIFEST);
	json_set(manifest, "config", descriptor_format(config));
	json_push(layers, descriptor_format(&layer));
	json_set(manifest, "layers", layers);
	json_set(manifest, "annotations", format_notes(entry));
	return json_format(manifest);
}

json_t *cache_inline_format(const struct cache_entry *entry, size_t layer)
{
	char created[CLOCK_TEXT_SIZE], text[DIGEST_TEXT_SIZE];
	json_t *fact = json_object();

	json_set_text(fact, "key", digest_format(&entry->key, text));
	json_set_text(fact, "created", clock_format(entry->created, created));
	if (entry->has_layer)
		json_set(fact, "layer", json_integer((json_int_t)layer));
	return fact;
}

/* ---- reading ---- */

static struct err *read_digest(const struct json_at *at, struct digest *ret)
{
	const char *text = NULL;
	struct err *err;

	TRY(json_get_text(at, &text));
	err = digest_parse(text, ret);
	if (!err)
		return NULL;
	err_free(err);
	return json_error(at, "'%.80s' is no digest", text);
}

/* A step was done between 1970 and the year 9999. */
static struct err *read_time(const struct json_at *at, struct timespec *ret)
{
	const char *text = NULL;
	struct err *err;

	TRY(json_get_text(at, &text));
	err = clock_parse(str_of(text), ret);
	if (!err && ret->tv_sec >= 0)
		return NULL;
	err_free(err);
	return json_error(at, "'%.80s' is no time of a step", text);
}

static struct err *read_duration(const struct json_at *at, uint64_t *ret)
{
	const char *text = NULL;
	struct err *err;

	TRY(json_get_text(at, &text));
	err = num_parse(str_of(text), 0, CACHE_DURATION_MAX, ret);
	if (!err)
		return NULL;
	err_free(err);
	return json_error(at, "'%.80s' is no duration", text);
}

/* What no step can have made. */
static struct err *check_layer(const struct json_at *at, const struct descriptor *blob)
{
	if (strstr(blob->media_type, "nondistributable") || strstr(blob->media_type, "foreign"))
		return json_error(at, "such a layer is not handed on");
	if (blob->size == 0 || blob->size > CACHE_LAYER_MAX)
		return json_error(at, "a layer cannot have %" PRIu64 " bytes", blob->size);
	return NULL;
}

static struct err *read_notes(const struct json_at *root, const struct digest *key,
			      struct cache_entry *ret)
{
	const struct json_at notes = json_member(root, "annotations");
	const struct json_at key_at = json_member(&notes, NOTE_KEY);
	const struct json_at created_at = json_member(&notes, NOTE_CREATED);
	const struct json_at duration_at = json_member(&notes, NOTE_DURATION);
	const struct json_at diff_id_at = json_member(&notes, NOTE_DIFF_ID);

	TRY(read_digest(&key_at, &ret->key));
	if (!digest_equal(&ret->key, key))
		return json_error(&key_at, "it is the entry of another step");
	TRY(read_time(&created_at, &ret->created));
	TRY(read_duration(&duration_at, &ret->duration));
	ret->has_layer = diff_id_at.value != NULL;
	return ret->has_layer ? read_digest(&diff_id_at, &ret->diff_id) : NULL;
}

/* The one layer, by the rules for all images. */
static struct err *read_layer(const struct json_at *root, struct descriptor *ret)
{
	const struct json_at layers_at = json_member(root, "layers");
	const struct json_at layer_at = json_element(&layers_at, 0);
	AUTO(image) struct image *image = xcalloc(1, sizeof(*image));

	TRY(image_parse_manifest(root, image));
	if (image->layer_count != 1)
		return json_error(&layers_at, "an entry has one layer, and not %zu",
				  image->layer_count);
	*ret = image->layers[0].blob;
	return check_layer(&layer_at, ret);
}

struct err *cache_entry_parse(struct str manifest, const struct digest *key,
			      struct cache_entry *ret)
{
	struct cache_entry entry = { .duration = 0 };
	struct descriptor blob, nothing;
	AUTO(json) json_t *doc = NULL;
	struct json_at root;
	struct str bytes;
	bool is_index;

	TRY(json_parse(manifest, CACHE_ENTRY_MAX, "the entry", &doc));
	root = json_root(doc, "the entry");
	TRY(image_document_kind(&root, "", &is_index));
	if (is_index)
		return json_error(&root, "it is an index");
	TRY(read_notes(&root, key, &entry));
	TRY(read_layer(&root, &blob));
	cache_entry_no_layer(&nothing, &bytes);
	if (entry.has_layer)
		entry.blob = blob;
	else if (!descriptor_equal(&blob, &nothing))
		return json_error(&root, "it has a layer without a diff id");
	*ret = entry;
	return NULL;
}

/* ---- in the config of an image ---- */

static struct err *read_fact(const struct json_at *at, const struct json_at *diff_ids,
			     const struct image *image, struct cache_entry *ret)
{
	const struct json_at key_at = json_member(at, "key");
	const struct json_at created_at = json_member(at, "created");
	const struct json_at layer_at = json_member(at, "layer");
	struct json_at diff_id_at;
	uint64_t layer = 0;

	TRY(read_digest(&key_at, &ret->key));
	TRY(read_time(&created_at, &ret->created));
	ret->has_layer = layer_at.value != NULL;
	if (!ret->has_layer)
		return NULL;
	TRY(json_get_size(&layer_at, &layer));
	if (layer >= image->layer_count)
		return json_error(&layer_at, "the image has %zu layers", image->layer_count);
	diff_id_at = json_element(diff_ids, (size_t)layer);
	TRY(read_digest(&diff_id_at, &ret->diff_id));
	ret->blob = image->layers[layer].blob;
	return check_layer(&layer_at, &ret->blob);
}

struct err *cache_inline_parse(const struct json_at *config, const struct image *image,
			       struct cache_entries *ret)
{
	const struct json_at facts = json_member(config, CACHE_INLINE_MEMBER);
	const struct json_at rootfs = json_member(config, "rootfs");
	const struct json_at diff_ids = json_member(&rootfs, "diff_ids");

	if (!facts.value)
		return NULL;
	TRY(json_expect_array(&facts));
	if (json_length(&facts) > CACHE_INLINE_MAX)
		return json_error(&facts, "there are more than %d", CACHE_INLINE_MAX);
	if (json_length(&diff_ids) != image->layer_count)
		return json_error(&diff_ids, "the image has %zu layers", image->layer_count);
	for (size_t i = 0; i < json_length(&facts); i++) {
		const struct json_at fact = json_element(&facts, i);
		struct cache_entry entry = { .duration = 0 };

		TRY(read_fact(&fact, &diff_ids, image, &entry));
		vec_push(ret, entry);
	}
	return NULL;
}
