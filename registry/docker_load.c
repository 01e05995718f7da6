/* registry/docker_load.c - see registry/docker_load.h. */

#include "registry/docker_load.h"

#include <string.h>

#include "base/codec.h"
#include "base/err.h"
#include "base/json.h"
#include "base/map.h"
#include "base/pool.h"
#include "base/stream.h"
#include "base/vec.h"
#include "registry/members.h"
#include "store/blob.h"
#include "store/image.h"

#define MANIFEST_FILE "manifest.json"
#define MANIFEST_MAX ((size_t)4 * 1024 * 1024)
#define IMAGES_MAX 1000
#define LAYER_MAX ((uint64_t)100 * 1024 * 1024 * 1024) /* bytes, uncompressed */

/* A layer file, whichever images use it. */
struct layer_file {
	struct digest diff_id;  /* what it must be */
	struct descriptor blob; /* what became of it */
};

/* One element of manifest.json. */
struct archived {
	struct strings names;
	struct descriptor config;
	struct platform platform;
	VEC(const struct layer_file *) layers; /* borrowed from `files` */
	bool left;                             /* it is not the one that is wanted */
};

struct load {
	struct store *store;
	struct members *members;
	const char *only; /* the name of what is wanted; NULL: all */
	struct map files; /* member -> struct layer_file *, owned */
	VEC(struct archived) images;
};

static void load_auto_(struct load *load)
{
	vec_foreach (&load->images, image) {
		strings_release(&image->names);
		vec_release(&image->layers);
	}
	vec_release(&load->images);
	map_release(&load->files, free);
}

/* ---- the documents ---- */

static struct err *note_layer(struct load *load, struct archived *image, const char *path,
			      const struct digest *diff_id)
{
	const char *name = members_find(load->members, path);
	struct layer_file *file = name ? map_get(&load->files, str_of(name)) : NULL;

	if (!name)
		return err_new(ERR_NOT_FOUND, "layer '%.200s' is not in the archive", path);
	if (file && !digest_equal(&file->diff_id, diff_id))
		return err_new(ERR_CORRUPT, "layer '%.200s' has two diff ids", path);
	if (!file) {
		file = xcalloc(1, sizeof(*file));
		file->diff_id = *diff_id;
		map_put(&load->files, str_of(name), file);
	}
	vec_push(&image->layers, file);
	return NULL;
}

/* The layers of one image: paths from manifest.json, diff ids from the config. */
static struct err *note_layers(struct load *load, struct archived *image,
			       const struct json_at *paths, const struct json_at *config)
{
	struct json_at rootfs = json_member(config, "rootfs");
	struct json_at ids = json_member(&rootfs, "diff_ids");
	struct json_at type = json_member(&rootfs, "type");
	const char *type_text;

	TRY(json_get_text(&type, &type_text));
	if (strcmp(type_text, "layers") != 0)
		return json_error(&type, "'%.80s' instead of 'layers'", type_text);
	if (json_length(&ids) != json_length(paths))
		return json_error(paths, "%zu layers, but the config has %zu", json_length(paths),
				  json_length(&ids));
	if (json_length(paths) > IMAGE_LAYERS_MAX)
		return json_error(paths, "more than %d layers", IMAGE_LAYERS_MAX);
	for (size_t i = 0; i < json_length(paths); i++) {
		struct json_at path = json_element(paths, i);
		struct json_at id = json_element(&ids, i);
		const char *path_text, *id_text;
		struct digest diff_id;

		TRY(json_get_text(&path, &path_text));
		TRY(json_get_text(&id, &id_text));
		TRY(digest_parse(id_text, &diff_id));
		TRY(note_layer(load, image, path_text, &diff_id));
	}
	return NULL;
}

static struct err *note_platform(const struct json_at *config, struct platform *ret)
{
	struct json_at os = json_member(config, "os");
	struct json_at arch = json_member(config, "architecture");
	struct json_at variant = json_member(config, "variant");
	const char *os_text = NULL, *arch_text = NULL, *variant_text = NULL;

	TRY(json_get_optional_text(&os, &os_text));
	TRY(json_get_optional_text(&arch, &arch_text));
	TRY(json_get_optional_text(&variant, &variant_text));
	platform_from_parts(os_text, arch_text, variant_text, ret);
	return NULL;
}

/* A file called by 64 hex digits must have that digest. */
static struct err *check_name(const char *path, const struct digest *digest)
{
	const char *slash = strrchr(path, '/');
	struct str hex = str_of(slash ? slash + 1 : path);
	char text[DIGEST_TEXT_SIZE];

	if (str_ends(hex, ".json"))
		hex.len -= strlen(".json");
	if (hex.len != 64 || strspn(hex.at, "0123456789abcdef") < 64)
		return NULL;
	digest_format(digest, text);
	if (!str_equal(hex, str_of(text + strlen("sha256:"))))
		return err_new(ERR_CORRUPT, "config '%.200s' has the digest %s", path, text);
	return NULL;
}

static struct err *read_config(struct load *load, struct archived *image, const char *path,
			       const struct json_at *layers)
{
	AUTO(buf) struct buf text = BUF_INIT(JSON_MAX);
	AUTO(json) json_t *document = NULL;
	struct json_at root;

	TRY(members_read(load->members, path, JSON_MAX, &text));
	TRY(json_parse(buf_str(&text), JSON_MAX, path, &document));
	root = json_root(document, path);
	TRY(note_layers(load, image, layers, &root));
	TRY(note_platform(&root, &image->platform));
	TRY(blob_put(load->store, buf_str(&text), &image->config.digest));
	TRY(check_name(path, &image->config.digest));
	image->config.size = text.len;
	memcpy(image->config.media_type, MEDIA_OCI_CONFIG, sizeof(MEDIA_OCI_CONFIG));
	return NULL;
}

