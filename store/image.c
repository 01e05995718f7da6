/* store/image.c - see store/image.h. */

#include "store/image.h"

#include <assert.h>
#include <string.h>

#include "base/err.h"
#include "base/vec.h"
#include "store/blob.h"
#include "store/id.h"
#include "store/image-private.h"

/* ---- documents ---- */

/* The document that a descriptor names, whole and verified. */
static struct err *read_document(struct store *store, const struct descriptor *from, size_t max,
				 const char *kind, json_t **ret)
{
	AUTO(buf) struct buf text = BUF_INIT(max + 1);
	char digest[DIGEST_TEXT_SIZE];
	AUTO(mem) char *what = xasprintf("%s %s", kind, digest_format(&from->digest, digest));

	if (from->size > max)
		return err_new(ERR_INVALID, "%s is larger than %zu bytes", what, max);
	TRY(blob_read(store, &from->digest, max, &text));
	if (text.len != from->size)
		return err_new(ERR_INVALID, "%s has %zu bytes, its descriptor says %ju", what,
			       text.len, (uintmax_t)from->size);
	return json_parse(buf_str(&text), max, what, ret);
}

static bool is_one_of(const char *text, const char *const *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(text, list[i]) == 0)
			return true;
	return false;
}

#define IS_ONE_OF(text, list) is_one_of(text, list, ARRAY_SIZE(list))

static bool has_member(const struct json_at *root, const char *key)
{
	return json_member(root, key).value != NULL;
}

/* What the document calls itself, or else what its descriptor calls it; the two must agree. */
static struct err *media_type_of(const struct json_at *root, const char *announced,
				 const char **ret)
{
	const struct json_at at = json_member(root, "mediaType");
	const char *own = NULL;

	TRY(json_get_optional_text(&at, &own));
	if (own && announced[0] && strcmp(own, announced) != 0)
		return json_error(&at, "'%.80s', but its descriptor says '%.80s'", own, announced);
	*ret = own ? own : announced;
	return NULL;
}

struct err *image_document_kind(const struct json_at *root, const char *announced,
				bool *ret_is_index)
{
	static const char *const manifests[] = { MEDIA_OCI_MANIFEST, MEDIA_DOCKER_MANIFEST };
	static const char *const indexes[] = { MEDIA_OCI_INDEX, MEDIA_DOCKER_LIST };
	const struct json_at version_at = json_member(root, "schemaVersion");
	const bool lists = has_member(root, "manifests");
	const bool describes = has_member(root, "config") || has_member(root, "layers");
	const char *media_type = "";
	uint64_t version;
	bool index;

	TRY(json_expect_object(root));
	TRY(json_get_size(&version_at, &version));
	if (version != 2)
		return err_new(ERR_UNSUPPORTED, "%s: schema version %ju is too %s", root->what,
			       (uintmax_t)version, version < 2 ? "old" : "new");
	TRY(media_type_of(root, announced, &media_type));
	index = media_type[0] ? IS_ONE_OF(media_type, indexes) : lists;
	if (media_type[0] && !index && !IS_ONE_OF(media_type, manifests))
		return err_new(ERR_UNSUPPORTED, "%s: '%.80s' is no image", root->what, media_type);
	/* The same bytes must not be an index to one reader and a manifest to another. */
	if (lists != index || describes == index)
		return json_error(root, "it does not have the shape of an %s",
				  index ? "image index" : "image manifest");
	*ret_is_index = index;
	return NULL;
}

/* ---- an index ---- */

static struct err *parse_platform(const struct json_at *at, struct platform *ret)
{
	const struct json_at os_at = json_member(at, "os");
	const struct json_at arch_at = json_member(at, "architecture");
	const struct json_at variant_at = json_member(at, "variant");
	const char *os = NULL, *arch = NULL, *variant = NULL;

	TRY(json_get_optional_text(&os_at, &os));
	TRY(json_get_optional_text(&arch_at, &arch));
	TRY(json_get_optional_text(&variant_at, &variant));
	platform_from_parts(os, arch, variant, ret);
	return NULL;
}

/* How well an entry fits. One that does not say for what it is may be anything, so it comes
 * last. */
