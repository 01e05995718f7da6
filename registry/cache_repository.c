/*
 * registry/cache_repository.c - a build cache in a registry: entries by tag, facts in an image.
 *
 * Of who reads, the first request is made under a lock, and is not repeated if it fails; when it
 * was answered, all threads ask for themselves, with the client's patience. A scope may be the
 * tag of an image with facts in its config: it is looked at first, once. Lock order: `lock`,
 * then those of the client.
 */

#include "registry/cache-private.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "base/stream.h"
#include "base/vec.h"
#include "registry/client.h"
#include "registry/download.h"
#include "registry/registries.h"
#include "registry/repository.h"
#include "registry/upload.h"
#include "store/blob.h"
#include "store/elsewhere.h"
#include "store/image.h"

struct there {
	const struct cache_at *at;
	struct places places;
	struct repository repo;
	struct repository hasty; /* the same for the first request */
	pthread_mutex_t lock;
	bool answered; /* guarded by lock: it has answered a request, or we are patient */
	bool failed;   /* guarded by lock: the first request has */
	bool looked;   /* guarded by lock: `facts` are complete, and stay so */
	struct cache_entries facts; /* of the image that is called like the scope */
};

/* ---- facts ---- */

/* The bytes of a config, verified. */
static struct err *get_config(const struct repository *repo, const struct descriptor *config,
			      struct buf *ret)
{
	AUTO(http_response) struct http_response *response = NULL;
	AUTO(hasher) struct hasher *hasher = hasher_new();
	struct digest got;
	uint64_t offset;

	TRY(repository_blob_get(repo, config, 0, &response, &offset));
	TRY(client_read(response, IMAGE_DOCUMENT_MAX, "the config", ret));
	hasher_update(hasher, ret->at, ret->len);
	TRY(hasher_finish(hasher, &got));
	if (ret->len != config->size || !digest_equal(&got, &config->digest))
		return err_new(ERR_CORRUPT, "the config is not what the manifest says");
	return NULL;
}

/* One document. Of an index `*ret_next` is the manifest for our platform, else `*ret` is the document. */
static struct err *get_document(const struct there *there, const struct repository *repo,
				const char *what, struct descriptor *ret_next, json_t **ret)
{
	AUTO(buf) struct buf bytes = BUF_INIT(IMAGE_DOCUMENT_MAX);
	AUTO(json) json_t *doc = NULL;
	struct descriptor found;
	struct json_at root;
	bool is_index;

	TRY(repository_manifest_get(repo, what, &found, &bytes));
	TRY(json_parse(buf_str(&bytes), IMAGE_DOCUMENT_MAX, "the manifest", &doc));
	root = json_root(doc, "the manifest");
	TRY(image_document_kind(&root, found.media_type, &is_index));
	if (is_index)
		return image_choose(&root, there->at->platform, ret_next);
	*ret = STEAL(doc);
	return NULL;
}

/* The manifest under a tag; of an index that of our platform. */
static struct err *get_manifest(const struct there *there, const struct repository *repo,
				json_t **ret)
{
	const char *tag = there->at->spec->ref.tag;
	AUTO(mem) char *what = xstrdup(tag[0] ? tag : "latest");

	for (int depth = 0; !*ret; depth++) {
		char text[DIGEST_TEXT_SIZE];
		struct descriptor next = { .size = 0 };

		if (depth == IMAGE_INDEX_DEPTH)
			return err_new(ERR_INVALID, "image indexes nest more than %d deep",
				       IMAGE_INDEX_DEPTH);
		TRY(get_document(there, repo, what, &next, ret));
		free(what);
		what = xstrdup(digest_format(&next.digest, text));
	}
	return NULL;
}

static struct err *get_facts(const struct there *there, struct cache_entries *ret)
{
	const struct repository *repo = &there->hasty;
	AUTO(image) struct image *image = xcalloc(1, sizeof(*image));
	AUTO(buf) struct buf bytes = BUF_INIT(IMAGE_DOCUMENT_MAX);
	AUTO(json) json_t *manifest = NULL;
	AUTO(json) json_t *config = NULL;
	struct json_at root;