static bool has_name(const struct archived *image, const char *name)
{
	vec_foreach (&image->names, one)
		if (loaded_is_called(*one, name))
			return true;
	return false;
}

static struct err *read_image(struct load *load, const struct json_at *at)
{
	struct json_at config = json_member(at, "Config");
	struct json_at tags = json_member(at, "RepoTags");
	struct json_at layers = json_member(at, "Layers");
	struct archived *image = vec_add(&load->images);
	const char *path;

	for (size_t i = 0; i < json_length(&tags); i++) {
		struct json_at tag = json_element(&tags, i);
		const char *name;

		TRY(json_get_text(&tag, &name));
		strings_push(&image->names, name);
	}
	image->left = load->only && !has_name(image, load->only);
	if (image->left)
		return NULL;
	TRY(json_get_text(&config, &path));
	TRY(json_expect_array(&layers));
	return read_config(load, image, path, &layers);
}

/* A directory of skopeo's has a file of the same name, which is the manifest of one image. */
static struct err *refuse_dir(void)
{
	struct err *err = err_new(ERR_UNSUPPORTED, "it is an image as skopeo's 'dir:' writes it, "
						   "not an archive of docker save");

	return err_note(err, "skopeo copy dir:DIR oci:LAYOUT:NAME makes a layout of it");
}

static struct err *read_manifest(struct load *load)
{
	AUTO(json) json_t *document = NULL;
	struct json_at root;

	TRY(members_read_json(load->members, MANIFEST_FILE, MANIFEST_MAX, &document, &root));
	if (json_is_object(root.value))
		return refuse_dir();
	TRY(json_expect_array(&root));
	if (json_length(&root) > IMAGES_MAX)
		return json_error(&root, "more than %d images", IMAGES_MAX);
	for (size_t i = 0; i < json_length(&root); i++) {
		struct json_at element = json_element(&root, i);

		TRY(read_image(load, &element));
	}
	return NULL;
}

/* ---- the layers ---- */

/* A plain layer: hashed and compressed on its way. */
static struct err *compress_layer(struct source *content, struct sink *out, struct digest *ret_id)
{
	static const struct compression how = { .codec = CODEC_ZSTD };
	AUTO(sink) struct sink *chain = NULL;

	chain = sink_hash(codec_sink(sink_borrow(out), &how, pool_default_threads()), ret_id, NULL);
	TRY(stream_copy(content, chain, NULL));
	return sink_finish(chain);
}

/* A compressed layer: kept, and decompressed only to know its diff id. */
static struct err *keep_layer(const struct member_content *member, struct sink *out,
			      struct digest *ret_id)
{
	AUTO(sink) struct sink *chain = sink_hash(sink_null(), ret_id, NULL);
	AUTO(source) struct source *plain = NULL;
	struct source *tee = source_tee(source_slice(member->content, member->size), out);

	TRY(codec_open(tee, NULL, &plain));
	plain = source_limit(plain, LAYER_MAX, "the layer");
	TRY(stream_copy(plain, chain, NULL));
	return sink_finish(chain);
}

static struct err *take_layer(void *arg, const struct member_content *member)
{
	static const char *const media[] = {
		[CODEC_NONE] = MEDIA_OCI_LAYER "+zstd",
		[CODEC_GZIP] = MEDIA_OCI_LAYER "+gzip",
		[CODEC_ZSTD] = MEDIA_OCI_LAYER "+zstd",
	};
	AUTO(blob_writer) struct blob_writer *writer = NULL;
	struct layer_file *file = member->value;
	char want[DIGEST_TEXT_SIZE], have[DIGEST_TEXT_SIZE];
	struct digest diff_id;

	TRY(blob_begin(arg, &writer));
	if (member->codec == CODEC_NONE)
		TRY(compress_layer(member->content, blob_sink(writer), &diff_id));
	else
		TRY(keep_layer(member, blob_sink(writer), &diff_id));
	if (!digest_equal(&diff_id, &file->diff_id))
		return err_new(ERR_CORRUPT, "the layer is %s, not %s as the config says",
			       digest_format(&diff_id, have), digest_format(&file->diff_id, want));
	TRY(blob_commit(writer, NULL, &file->blob.digest, &file->blob.size));
	memcpy(file->blob.media_type, media[member->codec], strlen(media[member->codec]) + 1);
	return NULL;
}

/* ---- the whole ---- */

static struct err *make_image(const struct load *load, const struct archived *archived,
			      struct loaded_list *ret)
{
	AUTO(mem) struct image_layer *layers = xcalloc(archived->layers.len, sizeof(*layers));
	struct descriptor manifest = { .size = 0 };

	for (size_t i = 0; i < archived->layers.len; i++)
		layers[i].blob = archived->layers.at[i]->blob;
	if (!archived->left)
		TRY(image_put_manifest(load->store, &archived->config, layers, archived->layers.len,
				       NULL, &manifest));
	if (archived->names.len == 0)
		loaded_add(ret, NULL, &manifest, &archived->platform);
	vec_foreach (&archived->names, name)
		loaded_add(ret, *name, &manifest, &archived->platform);
	return NULL;
}

bool docker_is_archive(struct members *members)
{
	return members_find(members, MANIFEST_FILE) != NULL;
}

struct err *docker_load(struct store *store, struct members *members, const char *only,
			struct loaded_list *ret)
{
	AUTO(load) struct load load = { .store = store, .members = members, .only = only };

	TRY(read_manifest(&load));
	TRY(members_visit(members, &load.files, take_layer, store));
	vec_foreach (&load.images, image)
		TRY(make_image(&load, image, ret));
	return NULL;
}
