/*
 * tests/fuzz/fuzz_codec.c - decoding survives anything and does not depend on
 * how its input is cut; what was compressed comes back.
 *
 * The first byte chooses codec, level, workers and cuts; the rest is the data.
 */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/codec.h"
#include "base/err.h"
#include "base/stream.h"

#define MOST ((size_t)4 << 20) /* of decoded bytes: a few input bytes may announce gigabytes */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A source that gives at most `step` bytes at a time. */
struct stepping {
	struct source *inner; /* owned */
	size_t step;
};

static size_t step_read(void *self, void *data, size_t len, struct err **err)
{
	struct stepping *s = self;
	size_t n = source_read(s->inner, data, len < s->step ? len : s->step);

	if (n == 0)
		*err = source_check(s->inner);
	return n;
}

static void step_free(void *self)
{
	struct stepping *s = self;

	source_free(s->inner);
	free(s);
}

static struct source *stepping(const void *data, size_t size, size_t step)
{
	static const struct source_ops ops = { step_read, step_free };
	struct stepping *s = xcalloc(1, sizeof(*s));

	*s = (struct stepping){ source_from_memory(data, size), step };
	return source_new(&ops, s);
}

static enum err_kind decode(const void *data, size_t size, size_t step, struct buf *out)
{
	AUTO(source) struct source *plain = NULL;
	AUTO(sink) struct sink *sink = sink_to_buf(out);
	AUTO(err) struct err *err = codec_open(stepping(data, size, step), NULL, &plain);

	if (!err) {
		plain = source_limit(plain, MOST, "the output");
		err = stream_copy(plain, sink, NULL);
	}
	return err_kind(err);
}

static void decode_anything(const uint8_t *data, size_t size, size_t step)
{
	AUTO(buf) struct buf whole = BUF_INIT(MOST);
	AUTO(buf) struct buf cut = BUF_INIT(MOST);
	enum err_kind first = decode(data, size, size + 1, &whole);
	enum err_kind second = decode(data, size, step, &cut);

	/* Fed in pieces, libzstd does not hold an empty last block against the size that the frame's header
	 * promises; of a whole frame it does. */
	if (first == ERR_CORRUPT && second == ERR_NONE && codec_detect(data, size) == CODEC_ZSTD) {
		if (cut.len < whole.len || memcmp(cut.at, whole.at, whole.len) != 0)
			abort();
		return;
	}
	if (first != second)
		abort();
	if (!first && !str_equal(buf_str(&whole), buf_str(&cut)))
		abort();
	if (first && first != ERR_CORRUPT && first != ERR_UNSUPPORTED && first != ERR_INVALID)
		abort();
}

static void compress_and_decode(const struct compression *how, unsigned workers,
				const uint8_t *data, size_t size, size_t step)
{
	AUTO(buf) struct buf packed = BUF_INIT(2 * MOST);
	AUTO(buf) struct buf out = BUF_INIT(MOST);
	AUTO(sink) struct sink *sink = codec_sink(sink_to_buf(&packed), how, workers);
	AUTO(source) struct source *src = stepping(data, size, step);
	AUTO(err) struct err *err = stream_copy(src, sink, NULL);

	if (!err)
		err = sink_finish(sink);
	if (err)
		abort();
	if (how->codec == CODEC_NONE && codec_detect(data, size) != CODEC_NONE)
		return; /* read back as what it looks like */
	if (decode(packed.at, packed.len, step, &out) != ERR_NONE)
		abort();
	if (!str_equal(buf_str(&out), (struct str){ (const char *)data, size }))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct compression hows[] = {
		{ CODEC_NONE, 0 },
		{ CODEC_GZIP, 1 },
		{ CODEC_GZIP, 0 },
		{ CODEC_ZSTD, 0 },
	};
	uint8_t choice;

	if (size == 0 || size > MOST)
		return 0;
	choice = data[0];
	decode_anything(data + 1, size - 1, 1 + (choice >> 2) % 16);
	compress_and_decode(&hows[choice % 4], 1 + (choice >> 6), data + 1, size - 1,
			    1 + (choice >> 2) % 16 * 1000);
	return 0;
}
