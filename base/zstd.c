/* base/zstd.c - see base/zstd.h. */

#include "base/zstd.h"

#include <assert.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "base/codec.h"
#include "base/err.h"
#include "base/readahead.h"
#include "base/stream.h"

#define GATHER ((size_t)128 * 1024) /* small writes are gathered up to this */

/* ---- reading ---- */

struct zstd_source {
	struct source *inner; /* owned */
	struct readahead in;
	ZSTD_DCtx *context;
	bool in_frame; /* begun, and not all of it given yet */
};

static struct err *decode_error(size_t code)
{
	switch (ZSTD_getErrorCode(code)) {
	case ZSTD_error_memory_allocation:
		return err_new(ERR_INTERNAL, "zstd: no memory for the window");
	case ZSTD_error_frameParameter_windowTooLarge:
		return err_new(ERR_UNSUPPORTED, "zstd data with a window above %d MiB",
			       1 << (ZSTD_WINDOW_LOG - 20));
	case ZSTD_error_dictionary_wrong:
		return err_new(ERR_UNSUPPORTED, "zstd data that needs a dictionary");
	default:
		return err_new(ERR_CORRUPT, "bad zstd data: %s", ZSTD_getErrorName(code));
	}
}

/* One step: `*ret` bytes were decoded, perhaps 0; `*ret_end` when that was all. */
static struct err *decode(struct zstd_source *z, void *data, size_t len, size_t *ret, bool *ret_end)
{
	ZSTD_outBuffer out = { data, len, 0 };
	ZSTD_inBuffer in = { 0 };
	struct str here;
	size_t more;

	TRY(readahead_peek(&z->in, &here));
	*ret_end = here.len == 0 && !z->in_frame;
	if (*ret_end)
		return NULL;
	in.src = here.at;
	in.size = here.len;
	more = ZSTD_decompressStream(z->context, &out, &in);
	if (ZSTD_isError(more))
		return decode_error(more);
	readahead_took(&z->in, in.pos);
	z->in_frame = more != 0;
	if (z->in_frame && here.len == 0 && out.pos == 0)
		return err_new(ERR_CORRUPT, "zstd data end in the middle of a frame");
	*ret = out.pos;
	return NULL;
}

static size_t zstd_read(void *self, void *data, size_t len, struct err **err)
{
	bool end = false;
	size_t n = 0;

	while (n == 0 && !end && !*err)
		*err = decode(self, data, len, &n, &end);
	return *err ? 0 : n;
}

static void zstd_source_free(void *self)
{
	struct zstd_source *z = self;

	readahead_release(&z->in);
	source_free(z->inner);
	ZSTD_freeDCtx(z->context);
	free(z);
}

struct source *zstd_source(struct source *inner)
{
	static const struct source_ops ops = { zstd_read, zstd_source_free };
	struct zstd_source *z = xcalloc(1, sizeof(*z));

	z->inner = inner;
	readahead_init(&z->in, inner);
	z->context = ZSTD_createDCtx();
	if (!z->context)
		mem_exhausted();
	ZSTD_DCtx_setParameter(z->context, ZSTD_d_windowLogMax, ZSTD_WINDOW_LOG);
	return source_new(&ops, z);
}

/* ---- writing ---- */

/* How much input one job compresses. It decides the bytes, so it never changes. Measured on 300 MB
 * of /usr at level 3: jobs of 8 MiB save 1% of the output and take three times the memory. The
 * higher levels look further back, and whoever asks for them asks for size. */
static int job_size(int level)
{
	return (level <= 3 ? 2 : 8) * 1024 * 1024;
}

struct zstd_sink {
	struct sink *inner; /* owned */
	unsigned workers;
	bool begun; /* the context has seen input */
	ZSTD_CCtx *context;
	size_t fault;         /* the code of a failed set-up, for the first write to report */
	size_t used;          /* of gathered */
	char *gathered, *out; /* GATHER and ZSTD_CStreamOutSize() bytes */
};

static void set(struct zstd_sink *z, ZSTD_cParameter parameter, int value)
{
	size_t code = ZSTD_CCtx_setParameter(z->context, parameter, value);

	if (ZSTD_isError(code))
		z->fault = code;
}

/* Hand `len` bytes to the compressor, or the end. What it has ready goes to `inner`. The end never
 * comes with bytes: it would tell the compressor the size of small input, and change its output. */
static struct err *compress(struct zstd_sink *z, const void *data, size_t len, bool end)
{
	ZSTD_inBuffer in = { data, len, 0 };
	size_t left;

	assert(!end || len == 0);
	if (!z->begun) /* known only now, see zstd_finish() */
		set(z, ZSTD_c_nbWorkers, (int)z->workers);
	z->begun = true;
	if (z->fault)
		return err_new(ERR_INTERNAL, "zstd: %s", ZSTD_getErrorName(z->fault));
	do {
		ZSTD_outBuffer out = { z->out, ZSTD_CStreamOutSize(), 0 };

		left = ZSTD_compressStream2(z->context, &out, &in,
					    end ? ZSTD_e_end : ZSTD_e_continue);
		if (ZSTD_isError(left))
			return err_new(ERR_INTERNAL, "zstd: %s", ZSTD_getErrorName(left));
		sink_write(z->inner, z->out, out.pos);
		TRY(sink_check(z->inner));
	} while (end ? left > 0 : in.pos < in.size);
	return NULL;
}

static struct err *flush(struct zstd_sink *z)
{
	size_t used = z->used;

	z->used = 0;
	return used ? compress(z, z->gathered, used, false) : NULL;
}

static struct err *zstd_write(void *self, const void *data, size_t len)
{
	struct zstd_sink *z = self;

	if (len > GATHER - z->used)
		TRY(flush(z));
	if (len >= GATHER)
		return compress(z, data, len, false);
	memcpy(z->gathered + z->used, data, len);
	z->used += len;
	return NULL;
}

/* Little input needs no crowd of threads; the bytes are the same. */
static struct err *zstd_finish(void *self)
{
	struct zstd_sink *z = self;

	if (!z->begun)
		z->workers = 1;
	TRY(flush(z));
	TRY(compress(z, NULL, 0, true));
	return sink_finish(z->inner);
}

static void zstd_sink_free(void *self)
{
	struct zstd_sink *z = self;

	ZSTD_freeCCtx(z->context);
	sink_free(z->inner);
	free(z->gathered);
	free(z->out);
	free(z);
}

struct sink *zstd_sink(struct sink *inner, int level, unsigned workers)
{
	static const struct sink_ops ops = { zstd_write, zstd_finish, zstd_sink_free };
	struct zstd_sink *z = xcalloc(1, sizeof(*z));

	*z = (struct zstd_sink){
		.inner = inner,
		.workers = workers < CODEC_WORKERS ? workers : CODEC_WORKERS,
		.context = ZSTD_createCCtx(),
		.gathered = xrealloc(NULL, GATHER, 1),
		.out = xrealloc(NULL, ZSTD_CStreamOutSize(), 1),
	};
	if (!z->context)
		mem_exhausted();
	set(z, ZSTD_c_compressionLevel, level);
	set(z, ZSTD_c_jobSize, job_size(level));
	set(z, ZSTD_c_checksumFlag, 1);
	return sink_new(&ops, z);
}
