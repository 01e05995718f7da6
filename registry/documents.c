/* registry/documents.c - see registry/documents.h. */

#include "registry/documents.h"

#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/err.h"
#include "base/json.h"
#include "base/log.h"
#include "base/vec.h"
#include "registry/download.h"
#include "store/blob.h"
#include "store/image.h"
#include "store/platform.h"

struct search {
	struct store *store;
	const struct sources *sources;
	const struct platform *platform;
	bool all;
	struct documents *found;
};

static void urls_free(void *value)
{
	strings_release(value);
	free(value);
}

const struct strings *documents_urls(const struct documents *documents, const struct digest *digest)
{
	char text[DIGEST_TEXT_SIZE];

	return map_get(&documents->urls, str_of(digest_format(digest, text)));
}

void documents_release(struct documents *documents)
{
	vec_release(&documents->manifests);
	vec_release(&documents->indexes);
	vec_release(&documents->configs);
	vec_release(&documents->layers);
	map_release(&documents->seen, NULL);
	map_release(&documents->urls, urls_free);
}

/* From the first place that gives it. */
static struct err *fetch(const struct sources *sources, const struct descriptor *document,
			 struct buf *ret)
{
	char text[DIGEST_TEXT_SIZE];
	struct err *err = NULL;

	digest_format(&document->digest, text);
	for (size_t i = 0; i < sources->len; i++) {
		struct descriptor got;

		err_free(err);
		buf_reset(ret);
		err = repository_manifest_get(&sources->at[i], text, &got, ret);
		if (!err || err_kind(err) == ERR_CANCELLED)
			return err;
	}
	return err ? err : err_new(ERR_NOT_FOUND, "manifest %s is not in the store", text);
}

struct err *documents_get(struct store *store, const struct sources *sources,
			  const struct descriptor *document, struct buf *ret, bool *ret_fetched)
{
	char text[DIGEST_TEXT_SIZE];
	struct digest digest;
	struct err *err;

	if (document->size > IMAGE_DOCUMENT_MAX)
		return err_new(ERR_INVALID, "manifest %s has %ju bytes, more than %zu",
			       digest_format(&document->digest, text), (uintmax_t)document->size,
			       IMAGE_DOCUMENT_MAX);
	*ret_fetched = false;
	err = blob_read(store, &document->digest, IMAGE_DOCUMENT_MAX, ret);
	if (err_kind(err) == ERR_NOT_FOUND || err_kind(err) == ERR_CORRUPT) {
		err_free(err);
		TRY(fetch(sources, document, ret));
		TRY(blob_put(store, buf_str(ret), &digest));
		*ret_fetched = true;
		err = NULL;
	}
	TRY(err);
	if (ret->len != document->size)
		return err_new(ERR_CORRUPT, "manifest %s has %zu bytes, its descriptor says %ju",
			       digest_format(&document->digest, text), ret->len,
			       (uintmax_t)document->size);
	return NULL;
}

/* True if it is met for the first time. */
static struct err *meet(struct search *search, const struct descriptor *d, bool *ret)
{
	char text[DIGEST_TEXT_SIZE];
	struct str key = str_of(digest_format(&d->digest, text));

	*ret = !map_has(&search->found->seen, key);
	if (!*ret)
		return NULL;
	if (search->found->seen.len >= DOCUMENTS_MAX)
		return err_new(ERR_INVALID, "the image has more than %d parts", DOCUMENTS_MAX);
	map_put(&search->found->seen, key, search);
	return NULL;
}

/* ---- what a descriptor has beside the digest ---- */

static bool is_of(const struct descriptor *d, struct str bytes)
{
	AUTO(hasher) struct hasher *hasher = hasher_new();
	struct digest digest;
	AUTO(err) struct err *err = NULL;

	hasher_update(hasher, bytes.at, bytes.len);
	err = hasher_finish(hasher, &digest);
	return !err && bytes.len == d->size && digest_equal(&digest, &d->digest);
}

/* Bytes that need not be asked for: the descriptor has them, or they are the empty object of
 * image-spec. What is not what the digest says is fetched as if it were not there. */
static struct err *take_data(struct search *search, const struct json_at *at,
			     const struct descriptor *d)
{
	struct json_at data = json_member(at, "data");
	const char *text = json_string_value(data.value);
	AUTO(mem) char *bytes = NULL;
	struct digest digest;
	size_t len = 0;
	bool there;
	AUTO(err) struct err *unreadable = NULL;

	if (d->size > DOCUMENTS_DATA_MAX)
		return NULL;
	if (is_of(d, STR("{}"))) {
		bytes = xstrdup("{}");
		len = 2;
	} else if (text && strlen(text) <= 2 * DOCUMENTS_DATA_MAX) {
		unreadable = base64_decode(str_of(text), &bytes, &len);
	}
	if (unreadable || !bytes || !is_of(d, (struct str){ bytes, len }))
		return NULL;
	TRY(blob_has(search->store, d, &there));
	return there ? NULL : blob_put(search->store, (struct str){ bytes, len }, &digest);
}

