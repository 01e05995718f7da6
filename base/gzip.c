/*
 * base/gzip.c - see base/gzip.h.
 *
 * Writing. Members are numbered as they come, and each has its place in a ring
 * until it has been written: number modulo the size of the ring.
 *
 *	written <= done or in work < queued <= filling
 *
 * The owner of the sink fills places and writes finished ones to the inner
 * sink, in order; helpers take queued numbers in order and compress them. A
 * place belongs to the owner, but between being queued and being done to a
 * helper. One lock guards the numbers that both sides use; nothing is called
 * under it.
 */

#include "base/gzip.h"

#include <assert.h>
#include <isa-l/igzip_lib.h>
#include <libdeflate.h>
#include <pthread.h>
#include <stdbool.h>

#include "base/codec.h"
#include "base/err.h"
#include "base/readahead.h"
#include "base/stream.h"

#define MEMBER ((size_t)1024 * 1024)   /* of input; it decides the bytes, so it never changes */
#define MOST_AT_ONCE ((size_t)1 << 30) /* ISA-L counts in 32 bits */

/* ---- reading ---- */

enum {
	HEADER_CRC = 0x02,
	HEADER_EXTRA = 0x04,
	HEADER_NAME = 0x08,
	HEADER_COMMENT = 0x10,
	HEADER_RESERVED = 0xe0,
};

struct gzip_source {
	struct source *inner; /* owned */
	struct readahead in;
	bool in_member; /* begun, and not all of it given yet */
	bool padded;    /* zero bytes came: no other may follow */
	struct inflate_state state;
};

static struct err *bad(const char *what)
{
	return err_new(ERR_CORRUPT, "bad gzip data: %s", what);
}

/* The next `size` bytes of a header, which `*crc` takes up, into `ret` unless it is NULL. */
static struct err *header_bytes(struct gzip_source *g, size_t size, uint32_t *crc, uint8_t *ret)
{
	const char *bytes = NULL;

	TRY(readahead_block(&g->in, size, &bytes));
	if (!bytes)
		return bad("the header ends early");
	*crc = libdeflate_crc32(*crc, bytes, size);
	if (ret)
		memcpy(ret, bytes, size);
	return NULL;
}

/* A name or a comment: text up to a NUL. */
static struct err *skip_header_text(struct gzip_source *g, uint32_t *crc)
{
	struct str here;
	const char *end;

	do {
		TRY(readahead_peek(&g->in, &here));
		if (here.len == 0)
			return bad("the header ends early");
		end = memchr(here.at, '\0', here.len);
		if (end)
			here.len = (size_t)(end + 1 - here.at);
		*crc = libdeflate_crc32(*crc, here.at, here.len);
		readahead_took(&g->in, here.len);
	} while (!end);
	return NULL;
}

/* RFC 1952, 2.3. Not left to ISA-L: the library (2.30) finds a header's CRC wrong whenever the
 * header comes in more than one piece. */
static struct err *read_header(struct gzip_source *g)
{
	uint8_t fixed[10] = { 0 };
	uint8_t two[2] = { 0 };
	uint32_t crc = 0;
	uint32_t sum;

	TRY(header_bytes(g, sizeof(fixed), &crc, fixed));
	if (fixed[0] != 0x1f || fixed[1] != 0x8b || fixed[2] != 8)
		return bad("no header where one should be");
	if (fixed[3] & HEADER_RESERVED)
		return bad("unknown flags in the header");
	if (fixed[3] & HEADER_EXTRA) {
		TRY(header_bytes(g, sizeof(two), &crc, two));
		TRY(header_bytes(g, two[0] | (size_t)two[1] << 8, &crc, NULL));
	}
	if (fixed[3] & HEADER_NAME)
		TRY(skip_header_text(g, &crc));
	if (fixed[3] & HEADER_COMMENT)
		TRY(skip_header_text(g, &crc));
	if (!(fixed[3] & HEADER_CRC))
		return NULL;
	sum = crc & 0xffff;
	TRY(header_bytes(g, sizeof(two), &crc, two));
	return (two[0] | (uint32_t)two[1] << 8) == sum ? NULL : bad("wrong CRC of the header");
}

/* Between members: take padding, and begin the next one if it is there. */
static struct err *begin_member(struct gzip_source *g, bool *ret_end)
{
	struct str here;
	size_t zeros = 0;

	TRY(readahead_peek(&g->in, &here));
	*ret_end = here.len == 0;
	while (zeros < here.len && here.at[zeros] == '\0')
		zeros++;
	g->padded = g->padded || zeros > 0;
	readahead_took(&g->in, zeros);
	if (zeros == here.len)
		return NULL;
	if (g->padded)
		return bad("rubbish behind the padding");
	TRY(read_header(g));
	isal_inflate_reset(&g->state);
	g->state.crc_flag = ISAL_GZIP_NO_HDR_VER; /* no header, but a trailer to be verified */
	g->in_member = true;
	return NULL;
}

