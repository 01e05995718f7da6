/*
 * registry/cache_layout.c - a build cache in a directory, which is an OCI layout.
 *
 *	cairn-cache/<tag>	the manifest of an entry: the truth, one file per entry
 *	blobs/sha256/<hex>	layers, configs, and the manifests once more
 *	oci-layout, index.json	for other readers; index.json is made from the entries
 *
 * Every file appears whole, and none is ever changed but index.json, which is made anew under a
 * lock. So several builds can write at once, and a directory that is being written can
 * be read, or be copied to another machine and put together with one there.
 */

#include "registry/cache-private.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/lock.h"
#include "base/output.h"
#include "base/progress.h"
#include "base/stream.h"
#include "base/vec.h"
#include "store/blob.h"
#include "store/image.h"

#define ENTRIES "cairn-cache"
#define LAYOUT "{\"imageLayoutVersion\":\"1.0.0\"}"
#define INDEX_MAX ((size_t)64 * 1024 * 1024)
#define NAME_OCI "org.opencontainers.image.ref.name"

struct layout {
	const struct cache_at *at;
	pthread_mutex_t lock;
	int dir_fd;    /* guarded by lock until it is open, and then never changed */
	bool prepared; /* guarded by lock: to be written to, and it was */
	mode_t mask;   /* of the user, for what is made */
};

/* ---- reading ---- */

static struct err *open_dir(struct layout *layout)
{
	struct err *err = NULL;

	pthread_mutex_lock(&layout->lock);
	if (layout->dir_fd < 0)
		err = file_open_dir(AT_FDCWD, layout->at->spec->dir, &layout->dir_fd);
	pthread_mutex_unlock(&layout->lock);
	return err;
}

static struct err *find(void *self, const struct digest *key, bool *ret_found,
			struct cache_entry *ret)
{
	AUTO(buf) struct buf bytes = BUF_INIT(CACHE_ENTRY_MAX);
	struct layout *layout = self;
	char tag[CACHE_TAG_SIZE];
	AUTO(mem)
	char *path = xasprintf(ENTRIES "/%s", cache_entry_tag(layout->at->spec->scope, key, tag));
	struct err *err;

	*ret_found = false;
	TRY(open_dir(layout));
	err = file_read(layout->dir_fd, path, CACHE_ENTRY_MAX, &bytes);
	if (err_kind(err) == ERR_NOT_FOUND) {
		err_free(err); /* a miss */
		return NULL;
	}
	TRY(err);
	TRY(cache_entry_parse(buf_str(&bytes), key, ret));
	*ret_found = true;
	return NULL;
}

static char *blob_path(const struct digest *digest)
{
	char text[DIGEST_TEXT_SIZE];

	digest_format(digest, text);
	return xasprintf("blobs/sha256/%s", text + strlen("sha256:"));
}

/* A blob of the size that it should have. */
static struct err *open_blob(const struct layout *layout, const struct descriptor *blob,
			     int *ret_fd)
{
	AUTO(mem) char *path = blob_path(&blob->digest);
	AUTO(fd) int fd = -1;
	struct stat st;

	TRY(file_open(layout->dir_fd, path, O_RDONLY | O_NONBLOCK, 0, FILE_NO_LINKS, &fd));
	if (fstat(fd, &st) < 0)
		return err_sys("look at %s", path);
	if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size != blob->size)
		return err_new(ERR_CORRUPT, "%s is no file of %ju bytes", path,
			       (uintmax_t)blob->size);
	*ret_fd = STEAL_FD(fd);
	return NULL;
}

static struct err *fetch(void *self, struct store *store, const struct descriptor *blob,
			 const struct taker *taker, struct progress *progress)
{
	const struct layout *layout = self;
	AUTO(blob_writer) struct blob_writer *writer = NULL;
	AUTO(source) struct source *src = NULL;
	char text[DIGEST_TEXT_SIZE];
	struct err *err;
	uint64_t id;
	bool there;
	int fd = -1;

	(void)taker; /* what is on this machine is quickly read again */
	TRY(blob_has(store, blob, &there));
	if (there)
		return NULL;
	TRY(open_dir(self));
	TRY(open_blob(layout, blob, &fd));
	id = progress_begin(progress, digest_format(&blob->digest, text), blob->size);
	src = progress_source(progress, id, source_from_fd(fd, text));
	src = source_verify(src, &blob->digest, blob->size);
	err = blob_begin(store, &writer);
	if (!err)
		err = stream_copy(src, blob_sink(writer), NULL);
	if (!err)
		err = blob_commit(writer, &blob->digest, NULL, NULL);
	progress_end(progress, id, !err);
	return err;
}

