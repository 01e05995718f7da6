/* tests/unit/test_script.c - lines, places, and the excerpts that errors show. */

#include "tests/unit/unit.h"

#include <string.h>

#include "builder/script.h"

static struct script *make(const char *text)
{
	struct script *script = NULL;

	assert_ok(script_new("Recipe", str_of(text), &script));
	return script;
}

TEST(lines_are_counted_from_one)
{
	static const struct {
		const char *text;
		unsigned lines;
		const char *first, *last;
	} cases[] = {
		{ "", 0, "", "" },
		{ "a", 1, "a", "a" },
		{ "a\n", 1, "a", "a" },
		{ "a\r\nb\r\n", 2, "a", "b" },
		{ "\n\n", 2, "", "" },
		{ "\xef\xbb\xbf"
		  "a\nb",
		  2, "a", "b" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(script) struct script *script = make(cases[i].text);

		assert_int_equal(script_lines(script), cases[i].lines);
		assert_true(str_is(script_line(script, 1), cases[i].first));
		assert_true(str_is(script_line(script, script_lines(script)), cases[i].last));
		assert_true(str_is(script_line(script, 0), ""));
		assert_true(str_is(script_line(script, 99), ""));
		assert_true(str_is(script_bytes(script), cases[i].text));
	}
}

TEST(an_error_names_the_line_and_shows_it)
{
	AUTO(script)
	struct script *script =
		make("FROM a\nWORKDIR /src\nRUNN make \\\n    all\n\nCMD x\nUSER y\n");
	struct position at = { 3, 4, 1, NULL };
	AUTO(err)
	struct err *err = script_error(script, &at, ERR_INVALID, "unknown instruction: %s", "RUNN");

	assert_string_equal(err_text(err), "Recipe:3: unknown instruction: RUNN");
	assert_string_equal(err_notes(err), "  1 |     FROM a\n"
					    "  2 |     WORKDIR /src\n"
					    "  3 | >>> RUNN make \\\n"
					    "  4 | >>>     all\n"
					    "  5 |    \n"
					    "  6 |     CMD x");
	assert_int_equal(err_kind(err), ERR_INVALID);
}

TEST(an_excerpt_shows_no_password_of_a_url)
{
	AUTO(script)
	struct script *script = make("ADD https://me:pass@host/a /a\n"
				     "RUN curl 'HTTP://tok@h/x' https://b:c@d user@example.com\n");
	struct position at = { 2, 2, 1, NULL };
	AUTO(buf) struct buf out = BUF_INIT(4096);

	script_excerpt(script, &at, &out);
	assert_string_equal(out.at, "  1 |     ADD https://host/a /a\n"
				    "  2 | >>> RUN curl 'HTTP://h/x' https://d user@example.com");
}

TEST(excerpts_end_where_the_file_does)
{
	AUTO(script) struct script *script = make("only");
	AUTO(buf) struct buf out = BUF_INIT(1000);
	struct position at = { 1, 1, 0, NULL };
	struct position past = { 2, 2, 0, NULL };
	struct position nowhere = { 0 };

	script_excerpt(script, &at, &out);
	assert_string_equal(out.at, "  1 | >>> only");
	buf_reset(&out);
	script_excerpt(script, &past, &out);
	script_excerpt(script, &nowhere, &out);
	assert_int_equal(out.len, 0);
}

TEST(the_middle_of_a_long_place_is_left_out)
{
	AUTO(buf) struct buf text = BUF_INIT(10000);
	AUTO(buf) struct buf out = BUF_INIT(10000);
	AUTO(script) struct script *script = NULL;
	struct position at = { 3, 98, 0, NULL };

	for (int i = 1; i <= 100; i++)
		buf_addf(&text, "line %d\n", i);
	script = make(text.at);
	script_excerpt(script, &at, &out);
	assert_non_null(strstr(out.at, "    1 |     line 1\n    2 |     line 2\n"
				       "    3 | >>> line 3\n"));
	assert_non_null(strstr(out.at, "   12 | >>> line 12\n      |     ...\n"
				       "   89 | >>> line 89\n"));
	assert_non_null(strstr(out.at, "   98 | >>> line 98\n   99 |     line 99\n"
				       "  100 |     line 100"));
	assert_null(strstr(out.at, "line 50"));
}

TEST(errors_from_below_get_the_place_in_front)
{
	AUTO(script) struct script *script = make("FROM a\n");
	struct position at = { 1, 1, 1, NULL };
	struct position nowhere = { 0 };
	AUTO(err) struct err *err = err_new(ERR_UNSUPPORTED, "no such thing");
	AUTO(err) struct err *lost = err_new(ERR_INVALID, "lost");

	err = script_wrap(err, script, &at);
	assert_string_equal(err_text(err), "Recipe:1: no such thing");
	assert_string_equal(err_notes(err), "  1 | >>> FROM a");
	assert_int_equal(err_kind(err), ERR_UNSUPPORTED);
	lost = script_wrap(lost, script, &nowhere);
	assert_string_equal(err_text(lost), "Recipe: lost");
	assert_null(err_notes(lost));
	assert_null(script_wrap(NULL, script, &at));
}

TEST(refuses_long_lines_large_files_and_nul)
{
	AUTO(mem) char *line = xcalloc(SCRIPT_LINE_MAX + 3, 1);
	AUTO(mem) char *large = xcalloc(SCRIPT_MAX + 1, 1);
	struct script *script = NULL;
	AUTO(script) struct script *longest = NULL;
	AUTO(err) struct err *err = NULL;

	memset(line, 'x', SCRIPT_LINE_MAX + 2);
	line[SCRIPT_LINE_MAX] = '\n';
	assert_ok(script_new("R", str_of(line), &longest));
	line[SCRIPT_LINE_MAX] = 'x';
	line[SCRIPT_LINE_MAX + 1] = '\n';
	err = script_new("R", str_of(line), &script);
	assert_string_equal(err_text(err), "R:1: the line is longer than 65535 bytes");
	memset(large, '\n', SCRIPT_MAX + 1);
	assert_fails(script_new("R", (struct str){ large, SCRIPT_MAX + 1 }, &script), ERR_INVALID);
	assert_fails(script_new("R", STR("FROM a\nRUN b\0c\n"), &script), ERR_INVALID);
	err_free(err);
	err = script_new("R",
			 STR("\xff\xfe"
			     "F\0R\0"),
			 &script);
	assert_string_equal(err_text(err), "R: the file is UTF-16, not UTF-8");
	assert_null(script);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_are_counted_from_one),
		cmocka_unit_test(an_error_names_the_line_and_shows_it),
		cmocka_unit_test(an_excerpt_shows_no_password_of_a_url),
		cmocka_unit_test(excerpts_end_where_the_file_does),
		cmocka_unit_test(the_middle_of_a_long_place_is_left_out),
		cmocka_unit_test(errors_from_below_get_the_place_in_front),
		cmocka_unit_test(refuses_long_lines_large_files_and_nul),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
