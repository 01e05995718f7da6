/* tests/unit/test_str.c - borrowed text, numbers without surprises, buffers with a ceiling. */

#include "tests/unit/unit.h"

#include <string.h>

#include "base/str.h"

TEST(text_is_compared_by_its_bytes)
{
	static const struct {
		const char *a, *b;
		int order;
	} cases[] = {
		{ "", "", 0 },        { "a", "a", 0 },         { "a", "b", -1 },
		{ "a", "aa", -1 },    { "", "a", -1 },         { "B", "a", -1 },
		{ "a.b", "a/b", -1 }, { "z", "\xc3\xa4", -1 }, /* bytes are unsigned */
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct str a = str_of(cases[i].a);
		struct str b = str_of(cases[i].b);
		int forth = str_compare(a, b);
		int back = str_compare(b, a);

		assert_int_equal((forth > 0) - (forth < 0), cases[i].order);
		assert_int_equal((back > 0) - (back < 0), -cases[i].order);
		assert_int_equal(str_equal(a, b), cases[i].order == 0);
		assert_int_equal(str_is(a, cases[i].b), cases[i].order == 0);
	}
	assert_true(str_equal(STR("a\0b"), STR("a\0b")));
	assert_false(str_equal(STR("a\0b"), STR("a\0c")));
	assert_false(str_is(STR("a\0"), "a"));
	assert_true(str_equal(str_of(NULL), STR("")));
	assert_int_equal(str_compare(str_of(NULL), STR("")), 0);
}

TEST(beginnings_and_ends_are_known)
{
	assert_true(str_starts(STR("sha256:ab"), "sha256:"));
	assert_true(str_starts(STR("a"), "a"));
	assert_true(str_starts(str_of(NULL), ""));
	assert_false(str_starts(STR("a"), "ab"));
	assert_false(str_starts(STR("b"), "a"));
	assert_true(str_ends(STR("a.tar"), ".tar"));
	assert_true(str_ends(str_of(NULL), ""));
	assert_false(str_ends(STR("tar"), ".tar"));
	assert_false(str_ends(STR("a.tar."), ".tar"));
}

TEST(blanks_are_trimmed_at_the_ends_only)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{ "", "" },
		{ " \t\r\n", "" },
		{ "a", "a" },
		{ "\r\n a \t b\t\n", "a \t b" },
		{ "\v\fa", "\v\fa" }, /* none of these four */
		{ "\xc2\xa0", "\xc2\xa0" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_true(str_is(str_trim(str_of(cases[i].text)), cases[i].want));
	assert_int_equal(str_trim(str_of(NULL)).len, 0);
}

TEST(text_is_cut_at_the_first_separator)
{
	struct str rest = STR("a:b::c");

	assert_true(str_is(str_cut(&rest, ':'), "a"));
	assert_true(str_is(rest, "b::c"));
	assert_true(str_is(str_cut(&rest, ':'), "b"));
	assert_true(str_is(str_cut(&rest, ':'), ""));
	assert_non_null(rest.at);
	assert_true(str_is(str_cut(&rest, ':'), "c"));
	assert_null(rest.at); /* there was no separator any more */
	assert_int_equal(rest.len, 0);
	assert_int_equal(str_cut(&rest, ':').len, 0);

	rest = STR("last:");
	assert_true(str_is(str_cut(&rest, ':'), "last"));
	assert_non_null(rest.at); /* there was one: an empty rest is not none */
	assert_int_equal(rest.len, 0);
}

TEST(copies_end_with_nul)
{
	AUTO(mem) char *text = xstrdup("text");
	AUTO(mem) char *empty = str_dup(str_of(NULL));
	AUTO(mem) char *part = str_dup((struct str){ "partial", 4 });
	AUTO(mem) char *bytes = xmemdup("a\0b", 3);

	assert_string_equal(text, "text");
	assert_string_equal(empty, "");
	assert_string_equal(part, "part");
	assert_memory_equal(bytes, "a\0b", 4);
	assert_null(xstrdup(NULL));
}

TEST(numbers_are_digits_within_bounds)
{
	static const struct {
		const char *text;
		uint64_t min, max;
		enum err_kind kind;
		uint64_t want;
	} cases[] = {
		{ "0", 0, 0, ERR_NONE, 0 },
		{ "007", 0, 10, ERR_NONE, 7 },
		{ "65535", 1, 65535, ERR_NONE, 65535 },
		{ "18446744073709551615", 0, UINT64_MAX, ERR_NONE, UINT64_MAX },
		{ "0000000000000000000000000000001", 0, UINT64_MAX, ERR_NONE, 1 },
		{ "65536", 1, 65535, ERR_INVALID, 0 },
		{ "0", 1, 65535, ERR_INVALID, 0 },
		{ "9", 0, 8, ERR_INVALID, 0 },
		{ "18446744073709551616", 0, UINT64_MAX, ERR_INVALID, 0 },
		{ "99999999999999999999999999", 0, UINT64_MAX, ERR_INVALID, 0 },
		{ "", 0, 9, ERR_INVALID, 0 },
		{ "-1", 0, 9, ERR_INVALID, 0 },
		{ "+1", 0, 9, ERR_INVALID, 0 },
		{ " 1", 0, 9, ERR_INVALID, 0 },
		{ "1 ", 0, 9, ERR_INVALID, 0 },
		{ "0x1", 0, 9, ERR_INVALID, 0 },
		{ "1e1", 0, 99, ERR_INVALID, 0 },
		{ "1.0", 0, 9, ERR_INVALID, 0 },
		{ "\xd9\xa1", 0, 9, ERR_INVALID, 0 }, /* an Arabic one */
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint64_t n = 12345;
		AUTO(err)
		struct err *err = num_parse(str_of(cases[i].text), cases[i].min, cases[i].max, &n);

		assert_int_equal(err_kind(err), cases[i].kind);
		assert_int_equal(n, err ? 12345 : cases[i].want);
	}
	assert_fails(num_parse(STR("1\0"), 0, 9, &(uint64_t){ 0 }), ERR_INVALID);
	assert_fails(num_parse(str_of(NULL), 0, 9, &(uint64_t){ 0 }), ERR_INVALID);
}