static unsigned rate_entry(const struct json_at *platform_at, const struct platform *platform,
			   const struct platform *want)
{
	return platform_at->value ? 2 * platform_match(want, platform) : 1;
}

static void list_platform(struct buf *list, const struct platform *platform)
{
	AUTO(mem) char *text = platform_format(platform);

	if (strcmp(text, "unknown/unknown") == 0) /* an attestation */
		return;
	buf_adds(list, list->len ? ", " : "");
	buf_adds(list, text);
}

struct err *image_choose(const struct json_at *root, const struct platform *want,
			 struct descriptor *ret)
{
	const struct json_at entries = json_member(root, "manifests");
	AUTO(buf) struct buf there = BUF_INIT(4096);
	struct descriptor chosen;
	unsigned best = 0;

	TRY(json_expect_array(&entries));
	for (size_t i = 0; i < json_length(&entries); i++) {
		const struct json_at entry = json_element(&entries, i);
		const struct json_at platform_at = json_member(&entry, "platform");
		struct platform platform = { .os = "" };
		struct descriptor d;
		unsigned rating;

		TRY(descriptor_parse(&entry, &d));
		TRY(parse_platform(&platform_at, &platform));
		if (platform_at.value)
			list_platform(&there, &platform);
		rating = rate_entry(&platform_at, &platform, want);
		if (rating <= best)
			continue;
		best = rating;
		chosen = d;
	}
	if (!best) {
		AUTO(mem) char *text = platform_format(want);

		return err_new(ERR_NOT_FOUND, "the image has nothing for %s, only for %s", text,
			       there.len ? there.at : "nothing at all");
	}
	*ret = chosen;
	return NULL;
}

/* ---- a manifest ---- */

static struct err *check_config_type(const struct json_at *at, const char *media_type)
{
	static const char *const types[] = { MEDIA_OCI_CONFIG, MEDIA_DOCKER_CONFIG };

	if (IS_ONE_OF(media_type, types))
		return NULL;
	return err_new(ERR_UNSUPPORTED, "%s: it is not an image but an artifact of type '%.95s'",
		       at->parent->what, media_type);
}

/* All media types of layers: what each is called in OCI's and in Docker's manifests. */
static const char *const layer_types[][2] = {
	{ MEDIA_OCI_LAYER, MEDIA_DOCKER_LAYER },
	{ (MEDIA_OCI_LAYER "+gzip"), (MEDIA_DOCKER_LAYER ".gzip") },
	{ (MEDIA_OCI_LAYER "+zstd"), NULL },
	{ NULL, (MEDIA_DOCKER_LAYER ".zstd") }, /* which not even Docker reads */
	{ "application/vnd.oci.image.layer.nondistributable.v1.tar", NULL },
	{ "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip", NULL },
	{ "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd", NULL },
	{ NULL, "application/vnd.docker.image.rootfs.foreign.diff.tar" },
	{ NULL, "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip" },
};

static bool is_layer_type(const char *known, const char *media_type)
{
	return known && strcmp(known, media_type) == 0;
}

static struct err *check_layer_type(const struct json_at *at, const char *media_type)
{
	for (size_t i = 0; i < ARRAY_SIZE(layer_types); i++)
		if (is_layer_type(layer_types[i][IMAGE_OCI], media_type) ||
		    is_layer_type(layer_types[i][IMAGE_DOCKER], media_type))
			return NULL;
	return json_error(at, "'%.95s' is not a layer", media_type);
}

const char *image_layer_media_type_in(enum image_format format, const char *media_type)
{
	const enum image_format other = format == IMAGE_OCI ? IMAGE_DOCKER : IMAGE_OCI;

	if (strcmp(media_type, MEDIA_DOCKER_LAYER ".zstd") == 0)
		return format == IMAGE_OCI ? MEDIA_OCI_LAYER "+zstd" : NULL;
	if (strcmp(media_type, MEDIA_OCI_LAYER "+zstd") == 0 && format == IMAGE_DOCKER)
		return NULL;
	for (size_t i = 0; i < ARRAY_SIZE(layer_types); i++)
		if (is_layer_type(layer_types[i][other], media_type) && layer_types[i][format])
			return layer_types[i][format];
	return media_type;
}