/* ---- writing ---- */

/* A directory is ours to fill if it is a layout, or empty: whoever begins one writes oci-layout before
 * anything else. */
static struct err *check_dir(const struct layout *layout)
{
	AUTO(strings) struct strings names = { 0 };
	bool used = false;

	TRY(file_list(layout->dir_fd, ".", &names));
	vec_foreach (&names, name)
		used = used || !str_starts(str_of(*name), ".tmp-");
	if (used && !file_exists(layout->dir_fd, "oci-layout"))
		return err_new(ERR_INVALID, "directory %s is neither empty nor an OCI layout",
			       layout->at->spec->dir);
	return NULL;
}

static struct err *make_dirs(struct layout *layout)
{
	AUTO(fd) int blobs_fd = -1, entries_fd = -1;

	if (layout->dir_fd < 0)
		TRY(file_make_dirs(AT_FDCWD, layout->at->spec->dir, 0777 & ~layout->mask,
				   &layout->dir_fd));
	TRY(check_dir(layout));
	if (!file_exists(layout->dir_fd, "oci-layout"))
		TRY(file_replace(layout->dir_fd, "oci-layout", STR(LAYOUT), 0666 & ~layout->mask,
				 FILE_QUICK));
	TRY(file_make_dirs(layout->dir_fd, "blobs/sha256", 0777 & ~layout->mask, &blobs_fd));
	return file_make_dirs(layout->dir_fd, ENTRIES, 0777 & ~layout->mask, &entries_fd);
}

static struct err *prepare(struct layout *layout)
{
	struct err *err = NULL;

	pthread_mutex_lock(&layout->lock);
	if (!layout->prepared)
		err = make_dirs(layout);
	layout->prepared = !err;
	pthread_mutex_unlock(&layout->lock);
	return err;
}

/* Copy a blob out, unless it is there. `src` is verified already, and owned. */
static struct err *write_blob(const struct layout *layout, const struct descriptor *blob,
			      struct source *src)
{
	AUTO(source) struct source *bytes = src;
	AUTO(mem) char *name = blob_path(&blob->digest);
	AUTO(mem) char *path = xasprintf("%s/%s", layout->at->spec->dir, name);
	AUTO(output) struct output *output = NULL;
	AUTO(err) struct err *absent = NULL;
	AUTO(fd) int fd = -1;

	absent = open_blob(layout, blob, &fd);
	if (!absent)
		return NULL;
	TRY(output_open(path, &output));
	TRY(stream_copy(bytes, output_sink(output), NULL));
	return output_commit(output);
}

static struct err *write_layer(const struct layout *layout, struct store *store,
			       const struct descriptor *blob, struct progress *progress)
{
	char text[DIGEST_TEXT_SIZE];
	struct source *src;
	struct err *err;
	uint64_t size, id;
	int fd;

	TRY(blob_open(store, &blob->digest, &fd, &size));
	id = progress_begin(progress, digest_format(&blob->digest, text), blob->size);
	src = progress_source(progress, id, source_from_fd(fd, "the blob"));
	err = write_blob(layout, blob, source_verify(src, &blob->digest, blob->size));
	progress_end(progress, id, !err);
	return blob_doubt(store, &blob->digest, err);
}

static struct err *write_text(const struct layout *layout, struct str text, const char *media_type,
			      struct descriptor *ret)
{
	AUTO(hasher) struct hasher *hasher = hasher_new();

	*ret = (struct descriptor){ .size = text.len };
	snprintf(ret->media_type, sizeof(ret->media_type), "%s", media_type);
	hasher_update(hasher, text.at, text.len);
	TRY(hasher_finish(hasher, &ret->digest));
	return write_blob(layout, ret, source_from_memory(text.at, text.len));
}

static struct err *put(void *self, struct store *store, const struct cache_entry *entry,
		       struct progress *progress)
{
	struct layout *layout = self;
	AUTO(mem) char *config = cache_entry_config(entry, layout->at->platform);
	AUTO(mem) char *manifest = NULL;
	AUTO(fd) int entries_fd = -1;
	struct descriptor described;
	char tag[CACHE_TAG_SIZE];
	struct str nothing;

	TRY(prepare(layout));
	if (entry->has_layer) {
		TRY(write_layer(layout, store, &entry->blob, progress));
	} else {
		cache_entry_no_layer(&described, &nothing);
		TRY(write_text(layout, nothing, MEDIA_OCI_LAYER, &described));
	}
	TRY(write_text(layout, str_of(config), MEDIA_OCI_CONFIG, &described));
	manifest = cache_entry_format(entry, &described);
	TRY(write_text(layout, str_of(manifest), MEDIA_OCI_MANIFEST, &described));
	TRY(file_open_dir(layout->dir_fd, ENTRIES, &entries_fd));
	return file_replace(entries_fd, cache_entry_tag(layout->at->spec->scope, &entry->key, tag),
			    str_of(manifest), 0666 & ~layout->mask, FILE_QUICK);
}

