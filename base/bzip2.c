/* base/bzip2.c - see base/bzip2.h. */

#include "base/bzip2.h"

#include <bzlib.h>
#include <dlfcn.h>
#include <limits.h>
#include <pthread.h>

#include "base/err.h"
#include "base/readahead.h"
#include "base/stream.h"

#define LIBRARY "libbz2.so.1.0"

/* Written once, by load(). */
static struct {
	__typeof__(BZ2_bzDecompressInit) *init;
	__typeof__(BZ2_bzDecompress) *decompress;
	__typeof__(BZ2_bzDecompressEnd) *end;
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

	loaded = library && find(library, "BZ2_bzDecompressInit", &table.init) &&
		 find(library, "BZ2_bzDecompress", &table.decompress) &&
		 find(library, "BZ2_bzDecompressEnd", &table.end);
}

bool bzip2_detect(struct str head)
{
	/* the mark of a block, or that of the end if there is none; "BZh1" alone may begin a text */
	return head.len >= 10 && memcmp(head.at, "BZh", 3) == 0 && head.at[3] >= '1' &&
	       head.at[3] <= '9' &&
	       (memcmp(head.at + 4, "\x31\x41\x59\x26\x53\x59", 6) == 0 ||
		memcmp(head.at + 4, "\x17\x72\x45\x38\x50\x90", 6) == 0);
}

struct bzip2 {
	struct source *inner; /* owned */
	struct readahead in;
	bz_stream stream;
	bool open; /* in a stream */
};

static struct err *decode_error(int code)
{
	if (code == BZ_MEM_ERROR)
		return err_new(ERR_INTERNAL, "bzip2: no memory");
	return err_new(ERR_CORRUPT, "bad bzip2 data");
}

static void end_stream(struct bzip2 *b)
{
	if (b->open)
		table.end(&b->stream);
	b->open = false;
}

/* Begin the next stream. */
static struct err *begin_stream(struct bzip2 *b)
{
	int code;

	b->stream = (bz_stream){ 0 };
	code = table.init(&b->stream, 0, 0);
	b->open = code == BZ_OK;
	return b->open ? NULL : decode_error(code);
}

/* One step: `*ret` bytes were decoded, perhaps 0; `*ret_end` when that was all. */
static struct err *decode(struct bzip2 *b, void *data, size_t len, size_t *ret, bool *ret_end)
{
	struct str here;
	int code;

	TRY(readahead_peek(&b->in, &here));
	*ret_end = here.len == 0 && !b->open;
	if (*ret_end)
		return NULL;
	if (!b->open)
		TRY(begin_stream(b));
	b->stream.next_in = (char *)here.at;
	b->stream.avail_in = (unsigned)here.len; /* at most READAHEAD_SIZE */
	b->stream.next_out = data;
	b->stream.avail_out = len > INT_MAX ? INT_MAX : (unsigned)len;
	len = b->stream.avail_out;
	code = table.decompress(&b->stream);
	if (code != BZ_OK && code != BZ_STREAM_END)
		return decode_error(code);
	readahead_took(&b->in, here.len - b->stream.avail_in);
	*ret = len - b->stream.avail_out;
	if (code == BZ_STREAM_END)
		end_stream(b);
	else if (here.len == 0 && *ret == 0)
		return err_new(ERR_CORRUPT, "bzip2 data end in the middle");
	return NULL;
}

static size_t bzip2_read(void *self, void *data, size_t len, struct err **err)
{
	bool end = false;
	size_t n = 0;

	while (n == 0 && !end && !*err)
		*err = decode(self, data, len, &n, &end);
	return *err ? 0 : n;
}

static void bzip2_free(void *self)
{
	struct bzip2 *b = self;

	end_stream(b);
	readahead_release(&b->in);
	source_free(b->inner);
	free(b);
}

struct err *bzip2_source(struct source *inner, struct source **ret)
{
	static const struct source_ops ops = { bzip2_read, bzip2_free };
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	AUTO(source) struct source *owned = inner;
	struct bzip2 *b;

	pthread_once(&once, load);
	if (!loaded)
		return err_new(ERR_UNSUPPORTED, "bzip2 data: cannot load " LIBRARY);
	b = xcalloc(1, sizeof(*b));
	b->inner = STEAL(owned);
	readahead_init(&b->in, b->inner);
	*ret = source_new(&ops, b);
	return NULL;
}