TEST(modes_are_octal)
{
	uint64_t mode = 1;
	AUTO(err) struct err *err = num_parse_octal(STR("0758"), 07777, &mode);

	assert_int_equal(err_kind(err), ERR_INVALID);
	assert_string_equal(err_text(err), "'0758' is not an octal number");
	assert_ok(num_parse_octal(STR("0755"), 07777, &mode));
	assert_int_equal(mode, 0755);
	assert_ok(num_parse_octal(STR("7777"), 07777, &mode));
	assert_int_equal(mode, 07777);
	assert_fails(num_parse_octal(STR("10000"), 07777, &mode), ERR_INVALID);
	assert_fails(num_parse_octal(STR(""), 07777, &mode), ERR_INVALID);
	assert_int_equal(mode, 07777);
}

TEST(a_buffer_grows_with_what_is_appended)
{
	AUTO(buf) struct buf buf = BUF_INIT(1000);

	assert_int_equal(buf_str(&buf).len, 0);
	assert_string_equal(buf_str(&buf).at, "");
	buf_adds(&buf, "one ");
	buf_add_str(&buf, STR("two "));
	buf_addc(&buf, '3');
	buf_addf(&buf, " %s %d", "four", 5);
	buf_add(&buf, "\0!", 2);
	assert_int_equal(buf.len, 18);
	assert_memory_equal(buf.at, "one two 3 four 5\0!", 19);
	for (int i = 0; i < 900; i++)
		buf_addc(&buf, 'x');
	assert_int_equal(buf.len, 918);
	assert_int_equal(buf.at[918], '\0');
	assert_ok(buf_check(&buf, "the text"));
}

TEST(there_is_always_room_for_the_nul)
{
	for (size_t len = 0; len <= 300; len++) {
		AUTO(mem) char *data = xcalloc(len + 1, 1);
		AUTO(buf) struct buf buf = BUF_INIT(300);

		buf_add(&buf, data, len);
		assert_int_equal(buf.len, len);
		assert_true(buf.cap > len);
	}
}

TEST(going_over_the_ceiling_is_remembered)
{
	AUTO(buf) struct buf buf = BUF_INIT(8);
	AUTO(err) struct err *err = NULL;

	buf_adds(&buf, "12345678");
	assert_ok(buf_check(&buf, "header"));
	buf_addc(&buf, '9');
	assert_true(buf.over);
	assert_string_equal(buf.at, "12345678"); /* nothing in part */
	err = buf_check(&buf, "header");
	assert_int_equal(err_kind(err), ERR_INVALID);
	assert_string_equal(err_text(err), "header is larger than 8 bytes");

	buf_reset(&buf);
	assert_false(buf.over);
	assert_string_equal(buf.at, "");
	buf_adds(&buf, "123456789");
	buf_addc(&buf, '1'); /* would fit, but the text is spoiled */
	assert_true(buf.over);
	assert_int_equal(buf.len, 0);
}

TEST(the_text_of_a_buffer_can_be_taken)
{
	AUTO(buf) struct buf buf = BUF_INIT(8);
	AUTO(mem) char *empty = buf_steal(&buf);
	AUTO(mem) char *text = NULL;

	assert_string_equal(empty, "");
	buf_adds(&buf, "text");
	text = buf_steal(&buf);
	assert_string_equal(text, "text");
	assert_int_equal(buf.len, 0);
	assert_null(buf.at);
	assert_int_equal(buf.max, 8);
	buf_adds(&buf, "again");
	buf_release(&buf);
	assert_null(buf.at);
	assert_int_equal(buf.max, 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_is_compared_by_its_bytes),
		cmocka_unit_test(beginnings_and_ends_are_known),
		cmocka_unit_test(blanks_are_trimmed_at_the_ends_only),
		cmocka_unit_test(text_is_cut_at_the_first_separator),
		cmocka_unit_test(copies_end_with_nul),
		cmocka_unit_test(numbers_are_digits_within_bounds),
		cmocka_unit_test(modes_are_octal),
		cmocka_unit_test(a_buffer_grows_with_what_is_appended),
		cmocka_unit_test(there_is_always_room_for_the_nul),
		cmocka_unit_test(going_over_the_ceiling_is_remembered),
		cmocka_unit_test(the_text_of_a_buffer_can_be_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
