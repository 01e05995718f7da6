/*
 * tests/fuzz/fuzz_decompress.c - what users compress survives anything, and what comes out does not
 * depend on how much is read at a time.
 *
 * The first byte chooses how much that is; the rest is the data.
 */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/decompress.h"
#include "base/err.h"
#include "base/str.h"
#include "base/stream.h"

#define MOST ((size_t)1 << 20) /* of decoded bytes: a few input bytes may announce gigabytes */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Read everything in pieces of `step` bytes; true if it came to its end. */
static bool read_all(const void *data, size_t size, size_t step, struct buf *ret)
{
	AUTO(source) struct source *src = NULL;
	AUTO(err) struct err *err = decompress_open(source_from_memory(data, size), &src);
	AUTO(mem) char *piece = xcalloc(1, step);
	size_t n;

	if (err)
		return false;
	while (ret->len < MOST && (n = source_read(src, piece, step)) > 0)
		buf_add(ret, piece, n);
	err = source_check(src);
	return !err;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(buf) struct buf whole = BUF_INIT(2 * MOST);
	AUTO(buf) struct buf pieces = BUF_INIT(2 * MOST);
	bool good, same;

	if (size == 0)
		return 0;
	good = read_all(data + 1, size - 1, MOST, &whole);
	same = read_all(data + 1, size - 1, 1 + data[0], &pieces);
	if (whole.len >= MOST || pieces.len >= MOST)
		return 0; /* neither was read to its end */
	if (good != same)
		abort();
	if (good && !str_equal(buf_str(&whole), buf_str(&pieces)))
		abort();
	return 0;
}