struct err *image_parse_manifest(const struct json_at *root, struct image *image)
{
	const struct json_at config = json_member(root, "config");
	const struct json_at layers = json_member(root, "layers");
	const struct json_at annotations = json_member(root, "annotations");
	size_t count = json_length(&layers);

	TRY(descriptor_parse(&config, &image->config_blob));
	TRY(check_config_type(&config, image->config_blob.media_type));
	TRY(json_expect_array(&layers));
	if (count > IMAGE_LAYERS_MAX)
		return json_error(&layers, "%zu layers, more than %d", count, IMAGE_LAYERS_MAX);
	image->layers = xcalloc(count, sizeof(*image->layers));
	image->layer_count = count;
	for (size_t i = 0; i < count; i++) {
		const struct json_at layer = json_element(&layers, i);

		TRY(descriptor_parse(&layer, &image->layers[i].blob));
		TRY(check_layer_type(&layer, image->layers[i].blob.media_type));
	}
	if (!annotations.value)
		return NULL;
	TRY(json_expect_object(&annotations));
	image->annotations = json_incref(annotations.value);
	return NULL;
}

/* ---- a config ---- */

struct err *chain_id_next(const struct digest *below, const struct digest *diff_id,
			  struct digest *ret)
{
	AUTO(hasher) struct hasher *h = hasher_new();
	char text[DIGEST_TEXT_SIZE];

	if (!below) {
		*ret = *diff_id;
		return NULL;
	}
	hasher_update(h, digest_format(below, text), DIGEST_TEXT_SIZE - 1);
	hasher_update(h, " ", 1);
	hasher_update(h, digest_format(diff_id, text), DIGEST_TEXT_SIZE - 1);
	return hasher_finish(h, ret);
}

static struct err *parse_diff_ids(const struct json_at *rootfs, struct image *image)
{
	const struct json_at type_at = json_member(rootfs, "type");
	const struct json_at diff_ids = json_member(rootfs, "diff_ids");
	const char *type = NULL;

	TRY(json_get_text(&type_at, &type));
	if (strcmp(type, "layers") != 0)
		return json_error(&type_at, "'%.80s' instead of 'layers'", type);
	if (json_length(&diff_ids) != image->layer_count)
		return json_error(&diff_ids, "%zu of them for %zu layers", json_length(&diff_ids),
				  image->layer_count);
	for (size_t i = 0; i < image->layer_count; i++) {
		const struct json_at at = json_element(&diff_ids, i);
		struct image_layer *layer = &image->layers[i];
		const char *text;

		TRY(json_get_text(&at, &text));
		TRY(err_wrap(digest_parse(text, &layer->diff_id), "diff id %zu", i));
		TRY(chain_id_next(i ? &layer[-1].chain_id : NULL, &layer->diff_id,
				  &layer->chain_id));
	}
	return NULL;
}

struct err *image_parse_config(const struct json_at *root, struct image *image)
{
	const struct json_at rootfs = json_member(root, "rootfs");

	TRY(json_expect_object(root));
	TRY(json_expect_object(&rootfs));
	TRY(parse_diff_ids(&rootfs, image));
	return parse_platform(root, &image->platform);
}

/* ---- reading an image ---- */

void image_free(struct image *image)
{
	if (!image)
		return;
	json_decref(image->config);
	json_decref(image->annotations);
	free(image->layers);
	free(image);
}

static struct err *load(struct store *store, const json_t *manifest, struct image *image)
{
	const struct json_at root = json_root((json_t *)manifest, "manifest");

	TRY(image_parse_manifest(&root, image));
	TRY(read_document(store, &image->config_blob, IMAGE_DOCUMENT_MAX, "config",
			  &image->config));
	{
		const struct json_at config = json_root(image->config, "config");

		return image_parse_config(&config, image);
	}
}