/* Inside a member: one step, of which `*ret` bytes come, perhaps 0. */
static struct err *inflate_some(struct gzip_source *g, void *data, size_t len, size_t *ret)
{
	uint32_t room = (uint32_t)(len < MOST_AT_ONCE ? len : MOST_AT_ONCE);
	struct str here;
	int code;

	TRY(readahead_peek(&g->in, &here));
	g->state.next_in = (uint8_t *)here.at; /* which it only reads */
	g->state.avail_in = (uint32_t)here.len;
	g->state.next_out = data;
	g->state.avail_out = room;
	code = isal_inflate(&g->state);
	if (code < 0)
		return bad(code == ISAL_INCORRECT_CHECKSUM ? "wrong CRC or size" :
							     "broken deflate data");
	readahead_took(&g->in, here.len - g->state.avail_in);
	*ret = room - g->state.avail_out;
	g->in_member = g->state.block_state != ISAL_BLOCK_FINISH;
	if (g->in_member && *ret == 0 && g->state.avail_in == here.len)
		return bad("the end is missing");
	return NULL;
}

static size_t gzip_read(void *self, void *data, size_t len, struct err **err)
{
	struct gzip_source *g = self;
	bool end = false;
	size_t n = 0;

	while (n == 0 && !end && !*err)
		*err = g->in_member ? inflate_some(g, data, len, &n) : begin_member(g, &end);
	return *err ? 0 : n;
}

static void gzip_source_free(void *self)
{
	struct gzip_source *g = self;

	readahead_release(&g->in);
	source_free(g->inner);
	free(g);
}

struct source *gzip_source(struct source *inner)
{
	static const struct source_ops ops = { gzip_read, gzip_source_free };
	struct gzip_source *g = xcalloc(1, sizeof(*g));

	g->inner = inner;
	readahead_init(&g->in, inner);
	isal_inflate_init(&g->state);
	return source_new(&ops, g);
}

/* ---- writing ---- */

struct place {
	char *in, *out; /* MEMBER and `bound` bytes, or NULL until first needed */
	size_t in_len, out_len;
	bool done; /* guarded by lock: `out` is ready */
};

struct helper {
	struct gzip_sink *sink;
	struct libdeflate_compressor *compressor;
	pthread_t thread;
};

struct gzip_sink {
	struct sink *inner; /* owned */
	int level;
	size_t bound;                             /* the largest size of a member */
	struct libdeflate_compressor *compressor; /* the owner's own */
	struct place *places;
	size_t place_count;
	uint64_t filling, written; /* numbers: of the member being filled, of the next to write */

	struct helper *helpers;
	size_t helper_count, helper_limit;
	pthread_mutex_t lock;
	pthread_cond_t queue_grew, member_done;
	uint64_t queued, taken; /* guarded by lock: all below are queued, taken by helpers */
	bool stop;              /* guarded by lock */
};

static struct place *place_of(struct gzip_sink *g, uint64_t number)
{
	return &g->places[number % g->place_count];
}

static void compress(struct gzip_sink *g, struct libdeflate_compressor *compressor, struct place *p)
{
	if (!p->out)
		p->out = xrealloc(NULL, g->bound, 1);
	p->out_len = libdeflate_gzip_compress(compressor, p->in ? p->in : "", p->in_len, p->out,
					      g->bound);
	assert(p->out_len > 0); /* it always fits into the bound */
}

/* A helper's life: compress what is queued until told to stop. */
static void *help(void *arg)
{
	const struct helper *helper = arg;
	struct gzip_sink *g = helper->sink;

	pthread_mutex_lock(&g->lock);
	while (!g->stop) {
		struct place *p;

		if (g->taken == g->queued) {
			pthread_cond_wait(&g->queue_grew, &g->lock);
			continue;
		}
		p = place_of(g, g->taken++);
		pthread_mutex_unlock(&g->lock);
		compress(g, helper->compressor, p);
		pthread_mutex_lock(&g->lock);
		p->done = true;
		pthread_cond_signal(&g->member_done);
	}
	pthread_mutex_unlock(&g->lock);
	return NULL;
}

