/* builder/recompress.c - see builder/recompress.h. */

#include "builder/recompress.h"

#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/pool.h"
#include "base/str.h"
#include "base/stream.h"
#include "store/blob.h"

enum codec recompress_codec_of(const char *media_type)
{
	const struct str text = str_of(media_type);

	return str_ends(text, "gzip") ? CODEC_GZIP :
	       str_ends(text, "zstd") ? CODEC_ZSTD :
					CODEC_NONE;
}

/* All of `from`, decompressed and compressed again, into `writer`. */
static struct err *copy_blob(struct store *store, const struct descriptor *from,
			     const struct compression *how, struct blob_writer *writer,
			     struct digest *ret_plain)
{
	AUTO(source) struct source *source = NULL;
	AUTO(sink) struct sink *out = NULL;
	uint64_t size;
	int fd;

	TRY(blob_open(store, &from->digest, &fd, &size));
	TRY(codec_open(source_from_fd(fd, "layer"), NULL, &source));
	out = codec_sink(sink_borrow(blob_sink(writer)), how, pool_default_threads());
	out = sink_hash(out, ret_plain, NULL);
	TRY(blob_doubt(store, &from->digest, stream_copy(source, out, NULL)));
	return sink_finish(out);
}

struct err *recompress(struct store *store, const struct compression *how,
		       struct image_layer *layer)
{
	AUTO(blob_writer) struct blob_writer *writer = NULL;
	struct descriptor made = { .size = 0 };
	struct digest plain;
	char text[DIGEST_TEXT_SIZE];

	TRY(blob_begin(store, &writer));
	TRY(copy_blob(store, &layer->blob, how, writer, &plain));
	if (!digest_equal(&plain, &layer->diff_id))
		return err_new(ERR_CORRUPT, "blob %s does not hold the layer that its image says",
			       digest_format(&layer->blob.digest, text));
	TRY(blob_commit(writer, NULL, &made.digest, &made.size));
	snprintf(made.media_type, sizeof(made.media_type), "%s",
		 image_layer_media_type(how->codec));
	layer->blob = made;
	return NULL;
}