/* From a descriptor through indexes to a manifest. */
static struct err *find_manifest(struct store *store, const struct descriptor *target,
				 const struct platform *want, struct descriptor *ret,
				 json_t **ret_doc)
{
	struct descriptor at;

	assert(target);
	at = *target;
	for (int depth = 0; depth <= IMAGE_INDEX_DEPTH; depth++) {
		AUTO(json) json_t *doc = NULL;
		struct json_at root;
		bool is_index = false;

		TRY(read_document(store, &at, IMAGE_DOCUMENT_MAX, "manifest", &doc));
		root = json_root(doc, "manifest");
		TRY(image_document_kind(&root, at.media_type, &is_index));
		if (!is_index) {
			*ret = at;
			*ret_doc = STEAL(doc);
			return NULL;
		}
		TRY(image_choose(&root, want, &at));
	}
	return err_new(ERR_INVALID, "image indexes nest more than %d deep", IMAGE_INDEX_DEPTH);
}

struct err *image_open(struct store *store, const struct descriptor *target,
		       const struct platform *want, struct image **ret)
{
	AUTO(image) struct image *image = xcalloc(1, sizeof(*image));
	AUTO(json) json_t *manifest = NULL;
	char text[DIGEST_TEXT_SIZE];
	struct platform host;

	platform_host(&host);
	digest_format(&target->digest, text);
	TRY(err_wrap(find_manifest(store, target, want ? want : &host, &image->manifest, &manifest),
		     "image %.19s", text));
	TRY(err_wrap(load(store, manifest, image), "image %.19s", text));
	*ret = STEAL(image);
	return NULL;
}

/* ---- writing an image ---- */

/* What nobody could read again is not written. */
static struct err *check_size(const char *what, uint64_t size, size_t max)
{
	if (size <= max)
		return NULL;
	return err_new(ERR_INVALID, "the %s of the image has %ju bytes, more than %zu", what,
		       (uintmax_t)size, max);
}

static struct err *put_document(struct store *store, const json_t *doc, const char *media_type,
				const char *what, size_t max, struct descriptor *ret)
{
	AUTO(mem) char *text = json_format(doc);
	struct descriptor d = { .size = strlen(text) };

	TRY(check_size(what, d.size, max));
	memcpy(d.media_type, media_type, strlen(media_type) + 1);
	TRY(blob_put(store, str_of(text), &d.digest));
	*ret = d;
	return NULL;
}

/* What the documents of a format are called. */
static const struct {
	const char *manifest, *config;
} documents[] = {
	[IMAGE_OCI] = { MEDIA_OCI_MANIFEST, MEDIA_OCI_CONFIG },
	[IMAGE_DOCKER] = { MEDIA_DOCKER_MANIFEST, MEDIA_DOCKER_CONFIG },
};

static struct err *put_manifest(struct store *store, const char *media_type,
				const struct descriptor *config, const struct image_layer *layers,
				size_t layer_count, const json_t *annotations,
				struct descriptor *ret_manifest)
{
	AUTO(json) json_t *doc = NULL;
	json_t *list;

	TRY(check_size("config", config->size, IMAGE_DOCUMENT_MAX));
	doc = json_object();
	list = json_array();
	json_set(doc, "schemaVersion", json_integer(2));
	json_set_text(doc, "mediaType", media_type);
	json_set(doc, "config", descriptor_format(config));
	json_set(doc, "layers", list);
	for (size_t i = 0; i < layer_count; i++)
		json_push(list, descriptor_format(&layers[i].blob));
	if (json_object_size(annotations) > 0)
		json_set(doc, "annotations", json_deep_copy(annotations));
	TRY(put_document(store, doc, media_type, "manifest", IMAGE_PUT_MAX, ret_manifest));
	TRY(id_put(store, &config->digest, &ret_manifest->digest));
	return id_put(store, &ret_manifest->digest, &ret_manifest->digest);
}

struct err *image_put_manifest(struct store *store, const struct descriptor *config,
			       const struct image_layer *layers, size_t layer_count,
			       const json_t *annotations, struct descriptor *ret_manifest)
{
	return put_manifest(store, MEDIA_OCI_MANIFEST, config, layers, layer_count, annotations,
			    ret_manifest);
}

struct err *image_put_in(struct store *store, enum image_format format, const json_t *config,
			 const struct image_layer *layers, size_t layer_count,
			 const json_t *annotations, struct descriptor *ret_manifest,
			 struct descriptor *ret_config)
{
	struct descriptor config_blob;

