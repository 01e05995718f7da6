/* tests/unit/test_tail.c - what a failed step wrote last, line by line. */

#include "tests/unit/unit.h"

#include <string.h>

#include "builder/tail.h"

static void assert_tail(const struct tail *tail, const char *want)
{
	AUTO(mem) char *text = tail_text(tail);

	assert_string_equal(text, want);
}

TEST(nothing_has_no_text)
{
	AUTO(tail) struct tail tail = { 0 };
	AUTO(mem) char *text = tail_text(&tail);

	assert_null(text);
	tail_add(&tail, STR(""));
	tail_add(&tail, STR(""));
	text = tail_text(&tail);
	assert_null(text);
}

TEST(lines_stand_in_order_without_empty_ones_at_the_end)
{
	AUTO(tail) struct tail tail = { 0 };

	tail_add(&tail, STR(""));
	tail_add(&tail, STR("one"));
	tail_add(&tail, STR(""));
	tail_add(&tail, STR("t\0o"));
	tail_add(&tail, STR(""));
	assert_tail(&tail, "\none\n\nt o");
}

TEST(two_streams_do_not_run_into_one_another)
{
	AUTO(tail) struct tail tail = { 0 };
	const struct build_events listener = tail_listener(&tail);
	struct event_lines out = EVENT_LINES_INIT(&listener, 1, BUILD_STDOUT);
	struct event_lines error = EVENT_LINES_INIT(&listener, 1, BUILD_STDERR);

	event_lines_feed(&out, STR("50 %"));
	event_lines_feed(&error, STR("no such fi"));
	event_lines_feed(&out, STR("... 60 %"));
	event_lines_feed(&error, STR("le\n"));
	event_lines_end(&error);
	event_lines_end(&out);
	events_emit(&listener, &(struct build_event){ .kind = EVENT_WARNING, .text = "x" });
	assert_tail(&tail, "no such file\n50 %... 60 %");
}

TEST(the_last_twenty_lines_remain)
{
	for (unsigned count = 1; count < 65; count++) {
		AUTO(tail) struct tail tail = { 0 };
		AUTO(buf) struct buf want = BUF_INIT(4096);

		for (unsigned i = 1; i <= count; i++) {
			AUTO(mem) char *line = xasprintf("line %u", i);

			tail_add(&tail, str_of(line));
			if (i + 20 > count)
				buf_addf(&want, "%s%s", want.len ? "\n" : "", line);
		}
		assert_tail(&tail, want.at);
	}
}

TEST(long_lines_leave_room_for_fewer)
{
	static const struct {
		size_t lens[4];
		size_t text; /* its length */
		char first;  /* its first byte; the lines are of 'a', 'b', 'c', 'd' */
	} cases[] = {
		{ { 1, 1, 1, 1 }, 7, 'a' },
		{ { 2000, 2048, 2048, 2096 }, 8195, 'a' },
		{ { 2001, 2048, 2048, 2096 }, 6194, 'b' },
		{ { 1, 1, 8191, 1 }, 8193, 'c' },
		{ { 1, 1, 8192, 1 }, 1, 'd' },
		{ { 5, 5, 5, 8192 }, 8192, 'd' },
		{ { 5, 5, 5, 65536 }, 8192, 'd' },
		{ { 5, 5, 65536, 0 }, 8192, 'c' },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(tail) struct tail tail = { 0 };
		AUTO(mem) char *text = NULL;

		for (size_t k = 0; k < 4; k++) {
			AUTO(mem) char *line = xcalloc(cases[i].lens[k] + 1, 1);

			memset(line, "abcd"[k], cases[i].lens[k]);
			tail_add(&tail, str_of(line));
		}
		text = tail_text(&tail);
		if (strlen(text) != cases[i].text || text[0] != cases[i].first)
			fail_msg("case %zu: %zu bytes that begin with '%c'", i, strlen(text),
				 text[0]);
	}
}

TEST(of_a_line_that_is_too_long_the_end_is_kept)
{
	AUTO(tail) struct tail tail = { 0 };
	AUTO(mem) char *line = xcalloc(9000 + 1, 1);
	AUTO(mem) char *text = NULL;

	memset(line, 'x', 9000);
	line[8999] = '!';
	tail_add(&tail, str_of(line));
	text = tail_text(&tail);
	assert_int_equal(strlen(text), TAIL_BYTES);
	assert_int_equal(text[TAIL_BYTES - 1], '!');
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_has_no_text),
		cmocka_unit_test(lines_stand_in_order_without_empty_ones_at_the_end),
		cmocka_unit_test(two_streams_do_not_run_into_one_another),
		cmocka_unit_test(the_last_twenty_lines_remain),
		cmocka_unit_test(long_lines_leave_room_for_fewer),
		cmocka_unit_test(of_a_line_that_is_too_long_the_end_is_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
