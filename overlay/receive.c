/* overlay/receive.c - see overlay/receive.h. */

#include "overlay/receive.h"

#include "base/codec.h"
#include "base/err.h"
#include "base/stream.h"
#include "overlay/pipeline.h"
#include "overlay/unpack.h"
#include "store/descriptor.h"
#include "store/layer.h"

/* What lies behind the compressed stream, of which there should be nothing. */
static struct err *drain(struct source *bytes)
{
	AUTO(sink) struct sink *nowhere = sink_null();

	return stream_copy(bytes, nowhere, NULL);
}

struct err *receive_layer(struct store *store, const struct descriptor *blob, struct source *bytes,
			  bool *ret_kept)
{
	AUTO(layer_stage) struct layer_stage *stage = NULL;
	AUTO(source) struct source *ahead = pipeline_source(source_slice(bytes, UINT64_MAX));
	AUTO(source) struct source *tar = NULL;
	const struct tar_limits limits = unpack_limits(blob->size);
	const struct unpack_opts opts = { .below_fd = -1, .limits = &limits };
	struct unpack_result result;
	struct layer_meta meta;

	TRY(layer_begin(store, &stage));
	TRY(codec_open(source_slice(ahead, UINT64_MAX), NULL, &tar));
	TRY(unpack(tar, stage->fs_fd, &opts, &result));
	TRY(drain(ahead));
	*ret_kept = !result.dependent;
	if (result.dependent)
		return NULL;
	meta = (struct layer_meta){
		.entries = result.entries,
		.bytes = result.bytes,
		.has_root = result.has_root,
		.has_diff_id = true,
		.diff_id = result.diff_id,
		.has_blob = true,
		.blob = *blob,
	};
	return layer_seal(stage, NULL, &meta);
}
