/* tests/unit/test_ignore.c - .dockerignore: order, parents, exceptions, `**`, and bad files. */

#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>

#include "builder/ignore.h"

static struct ignore *parse(const char *text)
{
	struct ignore *ignore = NULL;

	assert_ok(ignore_parse(".dockerignore", str_of(text), &ignore));
	return ignore;
}

#define MANY 50 /* so many plain paths that they are looked up */

/* Does the file `rules` behind `before` lines about other things decide so? */
static void check(const char *rules, unsigned before, const char *path, bool excluded,
		  unsigned line)
{
	AUTO(buf) struct buf text = BUF_INIT(10000);
	AUTO(ignore) struct ignore *ignore = NULL;
	unsigned got;

	for (unsigned i = 0; i < before; i++)
		buf_addf(&text, "pad/%u\n", i);
	buf_adds(&text, rules);
	ignore = parse(text.at);
	if (ignore_match(ignore, path, &got) != excluded || got != (line ? line + before : 0))
		fail_msg("%s of '%s' behind %u: %s by line %u", path, rules, before,
			 excluded ? "kept" : "excluded", got);
}

TEST(rules_exclude_what_the_language_says)
{
	static const struct {
		const char *rules, *path;
		unsigned line; /* of the rule that decides */
		bool excluded;
	} cases[] = {
		/* names, parents, anchoring */
		{ "", "a", 0, false },
		{ "a", "a", 1, true },
		{ "a", "a/b/c", 1, true },
		{ "a", "b/a", 0, false },
		{ "a", "ab", 0, false },
		{ "a/b", "a/b/c", 1, true },
		{ "a/b", "a", 0, false },
		{ "a/b", "a/bc", 0, false },
		{ "foo/", "foo", 1, true }, /* also a file */
		{ "foo/", "foo/x", 1, true },
		{ "/foo", "foo", 1, true },
		{ "/foo", "x/foo", 0, false },
		{ "./a//b/../c", "a/c", 1, true },
		{ "*.log", "x.log", 1, true },
		{ "*.log", "d/x.log", 0, false },
		{ "*/temp*", "d/temporary", 1, true },
		{ "*/temp*", "d/temporary/x", 1, true },
		{ "*/temp*", "temporary", 0, false },
		{ "*/*/temp*", "a/b/temp", 1, true },
		{ "temp?", "tempa", 1, true },
		{ "temp?", "temp", 0, false },
		{ "a?b", "a/b", 0, false },
		{ "[ab].c", "b.c", 1, true },
		{ "[^ab].c", "c.c", 1, true },
		{ "a[^x]b", "a/b", 0, false },
		{ "*", "any/thing", 1, true },
		{ ".", "a", 0, false },
		{ "/", "a", 0, false },
		{ "caf\xc3\xa9?", "caf\xc3\xa9s", 1, true },
		{ "a\\*b", "a*b", 1, true },
		{ "a\\*b", "axb", 0, false },
		/* lines */
		{ "# a\n#b\na", "#b", 0, false },
		{ " #b", "#b", 1, true }, /* only column 0 is a comment */
		{ "  a\t\r\n", "a", 1, true },
		{ "\n\n a \n", "a", 3, true },
		{ "a /", "a", 1, true }, /* blanks that a slash had kept */
		{ "/ a\nb", "a", 1, true },
		{ "a b / \r\n", "a b", 1, true },
		{ "a /b", "a /b", 1, true },
		{ "*\n!b /", "b", 2, false },
		{ "/ /\n//", "a", 0, false },
		{ "\xef\xbb\xbf"
		  "a",
		  "a", 1, true },
		{ "\xef\xbb\xbf# a\na", "a", 2, true },
		{ "a", "", 0, false },
		{ "*", ".", 0, false },
		/* the last one wins */
		{ "a\n!a", "a", 2, false },
		{ "!a\na", "a", 2, true },
		{ "*.md\n!README*.md\nREADME-secret.md", "README.md", 2, false },
		{ "*.md\n!README*.md\nREADME-secret.md", "README-secret.md", 3, true },
		{ "*.md\nREADME-secret.md\n!README*.md", "README-secret.md", 3, false },
		{ "a\n!a/b\na", "a/b", 3, true },
		/* exceptions below an excluded directory */
		{ "a\n!a/b", "a/c", 1, true },
		{ "a\n!a/b", "a/b", 2, false },
		{ "a\n!a/b", "a/b/c", 2, false },
		{ "a\n!a/b/c", "a/b", 1, true },
		{ "*\n!src", "src/main.c", 2, false },
		{ "*\n!src\nsrc/*.o", "src/x.o", 3, true },
		{ "a\n! b \n!a/x", "a/x", 3, false },
		{ "a\n!/a/x", "a/x", 2, false },
		{ "!!x\n", "!x", 1, false },
		{ "*\n!**/*.go", "d/e/x.go", 2, false },
		{ "*\n!**/*.go", "d/e/x.c", 1, true },
		/* any depth */
		{ "**", "a", 1, true },
		{ "**", "a/b", 1, true },
		{ "**/", "a/b", 1, true },
		{ "**/x", "x", 1, true },
		{ "**/x", "a/b/x", 1, true },
		{ "**/x", "a/x/b", 1, true },
		{ "**/x", "ax", 0, false },
		{ "**/*.log", "x.log", 1, true },
		{ "**/*.log", "a/b/x.log", 1, true },
		{ "**/*.log", "a/b/x.logs", 0, false },
		{ "a/**/b", "a/b", 1, true },
		{ "a/**/b", "a/x/b", 1, true },
		{ "a/**/b", "a/x/y/b/c", 1, true },
		{ "a/**/b", "ab", 0, false },
		{ "a/**", "a/b", 1, true },
		{ "a/**", "a", 0, false }, /* what is in it, not it */
		{ "*/**", "a/b", 1, true },
		{ "*/**", "a", 0, false },
		{ "a**", "a/b", 1, true },
		{ "a**", "abc", 1, true },
		{ "a**b", "ab", 1, true },
		{ "a**b", "ax/b", 1, true },
		{ "a**b", "axb", 0, false },
		{ "**a", "xa", 1, true },
		{ "**a", "x/ya", 1, true },
		{ "**a?", "xab", 0, false }, /* with something special behind it, whole names */
		{ "**a?", "x/ab", 1, true },
		{ "**/**/x", "x", 1, true },
		{ "**/a/**/b/**", "a/b/c", 1, true },
		{ "**/a/**/b/**", "x/a/y/b/c", 1, true },
		{ "**/a/**/b/**", "a/b", 0, false },
		/* out of the context: nothing is there */
		{ "../x", "x", 0, false },
		{ "a/../../b", "b", 0, false },
		{ "!../x", "x", 0, false },
		{ "/../x", "x", 1, true },
		{ "/**", "x", 1, true },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		check(cases[i].rules, 0, cases[i].path, cases[i].excluded, cases[i].line);
		if (!str_starts(str_of(cases[i].rules), "\xef"))
			check(cases[i].rules, MANY, cases[i].path, cases[i].excluded,
			      cases[i].line);
	}
}