/* ---- the view for others ---- */

static bool is_entry(const struct layout *layout, const char *name)
{
	AUTO(mem) char *path = xasprintf(ENTRIES "/%s", name);

	return !strchr(name, '/') && name[0] != '.' && file_exists(layout->dir_fd, path);
}

/* What others have put into the index stays there. One that cannot be read is made anew. */
static void keep_others(const struct layout *layout, json_t *manifests)
{
	AUTO(buf) struct buf text = BUF_INIT(INDEX_MAX);
	AUTO(json) json_t *doc = NULL;
	AUTO(err) struct err *err = file_read(layout->dir_fd, "index.json", INDEX_MAX, &text);
	struct json_at root, old;

	if (!err)
		err = json_parse(buf_str(&text), INDEX_MAX, "index.json", &doc);
	if (err)
		return;
	root = json_root(doc, "index.json");
	old = json_member(&root, "manifests");
	for (size_t i = 0; i < json_length(&old); i++) {
		const struct json_at entry = json_element(&old, i);
		const struct json_at notes = json_member(&entry, "annotations");
		const struct json_at name_at = json_member(&notes, NAME_OCI);
		const char *name = json_string_value(name_at.value);

		if (entry.value && (!name || !is_entry(layout, name)))
			json_array_append(manifests, entry.value);
	}
}

static struct err *add_entry(const struct layout *layout, const char *name, json_t *manifests)
{
	AUTO(buf) struct buf bytes = BUF_INIT(CACHE_ENTRY_MAX);
	AUTO(mem) char *path = xasprintf(ENTRIES "/%s", name);
	AUTO(hasher) struct hasher *hasher = hasher_new();
	struct descriptor described = { .media_type = MEDIA_OCI_MANIFEST };
	json_t *entry, *notes;

	TRY(file_read(layout->dir_fd, path, CACHE_ENTRY_MAX, &bytes));
	hasher_update(hasher, bytes.at, bytes.len);
	TRY(hasher_finish(hasher, &described.digest));
	described.size = bytes.len;
	entry = descriptor_format(&described);
	notes = json_object();
	json_set_text(notes, NAME_OCI, name);
	json_set(entry, "annotations", notes);
	json_push(manifests, entry);
	return NULL;
}

static struct err *finish(void *self)
{
	struct layout *layout = self;
	AUTO(strings) struct strings names = { 0 };
	AUTO(lock) struct lock lock = LOCK_INIT;
	AUTO(json) json_t *index = json_object();
	AUTO(mem) char *text = NULL;
	json_t *manifests = json_array();

	json_set(index, "schemaVersion", json_integer(2));
	json_set_text(index, "mediaType", MEDIA_OCI_INDEX);
	json_set(index, "manifests", manifests);
	if (!layout->prepared)
		return NULL; /* all was there */
	TRY(lock_file(layout->dir_fd, ENTRIES "/.lock", LOCK_EXCLUSIVE, &lock));
	keep_others(layout, manifests);
	TRY(file_list(layout->dir_fd, ENTRIES, &names));
	vec_foreach (&names, name)
		if ((*name)[0] != '.') /* what cannot be read is no entry to others either */
			err_free(add_entry(layout, *name, manifests));
	text = json_format(index);
	return file_replace(layout->dir_fd, "index.json", str_of(text), 0666 & ~layout->mask,
			    FILE_QUICK);
}

/* ---- the whole ---- */

static void layout_free(void *self)
{
	struct layout *layout = self;

	if (layout->dir_fd >= 0)
		close(layout->dir_fd);
	pthread_mutex_destroy(&layout->lock);
	free(layout);
}

struct err *cache_layout_open(const struct cache_at *at, const struct cache_ops **ret_ops,
			      void **ret_self)
{
	static const struct cache_ops ops = { find, fetch, put, finish, layout_free };
	struct layout *layout = xcalloc(1, sizeof(*layout));

	*layout = (struct layout){ .at = at, .dir_fd = -1 };
	if (at->way == CACHE_TO) /* no other thread is at work any more */
		umask(layout->mask = umask(0));
	pthread_mutex_init(&layout->lock, NULL);
	*ret_ops = &ops;
	*ret_self = layout;
	return NULL;
}
