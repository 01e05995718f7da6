/* registry/docker_save.c - see registry/docker_save.h. */

#include "registry/docker_save.h"

#include <stdbool.h>
#include <string.h>

#include "base/codec.h"
#include "base/err.h"
#include "base/json.h"
#include "base/map.h"
#include "base/stream.h"
#include "base/vec.h"
#include "registry/pack.h"
#include "store/blob.h"
#include "store/image.h"

/* An image, with all names under which it is saved. */
struct saving {
	struct image *image; /* owned */
	struct strings names;
	char *config_name; /* owned: "<hex>.json" */
};

struct plain_layer {
	const struct image_layer *layer; /* borrowed from an image */
	uint64_t size;                   /* uncompressed */
};

struct save {
	struct store *store;
	VEC(struct saving) images;
	struct map layers; /* "<hex>.tar" -> struct plain_layer *, owned, in the order of use */
};

static void save_auto_(struct save *save)
{
	vec_foreach (&save->images, saving) {
		image_free(saving->image);
		strings_release(&saving->names);
		free(saving->config_name);
	}
	vec_release(&save->images);
	map_release(&save->layers, free);
}

/* "<hex><suffix>", owned. */
static char *hex_name(const struct digest *digest, const char *suffix)
{
	char text[DIGEST_TEXT_SIZE];

	return xasprintf("%s%s", digest_format(digest, text) + strlen("sha256:"), suffix);
}

/* ---- what will be written ---- */

/* The uncompressed bytes of a layer; its blob is verified on the way. */
static struct err *open_layer(struct store *store, const struct image_layer *layer,
			      struct source **ret)
{
	uint64_t size;
	int fd = -1;

	TRY(blob_open(store, &layer->blob.digest, &fd, &size));
	return codec_open(
		source_verify(source_from_fd(fd, "a layer"), &layer->blob.digest, layer->blob.size),
		NULL, ret);
}

/* Read a layer to its end: a tar header wants its size, and nobody an archive with a wrong one. */
static struct err *measure(struct store *store, struct plain_layer *plain)
{
	AUTO(source) struct source *content = NULL;
	AUTO(sink) struct sink *out = NULL;
	char have[DIGEST_TEXT_SIZE], want[DIGEST_TEXT_SIZE];
	struct digest digest;

	TRY(open_layer(store, plain->layer, &content));
	out = sink_hash(sink_null(), &digest, &plain->size);
	TRY(stream_copy(content, out, NULL));
	TRY(sink_finish(out));
	if (digest_equal(&digest, &plain->layer->diff_id))
		return NULL;
	return err_new(ERR_CORRUPT, "its diff id is %s, not %s", digest_format(&digest, have),
		       digest_format(&plain->layer->diff_id, want));
}

static struct err *note_layers(struct save *save, const struct image *image)
{
	char text[DIGEST_TEXT_SIZE];

	for (size_t i = 0; i < image->layer_count; i++) {
		AUTO(mem) char *name = hex_name(&image->layers[i].diff_id, ".tar");
		struct plain_layer *plain;

		if (map_has(&save->layers, str_of(name)))
			continue;
		plain = xcalloc(1, sizeof(*plain));
		plain->layer = &image->layers[i];
		map_put(&save->layers, str_of(name), plain);
		TRY(err_wrap(blob_doubt(save->store, &plain->layer->blob.digest,
					measure(save->store, plain)),
			     "layer %zu of %zu, %s", i + 1, image->layer_count,
			     digest_format(&plain->layer->blob.digest, text)));
	}
	return NULL;
}

static struct saving *find_saving(struct save *save, const struct digest *manifest)
{
	vec_foreach (&save->images, saving)
		if (digest_equal(&saving->image->manifest.digest, manifest))
			return saving;
	return NULL;
}

static struct err *note_image(struct save *save, const struct saved_image *saved)
{
	AUTO(image) struct image *image = NULL;
	struct saving *saving;

	TRY(image_open(save->store, &saved->target, NULL, &image));
	saving = find_saving(save, &image->manifest.digest);
	if (!saving) {
		TRY(note_layers(save, image));
		saving = vec_add(&save->images);
		saving->config_name = hex_name(&image->config_blob.digest, ".json");
		saving->image = STEAL(image);
	}
	if (saved->name)
		strings_push(&saving->names, saved->name);
	return NULL;
}

/* ---- the documents ---- */

static json_t *manifest_element(const struct saving *saving)
{
	json_t *element = json_object();
	json_t *names = json_array();
	json_t *layers = json_array();

	vec_foreach (&saving->names, name)
		json_push(names, json_text(str_of(*name)));
	for (size_t i = 0; i < saving->image->layer_count; i++) {
		AUTO(mem) char *name = hex_name(&saving->image->layers[i].diff_id, ".tar");

		json_push(layers, json_text(str_of(name)));
	}
	json_set_text(element, "Config", saving->config_name);
	json_set(element, "RepoTags", names);
	json_set(element, "Layers", layers);
	return element;
}

static struct err *write_manifest(const struct save *save, struct pack *pack)
{
	AUTO(json) json_t *manifest = json_array();
	AUTO(mem) char *text = NULL;

	vec_foreach (&save->images, saving)
		json_push(manifest, manifest_element(saving));
	text = json_format(manifest);
	return pack_put_text(pack, "manifest.json", str_of(text));
}

/* {"app":{"latest":"<hex of the top layer>"}} */
static void add_repository(json_t *repositories, const char *name, const struct image *image)
{
	const char *colon = strrchr(name, ':');
	AUTO(mem) char *repository = xmemdup(name, (size_t)(colon - name));
	json_t *tags = json_object_get(repositories, repository);
	AUTO(mem) char *top = hex_name(&image->layers[image->layer_count - 1].diff_id, "");

	if (!tags) {
		tags = json_object();
		json_set(repositories, repository, tags);
	}
	json_set_text(tags, colon + 1, top);
}

static struct err *write_repositories(const struct save *save, struct pack *pack)
{
	AUTO(json) json_t *repositories = json_object();
	AUTO(mem) char *text = NULL;

	vec_foreach (&save->images, saving)
		vec_foreach (&saving->names, name)
			if (saving->image->layer_count > 0 && strrchr(*name, ':'))
				add_repository(repositories, *name, saving->image);
	text = json_format(repositories);
	return pack_put_text(pack, "repositories", str_of(text));
}

static struct err *write_config(const struct save *save, const struct saving *saving,
				struct pack *pack)
{
	AUTO(buf) struct buf text = BUF_INIT(JSON_MAX);

	TRY(blob_read(save->store, &saving->image->config_blob.digest, JSON_MAX, &text));
	return pack_put_text(pack, saving->config_name, buf_str(&text));
}

static struct err *write_layer(const struct save *save, const char *name,
			       const struct plain_layer *plain, struct pack *pack)
{
	AUTO(source) struct source *content = NULL;

	TRY(open_layer(save->store, plain->layer, &content));
	return pack_put(pack, name, content, plain->size);
}

struct err *docker_save(struct store *store, const struct saved_image *images, size_t count,
			struct pack *pack)
{
	AUTO(save) struct save save = { .store = store };

	for (size_t i = 0; i < count; i++)
		TRY(err_wrap(note_image(&save, &images[i]), "image %s",
			     images[i].name ? images[i].name : "without a name"));
	TRY(write_manifest(&save, pack));
	TRY(write_repositories(&save, pack));
	vec_foreach (&save.images, saving)
		TRY(write_config(&save, saving, pack));
	map_foreach (&save.layers, entry)
		TRY(write_layer(&save, entry->key, entry->value, pack));
	return NULL;
}
