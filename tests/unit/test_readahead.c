/* tests/unit/test_readahead.c - looking at bytes, taking them, stepping over them. */

#include "tests/unit/unit.h"

#include <string.h>

#include "base/readahead.h"
#include "base/stream.h"

#define TOTAL (3 * READAHEAD_SIZE + 100)

static char bytes[TOTAL];

static int fill(__attribute__((unused)) void **state)
{
	for (size_t i = 0; i < TOTAL; i++)
		bytes[i] = (char)(i * 7 >> 3);
	return 0;
}

TEST(gives_the_stream_in_blocks_and_pieces)
{
	AUTO(source) struct source *src = source_from_memory(bytes, TOTAL);
	AUTO(mem) char *copy = xcalloc(TOTAL, 1);
	struct readahead in;
	const char *block;
	struct str seen;
	size_t got;

	readahead_init(&in, src);
	assert_ok(readahead_block(&in, 512, &block));
	assert_memory_equal(block, bytes, 512);
	assert_ok(readahead_peek(&in, &seen));
	assert_memory_equal(seen.at, bytes + 512, seen.len);
	readahead_took(&in, 10);
	assert_int_equal(in.offset, 522);
	assert_ok(readahead_skip(&in, READAHEAD_SIZE));
	for (size_t at = 522 + READAHEAD_SIZE; at < TOTAL; at += got) {
		assert_ok(readahead_take(&in, copy, TOTAL, &got));
		assert_memory_equal(copy, bytes + at, got);
	}
	assert_int_equal(in.offset, TOTAL);
	assert_ok(readahead_peek(&in, &seen));
	assert_int_equal(seen.len, 0);
	assert_ok(readahead_block(&in, 512, &block));
	assert_null(block);
	readahead_release(&in);
}

TEST(a_block_may_lie_across_two_reads)
{
	AUTO(source) struct source *src = source_from_memory(bytes, TOTAL);
	struct readahead in;
	const char *block;

	readahead_init(&in, src);
	assert_ok(readahead_skip(&in, READAHEAD_SIZE - 3));
	assert_ok(readahead_block(&in, READAHEAD_SIZE, &block));
	assert_memory_equal(block, bytes + READAHEAD_SIZE - 3, READAHEAD_SIZE);
	readahead_release(&in);
}

TEST(says_when_the_stream_ends_too_early)
{
	AUTO(source) struct source *src = source_from_memory(bytes, 600);
	struct readahead in;
	const char *block;
	size_t got;

	readahead_init(&in, src);
	assert_ok(readahead_block(&in, 512, &block));
	assert_fails(readahead_block(&in, 512, &block), ERR_CORRUPT);
	assert_fails(readahead_skip(&in, 89), ERR_CORRUPT);
	assert_fails(readahead_take(&in, bytes, 1, &got), ERR_CORRUPT);
	assert_fails(readahead_take(&in, bytes, TOTAL, &got), ERR_CORRUPT);
	readahead_release(&in);
}

static size_t never(__attribute__((unused)) void *self, __attribute__((unused)) void *data,
		    __attribute__((unused)) size_t len, struct err **err)
{
	*err = err_new(ERR_NETWORK, "the line is cut");
	return 0;
}

static void leave(__attribute__((unused)) void *self)
{
}

TEST(passes_on_the_error_of_its_source)
{
	static const struct source_ops ops = { never, leave };

	for (size_t len = 1; len <= TOTAL; len += TOTAL - 1) {
		AUTO(source) struct source *src = source_new(&ops, NULL);
		struct readahead in;
		size_t got;

		readahead_init(&in, src);
		assert_fails(readahead_take(&in, bytes, len, &got), ERR_NETWORK);
		readahead_release(&in);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gives_the_stream_in_blocks_and_pieces),
		cmocka_unit_test(a_block_may_lie_across_two_reads),
		cmocka_unit_test(says_when_the_stream_ends_too_early),
		cmocka_unit_test(passes_on_the_error_of_its_source),
	};

	return cmocka_run_group_tests(tests, fill, NULL);
}
