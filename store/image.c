/* store/image.c - see store/image.h. */

#include "store/image.h"

#include <assert.h>
#include <string.h>

#include "base/err.h"
#include "base/text.h"
#include "base/vec.h"
#include "store/blob.h"
#include "store/image-private.h"
#include "store/index-private.h"
#include "store/ref.h"

#define MANIFEST_MAX ((size_t)4 * 1024 * 1024)
#define CONFIG_MAX ((size_t)8 * 1024 * 1024)
#define INDEX_DEPTH 4 /* indexes within indexes */
#define ID_LEN_MIN ((size_t)4)
#define ID_LEN ((size_t)2 * DIGEST_SIZE)

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

static struct err *check_layer_type(const struct json_at *at, const char *media_type)
{
	static const char *const types[] = {
		MEDIA_OCI_LAYER,
		(MEDIA_OCI_LAYER "+gzip"),
		(MEDIA_OCI_LAYER "+zstd"),
		"application/vnd.oci.image.layer.nondistributable.v1.tar",
		"application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
		"application/vnd.oci.image.layer.nondistributable.v1.tar+zstd",
		"application/vnd.docker.image.rootfs.diff.tar",
		"application/vnd.docker.image.rootfs.diff.tar.gzip",
		"application/vnd.docker.image.rootfs.diff.tar.zstd",
		"application/vnd.docker.image.rootfs.foreign.diff.tar",
		"application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
	};

	if (IS_ONE_OF(media_type, types))
		return NULL;
	return json_error(at, "'%.95s' is not a layer", media_type);
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
	TRY(read_document(store, &image->config_blob, CONFIG_MAX, "config", &image->config));
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
	for (int depth = 0; depth <= INDEX_DEPTH; depth++) {
		AUTO(json) json_t *doc = NULL;
		struct json_at root;
		bool is_index;

		TRY(read_document(store, &at, MANIFEST_MAX, "manifest", &doc));
		root = json_root(doc, "manifest");
		TRY(image_document_kind(&root, at.media_type, &is_index));
		if (!is_index) {
			*ret = at;
			*ret_doc = STEAL(doc);
			return NULL;
		}
		TRY(image_choose(&root, want, &at));
	}
	return err_new(ERR_INVALID, "image indexes nest more than %d deep", INDEX_DEPTH);
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

static struct err *put_document(struct store *store, const json_t *doc, const char *media_type,
				struct descriptor *ret)
{
	AUTO(mem) char *text = json_format(doc);
	struct descriptor d = { .size = strlen(text) };

	memcpy(d.media_type, media_type, strlen(media_type) + 1);
	TRY(blob_put(store, str_of(text), &d.digest));
	*ret = d;
	return NULL;
}

struct err *image_put_manifest(struct store *store, const struct descriptor *config,
			       const struct image_layer *layers, size_t layer_count,
			       const json_t *annotations, struct descriptor *ret_manifest)
{
	AUTO(json) json_t *doc = json_object();
	json_t *list = json_array();

	json_set(doc, "schemaVersion", json_integer(2));
	json_set_text(doc, "mediaType", MEDIA_OCI_MANIFEST);
	json_set(doc, "config", descriptor_format(config));
	json_set(doc, "layers", list);
	for (size_t i = 0; i < layer_count; i++)
		json_push(list, descriptor_format(&layers[i].blob));
	if (json_object_size(annotations) > 0)
		json_set(doc, "annotations", json_deep_copy(annotations));
	return put_document(store, doc, MEDIA_OCI_MANIFEST, ret_manifest);
}

struct err *image_put(struct store *store, const json_t *config, const struct image_layer *layers,
		      size_t layer_count, const json_t *annotations,
		      struct descriptor *ret_manifest, struct descriptor *ret_config)
{
	struct descriptor config_blob;

	TRY(put_document(store, config, MEDIA_OCI_CONFIG, &config_blob));
	TRY(image_put_manifest(store, &config_blob, layers, layer_count, annotations,
			       ret_manifest));
	*ret_config = config_blob;
	return NULL;
}

/* ---- finding an image ---- */

/* The hex digits in what may be an id, or nothing. */
static struct str id_prefix(const char *text)
{
	struct str id = str_of(text);

