/* registry/rootfs.c - see registry/rootfs.h. */

#include "registry/rootfs.h"

#include <stdio.h>
#include <string.h>

#include "base/cancel.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/json.h"
#include "base/pool.h"
#include "base/str.h"
#include "base/stream.h"
#include "base/untar.h"
#include "registry/foreign.h"
#include "store/blob.h"
#include "store/image.h"

/* ---- what it is ---- */

/* A source that keeps how it begins. */
struct headed {
	struct source *inner; /* owned */
	struct str *head;     /* borrowed; its room is FOREIGN_HEAD */
};

static size_t headed_read(void *self, void *data, size_t len, struct err **err)
{
	struct headed *headed = self;
	size_t got = source_read(headed->inner, data, len);
	size_t room = FOREIGN_HEAD - headed->head->len;

	if (got == 0)
		*err = source_check(headed->inner);
	if (room > 0) {
		memcpy((char *)headed->head->at + headed->head->len, data, got < room ? got : room);
		headed->head->len += got < room ? got : room;
	}
	return got;
}

static void headed_free(void *self)
{
	struct headed *headed = self;

	source_free(headed->inner);
	free(headed);
}

/* Takes ownership of `inner`. */
static struct source *keep_head(struct source *inner, struct str *head)
{
	static const struct source_ops ops = { headed_read, headed_free };
	struct headed *headed = xcalloc(1, sizeof(*headed));

	*headed = (struct headed){ inner, head };
	return source_new(&ops, headed);
}

/* ---- the layer ---- */

/* Read a tar to its end: all of it passes through `src`, and is one. `*ret_entries` counts them. */
static struct err *read_tar(struct source *src, uint64_t bytes, uint64_t *ret_entries)
{
	const struct tar_limits limits = { .bytes = bytes };
	AUTO(tar_reader) struct tar_reader *tar = tar_reader_new(src, &limits);
	const struct tar_entry *entry = NULL;

	for (*ret_entries = 0;; ++*ret_entries) {
		TRY(cancel_check());
		TRY(tar_reader_next(tar, &entry));
		if (!entry)
			return NULL;
		TRY(err_wrap(tar_check_entry(entry), "entry '%s'", entry->path));
	}
}

/* The same, of what may be something else. */
static struct err *read_any(struct source *src, uint64_t bytes, const char *name)
{
	char room[FOREIGN_HEAD];
	struct str head = { room, 0 };
	AUTO(source) struct source *plain = keep_head(source_slice(src, UINT64_MAX), &head);
	uint64_t entries;
	struct err *err = read_tar(plain, bytes, &entries);
	struct err *kind;

	if (!err)
		return head.len ? NULL : err_new(ERR_INVALID, "it is empty");
	if (err_kind(err) != ERR_CORRUPT || entries > 0)
		return err;
	kind = foreign_kind(head, name, "cairn import - NAME");
	if (!kind)
		return err_wrap(err, "it is no tar");
	err_free(err); /* what it is says more */
	return kind;
}

/* The layer: hashed, checked and compressed in one pass. */
static struct err *put_layer(struct store *store, struct source *tar,
			     const struct rootfs_opts *opts, struct image_layer *ret)
{
	unsigned workers = opts->workers ? opts->workers : pool_default_threads();
	AUTO(blob_writer) struct blob_writer *writer = NULL;
	AUTO(source) struct source *plain = NULL;
	AUTO(sink) struct sink *chain = NULL;

	TRY(codec_open(tar, NULL, &plain));
	TRY(blob_begin(store, &writer));
	chain = sink_hash(codec_sink(sink_borrow(blob_sink(writer)), &opts->compression, workers),
			  &ret->diff_id, NULL);
	plain = source_tee(plain, chain);
	TRY(read_any(plain, opts->bytes, opts->name ? opts->name : "-"));
	TRY(sink_finish(chain));
	TRY(blob_commit(writer, NULL, &ret->blob.digest, &ret->blob.size));
	snprintf(ret->blob.media_type, sizeof(ret->blob.media_type), "%s",
		 image_layer_media_type(opts->compression.codec));
	return NULL;
}

/* ---- the image ---- */

static json_t *make_config(const struct rootfs_opts *opts, const struct digest *diff_id)
{
	char created[CLOCK_TEXT_SIZE], text[DIGEST_TEXT_SIZE];
	json_t *config = json_object();
	json_t *rootfs = json_object();
	json_t *diff_ids = json_array();
	json_t *history = json_array();
	json_t *entry = json_object();

	clock_format(opts->created, created);
	json_set_text(config, "created", created);
	json_set_text(config, "architecture", opts->platform.arch);
	json_set_text(config, "os", opts->platform.os);
	if (opts->platform.variant[0])
		json_set_text(config, "variant", opts->platform.variant);
	json_set(config, "config", json_object());
	json_push(diff_ids, json_text(str_of(digest_format(diff_id, text))));
	json_set_text(rootfs, "type", "layers");
	json_set(rootfs, "diff_ids", diff_ids);
	json_set(config, "rootfs", rootfs);
	json_set_text(entry, "created", created);
	json_set_text(entry, "created_by", "cairn import");
	json_push(history, entry);
	json_set(config, "history", history);
	return config;
}

struct err *rootfs_import(struct store *store, struct source *tar, const struct rootfs_opts *opts,
			  struct descriptor *ret_manifest, struct descriptor *ret_config)
{
	struct image_layer layer = { 0 };
	AUTO(json) json_t *config = NULL;

	TRY(put_layer(store, tar, opts, &layer));
	config = make_config(opts, &layer.diff_id);
	return image_put(store, config, &layer, 1, NULL, ret_manifest, ret_config);
}
