/* tests/unit/test_clip.c - the beginning and the end of too much output, and a word about what lies between. */

#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>

#include "builder/clip.h"

/* What came out: each stream, and both in their order. */
struct heard {
	struct buf streams[2], all;
};

static void hear(void *self, unsigned stream, struct str bytes)
{
	struct heard *heard = self;

	buf_add_str(&heard->streams[stream], bytes);
	buf_add_str(&heard->all, bytes);
}

#define HEARD_INIT \
	((struct heard){ { BUF_INIT(SIZE_MAX), BUF_INIT(SIZE_MAX) }, BUF_INIT(SIZE_MAX) })

static struct clip clip_to(struct heard *heard, uint64_t limit)
{
	return (struct clip){ .limit = limit, .pass = hear, .self = heard };
}

static void heard_auto_(struct heard *heard)
{
	buf_release(&heard->streams[0]);
	buf_release(&heard->streams[1]);
	buf_release(&heard->all);
}

static void assert_text(const struct buf *buf, const char *want)
{
	assert_int_equal(buf->len, strlen(want));
	assert_memory_equal(buf->at, want, buf->len);
}

TEST(what_is_not_too_much_is_passed_as_it_comes)
{
	AUTO(heard) struct heard heard = HEARD_INIT;
	struct clip clip = clip_to(&heard, 8);

	(void)state;
	clip_feed(&clip, 0, STR("one\n"));
	assert_text(&heard.all, "one\n");
	clip_feed(&clip, 1, STR("two\n"));
	assert_text(&heard.all, "one\ntwo\n");
	clip_end(&clip);
	assert_text(&heard.streams[0], "one\n");
	assert_text(&heard.streams[1], "two\n");
}

TEST(what_fits_into_the_tail_is_not_lost_and_keeps_its_order)
{
	AUTO(heard) struct heard heard = HEARD_INIT;
	struct clip clip = clip_to(&heard, 5);

	(void)state;
	clip_feed(&clip, 0, STR("one\ntwo\n"));
	assert_text(&heard.all, "one\nt");
	clip_feed(&clip, 1, STR("three\n"));
	clip_feed(&clip, 0, STR("four"));
	assert_text(&heard.all, "one\nt");
	clip_end(&clip);
	assert_text(&heard.all, "one\ntwo\nthree\nfour");
}

/* Lines that are numbered; their bytes are added to `*bytes`. */
static void feed_lines(struct clip *clip, unsigned from, unsigned to, uint64_t *bytes)
{
	char line[64];

	for (unsigned i = from; i < to; i++) {
		const int len = snprintf(line, sizeof(line), "line %09u\n", i);

		clip_feed(clip, i % 2, (struct str){ line, (size_t)len });
		*bytes += (uint64_t)len;
	}
}

TEST(between_the_beginning_and_the_end_is_a_line_that_counts_what_is_lost)
{
	AUTO(heard) struct heard heard = HEARD_INIT;
	struct clip clip = clip_to(&heard, 15);
	unsigned long long lines = 0, lost = 0;
	const char *at, *end;
	uint64_t bytes = 0;

	(void)state;
	feed_lines(&clip, 0, 1000000, &bytes);
	assert_true(clip.tail.bytes <= CLIP_TAIL + 128 * 1024);
	clip_end(&clip);
	buf_addc(&heard.all, 0);
	assert_memory_equal(heard.all.at, "line 000000000\n[", 16);
	at = strchr(heard.all.at, '[');
	end = strchr(at, '\n');
	assert_int_equal(
		sscanf(at, "[%llu lines (%llu bytes) of output were dropped here]", &lines, &lost),
		2);
	/* all that was written is either here or counted */
	assert_int_equal(15 + lost + strlen(end + 1), bytes);
	assert_int_equal(1 + lines + strlen(end + 1) / 15, 1000000);
	assert_string_equal(heard.all.at + heard.all.len - 16, "line 000999999\n");
	assert_memory_equal(end + 1, "line ", 5);
}

TEST(a_line_without_end_is_bounded_too)
{
	static char chunk[65536];
	AUTO(heard) struct heard heard = HEARD_INIT;
	struct clip clip = clip_to(&heard, 10);

	(void)state;
	memset(chunk, 'x', sizeof(chunk));
	for (unsigned i = 0; i < 200; i++)
		clip_feed(&clip, 0, (struct str){ chunk, sizeof(chunk) });
	assert_true(clip.tail.bytes <= CLIP_TAIL + 128 * 1024);
	clip_feed(&clip, 0, STR("the end"));
	clip_end(&clip);
	assert_true(heard.all.len <= CLIP_TAIL + 256 * 1024);
	assert_memory_equal(heard.all.at, "xxxxxxxxxx\n[0 lines (", 21);
	assert_memory_equal(heard.all.at + heard.all.len - 7, "the end", 7);
}

TEST(one_byte_at_a_time_from_two_streams_is_bounded_too)
{
	AUTO(heard) struct heard heard = HEARD_INIT;
	struct clip clip = clip_to(&heard, 1);

	(void)state;
	for (unsigned i = 0; i < 100000; i++)
		clip_feed(&clip, i % 2, STR("\n"));
	assert_true(clip.tail.len <= CLIP_PIECES);
	clip_end(&clip);
	assert_true(heard.all.len < 2 * CLIP_PIECES);
}

TEST(without_a_limit_all_is_passed)
{
	AUTO(heard) struct heard heard = HEARD_INIT;
	struct clip clip = clip_to(&heard, CLIP_UNLIMITED);
	uint64_t bytes = 0;

	(void)state;
	feed_lines(&clip, 0, 200000, &bytes);
	assert_int_equal(heard.all.len, bytes);
	clip_release(&clip); /* nothing is held */
}

/* What is lost ends with a line: the next one is whole, and is kept. */
TEST(no_line_is_lost_without_need)
{
	AUTO(heard) struct heard heard = HEARD_INIT;
	struct clip clip = clip_to(&heard, 1);
	AUTO(mem) char *line = xcalloc(1, (size_t)64 * 1024);
	size_t newlines = 0;

	(void)state;
	memset(line, 'x', (size_t)64 * 1024 - 1);
	line[64 * 1024 - 1] = '\n';
	clip_feed(&clip, 0, STR("\n"));
	for (int i = 0; i < 40; i++)
		clip_feed(&clip, 0, (struct str){ line, (size_t)64 * 1024 });
	clip_end(&clip);
	for (size_t i = 0; i < heard.all.len; i++)
		newlines += heard.all.at[i] == '\n';
	/* 17 pieces are held, the other 23 are told */
	assert_int_equal(newlines, 1 + 1 + 17);
	assert_non_null(strstr(heard.all.at, "\n[23 lines ("));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_not_too_much_is_passed_as_it_comes),
		cmocka_unit_test(what_fits_into_the_tail_is_not_lost_and_keeps_its_order),
		cmocka_unit_test(
			between_the_beginning_and_the_end_is_a_line_that_counts_what_is_lost),
		cmocka_unit_test(a_line_without_end_is_bounded_too),
		cmocka_unit_test(one_byte_at_a_time_from_two_streams_is_bounded_too),
		cmocka_unit_test(without_a_limit_all_is_passed),
		cmocka_unit_test(no_line_is_lost_without_need),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
