/* tests/unit/test_expand.c - every form of a variable, quotes and escapes. */

#include "tests/unit/unit.h"

#include <string.h>

#include "builder/expand.h"

/* What the tests look names up in. */
static const struct {
	const char *name, *value;
} variables[] = {
	{ "A", "alpha" },
	{ "EMPTY", "" },
	{ "SPACES", "  80   443/tcp " },
	{ "PATHS", "/usr/local/lib:/usr/lib" },
	{ "FILE", "archive.tar.gz" },
	{ "URL", "http://example.com/a/b" },
	{ "STARS", "/foo*/*/*.txt" },
	{ "STAR", "\\*/" },
	{ "SLASH", "/" },
	{ "QUOTED", "say \"hi\" 'you'" },
	{ "DOLLAR", "$A" },
	{ "BACKSLASH", "a\\b" },
	{ "xxyy", "xxyy" },
	{ "LINES", "one\ntwo" },
	{ "gr\xc3\xb6\xc3\x9f"
	  "e",
	  "gross" },
	{ "_", "underscore" },
	{ "A1", "digit" },
	{ "MARKS", "a?b}c*d[e]" },
};

static const char *get(__attribute__((unused)) const void *arg, struct str name)
{
	for (size_t i = 0; i < ARRAY_SIZE(variables); i++)
		if (str_is(name, variables[i].name))
			return variables[i].value;
	return NULL;
}

static const struct expander backslash = { .escape = '\\', .get = get };
static const struct expander backtick = { .escape = '`', .get = get };

static void assert_expands(const struct expander *expander, enum expand_mode mode, const char *text,
			   const char *want)
{
	AUTO(mem) char *got = NULL;
	AUTO(err) struct err *err = expand_text(expander, str_of(text), mode, &got);

	if (err)
		fail_msg("%s: %s", text, err_text(err));
	if (strcmp(got, want) != 0)
		fail_msg("%s gives '%s', not '%s'", text, got, want);
}

