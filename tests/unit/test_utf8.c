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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_the_first_and_last_character_of_each_length),
		cmocka_unit_test(nul_is_a_character_and_nothing_is_none),
		cmocka_unit_test(refuses_what_is_ill_formed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