static void note_urls(struct search *search, const struct json_at *at, const struct descriptor *d)
{
	struct json_at list = json_member(at, "urls");
	struct strings *urls;
	char key[DIGEST_TEXT_SIZE];

	if (json_length(&list) == 0)
		return;
	urls = xcalloc(1, sizeof(*urls));
	for (size_t i = 0; i < json_length(&list) && urls->len < DOCUMENTS_URLS_MAX; i++) {
		struct json_at entry = json_element(&list, i);

		if (json_is_string(entry.value))
			strings_push(urls, json_string_value(entry.value));
	}
	digest_format(&d->digest, key);
	map_put(&search->found->urls, str_of(key), urls); /* each blob is met once */
}

static struct err *note_blob(struct search *search, const struct json_at *at,
			     struct descriptors *list)
{
	struct descriptor d;
	bool is_new;

	TRY(descriptor_parse(at, &d));
	TRY(meet(search, &d, &is_new));
	if (!is_new)
		return NULL;
	vec_push(list, d);
	note_urls(search, at, &d);
	return take_data(search, at, &d);
}

static struct err *note_manifest(struct search *search, const struct descriptor *d,
				 const struct json_at *root)
{
	struct json_at config = json_member(root, "config");
	struct json_at layers = json_member(root, "layers");

	TRY(note_blob(search, &config, &search->found->configs));
	for (size_t i = 0; i < json_length(&layers); i++) {
		struct json_at layer = json_element(&layers, i);

		TRY(note_blob(search, &layer, &search->found->layers));
	}
	vec_push(&search->found->manifests, *d);
	return NULL;
}

static struct err *find(struct search *search, const struct descriptor *d, int depth);

static struct err *note_index(struct search *search, const struct descriptor *d,
			      const struct json_at *root, int depth)
{
	struct json_at entries = json_member(root, "manifests");
	struct descriptor entry;

	vec_push(&search->found->indexes, *d);
	if (!search->all) {
		TRY(image_choose(root, search->platform, &entry));
		return find(search, &entry, depth + 1);
	}
	for (size_t i = 0; i < json_length(&entries); i++) {
		struct json_at at = json_element(&entries, i);

		TRY(descriptor_parse(&at, &entry));
		TRY(take_data(search, &at, &entry));
		TRY(find(search, &entry, depth + 1));
	}
	return NULL;
}

static struct err *find(struct search *search, const struct descriptor *d, int depth)
{
	AUTO(buf) struct buf bytes = BUF_INIT(IMAGE_DOCUMENT_MAX + 1);
	AUTO(json) json_t *doc = NULL;
	bool is_new = false, is_index = false, fetched = false;
	struct json_at root;

	if (depth > IMAGE_INDEX_DEPTH)
		return err_new(ERR_INVALID, "image indexes nest more than %d deep",
			       IMAGE_INDEX_DEPTH);
	TRY(meet(search, d, &is_new));
	if (!is_new)
		return NULL;
	TRY(documents_get(search->store, search->sources, d, &bytes, &fetched));
	search->found->fetched = search->found->fetched || fetched;
	TRY(json_parse(buf_str(&bytes), IMAGE_DOCUMENT_MAX, "manifest", &doc));
	root = json_root(doc, "manifest");
	TRY(image_document_kind(&root, d->media_type, &is_index));
	return is_index ? note_index(search, d, &root, depth) : note_manifest(search, d, &root);
}

struct err *documents_find(struct store *store, const struct sources *sources,
			   const struct descriptor *target, const struct platform *platform,
			   bool all, struct documents *ret)
{
	struct search search = { store, sources, platform, all, ret };

	return find(&search, target, 0);
}

void documents_warn_of_platform(struct store *store, const struct sources *sources,
				const struct documents *documents, const struct platform *wanted)
{
	const struct download_from from = { .sources = sources };
	AUTO(image) struct image *image = NULL;
	AUTO(err) struct err *err = NULL;
	AUTO(mem) char *asked = NULL;
	AUTO(mem) char *has = NULL;
	bool fetched;

	if (documents->indexes.len || documents->manifests.len != 1 || documents->configs.len != 1)
		return;
	err = download_blob(store, &from, &documents->configs.at[0], NULL, NULL, &fetched);
	if (!err)
		err = image_open(store, &documents->manifests.at[0], wanted, &image);
	if (err || !image->platform.arch[0] || platform_match(wanted, &image->platform) > 0)
		return;
	asked = platform_format(wanted);
	has = platform_format(&image->platform);
	log_warn("the image is for %s, and there is none for %s", has, asked);
}
