/* registry/repository.c - see registry/repository.h. */

#include "registry/repository.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/err.h"
#include "base/json.h"
#include "base/map.h"
#include "registry/client-private.h"
#include "registry/header.h"
#include "registry/reference.h"
#include "store/image.h"

#define SCHEMA_1 "application/vnd.docker.distribution.manifest.v1+"
#define TAGS_PAGE 1000
#define TAGS_PAGES_MAX 10000
#define TAGS_MAX 1000000 /* of a repository: ten times what the largest have */
#define TAGS_BODY_MAX ((size_t)16 * 1024 * 1024)

static const char accept_manifests[] = "Accept: " MEDIA_OCI_INDEX ", " MEDIA_OCI_MANIFEST
				       ", " MEDIA_DOCKER_LIST ", " MEDIA_DOCKER_MANIFEST;

/* ---- sending ---- */

struct ask {
	enum http_method method;
	const char *path; /* below the repository */
	const char *actions;
	const char *header; /* one more, or NULL */
	struct str bytes;   /* what it carries */
	const int *accept;
	bool bulk;
};

static struct err *send(const struct repository *repo, const struct ask *ask,
			struct http_response **ret)
{
	AUTO(strings) struct strings headers = { 0 };
	struct client_request request = {
		.method = ask->method,
		.place = repo->place,
		.path = ask->path,
		.actions = repo->pushes && strcmp(ask->actions, "pull") == 0 ? "pull,push" :
									       ask->actions,
		.headers = &headers,
		.content = { .bytes = ask->bytes },
		.accept = ask->accept,
		.bulk = ask->bulk,
		.once = repo->hasty,
	};

	if (ask->header)
		strings_push(&headers, ask->header);
	return client_send(repo->client, &request, ret);
}

static bool is_digest(const char *what)
{
	return strchr(what, ':') != NULL;
}

/* What a tag is called where we ask: a location may rename it. */
static char *manifest_path(const struct repository *repo, const char *what)
{
	const char *tag = repo->place->tag;

	return xasprintf("/manifests/%s", tag && !is_digest(what) ? tag : what);
}

/* The size that a response announces; false if it does not, or says nonsense. */
static bool content_length(const struct http_response *response, uint64_t *ret)
{
	const char *text = http_header(response, "Content-Length");
	AUTO(err) struct err *err = NULL;

	if (!text)
		return false;
	err = num_parse(str_trim(str_of(text)), 0, INT64_MAX, ret);
	return !err;
}

static bool announced_digest(const struct http_response *response, struct digest *ret)
{
	const char *text = http_header(response, "Docker-Content-Digest");
	AUTO(err) struct err *err = text ? digest_parse(text, ret) : NULL;

	return text && !err;
}

/* ---- manifests ---- */

static bool is_manifest_type(const char *type)
{
	return strcmp(type, MEDIA_OCI_INDEX) == 0 || strcmp(type, MEDIA_OCI_MANIFEST) == 0 ||
	       strcmp(type, MEDIA_DOCKER_LIST) == 0 || strcmp(type, MEDIA_DOCKER_MANIFEST) == 0;
}

/* The type of a document: its own word, else that of the response, else by its shape. The word of a
 * response that names no manifest at all is nothing. */
static struct err *type_of(const struct json_at *root, const char *announced,
			   struct descriptor *ret)
{
	const struct json_at own_at = json_member(root, "mediaType");
	const struct json_at config_at = json_member(root, "config");
	const struct json_at config_type_at = json_member(&config_at, "mediaType");
	const char *own = NULL, *config_type = NULL;
	bool is_index;

	if (strncmp(announced, SCHEMA_1, strlen(SCHEMA_1)) == 0)
		return err_new(ERR_UNSUPPORTED,
			       "%s has the old schema 1, which nobody should use any more",
			       root->what);
	if (!is_manifest_type(announced))
		announced = "";
	TRY(image_document_kind(root, announced, &is_index));
	TRY(json_get_optional_text(&own_at, &own));
	TRY(json_get_optional_text(&config_type_at, &config_type));
	if (!own)
		own = announced[0] ? announced :
		      is_index     ? MEDIA_OCI_INDEX :
		      config_type && strcmp(config_type, MEDIA_DOCKER_CONFIG) == 0 ?
				 MEDIA_DOCKER_MANIFEST :
				 MEDIA_OCI_MANIFEST;
	snprintf(ret->media_type, sizeof(ret->media_type), "%s", own);
	return NULL;
}

static struct err *hash(struct str bytes, struct digest *ret)
{
	AUTO(hasher) struct hasher *hasher = hasher_new();

	hasher_update(hasher, bytes.at, bytes.len);
	return hasher_finish(hasher, ret);
}

