/* tests/unit/test_lex.c - directives, comments, continuations, heredoc bodies. */

#include "tests/unit/unit.h"

#include <string.h>

#include "builder/lex.h"

/* A lexer over `text`; both stay alive until teardown. */
struct fixture {
	struct script *script;
	struct lexer lexer;
};

static void fixture_auto_(struct fixture *f)
{
	lexer_release(&f->lexer);
	script_free(f->script);
}

static struct err *start(struct fixture *f, const char *text)
{
	TRY(script_new("R", str_of(text), &f->script));
	return lexer_init(&f->lexer, f->script);
}

TEST(lines_are_joined_as_they_stand)
{
	static const struct {
		const char *text;
		const char *lines; /* the logical lines, each ended by '|' */
	} cases[] = {
		{ "RUN a\nRUN b\n", "RUN a|RUN b|" },
		{ "RUN a", "RUN a|" },
		{ "\n\n  \nRUN a\n\n", "RUN a|" },
		{ "  \tRUN a\n", "RUN a|" },
		{ "RUN echo a \\\n    b\n", "RUN echo a     b|" }, /* nothing in between */
		{ "RUN a\\\nb\\\nc\n", "RUN abc|" },
		{ "RUN a \\  \t\n b\n", "RUN a  b|" }, /* blanks behind the backslash */
		{ "RUN a \\x\nRUN b\n", "RUN a \\x|RUN b|" },
		{ "RUN a \\\\\nRUN b\n", "RUN a \\\\|RUN b|" }, /* escaped: no continuation */
		{ "RUN a \\\\\\\nRUN b\n", "RUN a \\\\\\|RUN b|" },
		{ "RUN a \\", "RUN a |" },             /* at the end of the file */
		{ "# comment \\\nRUN a\n", "RUN a|" }, /* one that cannot go on */
		{ "RUN echo c\\\n# comment\nd\n", "RUN echo cd|" },
		{ "RUN c\\\n  # comment \\\nd\n", "RUN cd|" }, /* a comment never continues */
		{ "RUN c\\\n\n \n d\n", "RUN c d|" },
		{ "RUN c\\\n\\\nd\n", "RUN cd|" },
		{ "\\\nRUN a\n", "RUN a|" },
		{ "\\\n\\\n", "" },
		{ "# comment\nRUN a # no comment\n", "RUN a # no comment|" },
		{ "RUN a\r\nRUN b \\\r\n c\r\n", "RUN a|RUN b  c|" },
		{ "RUN a\r\r\nRUN b\r\n", "RUN a|RUN b|" },
		{ "\xef\xbb\xbfRUN a\n", "RUN a|" },
		{ "# escape=`\nRUN a `\n b\\\nRUN c\n", "RUN a  b\\|RUN c|" },
		{ "RUN a `\nRUN b\n", "RUN a `|RUN b|" },
		{ "\xc2\xa0RUN a\n", "RUN a|" }, /* any blank of Unicode before it */
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(fixture) struct fixture f = { 0 };
		AUTO(buf) struct buf got = BUF_INIT(4096);
		struct logical_line line;

		assert_ok(start(&f, cases[i].text));
		while (lexer_next(&f.lexer, &line)) {
			buf_add_str(&got, line.text);
			buf_addc(&got, '|');
		}
		assert_string_equal(buf_str(&got).at, cases[i].lines);
	}
}

TEST(places_are_kept)
{
	AUTO(fixture) struct fixture f = { 0 };
	struct logical_line line;

	assert_ok(start(&f, "# c\n\n  RUN a \\\n\n  # d\n  b\nCMD x\n"));
	assert_true(lexer_next(&f.lexer, &line));
	assert_int_equal(line.position.line, 3);
	assert_int_equal(line.position.line_end, 6);
	assert_int_equal(line.position.column, 3);
	assert_int_equal(line.blank_line, 4);
	assert_true(lexer_next(&f.lexer, &line));
	assert_int_equal(line.position.line, 7);
	assert_int_equal(line.position.line_end, 7);
	assert_int_equal(line.position.column, 1);
	assert_int_equal(line.blank_line, 0);
	assert_false(lexer_next(&f.lexer, &line));
}

