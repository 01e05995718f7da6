/* tests/unit/test_words.c - the ways of cutting a line. */

#include "tests/unit/unit.h"

#include <string.h>

#include "base/arena.h"
#include "builder/words.h"

/* `words` joined by '|' are `want`. */
static void assert_words(const struct words *words, const char *want)
{
	AUTO(buf) struct buf joined = BUF_INIT(4096);

	for (size_t i = 0; i < words->len; i++) {
		if (i > 0)
			buf_addc(&joined, '|');
		buf_adds(&joined, words->at[i]);
	}
	assert_null(words->at[words->len]);
	assert_string_equal(buf_str(&joined).at, want);
}

TEST(plain_words_know_no_quotes)
{
	static const char *const cases[][2] = {
		{ "", "" },
		{ "a", "a" },
		{ "a b\t\tc\v\fd", "a|b|c|d" },
		{ "\"a b\" 'c", "\"a|b\"|'c" },
		{ "a\\ b", "a\\|b" },
		{ "a\xc2\xa0\x62", "a\xc2\xa0\x62" }, /* only ASCII blanks */
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(arena) struct arena arena = { 0 };
		struct words words = words_plain(&arena, str_of(cases[i][0]));

		assert_words(&words, cases[i][1]);
	}
}

TEST(the_first_word_leaves_the_rest)
{
	struct str rest = STR("key  value and more");

	assert_true(str_is(words_first(&rest), "key"));
	assert_true(str_is(rest, "value and more"));
	rest = STR("one");
	assert_true(str_is(words_first(&rest), "one"));
	assert_int_equal(rest.len, 0);
}

TEST(quoted_words_keep_quotes_and_escapes)
{
	static const struct {
		char escape;
		const char *text, *words;
	} cases[] = {
		{ '\\', "a=1 b=2", "a=1|b=2" },
		{ '\\', "a=\"x y\" b='z w'", "a=\"x y\"|b='z w'" },
		{ '\\', "a=x\\ y b", "a=x\\ y|b" },
		{ '\\', "a=\"x\\\" y\" b", "a=\"x\\\" y\"|b" },
		{ '\\', "a='x\\' b='y'", "a='x\\'|b='y'" }, /* no escape in single quotes */
		{ '\\', "a=\"x y", "a=\"x y" },             /* left open: an error later */
		{ '\\', "a=x\\", "a=x" },
		{ '\\', "a=\"x\\", "a=\"x" },
		{ '\\', "\\", "" },
		{ '\\', "  a\xc2\xa0\x62 ", "a|b" },
		{ '\\', "a=\"\" b=''", "a=\"\"|b=''" },
		{ '\\', "a=\\\xc3\xa9 b", "a=\\\xc3\xa9|b" },
		{ '`', "a=x` y b=c:\\ d", "a=x` y|b=c:\\|d" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(arena) struct arena arena = { 0 };
		struct words words = words_quoted(&arena, str_of(cases[i].text), cases[i].escape);

		assert_words(&words, cases[i].words);
	}
}

TEST(json_is_a_list_of_strings_or_nothing)
{
	static const struct {
		const char *text;
		const char *words; /* NULL: not JSON */
	} cases[] = {
		{ "[]", "" },
		{ " [ ] ", "" },
		{ "[\"a\"]", "a" },
		{ "\t[ \"a\" , \"b c\" ]\r", "a|b c" },
		{ "[\"\"]", "" },
		{ "[\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"]", "\"\\/\b\f\n\r\t" },
		{ "[\"\\u0041\\u00e9\\u20AC\"]", "A\xc3\xa9\xe2\x82\xac" },
		{ "[\"\\ud83d\\ude00\"]", "\xf0\x9f\x98\x80" },
		{ "[\"\\ud83d\"]", "\xef\xbf\xbd" }, /* half a pair, as Go reads it */
		{ "[\"\\ude00\\ude00\"]", "\xef\xbf\xbd\xef\xbf\xbd" },
		{ "[\"\\ude00x\"]", "\xef\xbf\xbdx" },
		{ "[\"\\ud83d\\u0041\"]", "\xef\xbf\xbd"
					  "A" },
		{ "", NULL },
		{ "a [\"b\"]", NULL },
		{ "['a']", NULL },
		{ "[\"a\",]", NULL },
		{ "[\"a\" \"b\"]", NULL },
		{ "[\"a\"", NULL },
		{ "[\"a", NULL },
		{ "[\"a\\", NULL },
		{ "[\"a\"] # c", NULL },
		{ "[\"c:\\x\"]", NULL },
		{ "[\"\\u12\"]", NULL },
		{ "[\"tab\there\"]", NULL },
		{ "[a]", NULL },
		{ "[\"a\", b]", NULL },
		{ "[[\"a\"]", NULL },
		{ "[ -z \"$x\" ] && y", NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(arena) struct arena arena = { 0 };
		struct words words = { 0 };
		bool is;

		assert_ok(words_json(&arena, str_of(cases[i].text), &is, &words));
		assert_int_equal(is, cases[i].words != NULL);
		if (is)
			assert_words(&words, cases[i].words);
	}
}

TEST(json_that_holds_anything_else_is_an_error)
{
	static const char *const cases[] = {
		"[1]",  "[\"a\", 1]",         "[null]",  "[true, false]",   "[[\"a\"]]",
		"[{}]", "[\"a\",{\"b\":[]}]", "[1.5e3]", "[\"a\\u0000b\"]",
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(arena) struct arena arena = { 0 };
		struct words words;
		bool is;

		assert_fails(words_json(&arena, str_of(cases[i]), &is, &words), ERR_INVALID);
	}
}

TEST(records_are_cut_at_commas)
{
	static const char *const cases[][2] = {
		{ "a", "a" },
		{ "a=1,b=2", "a=1|b=2" },
		{ "a=1,", "a=1|" },
		{ ",", "|" },
		{ " a , b", " a | b" },
		{ "\"a=1,2\",b", "a=1,2|b" },
		{ "\"a\"\"b\"", "a\"b" },
		{ "\"\",x", "|x" },
		{ "x,\"\"", "x|" },
		{ "\"a\",", "a|" },
	};
	static const char *const bad[] = {
		"", "a\"b", "\"a", "\"a\"b", "a=\"1,2\"", "\"", "\"\"\""
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(arena) struct arena arena = { 0 };
		struct words words;

		assert_ok(words_csv(&arena, str_of(cases[i][0]), &words));
		assert_words(&words, cases[i][1]);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		AUTO(arena) struct arena arena = { 0 };
		struct words words;

		assert_fails(words_csv(&arena, str_of(bad[i]), &words), ERR_INVALID);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain_words_know_no_quotes),
		cmocka_unit_test(the_first_word_leaves_the_rest),
		cmocka_unit_test(quoted_words_keep_quotes_and_escapes),
		cmocka_unit_test(json_is_a_list_of_strings_or_nothing),
		cmocka_unit_test(json_that_holds_anything_else_is_an_error),
		cmocka_unit_test(records_are_cut_at_commas),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
