/*
 * base/readahead.h - a source with some of its bytes already here.
 *
 * For parsers that look at blocks where they lie, and step over what they do
 * not want. One buffer, filled in large reads; large content goes past it.
 */
#ifndef BASE_READAHEAD_H
#define BASE_READAHEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/mem.h"
#include "base/str.h"

struct err;
struct source;

#define READAHEAD_SIZE ((size_t)64 * 1024) /* also the largest block */

struct readahead {
	struct source *src; /* borrowed */
	char *buf;          /* READAHEAD_SIZE bytes ... */
	size_t at, end;     /* ... of which these are here and not yet taken */
	uint64_t offset;    /* in the stream, of the next byte to be taken */
};

void readahead_init(struct readahead *in, struct source *src);
void readahead_release(struct readahead *in);

/* In what follows ERR_CORRUPT says that the stream ends too early; any other error is that of the
 * source. What a function gives to look at is valid until the next call. */

/* All that is here, at least a byte of it, to look at; empty at the end of the stream. Nothing is
 * taken. */
struct err *readahead_peek(struct readahead *in, struct str *ret) MUST_USE;
/* Take `len` bytes that were looked at. */
void readahead_took(struct readahead *in, size_t len);
/* Take a block of `size` bytes. NULL if the stream ends right here. */
struct err *readahead_block(struct readahead *in, size_t size, const char **ret) MUST_USE;
/* Take between 1 and `len` bytes into `data`; `len` is not 0. */
struct err *readahead_take(struct readahead *in, void *data, size_t len, size_t *ret) MUST_USE;
struct err *readahead_skip(struct readahead *in, uint64_t len) MUST_USE;

#endif
