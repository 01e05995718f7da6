/* tests/unit/test_glob.c - the table of Go's filepath.Match. */

#include "tests/unit/unit.h"

#include <string.h>

#include "builder/glob.h"

enum { NO, YES, BAD };

TEST(patterns_match_as_in_go)
{
	static const struct {
		const char *pattern, *name;
		int want;
	} cases[] = {
		{ "abc", "abc", YES },
		{ "abc", "abcd", NO },
		{ "abcd", "abc", NO },
		{ "", "", YES },
		{ "", "a", NO },
		{ "*", "abc", YES },
		{ "*", "", YES },
		{ "*", ".hidden", YES },
		{ "*", "a/b", NO },
		{ "*c", "abc", YES },
		{ "a*", "a", YES },
		{ "a*", "abc", YES },
		{ "a*", "ab/c", NO },
		{ "a*/b", "abc/b", YES },
		{ "a*/b", "a/c/b", NO },
		{ "a*b*c*d*e*", "axbxcxdxe", YES },
		{ "a*b*c*d*e*", "axbxcxdxexxx", YES },
		{ "a*b?c*x", "abxbbxdbxebxczzx", YES },
		{ "a*b?c*x", "abxbbxdbxebxczzy", NO },
		{ "**", "abc", YES },
		{ "**", "a/b", NO },
		{ "ab[c]", "abc", YES },
		{ "ab[b-d]", "abc", YES },
		{ "ab[e-g]", "abc", NO },
		{ "ab[^c]", "abc", NO },
		{ "ab[^b-d]", "abc", NO },
		{ "ab[^e-g]", "abc", YES },
		{ "[d-b]", "c", NO },
		{ "[a*]", "*", YES },
		{ "[a*]x*", "*xyz", YES },
		{ "a\\*b", "a*b", YES },
		{ "a\\*b", "ab", NO },
		{ "a\\bc", "abc", YES },
		{ "a?b",
		  "a\xe2\x98\xba"
		  "b",
		  YES },
		{ "a[^a]b",
		  "a\xe2\x98\xba"
		  "b",
		  YES },
		{ "a???b",
		  "a\xe2\x98\xba"
		  "b",
		  NO },
		{ "[\xce\xb1-\xcf\x89]", "\xce\xb2", YES },
		{ "a?b", "a/b", NO },
		{ "a*b", "a/b", NO },
		{ "[\\]a]", "]", YES },
		{ "[\\-]", "-", YES },
		{ "[x\\-]", "x", YES },
		{ "[x\\-]", "-", YES },
		{ "[x\\-]", "z", NO },
		{ "[\\-x]", "a", NO },
		{ "a]", "a]", YES },
		{ "*x", "xxx", YES },
		{ "?", "", NO },
		{ "?", "\xff", YES },
		{ "[]a]", "]", BAD },
		{ "[-]", "-", BAD },
		{ "[x-]", "x", BAD },
		{ "[-x]", "x", BAD },
		{ "[a-b-c]", "a", BAD },
		{ "[", "a", BAD },
		{ "[^", "a", BAD },
		{ "[^bc", "a", BAD },
		{ "a[", "a", BAD },
		{ "a[", "ab", BAD },
		{ "a[", "x", BAD },
		{ "a/b[", "x", BAD },
		{ "[]", "a", BAD },
		{ "\\", "a", BAD },
		{ "a\\", "a", BAD },
		{ "[\\", "a", BAD },
		{ "[\xff]", "\xff", BAD },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct str pattern = str_of(cases[i].pattern);
		AUTO(err) struct err *err = glob_check(pattern);

		if (!err != (cases[i].want != BAD))
			fail_msg("%s is %s", cases[i].pattern, err ? "bad" : "fine");
		if (!err && glob_match(pattern, str_of(cases[i].name)) != cases[i].want)
			fail_msg("%s and %s", cases[i].pattern, cases[i].name);
	}
}

TEST(a_long_name_against_many_runs_is_quick)
{
	AUTO(mem) char *name = xcalloc(100001, 1);

	memset(name, 'a', 100000);
	assert_false(glob_match(STR("*a*a*a*a*a*a*a*a*a*a*a*b"), str_of(name)));
}

TEST(patterns_are_told_from_names)
{
	assert_false(glob_is_pattern(STR("a/b.c")));
	assert_true(glob_is_pattern(STR("a*")));
	assert_true(glob_is_pattern(STR("a?")));
	assert_true(glob_is_pattern(STR("a[b]")));
	assert_true(glob_is_pattern(STR("a\\*")));
}

TEST(a_literal_has_lost_its_escapes)
{
	AUTO(mem) char *star = glob_literal(STR("a\\*b\\\\"));
	AUTO(mem) char *plain = glob_literal(STR("plain"));

	assert_string_equal(star, "a*b\\");
	assert_string_equal(plain, "plain");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(patterns_match_as_in_go),
		cmocka_unit_test(a_long_name_against_many_runs_is_quick),
		cmocka_unit_test(patterns_are_told_from_names),
		cmocka_unit_test(a_literal_has_lost_its_escapes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