TEST(every_form_gives_what_the_language_says)
{
	static const char *const cases[][2] = {
		/* text as it is */
		{ "", "" },
		{ "plain text", "plain text" },
		{ "caf\xc3\xa9 \xff\xfe", "caf\xc3\xa9 \xff\xfe" },
		/* plain */
		{ "$A", "alpha" },
		{ "${A}", "alpha" },
		{ "x$A.y", "xalpha.y" },
		{ "$A$A", "alphaalpha" },
		{ "$A1", "digit" },
		{ "$_", "underscore" },
		{ "$gr\xc3\xb6\xc3\x9f"
		  "e\xe2\x86\x92",
		  "gross\xe2\x86\x92" },
		{ "[$UNSET]", "[]" },
		{ "[${UNSET}]", "[]" },
		{ "${DOLLAR}", "$A" }, /* a value is not expanded again */
		{ "${BACKSLASH}", "a\\b" },
		/* special parameters are names that are never set */
		{ "[$1]", "[]" },
		{ "[$12x]", "[x]" },
		{ "[$@$*$#$?$-$$$!]", "[]" },
		{ "[${1}${@}${!}]", "[]" },
		/* a dollar before anything else is one */
		{ "$", "$" },
		{ "$ $", "$ $" },
		{ "a$.b", "a$.b" },
		{ "$(cmd)", "$(cmd)" },
		{ "$\"A\"", "$A" },
		/* default if unset or empty, if unset */
		{ "${A:-w}", "alpha" },
		{ "${EMPTY:-w}", "w" },
		{ "${UNSET:-w}", "w" },
		{ "${A-w}", "alpha" },
		{ "${EMPTY-w}", "" },
		{ "${UNSET-w}", "w" },
		{ "${UNSET:-}", "" },
		{ "${UNSET:-$A}", "alpha" },
		{ "${UNSET:-${EMPTY:-${A}}}", "alpha" },
		{ "${UNSET:-'}'}", "}" },
		{ "${UNSET:-\"a b\"}", "a b" },
		{ "${UNSET:-\\}}", "}" },
		{ "${UNSET:-a\\$A}", "a$A" },
		{ "${UNSET:-:w}", ":w" },
		/* instead, if set and not empty, if set */
		{ "${A:+w}", "w" },
		{ "${EMPTY:+w}", "" },
		{ "${UNSET:+w}", "" },
		{ "${A+w}", "w" },
		{ "${EMPTY+w}", "w" },
		{ "${UNSET+w}", "" },
		{ "v${A:+-$A}", "v-alpha" },
		/* must be set */
		{ "${A:?m}", "alpha" },
		{ "${A?m}", "alpha" },
		{ "${EMPTY?m}", "" },
		/* prefixes */
		{ "${PATHS#/usr}", "/local/lib:/usr/lib" },
		{ "${PATHS#*/}", "usr/local/lib:/usr/lib" },
		{ "${PATHS##*/}", "lib" },
		{ "${PATHS#no}", "/usr/local/lib:/usr/lib" },
		{ "${PATHS#}", "/usr/local/lib:/usr/lib" },
		{ "${PATHS##}", "/usr/local/lib:/usr/lib" },
		{ "${xxyy#*x*y}", "y" },
		{ "${xxyy##*x}", "yy" },
		{ "${xxyy#*}", "xxyy" },
		{ "${xxyy##*}", "" },
		{ "${xxyy#?}", "xyy" },
		{ "${gr\xc3\xb6\xc3\x9f"
		  "e#gr?}",
		  "ss" },
		{ "${A#$A}", "" },
		{ "${A#${UNSET:-al}}", "pha" },
		{ "${STARS#/foo\\*}", "/*/*.txt" },
		{ "${BACKSLASH#a\\\\}", "b" },
		{ "${UNSET#x}", "" },
		{ "${MARKS#a\\?}", "b}c*d[e]" },
		{ "${MARKS#*\\}}", "c*d[e]" },
		{ "${A#[a]}", "alpha" }, /* no brackets */
		{ "${MARKS%[e]}", "a?b}c*d" },
		{ "${FILE%'.gz'}", "archive.tar" },
		{ "${FILE%\"${UNSET:-.gz}\"}", "archive.tar" },
		/* suffixes */
		{ "${FILE%.*}", "archive.tar" },
		{ "${FILE%%.*}", "archive" },
		{ "${FILE%.zip}", "archive.tar.gz" },
		{ "${PATHS%/*}", "/usr/local/lib:/usr" },
		{ "${PATHS%%:*}", "/usr/local/lib" },
		{ "${xxyy%y*}", "xxy" },
		{ "${xxyy%%y*}", "xx" },
		{ "${xxyy%x}", "xxyy" },
		{ "${STARS%\\*.txt}", "/foo*/*/" },
		/* replacements */
		{ "${PATHS/usr/opt}", "/opt/local/lib:/usr/lib" },
		{ "${PATHS//usr/opt}", "/opt/local/lib:/opt/lib" },
		{ "${PATHS//l*b/x}", "/usr/x" }, /* greedy */
		{ "${PATHS//lib/}", "/usr/local/:/usr/" },
		{ "${URL/http:\\/\\//https:\\/\\/}", "https:\\/\\/example.com/a/b" },
		{ "${URL//\\//_}", "http:__example.com_a_b" },
		{ "${URL/example.com/${UNSET:-localhost}}", "http://localhost/a/b" },
		{ "${STARS/$STAR/.}", "/foo.*/*.txt" },
		{ "${STARS//$STAR/.}", "/foo..*.txt" },
		{ "${URL//$SLASH/_}", "http:__example.com_a_b" },
		{ "${xxyy/?/-}", "-xyy" },
		{ "${xxyy//?/-}", "----" },
		{ "${xxyy/$EMPTY/w}", "wxxyy" },
		{ "${xxyy///}", "xxyy" },
		{ "${xxyy//x/'$0$0'}", "xxxxyy" }, /* $0 is what was matched */
		{ "${xxyy//x/'$1'}", "yy" },
		{ "${xxyy//x/'$$'}", "$$yy" },
		{ "${xxyy/x/'$1'}", "$1xyy" },
		{ "${UNSET/x/y}", "" },
		{ "${MARKS/\\}/-}", "a?b-c*d[e]" },
		{ "${MARKS/\\*/-}", "a?b}c-d[e]" },
		{ "${FILE/'tar'/\"${UNSET:-zip}\"}", "archive.zip.gz" },
		{ "${PATHS/l*l/-}", "/usr/-ib" }, /* greedy for the first, too */
		{ "${LINES//*/x}", "x\nx" },      /* a run stays within a line */
		/* quotes */
		{ "'$A'", "$A" },
		{ "'a\\b'", "a\\b" },
		{ "'a\"b'", "a\"b" },
		{ "\"$A\"", "alpha" },
		{ "\"${A}'s\"", "alpha's" },
		{ "\"a\\b\"", "a\\b" },
		{ "\"a\\\"b\\$A\\\\\"", "a\"b$A\\" },
		{ "a'b'\"c\"d", "abcd" },
		{ "''", "" },
		{ "$QUOTED", "say \"hi\" 'you'" },
		/* escapes */
		{ "\\$A", "$A" },
		{ "\\\\$A", "\\alpha" },
		{ "a\\nb", "anb" },
		{ "\\'$A\\'", "'alpha'" },
		{ "a\\", "a" },
		{ "\\\xc3\xa9", "\xc3\xa9" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_expands(&backslash, EXPAND_WORD, cases[i][0], cases[i][1]);
}

TEST(a_backtick_escapes_when_the_recipe_says_so)
{
	static const char
		*const cases[][2] = {
			{ "`$A", "$A" },
			{ "\\$A", "\\alpha" },
			{ "\"`$A`\"\"", "$A\"" },
			{ "c:\\x", "c:\\x" },
			{ "${BACKSLASH#a\\\\}", "b" }, /* patterns keep the backslash */
		};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_expands(&backtick, EXPAND_WORD, cases[i][0], cases[i][1]);
}

TEST(heredocs_keep_their_quotes)
{
	static const char *const cases[][2] = {
		{ "it's \"$A\"\n", "it's \"alpha\"\n" },
		{ "'$A'", "'alpha'" },
		{ "printf \"a\\nb\"", "printf \"anb\"" },
		{ "\\\\ \\$A \\", "\\ $A " },
		{ "${UNSET:-'x'}", "'x'" },
		{ "`$A`", "`alpha`" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_expands(&backslash, EXPAND_HEREDOC, cases[i][0], cases[i][1]);
		/* the recipe's escape character means nothing here */
		assert_expands(&backtick, EXPAND_HEREDOC, cases[i][0], cases[i][1]);
	}
}

TEST(what_is_no_form_is_an_error_that_says_so)
{
	static const char *const cases[][2] = {
		{ "${}", "bad substitution" },
		{ "${:-x}", "bad substitution" },
		{ "${{A}}", "bad substitution" },
		{ "${", "missing '}'" },
		{ "${A", "missing '}'" },
		{ "${A:", "missing '}'" },
		{ "${A:-x", "missing '}'" },
		{ "${A#x", "missing '}'" },
		{ "${A/x/y", "missing '}'" },
		{ "${A/x}", "missing '/'" },
		{ "${A//}", "missing '/'" },
		{ "${A:#x}", "unsupported modifier (:#)" },
		{ "${A:%x}", "unsupported modifier (:%)" },
		{ "${A:/x/y}", "unsupported modifier (:/)" },
		{ "${A:=x}", "unsupported modifier (:=)" },
		{ "${A=x}", "unsupported modifier (=)" },
		{ "${A[0]}", "unsupported modifier ([)" },
		{ "${A^^}", "unsupported modifier (^)" },
		{ "${A\xc3\xa9!}", "unsupported modifier (!)" },
		{ "${A#a\\b}", "invalid pattern (a\\b)" },
		{ "${A/\\x/y}", "invalid pattern (\\x)" },
		{ "'open", "matching single-quote" },
		{ "\"open", "matching double-quote" },
		{ "\"open\\", "matching double-quote" },
		{ "${UNSET:-'open}", "matching single-quote" },
		{ "${UNSET:?must be given}", "UNSET: must be given" },
		{ "${UNSET:?$A}", "UNSET: alpha" },
		{ "${UNSET?}", "UNSET: is not allowed to be unset" },
		{ "${EMPTY:?}", "EMPTY: is not allowed to be empty" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(mem) char *got = NULL;
		AUTO(err)
		struct err *err = expand_text(&backslash, str_of(cases[i][0]), EXPAND_WORD, &got);

		assert_null(got);
		assert_int_equal(err_kind(err), ERR_INVALID);
		if (!strstr(err_text(err), cases[i][1]))
			fail_msg("%s: %s", cases[i][0], err_text(err));
	}
}

TEST(words_are_cut_after_expansion)
{
	static const struct {
		const char *text, *words; /* joined by | */
	} cases[] = {
		{ "80", "80" },
		{ "$SPACES", "80|443/tcp" },
		{ "$SPACES/x", "80|443/tcp|/x" },
		{ "\"$SPACES\"", "  80   443/tcp " },
		{ "a\\ b c", "a b|c" },
		{ "'a b' c", "a b|c" },
		{ " a \t b ", "a|b" },
		{ "$UNSET", "" },
		{ "\"\" ''", "" },
		{ "a\"\"b", "ab" },
		{ "${UNSET:-1 2}", "1|2" },
		{ "a\xc2\xa0\x62", "a|b" }, /* a no-break space is blank too */
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct strings words = { 0 };
		AUTO(buf) struct buf joined = BUF_INIT(1000);

		assert_ok(expand_words(&backslash, str_of(cases[i].text), &words));
		vec_foreach (&words, word) {
			if (word != words.at)
				buf_addc(&joined, '|');
			buf_adds(&joined, *word);
		}
		strings_release(&words);
		assert_string_equal(buf_str(&joined).at, cases[i].words);
	}
}

TEST(the_report_tells_which_names_were_asked_for)
{
	AUTO(expand_report) struct expand_report report = { 0 };
	struct expander expander = backslash;
	AUTO(mem) char *got = NULL;

	expander.report = &report;
	assert_ok(expand_text(&expander, STR("$A ${A} ${U1:-$U2} ${U3} ${EMPTY:+$A1} '$NOT' $U3"),
			      EXPAND_WORD, &got));
	assert_string_equal(got, "alpha alpha    $NOT ");
	assert_int_equal(report.used.len, 3);
	assert_string_equal(report.used.at[0].key, "A");
	assert_true(map_has(&report.used, STR("EMPTY")));
	assert_true(map_has(&report.used, STR("A1"))); /* looked at, although it did not count */
	assert_int_equal(report.unset.len, 3);
	assert_true(map_has(&report.unset, STR("U1")));
	assert_int_equal(report.undefined.len, 2);
	assert_true(map_has(&report.undefined, STR("U2")));
	assert_true(map_has(&report.undefined, STR("U3")));
}

/* A value of a million 'a', and nothing else. */
static const char *get_large(const void *arg, __attribute__((unused)) struct str name)
{
	return arg;
}

TEST(nothing_explodes)
{
	AUTO(mem) char *large = xcalloc(1000001, 1);
	AUTO(buf) struct buf text = BUF_INIT((size_t)1 << 20);
	struct expander expander = { .escape = '\\', .get = get_large, .arg = large };
	AUTO(mem) char *got = NULL;

	memset(large, 'a', 1000000);
	for (int i = 0; i < 40; i++)
		buf_adds(&text, "$x");
	assert_fails(expand_text(&expander, buf_str(&text), EXPAND_WORD, &got), ERR_INVALID);
	/* a pattern that a backtracking matcher would never finish */
	assert_ok(expand_text(&expander, STR("${x//a*a*a*a*a*a*a*a*a*b/}"), EXPAND_WORD, &got));
	assert_int_equal(strlen(got), 1000000);
	buf_reset(&text);
	for (int i = 0; i < 20000; i++)
		buf_adds(&text, "${x:-");
	assert_fails(expand_text(&backslash, buf_str(&text), EXPAND_WORD, &got), ERR_INVALID);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_form_gives_what_the_language_says),
		cmocka_unit_test(a_backtick_escapes_when_the_recipe_says_so),
		cmocka_unit_test(heredocs_keep_their_quotes),
		cmocka_unit_test(what_is_no_form_is_an_error_that_says_so),
		cmocka_unit_test(words_are_cut_after_expansion),
		cmocka_unit_test(the_report_tells_which_names_were_asked_for),
		cmocka_unit_test(nothing_explodes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
