/* tests/unit/test_quote.c - values as Go's %q writes them. */

#include "tests/unit/unit.h"

#include "builder/quote.h"
#include "builder/recipe.h"

TEST(quotes_strings_with_escapes_of_go)
{
	/* strconv.Quote() of each */
	static const struct {
		const char *text;
		const char *want;
	} cases[] = {
		{ "", "\"\"" },
		{ "plain text", "\"plain text\"" },
		{ "it's \"quoted\" \\", "\"it's \\\"quoted\\\" \\\\\"" },
		{ "\a\b\t\n\v\f\r", "\"\\a\\b\\t\\n\\v\\f\\r\"" },
		{ "\x01\x1b\x7f", "\"\\x01\\x1b\\x7f\"" },
		{ "\u00e4\u4e16", "\"\u00e4\u4e16\"" },
		{ "\u00a0\u2028", "\"\\u00a0\\u2028\"" },
		{ "\xc2\x85\xef\xbb\xbf", "\"\\u0085\\ufeff\"" },
		{ "a\xff\xc3z", "\"a\\xff\\xc3z\"" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(buf) struct buf out = BUF_INIT(4096);

		quote_text(&out, cases[i].text);
		assert_string_equal(out.at, cases[i].want);
	}
}

TEST(quotes_lists_item_by_item)
{
	AUTO(buf) struct buf out = BUF_INIT(4096);
	AUTO(strings) struct strings list = { 0 };

	quote_list(&out, &list);
	strings_push(&list, "a b");
	quote_list(&out, &list);
	strings_push(&list, "");
	quote_list(&out, &list);
	assert_string_equal(out.at, "[][\"a b\"][\"a b\" \"\"]");
}

TEST(quotes_numbers_as_characters)
{
	/* strconv.QuoteRune() of each */
	static const struct {
		int64_t number;
		const char *want;
	} cases[] = {
		{ 0, "'\\x00'" },
		{ 3, "'\\x03'" },
		{ 10, "'\\n'" },
		{ '"', "'\"'" },
		{ '\'', "'\\''" },
		{ '\\', "'\\\\'" },
		{ 'a', "'a'" },
		{ 0x4e16, "'\u4e16'" },
		{ 0xd800, "'\xef\xbf\xbd'" },
		{ 0x110000, "'\xef\xbf\xbd'" },
		{ -1, "'\xef\xbf\xbd'" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(buf) struct buf out = BUF_INIT(4096);

		quote_number(&out, cases[i].number);
		assert_string_equal(out.at, cases[i].want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(quotes_strings_with_escapes_of_go),
		cmocka_unit_test(quotes_lists_item_by_item),
		cmocka_unit_test(quotes_numbers_as_characters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