/* The bytes are here: are they what was asked for, and what are they? */
static struct err *judge(const struct repository *repo, const char *what,
			 const struct http_response *response, struct str bytes,
			 struct descriptor *ret)
{
	AUTO(mem) char *type = http_media_type(response);
	AUTO(mem)
	char *name = xasprintf("manifest %s/%s%s%s", repo->place->host, repo->place->path,
			       is_digest(what) ? "@" : ":", what);
	AUTO(json) json_t *doc = NULL;
	char got[DIGEST_TEXT_SIZE];
	struct digest announced;
	struct json_at root;

	TRY(hash(bytes, &ret->digest));
	ret->size = bytes.len;
	if (is_digest(what) && strcmp(digest_format(&ret->digest, got), what) != 0)
		return err_new(ERR_CORRUPT, "%s: the registry sent other bytes, %s", name, got);
	if (!is_digest(what) && announced_digest(response, &announced) &&
	    !digest_equal(&announced, &ret->digest))
		client_say(repo->client, "%s: the registry announces another digest than it sends",
			   name);
	TRY(json_parse(bytes, IMAGE_DOCUMENT_MAX, name, &doc));
	root = json_root(doc, name);
	return type_of(&root, type, ret);
}

struct err *repository_manifest_get(const struct repository *repo, const char *what,
				    struct descriptor *ret, struct buf *ret_bytes)
{
	AUTO(http_response) struct http_response *response = NULL;
	AUTO(mem) char *path = manifest_path(repo, what);

	TRY(send(repo,
		 &(struct ask){
			 .method = HTTP_GET,
			 .path = path,
			 .actions = "pull",
			 .header = accept_manifests,
		 },
		 &response));
	TRY(client_read(response, IMAGE_DOCUMENT_MAX, "the manifest", ret_bytes));
	return judge(repo, what, response, buf_str(ret_bytes), ret);
}

/* By GET, where HEAD does not say enough. */
static struct err *find_by_get(const struct repository *repo, const char *what, bool *ret_found,
			       struct descriptor *ret)
{
	AUTO(buf) struct buf bytes = BUF_INIT(IMAGE_DOCUMENT_MAX);
	AUTO(err) struct err *err = repository_manifest_get(repo, what, ret, &bytes);

	*ret_found = !err;
	return err_kind(err) == ERR_NOT_FOUND ? NULL : STEAL(err);
}

/* What the head says, if that is everything. */
static bool read_head(const struct http_response *response, const char *what,
		      struct descriptor *ret)
{
	AUTO(mem) char *type = http_media_type(response);
	char text[DIGEST_TEXT_SIZE];

	/* Some registries announce 0 bytes for whatever a HEAD does not send. */
	if (!announced_digest(response, &ret->digest) || !content_length(response, &ret->size) ||
	    ret->size == 0 || !is_manifest_type(type))
		return false;
	if (is_digest(what) && strcmp(digest_format(&ret->digest, text), what) != 0)
		return false;
	snprintf(ret->media_type, sizeof(ret->media_type), "%s", type);
	return true;
}

struct err *repository_manifest_find(const struct repository *repo, const char *what,
				     bool *ret_found, struct descriptor *ret)
{
	/* These have no body to tell why, or mean that HEAD is not known here: GET says more. */
	static const int accept[] = { 400, 403, 404, 405, 501, 0 };
	AUTO(http_response) struct http_response *response = NULL;
	AUTO(mem) char *path = manifest_path(repo, what);
	struct err *err = send(repo,
			       &(struct ask){
				       .method = HTTP_HEAD,
				       .path = path,
				       .actions = "pull",
				       .header = accept_manifests,
				       .accept = accept,
			       },
			       &response);

	*ret_found = false;
	if (err_kind(err) == ERR_DENIED) {
		err_free(err);
		return find_by_get(repo, what, ret_found, ret);
	}
	TRY(err);
	if (response->status == 404)
		return NULL;
	if (response->status > 299 || !read_head(response, what, ret))
		return find_by_get(repo, what, ret_found, ret);
	*ret_found = true;
	return NULL;
}