TEST(a_walk_need_not_enter_where_nothing_comes_back)
{
	static const struct {
		const char *rules, *dir;
		bool want;
	} cases[] = {
		{ "a", "a", false },           { "a\n!a/b", "a", true },
		{ "a\n!a/b/c", "a/b", true },  { "a\n!a/b/c", "a/x", false },
		{ "!a/b\na", "a", false }, /* the exception comes too early */
		{ "*\n!*/b", "a", true },      { "*\n!*/b", "a/c", false },
		{ "*\n!**/b", "a/c", true },   { "*\n!x*/b", "a", false },
		{ "*\n!ab", "a", false },      { "a\n!b", "a", false },
		{ "a\n!a/**", "a", true },     { "*\n!a**b", "a", true },
		{ "*\n!a[x]**b", "a", false }, { "*\n!a[x]**b", "b", false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(ignore) struct ignore *ignore = parse(cases[i].rules);

		assert_true(ignore_match(ignore, cases[i].dir, NULL));
		if (ignore_may_reinclude(ignore, cases[i].dir) != cases[i].want)
			fail_msg("%s of '%s'", cases[i].dir, cases[i].rules);
	}
}

TEST(a_bad_pattern_is_an_error_that_names_its_line)
{
	static const char *const cases[][2] = {
		{ "a\n!\n", ".dockerignore:2: " },    { "! \n", ".dockerignore:1: " },
		{ "a\n\nb[\n", ".dockerignore:3: " }, { "[]a]", ".dockerignore:1: " },
		{ "a\\", ".dockerignore:1: " },       { "![x-]", ".dockerignore:1: " },
		{ "!/ /", ".dockerignore:1: " },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct ignore *ignore = NULL;
		AUTO(err)
		struct err *err = ignore_parse(".dockerignore", str_of(cases[i][0]), &ignore);

		assert_null(ignore);
		assert_int_equal(err_kind(err), ERR_INVALID);
		if (strncmp(err_text(err), cases[i][1], strlen(cases[i][1])) != 0)
			fail_msg("%s", err_text(err));
	}
}

TEST(single_patterns_are_added_by_hand)
{
	AUTO(ignore) struct ignore *ignore = ignore_new();
	unsigned number;

	assert_true(ignore_is_empty(ignore));
	assert_ok(ignore_add(ignore, STR(" #x ")));
	assert_ok(ignore_add(ignore, STR("**/*.o")));
	assert_false(ignore_has_exceptions(ignore));
	assert_ok(ignore_add(ignore, STR("!keep.o")));
	assert_true(ignore_has_exceptions(ignore));
	assert_false(ignore_is_empty(ignore));
	assert_true(ignore_match(ignore, "#x", NULL));
	assert_true(ignore_match(ignore, "d/x.o", &number));
	assert_int_equal(number, 2);
	assert_false(ignore_match(ignore, "keep.o", NULL));
	assert_fails(ignore_add(ignore, STR("[")), ERR_INVALID);
}

TEST(hostile_files_are_matched_in_linear_time)
{
	AUTO(buf) struct buf rules = BUF_INIT(IGNORE_MAX);
	AUTO(buf) struct buf path = BUF_INIT(100000);
	AUTO(ignore) struct ignore *many = NULL;
	AUTO(ignore) struct ignore *deep = NULL;

	for (int i = 0; i < 100000; i++)
		buf_addf(&rules, "dir/%d\n", i);
	assert_ok(ignore_parse("x", buf_str(&rules), &many));
	for (int i = 0; i < 1000; i++) {
		char name[32];

		snprintf(name, sizeof(name), "dir/%d/file", 99 * i + (i % 2 ? 1000000 : 0));
		assert_int_equal(ignore_match(many, name, NULL), i % 2 == 0);
	}
	buf_reset(&rules);
	for (int i = 0; i < 500; i++)
		buf_adds(&rules, "**/a*/");
	buf_adds(&rules, "b");
	for (int i = 0; i < 2000; i++)
		buf_adds(&path, "aaa/");
	buf_adds(&path, "c");
	assert_ok(ignore_parse("x", buf_str(&rules), &deep));
	assert_false(ignore_match(deep, path.at, NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rules_exclude_what_the_language_says),
		cmocka_unit_test(a_walk_need_not_enter_where_nothing_comes_back),
		cmocka_unit_test(a_bad_pattern_is_an_error_that_names_its_line),
		cmocka_unit_test(single_patterns_are_added_by_hand),
		cmocka_unit_test(hostile_files_are_matched_in_linear_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
