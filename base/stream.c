/*
 * base/stream.c - see base/stream.h.
 *
 * Errors travel outwards: a decorator that finds its inner stream ended asks
 * for the inner error and makes it its own, so that the outermost stream, which
 * is the only one that anybody asks, has it.
 */

#include "base/stream.h"

#include <assert.h>
#include <string.h>

#include "base/cancel.h"
#include "base/err.h"
#include "base/file.h"

#define FD_BUFFER ((size_t)64 * 1024)  /* small writes to a descriptor are gathered up to this */
#define COPY_FIRST ((size_t)16 * 1024) /* what a copy reads before it takes a large buffer */

/* ---- sources ---- */

struct source {
	const struct source_ops *ops;
	void *self;      /* owned, through ops->free */
	struct err *err; /* the first, until source_check() takes it */
	bool ended;
};

struct source *source_new(const struct source_ops *ops, void *self)
{
	struct source *src = xcalloc(1, sizeof(*src));

	*src = (struct source){ .ops = ops, .self = self };
	return src;
}

size_t source_read(struct source *src, void *data, size_t len)
{
	size_t n;

	if (src->ended || len == 0)
		return 0;
	n = src->ops->read(src->self, data, len, &src->err);
	assert(n <= len && (n == 0 || !src->err));
	src->ended = n == 0;
	return n;
}

struct err *source_read_full(struct source *src, void *data, size_t len)
{
	char *at = data;

	for (size_t got = 0, n; got < len; got += n) {
		n = source_read(src, at + got, len - got);
		if (n == 0) {
			TRY(source_check(src));
			return err_new(ERR_INVALID, "ends early: %zu bytes are missing", len - got);
		}
	}
	return NULL;
}

struct err *source_check(struct source *src)
{
	return STEAL(src->err);
}

void source_free(struct source *src)
{
	if (!src)
		return;
	src->ops->free(src->self);
	err_free(src->err);
	free(src);
}

/* Read `inner` on behalf of a decorator, which takes over its error. */
static size_t pull(struct source *inner, void *data, size_t len, struct err **err)
{
	size_t n = source_read(inner, data, len);

	if (n == 0)
		*err = source_check(inner);
	return n;
}

/* A descriptor. */
struct fd_source {
	int fd;     /* owned */
	char *name; /* for errors */
};

static size_t fd_read(void *self, void *data, size_t len, struct err **err)
{
	const struct fd_source *s = self;
	size_t n = 0;

	*err = file_read_some(s->fd, data, len, s->name, &n);
	return n;
}

static void fd_source_free(void *self)
{
	struct fd_source *s = self;

	close(s->fd);
	free(s->name);
	free(s);
}

struct source *source_from_fd(int fd, const char *name)
{
	static const struct source_ops ops = { fd_read, fd_source_free };
	struct fd_source *s = xcalloc(1, sizeof(*s));

	*s = (struct fd_source){ fd, xstrdup(name) };
	return source_new(&ops, s);
}

/* Memory. */
static size_t memory_read(void *self, void *data, size_t len, struct err **err)
{
	struct str *rest = self;
	size_t n = len < rest->len ? len : rest->len;

	(void)err; /* cannot fail */
	if (n > 0)
		memcpy(data, rest->at, n);
	rest->at += n;
	rest->len -= n;
	return n;
}

struct source *source_from_memory(const void *data, size_t len)
{
	static const struct source_ops ops = { memory_read, free };
	struct str *rest = xcalloc(1, sizeof(*rest));

	*rest = (struct str){ data ? data : "", len };
	return source_new(&ops, rest);
}

/* An upper bound that is an error. */
struct limit {
	struct source *inner; /* owned */
	uint64_t max, seen;
	char *what;
};

static size_t limit_read(void *self, void *data, size_t len, struct err **err)
{
	struct limit *l = self;
	size_t n = pull(l->inner, data, len, err);

	if (n > l->max - l->seen) {
		*err = err_new(ERR_INVALID, "%s is larger than %ju bytes", l->what,
			       (uintmax_t)l->max);
		return 0;
	}
	l->seen += n;
	return n;
}