/* As many helpers as are wanted and can be had, which may be none. */
static void start_helpers(struct gzip_sink *g)
{
	g->helpers = xcalloc(g->helper_limit, sizeof(*g->helpers));
	while (g->helper_count < g->helper_limit) {
		struct helper *helper = &g->helpers[g->helper_count];

		helper->sink = g;
		helper->compressor = libdeflate_alloc_compressor(g->level);
		if (!helper->compressor ||
		    pthread_create(&helper->thread, NULL, help, helper) != 0) {
			libdeflate_free_compressor(helper->compressor);
			break;
		}
		g->helper_count++;
	}
}

static void stop_helpers(struct gzip_sink *g)
{
	pthread_mutex_lock(&g->lock);
	g->stop = true;
	pthread_cond_broadcast(&g->queue_grew);
	pthread_mutex_unlock(&g->lock);
	for (size_t i = 0; i < g->helper_count; i++) {
		pthread_join(g->helpers[i].thread, NULL);
		libdeflate_free_compressor(g->helpers[i].compressor);
	}
	g->helper_count = 0;
}

/* The member being filled is complete: have it compressed. */
static void queue(struct gzip_sink *g)
{
	struct place *p = place_of(g, g->filling++);

	if (g->helper_count == 0) {
		compress(g, g->compressor, p);
		p->done = true;
		return;
	}
	pthread_mutex_lock(&g->lock);
	g->queued = g->filling;
	pthread_cond_signal(&g->queue_grew);
	pthread_mutex_unlock(&g->lock);
}

/* Write finished members, waiting for them until at most `pending` are left. */
static struct err *write_finished(struct gzip_sink *g, size_t pending)
{
	while (g->written < g->filling) {
		struct place *p = place_of(g, g->written);
		bool done;

		pthread_mutex_lock(&g->lock);
		while (!p->done && g->filling - g->written > pending)
			pthread_cond_wait(&g->member_done, &g->lock);
		done = p->done;
		p->done = false;
		pthread_mutex_unlock(&g->lock);
		if (!done)
			return NULL;
		g->written++;
		p->in_len = 0;
		sink_write(g->inner, p->out, p->out_len);
		TRY(sink_check(g->inner));
	}
	return NULL;
}

/* Take what fits into the member being filled. */
static size_t fill(struct gzip_sink *g, const char *data, size_t len)
{
	struct place *p = place_of(g, g->filling);
	size_t n = len < MEMBER - p->in_len ? len : MEMBER - p->in_len;

	if (!p->in)
		p->in = xrealloc(NULL, MEMBER, 1);
	memcpy(p->in + p->in_len, data, n);
	p->in_len += n;
	return n;
}

static struct err *gzip_write(void *self, const void *data, size_t len)
{
	struct gzip_sink *g = self;
	const char *at = data;
	const char *end = at + len;

	for (at += fill(g, at, len); at < end; at += fill(g, at, (size_t)(end - at))) {
		/* The member is full, and as more is here it is not the last one. */
		if (!g->helpers)
			start_helpers(g);
		queue(g);
		TRY(write_finished(g, g->place_count - 1));
	}
	return NULL;
}

/* The last member: the only one that may be short, or empty if it is the only one. */
static struct err *gzip_finish(void *self)
{
	struct gzip_sink *g = self;

	queue(g);
	TRY(write_finished(g, 0));
	return sink_finish(g->inner);
}

static void gzip_sink_free(void *self)
{
	struct gzip_sink *g = self;

	stop_helpers(g);
	for (size_t i = 0; i < g->place_count; i++) {
		free(g->places[i].in);
		free(g->places[i].out);
	}
	pthread_cond_destroy(&g->member_done);
	pthread_cond_destroy(&g->queue_grew);
	pthread_mutex_destroy(&g->lock);
	libdeflate_free_compressor(g->compressor);
	sink_free(g->inner);
	free(g->helpers);
	free(g->places);
	free(g);
}

struct sink *gzip_sink(struct sink *inner, int level, unsigned workers)
{
	static const struct sink_ops ops = { gzip_write, gzip_finish, gzip_sink_free };
	struct gzip_sink *g = xcalloc(1, sizeof(*g));

	g->inner = inner;
	g->level = level;
	g->compressor = libdeflate_alloc_compressor(level);
	if (!g->compressor) /* the level was checked */
		mem_exhausted();
	g->bound = libdeflate_gzip_compress_bound(g->compressor, MEMBER);
	g->helper_limit = workers < CODEC_WORKERS ? workers : CODEC_WORKERS;
	g->place_count = g->helper_limit + 2; /* one to fill, one ready for whoever is free next */
	g->places = xcalloc(g->place_count, sizeof(*g->places));
	pthread_mutex_init(&g->lock, NULL);
	pthread_cond_init(&g->queue_grew, NULL);
	pthread_cond_init(&g->member_done, NULL);
	return sink_new(&ops, g);
}
