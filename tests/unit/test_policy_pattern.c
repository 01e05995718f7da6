/* tests/unit/test_policy_pattern.c - the patterns of a source policy. */

#include "tests/unit/unit.h"

#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "builder/policy_pattern.h"

/* What `text` becomes, owned; NULL if it does not fit. */
static char *become(enum policy_match match, const char *pattern, const char *text,
		    const char *becomes)
{
	AUTO(policy_pattern) struct policy_pattern *p = NULL;
	char *ret = NULL;

	assert_ok(policy_pattern_new(match, pattern, &p));
	assert_int_equal(policy_pattern_fits(p, text, NULL, NULL),
			 policy_pattern_fits(p, text, becomes, &ret));
	return ret;
}

TEST(wildcards_fit_the_whole_text)
{
	static const struct {
		const char *pattern, *text, *becomes, *want;
	} cases[] = {
		{ "a", "a", "x", "x" },
		{ "a", "ab", "x", NULL },
		{ "a*", "ab", "x$1", "xb" },
		{ "a*", "a", "x$1", "x" },
		{ "a*", "ba", "x", NULL },
		{ "*a", "ba", "$1", "b" },
		{ "*a", "bab", "$1", NULL },
		{ "a*b", "ab", "<$1>", "<>" },
		{ "a*a", "a", "x", NULL },
		{ "*", "", "<$1>", "<>" },
		{ "a?c", "abc", "x", NULL }, /* no other wildcard */
		{ "a.c", "abc", "x", NULL },
		/* as many bytes as can be for the first star */
		{ "*/*", "a/b/c", "$1|$2", "a/b|c" },
		{ "a*b*c", "abbc", "$1|$2", "b|" },
		{ "docker-image://docker.io/library/golang*",
		  "docker-image://docker.io/library/golang:1.19",
		  "docker-image://mirror.example/golang${1}-alpine",
		  "docker-image://mirror.example/golang:1.19-alpine" },
		{ "*ab*ab*", "xababy", "$1|$2|$3", "x||y" },
		{ "x*ab", "xab", "$1", "" },
		{ "ab*ab", "ab", "x", NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(mem)
		char *got =
			become(POLICY_WILDCARD, cases[i].pattern, cases[i].text, cases[i].becomes);

		if (!got != !cases[i].want || (got && strcmp(got, cases[i].want) != 0))
			fail_msg("%s in %s: %s", cases[i].pattern, cases[i].text, got ? got : "-");
	}
}

TEST(regular_expressions_fit_anywhere_and_replace_every_place)
{
	static const struct {
		const char *pattern, *text, *becomes, *want;
	} cases[] = {
		{ "b", "abc", "x", "axc" },
		{ "^b", "abc", "x", NULL },
		{ "a", "banana", "o", "bonono" },
		{ "(\\w+)://(.*)", "https://a/b", "$2 by ${1}", "a/b by https" },
		{ "v\\d+\\.[\\d.]+$", "v1.2.3", "v", "v" },
		{ "[[:alpha:]]+", "ab1", "$0$0", "abab1" },
		{ "[\\w.-]+@", "a.b-c@d", "@", "@d" },
		{ "[]x]", "a]", "y", "ay" },
		{ "x*", "abc", "-", "-a-b-c-" }, /* as Go has it */
		{ "(a)|(b)", "b", "[$1$2]", "[b]" },
		{ "a{2,3}", "caaat", "", "ct" },
		{ "a\\.b", "axb", "", NULL },
		{ "\\$", "a$", "$$", "a$" },
		{ "a", "a", "$1x$name${12}$", "$" }, /* names that there are not are nothing */
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(mem)
		char *got = become(POLICY_REGEX, cases[i].pattern, cases[i].text, cases[i].becomes);

		if (!got != !cases[i].want || (got && strcmp(got, cases[i].want) != 0))
			fail_msg("%s in %s: %s", cases[i].pattern, cases[i].text, got ? got : "-");
	}
}

TEST(a_text_always_fits_itself_and_exact_nothing_else)
{
	AUTO(mem) char *same = become(POLICY_EXACT, "a*b", "a*b", "$1x");
	AUTO(mem) char *other = become(POLICY_EXACT, "a*b", "axb", "x");
	AUTO(mem) char *odd = become(POLICY_REGEX, "a+b", "a+b", "x");

	assert_string_equal(same, "$1x");
	assert_null(other);
	assert_string_equal(odd, "x");
}

TEST(patterns_that_mean_nothing_here_are_refused)
{
	static const struct {
		const char *text;
		enum policy_match match;
		enum err_kind kind;
	} cases[] = {
		{ "a**b", POLICY_WILDCARD, ERR_INVALID },
		{ "*a*a*a*a*a*a*a*a*a*", POLICY_WILDCARD, ERR_INVALID },
		{ "(", POLICY_REGEX, ERR_INVALID },
		{ "[a", POLICY_REGEX, ERR_INVALID },
		{ "a\\", POLICY_REGEX, ERR_INVALID },
		{ "a**", POLICY_REGEX, ERR_INVALID },
		{ "(?:a)", POLICY_REGEX, ERR_UNSUPPORTED },
		{ "(?i)a", POLICY_REGEX, ERR_UNSUPPORTED },
		{ "a.*?b", POLICY_REGEX, ERR_UNSUPPORTED },
		{ "(a)\\1", POLICY_REGEX, ERR_UNSUPPORTED },
		{ "\\pL", POLICY_REGEX, ERR_UNSUPPORTED },
		{ "[\\D]", POLICY_REGEX, ERR_UNSUPPORTED },
		/* this would take all memory */
		{ "((((a{255}){255}){255}){255})", POLICY_REGEX, ERR_INVALID },
		{ "a{1001}", POLICY_REGEX, ERR_INVALID },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(policy_pattern) struct policy_pattern *p = NULL;
		AUTO(err) struct err *err = policy_pattern_new(cases[i].match, cases[i].text, &p);

		if (err_kind(err) != cases[i].kind)
			fail_msg("%s: %s", cases[i].text, err ? err_text(err) : "taken");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wildcards_fit_the_whole_text),
		cmocka_unit_test(regular_expressions_fit_anywhere_and_replace_every_place),
		cmocka_unit_test(a_text_always_fits_itself_and_exact_nothing_else),
		cmocka_unit_test(patterns_that_mean_nothing_here_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