static void limit_free(void *self)
{
	struct limit *l = self;

	source_free(l->inner);
	free(l->what);
	free(l);
}

struct source *source_limit(struct source *inner, uint64_t max, const char *what)
{
	static const struct source_ops ops = { limit_read, limit_free };
	struct limit *l = xcalloc(1, sizeof(*l));

	*l = (struct limit){ .inner = inner, .max = max, .what = xstrdup(what) };
	return source_new(&ops, l);
}

/* An upper bound that is the end. */
struct slice {
	struct source *inner; /* borrowed */
	uint64_t left;
};

static size_t slice_read(void *self, void *data, size_t len, struct err **err)
{
	struct slice *s = self;
	size_t n = pull(s->inner, data, len < s->left ? len : (size_t)s->left, err);

	s->left -= n;
	return n;
}

struct source *source_slice(struct source *inner, uint64_t len)
{
	static const struct source_ops ops = { slice_read, free };
	struct slice *s = xcalloc(1, sizeof(*s));

	*s = (struct slice){ inner, len };
	return source_new(&ops, s);
}

/* A source whose first bytes have been looked at already. */
struct peeked {
	struct source *inner; /* owned */
	char *head;           /* owned */
	size_t at, len;       /* what of `head` is still to be given */
};

static size_t peeked_read(void *self, void *data, size_t len, struct err **err)
{
	struct peeked *p = self;
	size_t n = p->len - p->at;

	if (n == 0)
		return pull(p->inner, data, len, err);
	if (n > len)
		n = len;
	memcpy(data, p->head + p->at, n);
	p->at += n;
	return n;
}

static void peeked_free(void *self)
{
	struct peeked *p = self;

	source_free(p->inner);
	free(p->head);
	free(p);
}

struct err *source_peek(struct source *inner, size_t len, struct str *ret_head, struct source **ret)
{
	static const struct source_ops ops = { peeked_read, peeked_free };
	struct peeked *p = xcalloc(1, sizeof(*p));
	AUTO(source) struct source *whole = source_new(&ops, p);
	size_t n;

	p->inner = inner;
	p->head = xcalloc(1, len);
	while ((n = source_read(inner, p->head + p->len, len - p->len)) > 0)
		p->len += n;
	TRY(source_check(inner));
	*ret_head = (struct str){ p->head, p->len };
	*ret = STEAL(whole);
	return NULL;
}

/* Hashing, with and without an opinion about the result. */
struct hashing {
	struct source *inner; /* owned */
	struct hasher *hasher;
	uint64_t seen;
	struct digest want; /* source_verify() alone, like all below */
	uint64_t size;
	bool verified;
};

static size_t hash_read(void *self, void *data, size_t len, struct err **err)
{
	struct hashing *h = self;
	size_t n = pull(h->inner, data, len, err);

	hasher_update(h->hasher, data, n);
	h->seen += n;
	return n;
}

static void hashing_free(void *self)
{
	struct hashing *h = self;

	source_free(h->inner);
	hasher_free(h->hasher);
	free(h);
}

static const struct source_ops hash_ops = { hash_read, hashing_free };

struct source *source_hash(struct source *inner)
{
	struct hashing *h = xcalloc(1, sizeof(*h));

	*h = (struct hashing){ .inner = inner, .hasher = hasher_new() };
	return source_new(&hash_ops, h);
}

struct err *source_hash_finish(struct source *src, struct digest *ret, uint64_t *ret_size)
{
	const struct hashing *h = src->self;

	assert(src->ops == &hash_ops);
	TRY(hasher_finish(h->hasher, ret));
	*ret_size = h->seen;
	return NULL;
}

static struct err *check_digest(const struct hashing *h)
{
	char have_text[DIGEST_TEXT_SIZE], want_text[DIGEST_TEXT_SIZE];
	struct digest have;

	TRY(hasher_finish(h->hasher, &have));
	if (digest_equal(&have, &h->want))
		return NULL;
	return err_new(ERR_CORRUPT, "the content is %s, not %s", digest_format(&have, have_text),
		       digest_format(&h->want, want_text));
}

/* The last bytes are given only after the digest has been found right, so that even a reader who
 * knows the size, and stops there, cannot use wrong ones. */