	TRY(get_manifest(there, repo, &manifest));
	root = json_root(manifest, "the manifest");
	TRY(image_parse_manifest(&root, image));
	TRY(get_config(repo, &image->config_blob, &bytes));
	TRY(json_parse(buf_str(&bytes), IMAGE_DOCUMENT_MAX, "the config", &config));
	root = json_root(config, "the config");
	return cache_inline_parse(&root, image, ret);
}

/* Look at the image that is called like the scope. If it was to be one, that has to be told. */
static struct err *look(struct there *there)
{
	const bool is_inline = there->at->spec->kind == CACHE_INLINE;
	AUTO(err) struct err *err = get_facts(there, &there->facts);

	if (err)
		vec_release(&there->facts);
	if (err && err_kind(err) != ERR_NOT_FOUND && !cache_err_is_of_entry(err))
		return STEAL(err);
	if (err && is_inline)
		return err_new(ERR_NOT_FOUND, "%s", err_text(err));
	if (err)
		log_debug("%s is no image with facts: %s", there->at->spec->name, err_text(err));
	if (is_inline && there->facts.len == 0)
		return err_new(ERR_NOT_FOUND, "the image was not built with an inline cache");
	return NULL;
}

static bool find_fact(const struct there *there, const struct digest *key, struct cache_entry *ret)
{
	vec_foreach (&there->facts, fact)
		if (digest_equal(&fact->key, key)) {
			*ret = *fact;
			return true;
		}
	return false;
}

/* ---- entries ---- */

static struct err *find_entry(const struct repository *repo, const struct cache_spec *spec,
			      const struct digest *key, bool *ret_found, struct cache_entry *ret)
{
	AUTO(buf) struct buf bytes = BUF_INIT(IMAGE_DOCUMENT_MAX);
	struct descriptor manifest;
	char tag[CACHE_TAG_SIZE];
	struct err *err = repository_manifest_get(repo, cache_entry_tag(spec->scope, key, tag),
						  &manifest, &bytes);

	*ret_found = false;
	if (err_kind(err) == ERR_NOT_FOUND) {
		err_free(err); /* a miss */
		return NULL;
	}
	TRY(err);
	TRY(cache_entry_parse(buf_str(&bytes), key, ret));
	*ret_found = true;
	return NULL;
}

static bool wants_look(const struct there *there)
{
	return there->at->way == CACHE_FROM &&
	       (there->at->spec->kind == CACHE_INLINE || there->at->spec->scope[0]);
}

/* The first question, with the lock held. `*ret_done` if there is nothing more to ask. */
static struct err *ask_first(struct there *there, const struct digest *key, bool *ret_done,
			     bool *ret_found, struct cache_entry *ret)
{
	struct err *err;

	*ret_done = there->failed;
	if (there->failed)
		return NULL;
	if (!there->looked && wants_look(there)) {
		TRY(look(there));
		there->looked = there->answered = true;
	}
	if (there->answered)
		return NULL;
	*ret_done = true;
	err = find_entry(&there->hasty, there->at->spec, key, ret_found, ret);
	there->answered = !err || cache_err_is_of_entry(err);
	return err;
}

static struct err *find(void *self, const struct digest *key, bool *ret_found,
			struct cache_entry *ret)
{
	struct there *there = self;
	bool done;
	struct err *err;

	*ret_found = false;
	pthread_mutex_lock(&there->lock);
	err = ask_first(there, key, &done, ret_found, ret);
	there->failed = there->failed || (err && !cache_err_is_of_entry(err));
	pthread_mutex_unlock(&there->lock);
	if (err || done)
		return err;
	*ret_found = find_fact(there, key, ret);
	if (*ret_found || there->at->spec->kind == CACHE_INLINE)
		return NULL;
	return find_entry(&there->repo, there->at->spec, key, ret_found, ret);
}

static struct err *fetch(void *self, struct store *store, const struct descriptor *blob,
			 const struct taker *taker, struct progress *progress)
{
	struct there *there = self;
	const struct sources sources = { &there->repo, 1 };
	const struct download_from from = { .sources = &sources };
	AUTO(mem)
	char *name = xasprintf("%s/%s", there->repo.place->server, there->repo.place->path);
	bool fetched;

	TRY(download_blob(store, &from, blob, taker, progress, &fetched));
	elsewhere_add(store, &blob->digest, name); /* a push may mount it from here */
	return NULL;
}

/* ---- writing ---- */

static struct err *open_text(void *self, struct source **ret)
{
	const struct str *text = self;