struct err *repository_manifest_put(const struct repository *repo, const char *what,
				    const char *media_type, struct str bytes,
				    const struct digest *digest)
{
	AUTO(http_response) struct http_response *response = NULL;
	AUTO(mem) char *path = manifest_path(repo, what);
	AUTO(mem) char *type = xasprintf("Content-Type: %s", media_type);
	char text[DIGEST_TEXT_SIZE];
	struct digest announced;
	struct descriptor got;
	struct err *err;
	bool found;

	if (bytes.len > IMAGE_PUT_MAX)
		return err_new(ERR_UNSUPPORTED,
			       "the manifest has %zu bytes; registries take at most %zu", bytes.len,
			       IMAGE_PUT_MAX);
	TRY(send(repo,
		 &(struct ask){
			 .method = HTTP_PUT,
			 .path = path,
			 .actions = "pull,push",
			 .header = type,
			 .bytes = bytes,
		 },
		 &response));
	if (announced_digest(response, &announced)) {
		if (digest_equal(&announced, digest))
			return NULL;
		return err_new(ERR_CORRUPT, "%s/%s: the registry stored another manifest than ours",
			       repo->place->host, repo->place->path);
	}
	/* Any web server says 200 to everything: ask for what we have put. */
	err = repository_manifest_find(repo, digest_format(digest, text), &found, &got);
	if (err && err_kind(err) != ERR_CORRUPT && err_kind(err) != ERR_INVALID)
		return err;
	if (!err && found && digest_equal(&got.digest, digest))
		return NULL;
	err_free(err); /* what it sent instead says nothing */
	return err_new(ERR_INVALID,
		       "%s answers %d to a manifest and does not have it: is it a registry?",
		       repo->place->host, response->status);
}

struct err *repository_manifest_delete(const struct repository *repo, const char *what)
{
	static const int accept[] = { 400, 405, 501, 0 };
	AUTO(http_response) struct http_response *response = NULL;
	AUTO(mem) char *path = manifest_path(repo, what);

	TRY(send(repo,
		 &(struct ask){
			 .method = HTTP_DELETE,
			 .path = path,
			 .actions = "pull,push,delete",
			 .accept = accept,
		 },
		 &response));
	if (response->status > 299)
		return err_new(ERR_UNSUPPORTED, "%s does not delete %s (it answers %d)",
			       repo->place->host, is_digest(what) ? "manifests" : "tags",
			       response->status);
	return NULL;
}

/* ---- blobs ---- */

static char *blob_path(const struct descriptor *blob)
{
	char text[DIGEST_TEXT_SIZE];

	return xasprintf("/blobs/%s", digest_format(&blob->digest, text));
}

static struct err *wrong_size(const char *host, const struct descriptor *blob, uint64_t size)
{
	char text[DIGEST_TEXT_SIZE];

	return err_new(ERR_CORRUPT, "blob %s at %s has %ju bytes, but should have %ju",
		       digest_format(&blob->digest, text), host, (uintmax_t)size,
		       (uintmax_t)blob->size);
}

struct err *repository_blob_find(const struct repository *repo, const struct descriptor *blob,
				 bool *ret)
{
	static const int accept[] = { 400, 403, 404, 405, 501, 0 };
	AUTO(http_response) struct http_response *response = NULL;
	AUTO(mem) char *path = blob_path(blob);
	uint64_t size;

	TRY(send(repo,
		 &(struct ask){
			 .method = HTTP_HEAD,
			 .path = path,
			 .actions = "pull,push",
			 .accept = accept,
		 },
		 &response));
	*ret = response->status <= 299;
	if (*ret && content_length(response, &size) && size != blob->size)
		return wrong_size(repo->place->host, blob, size);
	return NULL;
}

struct err *repository_blob_answer(const char *host, const struct descriptor *blob, uint64_t offset,
				   const struct http_response *response, uint64_t *ret_offset)
{
	const char *encoding = http_header(response, "Content-Encoding");
	const char *range = http_header(response, "Content-Range");
	struct byte_range got;
	uint64_t size;

	if (encoding && strcasecmp(encoding, "identity") != 0)
		return err_new(ERR_INVALID, "%s sends a blob in the encoding '%.40s'", host,
			       encoding);
	if (response->status == 206) {
		if (!range || !header_content_range(range, &got) || got.first != offset ||
		    got.last >= blob->size || (got.has_total && got.total != blob->size))
			return err_new(ERR_CORRUPT, "%s answers another range than was asked for",
				       host);
		*ret_offset = offset;
		return NULL;
	}
	*ret_offset = 0;
	if (content_length(response, &size) && size != blob->size)
		return wrong_size(host, blob, size);
	return NULL;
}

struct err *repository_blob_get(const struct repository *repo, const struct descriptor *blob,
				uint64_t offset, struct http_response **ret, uint64_t *ret_offset)
{
	static const int accept[] = { 416, 0 };
	AUTO(http_response) struct http_response *response = NULL;
	AUTO(mem) char *path = blob_path(blob);
	AUTO(mem)
	char *range = offset ? xasprintf("Range: bytes=%ju-%ju", (uintmax_t)offset,
					 (uintmax_t)blob->size - 1) :
			       NULL;

	TRY(send(repo,
		 &(struct ask){
			 .method = HTTP_GET,
			 .path = path,
			 .actions = "pull",
			 .header = range,
			 .accept = offset ? accept : NULL,
			 .bulk = true,
		 },
		 &response));
	if (response->status == 416) {
		http_response_free(STEAL(response));
		return repository_blob_get(repo, blob, 0, ret, ret_offset);
	}
	TRY(repository_blob_answer(repo->place->host, blob, offset, response, ret_offset));
	*ret = STEAL(response);
	return NULL;
}

