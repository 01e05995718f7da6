/* base/readahead.c - see base/readahead.h. */

#include "base/readahead.h"

#include <assert.h>
#include <string.h>

#include "base/err.h"
#include "base/stream.h"

void readahead_init(struct readahead *in, struct source *src)
{
	*in = (struct readahead){ .src = src, .buf = xcalloc(READAHEAD_SIZE, 1) };
}

void readahead_release(struct readahead *in)
{
	free(in->buf);
	in->buf = NULL;
}

static struct err *ends_early(void)
{
	return err_new(ERR_CORRUPT, "the stream ends early");
}

/* Read more behind what is here. `*ret_end`: there is no more. */
static struct err *more(struct readahead *in, bool *ret_end)
{
	size_t here = in->end - in->at;
	size_t got;

	if (here > 0 && in->at > 0)
		memmove(in->buf, in->buf + in->at, here);
	in->at = 0;
	got = source_read(in->src, in->buf + here, READAHEAD_SIZE - here);
	in->end = here + got;
	*ret_end = got == 0;
	return got == 0 ? source_check(in->src) : NULL;
}

struct err *readahead_peek(struct readahead *in, struct str *ret)
{
	bool end = false;

	if (in->at == in->end)
		TRY(more(in, &end));
	*ret = (struct str){ in->buf + in->at, in->end - in->at };
	return NULL;
}

void readahead_took(struct readahead *in, size_t len)
{
	assert(len <= in->end - in->at);
	in->at += len;
	in->offset += len;
}

struct err *readahead_block(struct readahead *in, size_t size, const char **ret)
{
	bool end = false;

	assert(size <= READAHEAD_SIZE);
	while (in->end - in->at < size && !end)
		TRY(more(in, &end));
	if (end && in->at < in->end)
		return ends_early();
	*ret = end ? NULL : in->buf + in->at;
	readahead_took(in, end ? 0 : size);
	return NULL;
}

struct err *readahead_take(struct readahead *in, void *data, size_t len, size_t *ret)
{
	struct str here;

	if (in->at == in->end && len >= READAHEAD_SIZE) { /* not copied twice */
		*ret = source_read(in->src, data, len);
		in->offset += *ret;
		if (*ret == 0)
			TRY(source_check(in->src));
		return *ret == 0 ? ends_early() : NULL;
	}
	TRY(readahead_peek(in, &here));
	if (here.len == 0)
		return ends_early();
	*ret = here.len < len ? here.len : len;
	memcpy(data, here.at, *ret);
	readahead_took(in, *ret);
	return NULL;
}

struct err *readahead_skip(struct readahead *in, uint64_t len)
{
	while (len > 0) {
		struct str here;
		size_t step;

		TRY(readahead_peek(in, &here));
		if (here.len == 0)
			return ends_early();
		step = here.len < len ? here.len : (size_t)len;
		readahead_took(in, step);
		len -= step;
	}
	return NULL;
}
