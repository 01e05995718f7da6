/* base/xz.c - see base/xz.h. */

#include "base/xz.h"

#include <dlfcn.h>
#include <lzma.h>
#include <pthread.h>

#include "base/err.h"
#include "base/readahead.h"
#include "base/stream.h"

#define LIBRARY "liblzma.so.5"

/* Written once, by load(). */
static struct {
	__typeof__(lzma_stream_decoder) *stream_decoder;
	__typeof__(lzma_code) *code;
	__typeof__(lzma_end) *end;
} table;
static bool loaded;

/* `slot` is a function pointer; false if the library has no such function. */
static bool find(void *library, const char *name, void *slot)
{
	void *symbol = dlsym(library, name);

	memcpy(slot, &symbol, sizeof(symbol));
	return symbol;
}

static void load(void)
{
	void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);

	loaded = library && find(library, "lzma_stream_decoder", &table.stream_decoder) &&
		 find(library, "lzma_code", &table.code) && find(library, "lzma_end", &table.end);
}

bool xz_detect(struct str head)
{
	return head.len >= 6 && memcmp(head.at,
				       "\xfd"
				       "7zXZ\0",
				       6) == 0;
}

struct xz {
	struct source *inner; /* owned */
	struct readahead in;
	lzma_stream stream;
	bool ended;
};

static struct err *decode_error(lzma_ret code)
{
	switch (code) {
	case LZMA_MEMLIMIT_ERROR:
		return err_new(ERR_UNSUPPORTED, "xz data that take more than %zu MiB to read",
			       XZ_MEMORY >> 20);
	case LZMA_MEM_ERROR:
		return err_new(ERR_INTERNAL, "xz: no memory for the dictionary");
	case LZMA_OPTIONS_ERROR:
		return err_new(ERR_UNSUPPORTED, "xz data made with options that are not known");
	case LZMA_BUF_ERROR:
		return err_new(ERR_CORRUPT, "xz data end in the middle");
	default:
		return err_new(ERR_CORRUPT, "bad xz data");
	}
}

/* One step: `*ret` bytes were decoded, perhaps 0. */
static struct err *decode(struct xz *xz, void *data, size_t len, size_t *ret)
{
	lzma_stream *stream = &xz->stream;
	struct str here;
	lzma_ret code;

	TRY(readahead_peek(&xz->in, &here));
	stream->next_in = (const uint8_t *)here.at;
	stream->avail_in = here.len;
	stream->next_out = data;
	stream->avail_out = len;
	code = table.code(stream, here.len ? LZMA_RUN : LZMA_FINISH);
	readahead_took(&xz->in, here.len - stream->avail_in);
	*ret = len - stream->avail_out;
	xz->ended = code == LZMA_STREAM_END;
	return code == LZMA_OK || xz->ended ? NULL : decode_error(code);
}

static size_t xz_read(void *self, void *data, size_t len, struct err **err)
{
	struct xz *xz = self;
	size_t n = 0;

	while (n == 0 && !xz->ended && !*err)
		*err = decode(xz, data, len, &n);
	return *err ? 0 : n;
}

static void xz_free(void *self)
{
	struct xz *xz = self;

	table.end(&xz->stream);
	readahead_release(&xz->in);
	source_free(xz->inner);
	free(xz);
}

struct err *xz_source(struct source *inner, struct source **ret)
{
	static const struct source_ops ops = { xz_read, xz_free };
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	AUTO(source) struct source *owned = inner;
	struct xz *xz;
	lzma_ret code;

	pthread_once(&once, load);
	if (!loaded)
		return err_new(ERR_UNSUPPORTED, "xz data: cannot load " LIBRARY);
	xz = xcalloc(1, sizeof(*xz));
	xz->stream = (lzma_stream)LZMA_STREAM_INIT;
	code = table.stream_decoder(&xz->stream, XZ_MEMORY, LZMA_CONCATENATED);
	if (code != LZMA_OK) {
		free(xz);
		return decode_error(code);
	}
	xz->inner = STEAL(owned);
	readahead_init(&xz->in, xz->inner);
	*ret = source_new(&ops, xz);
	return NULL;
}