	*ret = source_from_memory(text->at, text->len);
	return NULL;
}

static struct err *put_text(const struct repository *repo, const struct descriptor *blob,
			    struct str text)
{
	const struct upload_source src = { .fd = -1, .open = open_text, .self = &text };
	enum upload_way way;

	return upload_blob(repo, NULL, blob, &src, NULL, &way);
}

static struct err *put_layer(const struct repository *repo, struct store *store,
			     const struct cache_entry *entry, struct progress *progress)
{
	struct upload_source src = { 0 };
	AUTO(fd) int fd = -1;
	struct descriptor nothing;
	enum upload_way way;
	struct str bytes;
	uint64_t size;

	if (!entry->has_layer) {
		cache_entry_no_layer(&nothing, &bytes);
		return put_text(repo, &nothing, bytes);
	}
	TRY(blob_open(store, &entry->blob.digest, &fd, &size));
	src.fd = fd;
	return blob_doubt(store, &entry->blob.digest,
			  upload_blob(repo, store, &entry->blob, &src, progress, &way));
}

static struct err *describe(struct str bytes, const char *media_type, struct descriptor *ret)
{
	AUTO(hasher) struct hasher *hasher = hasher_new();

	*ret = (struct descriptor){ .size = bytes.len };
	snprintf(ret->media_type, sizeof(ret->media_type), "%s", media_type);
	hasher_update(hasher, bytes.at, bytes.len);
	return hasher_finish(hasher, &ret->digest);
}

static struct err *put_once(struct there *there, struct store *store,
			    const struct cache_entry *entry, struct progress *progress)
{
	const struct repository repo = { .client = there->at->client,
					 .place = there->repo.place,
					 .pushes = true };
	AUTO(mem) char *config = cache_entry_config(entry, there->at->platform);
	AUTO(mem) char *manifest = NULL;
	struct descriptor described;
	char tag[CACHE_TAG_SIZE];

	TRY(put_layer(&repo, store, entry, progress));
	TRY(describe(str_of(config), MEDIA_OCI_CONFIG, &described));
	TRY(put_text(&repo, &described, str_of(config)));
	manifest = cache_entry_format(entry, &described);
	TRY(describe(str_of(manifest), MEDIA_OCI_MANIFEST, &described));
	cache_entry_tag(there->at->spec->scope, &entry->key, tag);
	return repository_manifest_put(&repo, tag, MEDIA_OCI_MANIFEST, str_of(manifest),
				       &described.digest);
}

static struct err *put(void *self, struct store *store, const struct cache_entry *entry,
		       struct progress *progress)
{
	struct err *err = put_once(self, store, entry, progress);

	/* The registry may have swept a blob away between our asking for it and naming it. */
	if (err_kind(err) != ERR_NOT_FOUND && err_kind(err) != ERR_INVALID)
		return err;
	err_free(err);
	return put_once(self, store, entry, progress);
}

/* ---- the whole ---- */

static void there_free(void *self)
{
	struct there *there = self;

	places_release(&there->places);
	vec_release(&there->facts);
	pthread_mutex_destroy(&there->lock);
	free(there);
}

struct err *cache_repository_open(const struct cache_at *at, const struct cache_ops **ret_ops,
				  void **ret_self)
{
	static const struct cache_ops ops = { find, fetch, put, NULL, there_free };
	const struct registries *registries = NULL;
	struct places places = { 0 };
	struct there *there;

	if (!at->client)
		return err_new(ERR_UNSUPPORTED, "a registry cannot be asked here");
	TRY(client_registries(at->client, &registries));
	/* The place that is meant, and no mirror: it is what is written to. */
	TRY(registries_places(registries, &at->spec->ref, PUSH, &places));
	there = xcalloc(1, sizeof(*there));
	*there = (struct there){ .at = at, .places = places, .answered = at->way == CACHE_TO };
	pthread_mutex_init(&there->lock, NULL);
	free(places.at[0].tag);
	places.at[0].tag = NULL; /* tags are ours */
	places.at[0].insecure = places.at[0].insecure || at->spec->insecure;
	there->repo = (struct repository){ .client = at->client, .place = &places.at[0] };
	there->hasty =
		(struct repository){ .client = at->client, .place = &places.at[0], .hasty = true };
	*ret_ops = &ops;
	*ret_self = there;
	return NULL;
}
