/* tests/unit/test_utf8.c - RFC 3629 at its edges. */

#include "tests/unit/unit.h"

#include "base/utf8.h"

TEST(reads_the_first_and_last_character_of_each_length)
{
	static const struct {
		const char *text;
		size_t len;
		uint32_t point;
	} cases[] = {
		{ "\x01", 1, 0x01 },
		{ "\x7f", 1, 0x7f },
		{ "\xc2\x80", 2, 0x80 },
		{ "\xdf\xbf", 2, 0x7ff },
		{ "\xe0\xa0\x80", 3, 0x800 },
		{ "\xed\x9f\xbf", 3, 0xd7ff }, /* last below the surrogates */
		{ "\xee\x80\x80", 3, 0xe000 }, /* first above them */
		{ "\xef\xbf\xbf", 3, 0xffff },
		{ "\xf0\x90\x80\x80", 4, 0x10000 },
		{ "\xf4\x8f\xbf\xbf", 4, 0x10ffff },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(mem) char *longer = xasprintf("%s!", cases[i].text);
		struct str text = str_of(cases[i].text);
		uint32_t point = 0;

		assert_int_equal(utf8_decode(str_of(longer), &point), cases[i].len);
		assert_int_equal(point, cases[i].point);
		text.len--; /* the same, cut off */
		assert_int_equal(utf8_decode(text, &point), 0);
	}
}

TEST(nul_is_a_character_and_nothing_is_none)
{
	uint32_t point = 7;

	assert_int_equal(utf8_decode(STR(""), &point), 0);
	assert_int_equal(point, 7);
	assert_int_equal(utf8_decode(STR("\0"), &point), 1);
	assert_int_equal(point, 0);
}

TEST(refuses_what_is_ill_formed)
{
	static const char *const cases[] = {
		"\x80",             /* a continuation byte alone */
		"\xbf",             /* the last of them */
		"\xc0\x80",         /* NUL in two bytes */
		"\xc1\xbf",         /* U+007F in two bytes */
		"\xe0\x9f\xbf",     /* U+07FF in three bytes */
		"\xf0\x8f\xbf\xbf", /* U+FFFF in four bytes */
		"\xed\xa0\x80",     /* the first surrogate */
		"\xed\xbf\xbf",     /* the last surrogate */
		"\xf4\x90\x80\x80", /* U+110000 */
		"\xf8\x88\x80\x80\x80",
		"\xff",
		"\xc3(",
		"\xe2\x82(",
		"\xe2(\xa1",
		"\xf0\x9f\x92(",
	};
	uint32_t point = 7;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(utf8_decode(str_of(cases[i]), &point), 0);
	assert_int_equal(point, 7);
}

TEST(next_never_fails_and_append_undoes_it)
{
	static const struct {
		const char *bytes;
		uint32_t character;
		size_t width;
	} cases[] = {
		{ "a", 'a', 1 },
		{ "\x7f", 0x7f, 1 },
		{ "\xc2\x80", 0x80, 2 },
		{ "\xdf\xbf", 0x7ff, 2 },
		{ "\xe0\xa0\x80", 0x800, 3 },
		{ "\xe2\x82\xac", 0x20ac, 3 },
		{ "\xed\x9f\xbf", 0xd7ff, 3 },
		{ "\xee\x80\x80", 0xe000, 3 },
		{ "\xf0\x90\x80\x80", 0x10000, 4 },
		{ "\xf4\x8f\xbf\xbf", 0x10ffff, 4 },
		/* what is not well formed is one stray byte */
		{ "\x80", UTF8_STRAY + 0x80, 1 },
		{ "\xc0\xaf", UTF8_STRAY + 0xc0, 1 },
		{ "\xc3", UTF8_STRAY + 0xc3, 1 },
		{ "\xc3(", UTF8_STRAY + 0xc3, 1 },
		{ "\xe0\x9f\xbf", UTF8_STRAY + 0xe0, 1 },
		{ "\xed\xa0\x80", UTF8_STRAY + 0xed, 1 },
		{ "\xf0\x8f\xbf\xbf", UTF8_STRAY + 0xf0, 1 },
		{ "\xf4\x90\x80\x80", UTF8_STRAY + 0xf4, 1 },
		{ "\xff", UTF8_STRAY + 0xff, 1 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(buf) struct buf again = BUF_INIT(16);
		struct str text = str_of(cases[i].bytes);
		uint32_t character = 0;

		assert_int_equal(utf8_next(text, &character), cases[i].width);
		assert_int_equal(character, cases[i].character);
		utf8_append(&again, character);
		text.len = cases[i].width;
		assert_true(str_equal(buf_str(&again), text));
	}
}

TEST(blanks_of_unicode_are_trimmed)
{
	static const struct {
		const char *text, *left, *right, *both;
	} cases[] = {
		{ "  a b\t", "a b\t", "  a b", "a b" },
		{ "\xc2\xa0x\xe3\x80\x80", "x\xe3\x80\x80", "\xc2\xa0x", "x" },
		{ "\v\f\r\n", "", "", "" },
		{ "\xc3\xa0", "\xc3\xa0", "\xc3\xa0",
		  "\xc3\xa0" }, /* its last byte alone looks blank */
		{ "", "", "", "" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct str text = str_of(cases[i].text);

		assert_true(str_is(utf8_trim_left(text), cases[i].left));
		assert_true(str_is(utf8_trim_right(text), cases[i].right));
		assert_true(str_is(utf8_trim(text), cases[i].both));
	}
}

TEST(letters_and_digits_of_any_script_are_known)
{
	static const uint32_t yes[] = { 'a', 'Z', '0', '9', 0xe4, 0xdf, 0x3b1, 0x4e2d, 0x10400 };
	static const uint32_t no[] = {
		'_', '-', ' ', '$', 0xa0, 0x2192, 0x1f600, UTF8_STRAY + 0xe4
	};

	for (size_t i = 0; i < ARRAY_SIZE(yes); i++)
		assert_true(utf8_is_alphanumeric(yes[i]));
	for (size_t i = 0; i < ARRAY_SIZE(no); i++)
		assert_false(utf8_is_alphanumeric(no[i]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_the_first_and_last_character_of_each_length),
		cmocka_unit_test(nul_is_a_character_and_nothing_is_none),
		cmocka_unit_test(refuses_what_is_ill_formed),
		cmocka_unit_test(next_never_fails_and_append_undoes_it),
		cmocka_unit_test(blanks_of_unicode_are_trimmed),
		cmocka_unit_test(letters_and_digits_of_any_script_are_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
