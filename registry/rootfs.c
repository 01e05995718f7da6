/* registry/rootfs.c - see registry/rootfs.h. */

#include "registry/rootfs.h"

#include <stdio.h>

#include "base/cancel.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/json.h"
#include "base/pool.h"
#include "base/stream.h"
#include "base/untar.h"
#include "store/blob.h"
#include "store/image.h"

/* Read a tar to its end: all of it passes through `src`, and is one. */
static struct err *read_tar(struct source *src)
{
	AUTO(tar_reader) struct tar_reader *tar = tar_reader_new(src, NULL);
	const struct tar_entry *entry = NULL;

	do {
		TRY(cancel_check());
		TRY(tar_reader_next(tar, &entry));
	} while (entry);
	return NULL;
}

/* The layer: hashed, checked and compressed in one pass. */
static struct err *put_layer(struct store *store, struct source *tar,
			     const struct rootfs_opts *opts, struct image_layer *ret)
{
	unsigned workers = opts->workers ? opts->workers : pool_default_threads();
	AUTO(blob_writer) struct blob_writer *writer = NULL;
	AUTO(source) struct source *plain = NULL;
	AUTO(sink) struct sink *chain = NULL;
	uint64_t size;

	TRY(codec_open(tar, NULL, &plain));
	TRY(blob_begin(store, &writer));
	chain = sink_hash(codec_sink(sink_borrow(blob_sink(writer)), &opts->compression, workers),
			  &ret->diff_id, &size);
	plain = source_tee(plain, chain);
	TRY(read_tar(plain));
	TRY(sink_finish(chain));
	if (size == 0)
		return err_new(ERR_INVALID, "it is empty");
	TRY(blob_commit(writer, NULL, &ret->blob.digest, &ret->blob.size));
	snprintf(ret->blob.media_type, sizeof(ret->blob.media_type), "%s",
		 image_layer_media_type(opts->compression.codec));
	return NULL;
}

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
