/* registry/index.c - see registry/index.h. */

#include "registry/index.h"

#include <stdio.h>
#include <string.h>

#include "base/digest.h"
#include "base/err.h"
#include "base/json.h"
#include "registry/repository.h"
#include "store/blob.h"
#include "store/image.h"
#include "store/store.h"

json_t *index_new(void)
{
	json_t *index = json_object();

	json_set(index, "schemaVersion", json_integer(2));
	json_set_text(index, "mediaType", MEDIA_OCI_INDEX);
	json_set(index, "manifests", json_array());
	return index;
}

/* A document of the store, and whether it is an index. */
static struct err *read_document(struct store *store, const struct descriptor *target, json_t **ret,
				 bool *ret_is_index)
{
	AUTO(buf) struct buf text = BUF_INIT(IMAGE_DOCUMENT_MAX + 1);
	char digest[DIGEST_TEXT_SIZE];
	struct json_at root;

	TRY(blob_read(store, &target->digest, IMAGE_DOCUMENT_MAX, &text));
	TRY(json_parse(buf_str(&text), IMAGE_DOCUMENT_MAX, digest_format(&target->digest, digest),
		       ret));
	root = json_root(*ret, digest);
	return image_document_kind(&root, target->media_type, ret_is_index);
}

struct err *index_read(struct store *store, const struct descriptor *target, json_t **ret)
{
	AUTO(json) json_t *document = NULL;
	char digest[DIGEST_TEXT_SIZE];
	bool is_index;

	TRY(read_document(store, target, &document, &is_index));
	if (!is_index)
		return err_new(ERR_INVALID, "%s is an image, not an index",
			       digest_format(&target->digest, digest));
	*ret = STEAL(document);
	return NULL;
}

/* ---- entries ---- */

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

static bool same_text(const json_t *a, const json_t *b, const char *key)
{
	return strcmp(text_of(a, key), text_of(b, key)) == 0;
}

static void platform_of(const json_t *entry, struct platform *ret)
{
	const json_t *platform = json_object_get(entry, "platform");

	platform_from_parts(text_of(platform, "os"), text_of(platform, "architecture"),
			    text_of(platform, "variant"), ret);
}

char *index_entry_platform(const json_t *entry)
{
	struct platform platform;

	if (!json_object_get(entry, "platform"))
		return xstrdup("");
	platform_of(entry, &platform);
	if (strcmp(platform.os, "unknown") == 0)
		return xstrdup("unknown");
	return platform_format(&platform);
}

/* Does `fresh` take the place of `old`? What is said about images has no platform of its own. */
static bool replaces(const json_t *fresh, const json_t *old)
{
	const json_t *a = json_object_get(fresh, "platform"), *b = json_object_get(old, "platform");
	struct platform one, other;

	if (same_text(fresh, old, "digest"))
		return true;
	if (!a || !b || strcmp(text_of(a, "os"), "unknown") == 0)
		return false;
	platform_of(fresh, &one);
	platform_of(old, &other);
	return platform_equal(&one, &other) && same_text(a, b, "os.version");
}

/* Owns `entry`. */
static struct err *put_entry(json_t *index, json_t *entry)
{
	json_t *manifests = json_object_get(index, "manifests");

	for (size_t i = 0; i < json_array_size(manifests); i++)
		if (replaces(entry, json_array_get(manifests, i))) {
			json_array_set_new(manifests, i, entry);
			return NULL;
		}
	json_push(manifests, entry);
	if (json_array_size(manifests) > INDEX_ENTRIES_MAX)
		return err_new(ERR_INVALID, "more than %d images in an index", INDEX_ENTRIES_MAX);
	return NULL;
}

static struct err *add_entries(json_t *index, const json_t *other)
{
	json_t *entry;
	size_t i;

	json_array_foreach(json_object_get(other, "manifests"), i, entry)
		TRY(put_entry(index, json_deep_copy(entry)));
	return NULL;
}

/* The members that say where an image runs, in the order of the specification. */
static json_t *platform_of_config(const json_t *config)
{
	static const char *const keys[] = { "architecture", "os", "os.version", "os.features",
					    "variant" };
	json_t *platform = json_object();

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		json_t *value = json_object_get(config, keys[i]);

		if (value)
			json_object_set(platform, keys[i], value);
	}
	return platform;
}

