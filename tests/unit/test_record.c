/* tests/unit/test_record.c - a record has one spelling, and any damage shows. */

#include "tests/unit/unit.h"

#include <string.h>

#include "store/record-private.h"

TEST(the_sum_is_the_first_eight_bytes_of_sha256)
{
	AUTO(buf) struct buf text = BUF_INIT(256);

	/* printf abc | sha256sum: ba7816bf8f01cfea414140de... */
	buf_adds(&text, "abc");
	assert_ok(record_seal(&text));
	assert_string_equal(text.at, "abcsum ba7816bf8f01cfea\n");
}

TEST(every_cut_and_every_changed_byte_shows)
{
	AUTO(buf) struct buf text = BUF_INIT(256);
	struct str body;

	buf_adds(&text, "type 1\nname value\n");
	assert_ok(record_seal(&text));
	assert_ok(record_open(buf_str(&text), &body));
	assert_int_equal(body.len, strlen("type 1\nname value\n"));
	for (size_t len = 0; len < text.len; len++)
		assert_fails(record_open((struct str){ text.at, len }, &body), ERR_CORRUPT);
	for (size_t i = 0; i < text.len; i++) {
		text.at[i] ^= 1;
		assert_fails(record_open(buf_str(&text), &body), ERR_CORRUPT);
		text.at[i] ^= 1;
	}
	assert_ok(record_open(buf_str(&text), &body));
}

TEST(fields_come_in_their_order_and_whole)
{
	struct str rest = STR("one 1\ntwo \nthree");
	struct str value;

	assert_fails(record_text(&rest, "two", &value), ERR_CORRUPT);
	assert_fails(record_text(&rest, "on", &value), ERR_CORRUPT);
	assert_true(record_has(rest, "one"));
	assert_false(record_has(rest, "two"));
	assert_ok(record_text(&rest, "one", &value));
	assert_true(str_is(value, "1"));
	assert_ok(record_text(&rest, "two", &value));
	assert_int_equal(value.len, 0);
	assert_fails(record_text(&rest, "three", &value), ERR_CORRUPT); /* no newline: torn */
	rest = STR("");
	assert_fails(record_text(&rest, "one", &value), ERR_CORRUPT);
}

TEST(numbers_have_one_spelling)
{
	static const struct {
		const char *text;
		bool good;
		uint64_t want;
	} cases[] = {
		{ "0", true, 0 },
		{ "7", true, 7 },
		{ "18446744073709551615", true, UINT64_MAX },
		{ "", false, 0 },
		{ "00", false, 0 },
		{ "07", false, 0 },
		{ "-1", false, 0 },
		{ "+1", false, 0 },
		{ " 1", false, 0 },
		{ "1 ", false, 0 },
		{ "0x1", false, 0 },
		{ "18446744073709551616", false, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint64_t n = 42;

		assert_fails(record_parse_number(str_of(cases[i].text), &n),
			     cases[i].good ? ERR_NONE : ERR_CORRUPT);
		assert_int_equal(n, cases[i].good ? cases[i].want : 42);
	}
}

TEST(any_text_fits_into_a_line_and_comes_back)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{ "", "" },
		{ "plain \x01\xff", "plain \x01\xff" },
		{ "a\nb\tc\\d\r", "a\\nb\\tc\\\\d\r" },
		{ "\n", "\\n" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(buf) struct buf line = BUF_INIT(256);
		AUTO(mem) char *again = NULL;

		record_escape(&line, cases[i].text);
		assert_string_equal(buf_str(&line).at, cases[i].want);
		assert_ok(record_unescape(buf_str(&line), &again));
		assert_string_equal(again, cases[i].text);
	}
}

TEST(refuses_escapes_that_nobody_writes)
{
	static const char *const cases[] = { "\\", "a\\", "\\r", "\\0", "a\tb", "a\nb" };
	static const char with_nul[] = { 'a', '\0', 'b' };
	char *text = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_fails(record_unescape(str_of(cases[i]), &text), ERR_CORRUPT);
	assert_fails(record_unescape((struct str){ with_nul, sizeof(with_nul) }, &text),
		     ERR_CORRUPT);
}

TEST(what_a_power_cut_leaves_of_an_unflushed_record_is_blank)
{
	static const char zeros[300];

	assert_true(record_is_blank(STR("")));
	assert_true(record_is_blank((struct str){ zeros, sizeof(zeros) }));
	assert_false(record_is_blank(STR("k")));
	assert_false(record_is_blank((struct str){ "\0\0\0k", 4 }));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_sum_is_the_first_eight_bytes_of_sha256),
		cmocka_unit_test(every_cut_and_every_changed_byte_shows),
		cmocka_unit_test(fields_come_in_their_order_and_whole),
		cmocka_unit_test(numbers_have_one_spelling),
		cmocka_unit_test(any_text_fits_into_a_line_and_comes_back),
		cmocka_unit_test(refuses_escapes_that_nobody_writes),
		cmocka_unit_test(what_a_power_cut_leaves_of_an_unflushed_record_is_blank),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
