/* tests/unit/test_width.c - columns on a terminal, and tables made of them. */

#include "tests/unit/unit.h"

#include "cli/table.h"
#include "cli/width.h"

TEST(counts_columns_not_bytes)
{
	static const struct {
		const char *text;
		size_t columns;
	} cases[] = {
		{ "", 0 },
		{ "abc", 3 },
		{ "\u00e4\u00f6\u00fc", 3 }, /* two bytes each */
		{ "e\u0301", 1 },            /* e and a combining acute */
		{ "\u6f22\u5b57", 4 },       /* Han */
		{ "\uff21", 2 },             /* full-width A */
		{ "\uac00", 2 },             /* Hangul syllable */
		{ "\U0001f680", 2 },         /* rocket */
		{ "a\u200bb", 2 },           /* zero width space */
		{ "\u0e01\u0e49", 1 },       /* Thai with a tone mark */
		{ "\u2500\u2026", 2 },       /* a line and an ellipsis */
		{ "\033[31mred\033[0m", 3 },
		{ "\033[1;38;5;200mx", 1 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(width_of(str_of(cases[i].text)), cases[i].columns);
}

TEST(cuts_where_the_next_would_not_fit)
{
	static const struct {
		const char *text;
		size_t columns;
		const char *want;
	} cases[] = {
		{ "hello", 5, "hello" },
		{ "hello", 4, "hel\u2026" },
		{ "hello", 1, "\u2026" },
		{ "hello", 0, "" },
		{ "\u6f22\u5b57", 4, "\u6f22\u5b57" },
		{ "\u6f22\u5b57", 3, "\u6f22\u2026" },
		{ "\u6f22\u5b57", 2, "\u2026" }, /* half a character is none */
		{ "e\u0301e\u0301e\u0301", 2, "e\u0301\u2026" },
		{ "\033[31mhello\033[0m", 3, "\033[31mhe\u2026\033[0m" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(buf) struct buf out = BUF_INIT(4096);

		buf_adds(&out, "");
		width_fit(&out, str_of(cases[i].text), cases[i].columns);
		assert_string_equal(out.at, cases[i].want);
	}
}

TEST(columns_of_a_table_line_up)
{
	AUTO(table) struct table table = { .columns = 3 };
	AUTO(buf) struct buf out = BUF_INIT(4096);

	table_cell(&table, "NAME");
	table_cell(&table, "ID");
	table_cell(&table, "SIZE");
	table_cell(&table, "\u6f22\u5b57\u6f22");
	table_cell(&table, "1");
	table_cellf(&table, "%d kB", 12);
	table_cell(&table, "a\033[2Jb");
	table_cell(&table, "22");
	table_cell(&table, "");
	table_format(&table, &out);
	assert_string_equal(out.at, "NAME       ID  SIZE\n"
				    "\u6f22\u5b57\u6f22     1   12 kB\n"
				    "a\\x1b[2Jb  22\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counts_columns_not_bytes),
		cmocka_unit_test(cuts_where_the_next_would_not_fit),
		cmocka_unit_test(columns_of_a_table_line_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