static struct err *add_image(struct store *store, json_t *index, const struct descriptor *target)
{
	AUTO(image) struct image *image = NULL;
	char digest[DIGEST_TEXT_SIZE];
	json_t *entry;

	TRY(image_open(store, target, NULL, &image));
	if (!image->platform.os[0] || !image->platform.arch[0])
		return err_new(ERR_INVALID, "image %s does not say for which platform it is",
			       digest_format(&target->digest, digest));
	entry = descriptor_format(&image->manifest);
	json_set(entry, "platform", platform_of_config(image->config));
	return put_entry(index, entry);
}

struct err *index_add(struct store *store, json_t *index, const struct descriptor *target)
{
	AUTO(json) json_t *document = NULL;
	struct descriptor typed = *target;
	bool is_index;

	TRY(read_document(store, target, &document, &is_index));
	if (is_index)
		return add_entries(index, document);
	if (!typed.media_type[0] || json_object_get(document, "mediaType"))
		snprintf(typed.media_type, sizeof(typed.media_type), "%s",
			 text_of(document, "mediaType")[0] ? text_of(document, "mediaType") :
							     MEDIA_OCI_MANIFEST);
	return add_image(store, index, &typed);
}

struct err *index_add_attestation(json_t *index, const struct descriptor *attestation,
				  const struct digest *image)
{
	json_t *entry = descriptor_format(attestation);
	json_t *platform = json_object();
	json_t *annotations = json_object();
	char digest[DIGEST_TEXT_SIZE];

	json_set_text(platform, "architecture", "unknown");
	json_set_text(platform, "os", "unknown");
	json_set(entry, "platform", platform);
	json_set_text(annotations, "vnd.docker.reference.digest", digest_format(image, digest));
	json_set_text(annotations, "vnd.docker.reference.type", "attestation-manifest");
	json_set(entry, "annotations", annotations);
	return put_entry(index, entry);
}

static json_t *platform_members(const struct platform *platform)
{
	json_t *object = json_object();

	json_set_text(object, "architecture", platform->arch);
	json_set_text(object, "os", platform->os);
	if (platform->variant[0])
		json_set_text(object, "variant", platform->variant);
	return object;
}

struct err *index_add_for(struct store *store, json_t *index, const struct descriptor *target,
			  const struct platform *platform, const json_t *annotations)
{
	AUTO(image) struct image *image = NULL;
	json_t *entry;

	TRY(image_open(store, target, NULL, &image));
	entry = descriptor_format(&image->manifest);
	if (json_object_size(annotations) > 0)
		json_set(entry, "annotations", json_deep_copy(annotations));
	json_set(entry, "platform",
		 platform_equal(platform, &image->platform) ? platform_of_config(image->config) :
							      platform_members(platform));
	return put_entry(index, entry);
}

/* ---- the index itself ---- */

struct err *index_annotate(json_t *index, const char *text)
{
	json_t *annotations = json_object_get(index, "annotations");
	struct str value = str_of(text);
	struct str name = str_cut(&value, '=');
	AUTO(mem) char *key = str_dup(name);

	if (name.len == 0 || !value.at)
		return err_new(ERR_INVALID, "'%.200s' is not NAME=VALUE", text);
	if (!annotations) {
		annotations = json_object();
		json_set(index, "annotations", annotations);
	}
	json_set_text(annotations, key, value.at);
	return NULL;
}

struct err *index_hold(struct store *store, const char *name, struct lock *ret)
{
	AUTO(hasher) struct hasher *hasher = hasher_new();
	struct digest key;

	hasher_update(hasher, "index ", strlen("index "));
	hasher_update(hasher, name, strlen(name));
	TRY(hasher_finish(hasher, &key));
	return store_single(store, &key, NULL, ret);
}

struct err *index_put(struct store *store, const json_t *index, struct descriptor *ret)
{
	const char *type = text_of(index, "mediaType");
	AUTO(mem) char *text = json_format(index);

	if (json_array_size(json_object_get(index, "manifests")) == 0)
		return err_new(ERR_INVALID, "there is no image in the index");
	ret->size = strlen(text);
	snprintf(ret->media_type, sizeof(ret->media_type), "%s", type[0] ? type : MEDIA_OCI_INDEX);
	return blob_put(store, str_of(text), &ret->digest);
}
