/*
 * base/stream.h - bytes on their way: sources give them, sinks take them.
 *
 * A source is read until it returns 0; a sink is written until it is finished.
 * Both keep their first error: after it a source reads as ended and a sink
 * swallows, so copy loops stay free of checks, and source_check() or
 * sink_finish() tells what happened. Decorators own what they wrap: freeing
 * the outermost frees the chain. Nothing here is thread safe; one stream
 * belongs to one thread at a time.
 */
#ifndef BASE_STREAM_H
#define BASE_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/digest.h"
#include "base/mem.h"
#include "base/str.h"

struct err;
struct source;
struct sink;

#define STREAM_CHUNK ((size_t)256 * 1024) /* what copy loops read at a time */

/* ---- sources ---- */

/* What an implementation provides. `read` returns the bytes written into `data` (0 is the end)
 * or stores an error it no longer owns into `*err` and returns 0. */
struct source_ops {
	size_t (*read)(void *self, void *data, size_t len, struct err **err);
	void (*free)(void *self); /* frees `self` and what it owns */
};

struct source *source_new(const struct source_ops *ops, void *self) MUST_USE;

/* Up to `len` bytes; 0 at the end or after an error. May return fewer than asked. */
size_t source_read(struct source *src, void *data, size_t len);
/* Exactly `len` bytes: ERR_INVALID "ends early" if there are fewer. */
struct err *source_read_full(struct source *src, void *data, size_t len) MUST_USE;
/* The stream's error, or NULL; ownership moves to the caller, the stream stays ended. */
struct err *source_check(struct source *src) MUST_USE;
void source_free(struct source *src);
DEFINE_AUTO(source)

struct source *source_from_fd(int fd, const char *name) MUST_USE; /* takes ownership of `fd` */
struct source *source_from_memory(const void *data, size_t len) MUST_USE; /* borrows `data` */
/* ERR_INVALID "<what> is larger than <max> bytes" when more than `max` bytes come. */
struct source *source_limit(struct source *inner, uint64_t max, const char *what) MUST_USE;
/* At most `len` bytes of `inner`, which is borrowed, not owned. An end of `inner` before that is
 * the end of the slice; an error of `inner` becomes the slice's. */
struct source *source_slice(struct source *inner, uint64_t len) MUST_USE;
/* Look at the first `len` bytes of `inner`, or at all if there are fewer; `*ret` gives them again,
 * and then the rest. Owns `inner`, also after an error. `*ret_head` is valid as long as `*ret`. */
struct err *source_peek(struct source *inner, size_t len, struct str *ret_head, struct source **ret)
	MUST_USE;
/* Counts and hashes what passes. source_hash_finish() drains nothing: read to the end first. */
struct source *source_hash(struct source *inner) MUST_USE;
struct err *source_hash_finish(struct source *src, struct digest *ret, uint64_t *ret_size) MUST_USE;
/* What passes is written to `out`, which is borrowed and not finished; its error becomes the
 * source's. */
struct source *source_tee(struct source *inner, struct sink *out) MUST_USE;
/* Hashes what passes and fails with ERR_CORRUPT unless digest and size are these. The last bytes
 * are withheld until the digest is known to be right; that nothing follows them is known when
 * the reader is told the end. */
struct source *source_verify(struct source *inner, const struct digest *want, uint64_t size)
	MUST_USE;

/* ---- sinks ---- */

/* `write` takes all of it or returns an error. `finish` flushes; called once, before `free`. */
struct sink_ops {
	struct err *(*write)(void *self, const void *data, size_t len);
	struct err *(*finish)(void *self); /* NULL: nothing to flush */
	void (*free)(void *self);
};

struct sink *sink_new(const struct sink_ops *ops, void *self) MUST_USE;
void sink_write(struct sink *out, const void *data, size_t len);
bool sink_failed(const struct sink *out); /* to leave a long loop early */
/* The error so far, or NULL; ownership moves to the caller, the sink stays failed. How a
 * decorator takes over the error of what it wraps. */
struct err *sink_check(struct sink *out) MUST_USE;
/* Flush, and the first error of the stream's whole life. Once, and last but for sink_free(). */
struct err *sink_finish(struct sink *out) MUST_USE;
void sink_free(struct sink *out); /* without sink_finish() the output is incomplete */
DEFINE_AUTO(sink)

/* Takes ownership of `fd`, which sink_free() closes: after sink_finish() the caller may still flush
 * it to disk. Small writes are gathered. */
struct sink *sink_to_fd(int fd, const char *name) MUST_USE;
struct sink *sink_to_buf(struct buf *buf) MUST_USE; /* borrows `buf` */
struct sink *sink_null(void) MUST_USE;
/* Hash and count what passes on its way to `inner`; the results are valid after sink_finish(),
 * which finishes `inner` too. `digest` and `size` may be NULL. */
struct sink *sink_hash(struct sink *inner, struct digest *digest, uint64_t *size) MUST_USE;

/* Writes to `inner`, which is neither finished nor freed: for handing a borrowed sink to what
 * takes ownership. Its error moves to the new sink. */
struct sink *sink_borrow(struct sink *inner) MUST_USE;

/* Everything from `src` into `out`. Reports the error of either side, or that the process was
 * told to stop; does not finish `out`. `ret_copied` may be NULL. */
struct err *stream_copy(struct source *src, struct sink *out, uint64_t *ret_copied) MUST_USE;

#endif