static size_t verify_read(void *self, void *data, size_t len, struct err **err)
{
	struct hashing *h = self;
	size_t n = pull(h->inner, data, len, err);

	if (*err)
		return 0;
	if (n > h->size - h->seen) {
		*err = err_new(ERR_CORRUPT, "the content is longer than %ju bytes",
			       (uintmax_t)h->size);
		return 0;
	}
	hasher_update(h->hasher, data, n);
	h->seen += n;
	if (n == 0 && h->seen < h->size)
		*err = err_new(ERR_CORRUPT, "the content ends after %ju of %ju bytes",
			       (uintmax_t)h->seen, (uintmax_t)h->size);
	else if (h->seen == h->size && !h->verified)
		*err = check_digest(h);
	h->verified = h->seen == h->size;
	return *err ? 0 : n;
}

struct source *source_verify(struct source *inner, const struct digest *want, uint64_t size)
{
	static const struct source_ops ops = { verify_read, hashing_free };
	struct hashing *h = xcalloc(1, sizeof(*h));

	*h = (struct hashing){
		.inner = inner, .hasher = hasher_new(), .want = *want, .size = size
	};
	return source_new(&ops, h);
}

/* ---- sinks ---- */

struct sink {
	const struct sink_ops *ops;
	void *self;      /* owned, through ops->free */
	struct err *err; /* the first, until somebody takes it */
	bool failed;     /* there was one */
	bool finished;
};

struct sink *sink_new(const struct sink_ops *ops, void *self)
{
	struct sink *out = xcalloc(1, sizeof(*out));

	*out = (struct sink){ .ops = ops, .self = self };
	return out;
}

/* Takes ownership of `err`. */
static void sink_note(struct sink *out, struct err *err)
{
	out->err = err;
	out->failed = err != NULL;
}

void sink_write(struct sink *out, const void *data, size_t len)
{
	assert(!out->finished);
	if (!out->failed && len > 0)
		sink_note(out, out->ops->write(out->self, data, len));
}

bool sink_failed(const struct sink *out)
{
	return out->failed;
}

struct err *sink_check(struct sink *out)
{
	return STEAL(out->err);
}

struct err *sink_finish(struct sink *out)
{
	assert(!out->finished);
	out->finished = true;
	if (!out->failed && out->ops->finish)
		sink_note(out, out->ops->finish(out->self));
	if (out->failed && !out->err)
		return err_new(ERR_INTERNAL, "an output that failed was finished");
	return STEAL(out->err);
}

void sink_free(struct sink *out)
{
	if (!out)
		return;
	out->ops->free(out->self);
	err_free(out->err);
	free(out);
}

/* A descriptor. Small writes are gathered; one that would not fit into an empty buffer goes past
 * it, uncopied. */
struct fd_sink {
	int fd; /* owned */
	char *name;
	char *buf; /* of FD_BUFFER bytes, made by the first small write */
	size_t used;
};

static struct err *fd_flush(struct fd_sink *s)
{
	size_t used = s->used;

	s->used = 0;
	return file_write_all(s->fd, s->buf, used, s->name);
}

static struct err *fd_write(void *self, const void *data, size_t len)
{
	struct fd_sink *s = self;

	if (len > FD_BUFFER - s->used)
		TRY(fd_flush(s));
	if (len >= FD_BUFFER)
		return file_write_all(s->fd, data, len, s->name);
	if (!s->buf)
		s->buf = xrealloc(NULL, FD_BUFFER, 1);
	memcpy(s->buf + s->used, data, len);
	s->used += len;
	return NULL;
}

static struct err *fd_finish(void *self)
{
	return fd_flush(self);
}

static void fd_sink_free(void *self)
{
	struct fd_sink *s = self;

	close(s->fd);
	free(s->name);
	free(s->buf);
	free(s);
}

struct sink *sink_to_fd(int fd, const char *name)
{
	static const struct sink_ops ops = { fd_write, fd_finish, fd_sink_free };
	struct fd_sink *s = xcalloc(1, sizeof(*s));

	*s = (struct fd_sink){ .fd = fd, .name = xstrdup(name) };
	return sink_new(&ops, s);
}