/* ---- tags ---- */

static bool is_tag(const char *text)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789_.-";
	const size_t len = strspn(text, letters);

	return len >= 1 && len <= REFERENCE_TAG_MAX && !text[len] && text[0] != '.' &&
	       text[0] != '-';
}

/* The tags of one page that are not known yet. */
static struct err *read_page(struct str body, struct map *known, struct strings *ret,
			     size_t *ret_entries)
{
	AUTO(json) json_t *doc = NULL;
	struct json_at root, tags;

	TRY(json_parse(body, TAGS_BODY_MAX, "the list of tags", &doc));
	root = json_root(doc, "the list of tags");
	tags = json_member(&root, "tags");
	if (tags.value && !json_is_null(tags.value))
		TRY(json_expect_array(&tags));
	*ret_entries = json_length(&tags);
	for (size_t i = 0; i < *ret_entries; i++) {
		struct json_at entry = json_element(&tags, i);
		const char *text = NULL;

		TRY(json_get_optional_text(&entry, &text));
		if (!text || !is_tag(text) || map_has(known, str_of(text)))
			continue;
		if (ret->len >= TAGS_MAX)
			return err_new(ERR_INVALID, "more than %d tags", TAGS_MAX);
		map_put(known, str_of(text), ret);
		strings_push(ret, text);
	}
	return NULL;
}

/* Where the next page is: owned, NULL if this was the last one. A registry without links is asked for
 * what comes behind the last tag, as long as its pages are full. */
static struct err *next_page(const struct http_response *response, const struct strings *tags,
			     size_t entries, size_t fresh, char **ret)
{
	const char *link = http_header(response, "Link");
	AUTO(url) struct url *here = NULL;
	AUTO(url) struct url *next = NULL;

	*ret = link ? header_link_next(link) : NULL;
	if (*ret) {
		TRY(url_parse(response->url, &here));
		TRY(url_resolve(here, *ret, &next));
		if (!url_same_origin(here, next))
			return err_new(ERR_INVALID, "%s says the next page of tags is elsewhere",
				       here->host);
	} else if (entries >= TAGS_PAGE && fresh) {
		*ret = xasprintf("?n=%d&last=%s", TAGS_PAGE, tags->at[tags->len - 1]);
	}
	return NULL;
}

struct err *repository_tags(const struct repository *repo, struct strings *ret)
{
	AUTO(mem) char *path = xasprintf("/tags/list?n=%d", TAGS_PAGE);
	AUTO(mem) char *base = NULL;
	struct map known = MAP_INIT, pages = MAP_INIT;
	struct err *err = NULL;

	for (int page = 0; !err && path && page < TAGS_PAGES_MAX; page++) {
		AUTO(http_response) struct http_response *response = NULL;
		AUTO(buf) struct buf body = BUF_INIT(TAGS_BODY_MAX);
		struct client_request request = {
			.method = HTTP_GET,
			.place = repo->place,
			.path = path,
			.base = base,
			.actions = "pull",
		};
		size_t before = ret->len, entries = 0;
		char *next = NULL;

		if (map_put(&pages, str_of(path), &pages))
			break; /* a circle */
		err = client_send(repo->client, &request, &response);
		if (!err)
			err = client_read(response, TAGS_BODY_MAX, "the list of tags", &body);
		if (!err)
			err = read_page(buf_str(&body), &known, ret, &entries);
		if (!err)
			err = next_page(response, ret, entries, ret->len - before, &next);
		free(path);
		path = next;
		free(base);
		base = response ? xstrdup(response->url) : NULL;
	}
	map_release(&known, NULL);
	map_release(&pages, NULL);
	return err;
}

struct err *repository_ping(const struct repository *repo)
{
	AUTO(http_response) struct http_response *response = NULL;
	struct client_request request = {
		.method = HTTP_GET,
		.place = repo->place,
		.path = "/",
		.is_root = true,
	};
	struct err *err = client_send(repo->client, &request, &response);

	if (err_kind(err) != ERR_NOT_FOUND)
		return err;
	err_free(err);
	return err_new(ERR_INVALID, "%s is no registry: it has no /v2/", repo->place->host);
}