TEST(directives_count_only_at_the_top)
{
	static const struct {
		const char *text;
		unsigned char escape;
		unsigned lines;
		const char *syntax, *check;
	} cases[] = {
		{ "FROM a", '\\', 0, NULL, NULL },
		{ "# escape=`\nFROM a", '`', 1, NULL, NULL },
		{ "#escape=`\n", '`', 1, NULL, NULL },
		{ "  # ESCAPE = ` \n", '`', 1, NULL, NULL },
		{ "# escape=\\\n", '\\', 1, NULL, NULL },
		{ "# syntax=docker/dockerfile:1\n# escape=`\n", '`', 2, "docker/dockerfile:1",
		  NULL },
		{ "# check=skip=all;error=true\n", '\\', 1, NULL, "skip=all;error=true" },
		{ "\xef\xbb\xbf# escape=`\r\n", '`', 1, NULL, NULL },
		/* ended by a blank line, a comment, an unknown key, an instruction */
		{ "\n# escape=`\n", '\\', 0, NULL, NULL },
		{ "# comment\n# escape=`\n", '\\', 0, NULL, NULL },
		{ "# unknown=1\n# escape=`\n", '\\', 0, NULL, NULL },
		{ "# syntax=x\n# comment\n# escape=`\n", '\\', 1, "x", NULL },
		{ "FROM a\n# escape=`\n", '\\', 0, NULL, NULL },
		{ "#!/usr/bin/x\n# escape=`\n", '\\', 0, NULL, NULL },
		/* but those of the frontend are found behind a first line that names a program */
		{ "#!/usr/bin/x\n# syntax=y\n", '\\', 0, "y", NULL },
		{ "#!/x\r\n# escape=`\r\n# syntax = y \r\n# check=z\r\n", '\\', 0, "y", "z" },
		{ "#!x\n# check=z\n# check=y\n# syntax=x\n", '\\', 0, NULL, "z" },
		{ "#!x\n# escape=?\n# syntax=x\n", '\\', 0, NULL, NULL },
		{ "\xef\xbb\xbf#!x\n# syntax=y", '\\', 0, "y", NULL },
		{ "#!x\n# comment\n# syntax=y\n", '\\', 0, NULL, NULL },
		{ "#!x\n\n# syntax=y\n", '\\', 0, NULL, NULL },
		{ " #!x\n# syntax=y\n", '\\', 0, NULL, NULL },
		{ "# comment\n#!x\n# syntax=y\n", '\\', 0, NULL, NULL },
		{ "#!x", '\\', 0, NULL, NULL },
		{ "# escape=\n", '\\', 0, NULL, NULL },
		{ "# 1x=2\n", '\\', 0, NULL, NULL },
		{ "# es-cape=`\n", '\\', 0, NULL, NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(fixture) struct fixture f = { 0 };
		struct directives *got = &f.lexer.directives;

		assert_ok(start(&f, cases[i].text));
		assert_int_equal(got->escape, cases[i].escape);
		assert_true(str_is(got->syntax, cases[i].syntax));
		assert_true(str_is(got->check, cases[i].check));
		assert_int_equal(got->lines, cases[i].lines);
	}
}

TEST(bad_directives_are_errors_with_their_line)
{
	static const char *const cases[][2] = {
		{ "# escape=x\n", "R:1: " },
		{ "# escape=``\n", "R:1: " },
		{ "# escape=\\\n# escape=`\n", "R:2: " },
		{ "# syntax=a\n# Syntax=b\n", "R:2: " },
		{ "# check=skip=a\n# syntax=a\n# check=skip=b\n", "R:3: " },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(fixture) struct fixture f = { 0 };
		AUTO(err) struct err *err = start(&f, cases[i][0]);

		assert_int_equal(err_kind(err), ERR_INVALID);
		assert_memory_equal(err_text(err), cases[i][1], 5);
		assert_non_null(err_notes(err));
	}
}

TEST(comments_above_belong_to_the_next_instruction)
{
	AUTO(fixture) struct fixture f = { 0 };
	struct logical_line line;

	assert_ok(start(
		&f, "# syntax=x\n# gone\n#\n# gone\n\n# a  \n#b\n# check=skip=A\n# Check = skip=B\n"
		    "FROM x\n# check=skip=C\n\nRUN y\n"));
	assert_true(lexer_next(&f.lexer, &line));
	assert_int_equal(line.comment_count, 2);
	assert_true(str_is(line.comments[0], "a"));
	assert_true(str_is(line.comments[1], "b"));
	assert_true(str_is(line.check, "skip=A;skip=B"));
	assert_true(lexer_next(&f.lexer, &line));
	assert_int_equal(line.comment_count, 0);
	assert_null(line.check.at); /* a blank line stands between */
}

TEST(a_heredoc_ends_at_its_name)
{
	static const struct {
		const char *rest; /* behind the instruction's line */
		const char *name;
		bool chomp;
		const char *body; /* NULL if there is no end */
	} cases[] = {
		{ "a\nb\nEOF\nX", "EOF", false, "a\nb\n" },
		{ "EOF\n", "EOF", false, "" },
		{ "EOF", "EOF", false, "" },
		{ "# not a comment\n\nEOF\n", "EOF", false, "# not a comment\n\n" },
		{ " EOF\nEOF \nEOFX\nEOF\n", "EOF", false, " EOF\nEOF \nEOFX\n" },
		{ "a\r\nEOF\r\n", "EOF", false, "a\r\n" },
		{ "\ta\n\tEOF\n", "EOF", true, "\ta\n" },
		{ "\tEOF\nEOF\n", "EOF", false, "\tEOF\n" },
		{ " EOF\n", "EOF", true, NULL },
		{ "a\n", "EOF", false, NULL },
		{ "", "EOF", false, NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(fixture) struct fixture f = { 0 };
		AUTO(mem) char *text = xasprintf("RUN <<EOF\n%s", cases[i].rest);
		struct heredoc heredoc = { .name = cases[i].name, .chomp = cases[i].chomp };
		struct logical_line line;
		struct str body;
		AUTO(err) struct err *err = NULL;

		assert_ok(start(&f, text));
		assert_true(lexer_next(&f.lexer, &line));
		err = lexer_read_heredoc(&f.lexer, &heredoc, &body);
		if (!cases[i].body) {
			assert_int_equal(err_kind(err), ERR_INVALID);
			continue;
		}
		assert_null(err);
		assert_true(str_is(body, cases[i].body));
		assert_int_equal(heredoc.position.line, 2);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_are_joined_as_they_stand),
		cmocka_unit_test(places_are_kept),
		cmocka_unit_test(directives_count_only_at_the_top),
		cmocka_unit_test(bad_directives_are_errors_with_their_line),
		cmocka_unit_test(comments_above_belong_to_the_next_instruction),
		cmocka_unit_test(a_heredoc_ends_at_its_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