/* A buffer with a ceiling, and nothing at all. */
static struct err *buf_write(void *self, const void *data, size_t len)
{
	struct buf *buf = self;

	buf_add(buf, data, len);
	return buf_check(buf, "the output");
}

static struct err *null_write(void *self, const void *data, size_t len)
{
	(void)self, (void)data, (void)len;
	return NULL;
}

static void free_nothing(void *self)
{
	(void)self;
}

struct sink *sink_to_buf(struct buf *buf)
{
	static const struct sink_ops ops = { buf_write, NULL, free_nothing };

	return sink_new(&ops, buf);
}

struct sink *sink_null(void)
{
	static const struct sink_ops ops = { null_write, NULL, free_nothing };

	return sink_new(&ops, NULL);
}

static struct err *borrow_write(void *self, const void *data, size_t len)
{
	sink_write(self, data, len);
	return sink_check(self);
}

struct sink *sink_borrow(struct sink *inner)
{
	static const struct sink_ops ops = { borrow_write, NULL, free_nothing };

	return sink_new(&ops, inner);
}

/* Hashing on the way. */
struct hash_sink {
	struct sink *inner; /* owned */
	struct hasher *hasher;
	uint64_t seen;
	struct digest *ret_digest; /* the caller's, or NULL */
	uint64_t *ret_size;        /* likewise */
};

static struct err *hash_write(void *self, const void *data, size_t len)
{
	struct hash_sink *h = self;

	hasher_update(h->hasher, data, len);
	h->seen += len;
	sink_write(h->inner, data, len);
	return sink_check(h->inner);
}

static struct err *hash_finish(void *self)
{
	const struct hash_sink *h = self;
	struct digest digest;

	TRY(sink_finish(h->inner));
	TRY(hasher_finish(h->hasher, &digest));
	if (h->ret_digest)
		*h->ret_digest = digest;
	if (h->ret_size)
		*h->ret_size = h->seen;
	return NULL;
}

static void hash_sink_free(void *self)
{
	struct hash_sink *h = self;

	sink_free(h->inner);
	hasher_free(h->hasher);
	free(h);
}

struct sink *sink_hash(struct sink *inner, struct digest *digest, uint64_t *size)
{
	static const struct sink_ops ops = { hash_write, hash_finish, hash_sink_free };
	struct hash_sink *h = xcalloc(1, sizeof(*h));

	*h = (struct hash_sink){
		.inner = inner, .hasher = hasher_new(), .ret_digest = digest, .ret_size = size
	};
	return sink_new(&ops, h);
}

/* ---- both ---- */

/* A copy of what is read. */
struct tee {
	struct source *inner; /* owned */
	struct sink *out;     /* borrowed */
};

static size_t tee_read(void *self, void *data, size_t len, struct err **err)
{
	struct tee *t = self;
	size_t n = pull(t->inner, data, len, err);

	if (n > 0 && !*err) {
		sink_write(t->out, data, n);
		*err = sink_check(t->out);
	}
	return *err ? 0 : n;
}

static void tee_free(void *self)
{
	struct tee *t = self;

	source_free(t->inner);
	free(t);
}

struct source *source_tee(struct source *inner, struct sink *out)
{
	static const struct source_ops ops = { tee_read, tee_free };
	struct tee *t = xcalloc(1, sizeof(*t));

	*t = (struct tee){ inner, out };
	return source_new(&ops, t);
}

/* Most files are small: the large buffer is taken only when a first, small read was filled. */
struct err *stream_copy(struct source *src, struct sink *out, uint64_t *ret_copied)
{
	UNCLEARED char first[COPY_FIRST];
	AUTO(mem) char *large = NULL;
	uint64_t copied = 0;
	size_t n;

	while ((n = source_read(src, large ? large : first, large ? STREAM_CHUNK : COPY_FIRST))) {
		sink_write(out, large ? large : first, n);
		if (sink_failed(out))
			return sink_check(out);
		copied += n;
		if (n == COPY_FIRST && !large)
			large = xrealloc(NULL, STREAM_CHUNK, 1);
		TRY(cancel_check());
	}
	TRY(source_check(src));
	if (ret_copied)
		*ret_copied = copied;
	return NULL;
}
