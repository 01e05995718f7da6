/* registry/walk.c - see registry/walk.h. */

#include "registry/walk.h"

#include <string.h>

#include "base/err.h"
#include "base/vec.h"
#include "registry/members.h"
#include "store/blob.h"
#include "store/image.h"

#define STEPS_MAX 100000 /* descriptors looked at */

static bool is_index(const struct descriptor *d)
{
	return strcmp(d->media_type, MEDIA_OCI_INDEX) == 0 ||
	       strcmp(d->media_type, MEDIA_DOCKER_LIST) == 0;
}

static bool is_manifest(const struct descriptor *d)
{
	return strcmp(d->media_type, MEDIA_OCI_MANIFEST) == 0 ||
	       strcmp(d->media_type, MEDIA_DOCKER_MANIFEST) == 0;
}

/* "blobs/sha256/<hex>", owned. */
static char *blob_name(const struct digest *digest)
{
	char text[DIGEST_TEXT_SIZE];

	return xasprintf("blobs/sha256/%s", digest_format(digest, text) + strlen("sha256:"));
}

struct err *walk_annotation(const struct json_at *at, const char *key, const char **ret)
{
	struct json_at annotations = json_member(at, "annotations");
	struct json_at value = json_member(&annotations, key);

	*ret = NULL;
	return json_get_optional_text(&value, ret);
}

void walk_release(struct walk *walk)
{
	map_release(&walk->wanted, free);
	vec_release(&walk->manifests);
}

static struct err *is_there(const struct walk *walk, const struct descriptor *d, const char *name,
			    bool *ret)
{
	*ret = walk->members && members_find(walk->members, name);
	return walk->members ? NULL : blob_find(walk->store, &d->digest, ret, NULL);
}

static struct err *check_document(const struct descriptor *d, struct str text)
{
	AUTO(hasher) struct hasher *hasher = hasher_new();
	struct digest digest;

	if (text.len != d->size)
		return err_new(ERR_CORRUPT, "it has %zu bytes, not %ju", text.len,
			       (uintmax_t)d->size);
	hasher_update(hasher, text.at, text.len);
	TRY(hasher_finish(hasher, &digest));
	if (!digest_equal(&digest, &d->digest))
		return err_new(ERR_CORRUPT, "its content has another digest");
	return NULL;
}

static struct err *read_document(const struct walk *walk, const struct descriptor *d,
				 const char *name, json_t **ret)
{
	AUTO(buf) struct buf text = BUF_INIT(IMAGE_DOCUMENT_MAX);

	if (walk->members) {
		TRY(members_read(walk->members, name, IMAGE_DOCUMENT_MAX, &text));
		TRY(err_wrap(check_document(d, buf_str(&text)), "%s", name));
	} else {
		TRY(blob_read(walk->store, &d->digest, IMAGE_DOCUMENT_MAX, &text));
	}
	return json_parse(buf_str(&text), IMAGE_DOCUMENT_MAX, name, ret);
}

/* Note a blob as wanted, if it is there. */
static struct err *want(struct walk *walk, const struct descriptor *d, bool *ret_there)
{
	AUTO(mem) char *name = blob_name(&d->digest);
	struct descriptor *copy;

	if (++walk->steps > STEPS_MAX)
		return err_new(ERR_INVALID, "the layout has more than %d descriptors", STEPS_MAX);
	TRY(is_there(walk, d, name, ret_there));
	if (!*ret_there || map_has(&walk->wanted, str_of(name)))
		return NULL;
	copy = xcalloc(1, sizeof(*copy));
	*copy = *d;
	map_put(&walk->wanted, str_of(name), copy);
	return NULL;
}

/* A member that is a descriptor: config, or an element of layers. */
static struct err *want_member(struct walk *walk, const struct json_at *at)
{
	struct descriptor d;
	bool there = false;

	TRY(descriptor_parse(at, &d));
	return want(walk, &d, &there);
}

static struct err *walk_manifest(struct walk *walk, const struct descriptor *d,
				 const struct json_at *root)
{
	struct json_at config = json_member(root, "config");
	struct json_at layers = json_member(root, "layers");

	TRY(want_member(walk, &config));
	for (size_t i = 0; i < json_length(&layers); i++) {
		struct json_at layer = json_element(&layers, i);

		TRY(want_member(walk, &layer));
	}
	vec_push(&walk->manifests, *d);
	return NULL;
}

static struct err *walk_down(struct walk *walk, const struct descriptor *d, bool image,
			     unsigned depth);

static struct err *walk_index(struct walk *walk, const struct json_at *root, unsigned depth)
{
	struct json_at list = json_member(root, "manifests");

	TRY(json_expect_array(&list));
	for (size_t i = 0; i < json_length(&list); i++) {
		struct json_at entry = json_element(&list, i);
		const char *attestation = NULL;
		struct descriptor d;

		TRY(descriptor_parse(&entry, &d));
		TRY(walk_annotation(&entry, WALK_ATTESTATION, &attestation));
		TRY(walk_down(walk, &d, !attestation, depth + 1));
	}
	return NULL;
}

/* Note a document and all that it leads to. `image`: a manifest here is one of an image. */
static struct err *walk_down(struct walk *walk, const struct descriptor *d, bool image,
			     unsigned depth)
{
	AUTO(mem) char *name = blob_name(&d->digest);
	AUTO(json) json_t *document = NULL;
	struct json_at root;
	size_t before = walk->manifests.len;
	bool there = false;

	if (depth > IMAGE_INDEX_DEPTH)
		return err_new(ERR_INVALID, "indexes are nested more than %d deep",
			       IMAGE_INDEX_DEPTH);
	TRY(want(walk, d, &there));
	if (!there || (!is_index(d) && !is_manifest(d)))
		return NULL;
	TRY(read_document(walk, d, name, &document));
	root = json_root(document, name);
	if (is_index(d))
		return walk_index(walk, &root, depth);
	TRY(walk_manifest(walk, d, &root));
	if (!image)
		walk->manifests.len = before; /* its blobs are wanted, but nobody runs it */
	return NULL;
}

struct err *walk_descriptor(struct walk *walk, const struct descriptor *d, bool image)
{
	return walk_down(walk, d, image, 0);
}

/* ---- what was found ---- */

static struct err *check_image(struct store *store, const struct descriptor *manifest,
			       struct platform *ret_platform)
{
	AUTO(image) struct image *image = NULL;
	char text[DIGEST_TEXT_SIZE];

	TRY(image_open(store, manifest, NULL, &image));
	for (size_t i = 0; i < image->layer_count; i++) {
		const struct descriptor *blob = &image->layers[i].blob;
		bool found = false;

		TRY(blob_has(store, blob, &found));
		if (!found)
			return err_new(ERR_NOT_FOUND, "layer %zu of %zu, %s, is missing", i + 1,
				       image->layer_count, digest_format(&blob->digest, text));
	}
	*ret_platform = image->platform;
	return NULL;
}

struct err *walk_expect_image(const struct walk *walk, size_t first, size_t count,
			      struct platform *ret_platform)
{
	AUTO(err) struct err *reason = NULL;

	for (size_t i = first; i < first + count; i++) {
		AUTO(err)
		struct err *err = check_image(walk->store, &walk->manifests.at[i], ret_platform);

		if (!err)
			return NULL;
		if (!reason)
			reason = STEAL(err);
	}
	if (reason)
		return STEAL(reason);
	return err_new(ERR_NOT_FOUND, "no manifest of an image is there");
}