	if (str_starts(id, "sha256:"))
		id = str_of(text + strlen("sha256:"));
	if (id.len < ID_LEN_MIN || id.len > ID_LEN)
		return STR("");
	for (size_t i = 0; i < id.len; i++)
		if (!strchr("0123456789abcdef", id.at[i]))
			return STR("");
	return id;
}

static bool has_prefix(const struct digest *digest, struct str prefix)
{
	char text[DIGEST_TEXT_SIZE];

	digest_format(digest, text);
	return strncmp(strchr(text, ':') + 1, prefix.at, prefix.len) == 0;
}

/* The digest of the config of an image, which is the image's id for most tools. */
static struct err *config_digest(struct store *store, const struct descriptor *target,
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

static bool is_id_of(struct store *store, const struct descriptor *target, struct str prefix)
{
	struct digest config;
	struct err *err;

	if (has_prefix(&target->digest, prefix))
		return true;
	err = config_digest(store, target, &config);
	if (!err)
		return has_prefix(&config, prefix);
	err_free(err); /* an image that cannot be read has no id that anybody could mean */
	return false;
}

/* Among named images. */
static struct err *find_id(struct store *store, const struct ref_list *refs, struct str prefix,
			   bool *ret_found, struct descriptor *ret)
{
	const struct ref *found = NULL;

	vec_foreach (refs, ref) {
		if (found && digest_equal(&found->target.digest, &ref->target.digest))
			continue;
		if (!is_id_of(store, &ref->target, prefix))
			continue;
		if (found)
			return err_new(ERR_INVALID, "'%.*s' may be '%s' or '%s': write more of it",
				       STR_ARG(prefix), index_familiar(found->name),
				       index_familiar(ref->name));
		found = ref;
	}
	*ret_found = found != NULL;
	if (found)
		*ret = found->target;
	return NULL;
}

/* What kind of document a blob is, if it is one of an image. */
static struct err *identify(struct store *store, struct descriptor *target)
{
	AUTO(json) json_t *doc = NULL;
	const char *media_type = "";
	struct json_at root;
	bool is_index = false;

	TRY(read_document(store, target, MANIFEST_MAX, "manifest", &doc));
	root = json_root(doc, "manifest");
	TRY(image_document_kind(&root, "", &is_index));
	TRY(media_type_of(&root, "", &media_type));
	if (!media_type[0])
		media_type = is_index ? MEDIA_OCI_INDEX : MEDIA_OCI_MANIFEST;
	memcpy(target->media_type, media_type, strlen(media_type) + 1);
	return NULL;
}

/* An image without a name, by the whole digest of its manifest or index. */
static struct err *find_unnamed(struct store *store, struct str hex, bool *ret_found,
				struct descriptor *ret)
{
	AUTO(mem) char *text = xasprintf("sha256:%.*s", STR_ARG(hex));
	struct descriptor target = { .media_type = "" };
	struct err *err;
	bool found;

	*ret_found = false;
	if (hex.len != ID_LEN)
		return NULL;
	TRY(digest_parse(text, &target.digest));
	TRY(blob_find(store, &target.digest, &found, &target.size));
	if (!found)
		return NULL;
	err = identify(store, &target);
	if (err_kind(err) == ERR_INVALID || err_kind(err) == ERR_UNSUPPORTED) {
		err_free(err); /* a layer, a config, or no part of an image at all */
		return NULL;
	}
	TRY(err);
	*ret = target;
	*ret_found = true;
	return NULL;
}

/* Cut a familiar name before its tag, which is returned; "" if there is none. */
static const char *split_tag(char *name)
{
	char *colon = strrchr(name, ':');

	if (!colon || strchr(colon, '/'))
		return "";
	*colon = '\0';
	return colon + 1;
}

/* The image that was meant: one of this tag whose name is near, or else of this name whose tag is.
 * Together they would be near too easily: ":latest" is alike in all. NULL if there is none; owned
 * by the caller. */
static char *nearest_image(const char *wanted, const struct ref_list *refs)
{
	AUTO(mem) char *name = xstrdup(wanted);
	const char *tag = split_tag(name);
	AUTO(strings) struct strings names = { 0 }; /* with this tag */
	AUTO(strings) struct strings tags = { 0 };  /* of this name */
	const char *near;

	vec_foreach (refs, ref) {
		AUTO(mem) char *other = xstrdup(index_familiar(ref->name));
		const char *other_tag = split_tag(other);

		if (strcmp(tag, other_tag) == 0)
			strings_push(&names, other);
		else if (strcmp(name, other) == 0)
			strings_push(&tags, other_tag);
	}
	near = text_nearest(str_of(name), (const char *const *)names.at, names.len);
	if (near)
		return xasprintf("%s:%s", near, tag);
	near = text_nearest(str_of(tag), (const char *const *)tags.at, tags.len);
	if (near || tags.len > 0)
		return xasprintf("%s:%s", name, near ? near : tags.at[0]);
	return NULL;
}

static struct err *not_found(const char *text, const char *canonical, const struct ref_list *refs)
{
	struct err *err = err_new(ERR_NOT_FOUND, "no image '%.255s' in the store", text);
	AUTO(mem) char *near = canonical ? nearest_image(index_familiar(canonical), refs) : NULL;

	return near ? err_note(err, "did you mean '%s'?", near) : err;
}

/* By the name that it has. */
static struct err *find_name(struct store *store, const char *canonical, bool *ret_found,
			     struct descriptor *ret)
{
	struct err *err = canonical ? ref_get(store, canonical, ret) : NULL;

	*ret_found = canonical && !err;
	if (err_kind(err) != ERR_NOT_FOUND)
		return err;
	err_free(err); /* it may still be an id */
	return NULL;
}

struct err *image_resolve(struct store *store, const char *text, const char *canonical,
			  struct descriptor *ret)
{
	AUTO(ref_list) struct ref_list refs = { 0 };
	struct str prefix = id_prefix(text);
	bool found = false;

	TRY(find_name(store, canonical, &found, ret));
	if (found)
		return NULL;
	TRY(ref_list(store, &refs));
	if (prefix.len)
		TRY(find_id(store, &refs, prefix, &found, ret));
	if (!found)
		TRY(find_unnamed(store, prefix, &found, ret));
	return found ? NULL : not_found(text, canonical, &refs);
}

const char *image_layer_media_type(enum codec codec)
{
	static const char *const types[] = { [CODEC_NONE] = MEDIA_OCI_LAYER,
					     [CODEC_GZIP] = MEDIA_OCI_LAYER "+gzip",
					     [CODEC_ZSTD] = MEDIA_OCI_LAYER "+zstd" };

	return types[codec];
}