	TRY(put_document(store, config, documents[format].config, "config", IMAGE_DOCUMENT_MAX,
			 &config_blob));
	TRY(put_manifest(store, documents[format].manifest, &config_blob, layers, layer_count,
			 annotations, ret_manifest));
	*ret_config = config_blob;
	return NULL;
}

struct err *image_put(struct store *store, const json_t *config, const struct image_layer *layers,
		      size_t layer_count, const json_t *annotations,
		      struct descriptor *ret_manifest, struct descriptor *ret_config)
{
	return image_put_in(store, IMAGE_OCI, config, layers, layer_count, annotations,
			    ret_manifest, ret_config);
}

/* ---- its ids ---- */

struct err *image_config_digest(struct store *store, const struct descriptor *target,
				struct digest *ret)
{
	AUTO(json) json_t *manifest = NULL;
	struct descriptor found, config;
	struct platform host;

	platform_host(&host);
	TRY(find_manifest(store, target, &host, &found, &manifest));
	{
		const struct json_at root = json_root(manifest, "manifest");
		const struct json_at at = json_member(&root, "config");

		TRY(descriptor_parse(&at, &config));
	}
	*ret = config.digest;
	return NULL;
}

static struct err *add_config(struct store *store, const struct descriptor *manifest,
			      struct id_matches *ret)
{
	struct digest config;

	TRY(image_config_digest(store, manifest, &config));
	vec_push(ret, (struct id_match){ config, manifest->digest });
	return NULL;
}

/* Those of an index that are there and are images: an attestation has no platform. */
static struct err *add_entries(struct store *store, const struct json_at *root,
			       struct id_matches *ret)
{
	const struct json_at entries = json_member(root, "manifests");

	for (size_t i = 0; i < json_length(&entries); i++) {
		const struct json_at entry = json_element(&entries, i);
		const struct json_at platform_at = json_member(&entry, "platform");
		struct platform platform;
		struct descriptor d;
		bool whole;

		TRY(descriptor_parse(&entry, &d));
		TRY(parse_platform(&platform_at, &platform));
		if (strcmp(platform.os, "unknown") == 0)
			continue;
		TRY(blob_has(store, &d, &whole));
		if (whole)
			TRY(add_config(store, &d, ret));
	}
	return NULL;
}

struct err *image_configs(struct store *store, const struct descriptor *target,
			  struct id_matches *ret)
{
	AUTO(json) json_t *doc = NULL;
	struct digest config;
	struct json_at root;
	struct err *err;
	bool is_index = false, has_host;

	TRY(read_document(store, target, IMAGE_DOCUMENT_MAX, "manifest", &doc));
	root = json_root(doc, "manifest");
	TRY(image_document_kind(&root, target->media_type, &is_index));
	if (!is_index)
		return add_config(store, target, ret);
	TRY(add_entries(store, &root, ret));
	err = image_config_digest(store, target, &config);
	has_host = !err;
	err_free(err); /* nothing for this host is in it */
	vec_foreach (ret, match)
		if (has_host && digest_equal(&match->id, &config))
			match->target = target->digest;
	return NULL;
}

struct err *image_identify(struct store *store, struct descriptor *target)
{
	AUTO(json) json_t *doc = NULL;
	const char *media_type = "";
	struct json_at root;
	bool is_index = false;

	TRY(read_document(store, target, IMAGE_DOCUMENT_MAX, "manifest", &doc));
	root = json_root(doc, "manifest");
	TRY(image_document_kind(&root, "", &is_index));
	TRY(media_type_of(&root, "", &media_type));
	if (!media_type[0])
		media_type = is_index ? MEDIA_OCI_INDEX : MEDIA_OCI_MANIFEST;
	memcpy(target->media_type, media_type, strlen(media_type) + 1);
	return NULL;
}

const char *image_layer_media_type(enum codec codec)
{
	static const char *const types[] = { [CODEC_NONE] = MEDIA_OCI_LAYER,
					     [CODEC_GZIP] = MEDIA_OCI_LAYER "+gzip",
					     [CODEC_ZSTD] = MEDIA_OCI_LAYER "+zstd" };

	return types[codec];
}
