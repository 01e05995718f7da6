/* tests/unit/test_lint.c - which remarks are kept, and what check directives mean. */

#include "tests/unit/unit.h"

#include "builder/lint.h"

static void lints_auto_(struct lints *lints)
{
	lints_release(lints);
}

static const struct position here = { 3, 4, 1, NULL };

TEST(a_remark_is_kept_with_its_place)
{
	AUTO(lints) struct lints lints = { 0 };

	lint_add(&lints, "StageNameCasing", NULL, &here, "stage %s", "X");
	assert_int_equal(lints.len, 1);
	assert_string_equal(lints.at[0].rule, "StageNameCasing");
	assert_string_equal(lints.at[0].text, "stage X");
	assert_int_equal(lints.at[0].position.line, 3);
	assert_int_equal(lints.at[0].position.line_end, 4);
}

TEST(rules_are_skipped_by_name_or_all_together)
{
	static const struct {
		const char *file, *comment;
		size_t kept; /* of Rule and Other */
	} cases[] = {
		{ "", NULL, 2 },
		{ "skip=Rule", NULL, 1 },
		{ "skip=Rule,Other", NULL, 0 },
		{ "skip= Other , Rule ;", NULL, 0 },
		{ "skip=rule", NULL, 2 }, /* names know their case */
		{ "skip=all", NULL, 0 },
		{ "error=true;skip=Rule", NULL, 1 },
		{ "", "skip=Other", 1 },
		{ "", "skip=all", 0 },
		{ "skip=Rule", "skip=Other", 0 },
		{ "", "anything else", 2 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(lints) struct lints lints = { 0 };

		assert_ok(lint_policy_parse(str_of(cases[i].file), &lints.policy));
		lint_add(&lints, "Rule", cases[i].comment, &here, "x");
		lint_add(&lints, "Other", cases[i].comment, &here, "x");
		assert_int_equal(lints.len, cases[i].kept);
	}
}

TEST(the_policy_has_three_keys)
{
	struct lint_policy policy = { 0 };

	assert_ok(lint_policy_parse(STR("skip=A;error=True;experimental=B,C"), &policy));
	assert_true(policy.error);
	assert_int_equal(policy.skip.len, 1);
	assert_int_equal(policy.experimental.len, 2);
	assert_false(policy.experimental_all);
	assert_ok(lint_policy_parse(STR("experimental=all;error=0"), &policy));
	assert_true(policy.experimental_all);
	assert_false(policy.error);
	lint_policy_release(&policy);
}

TEST(refuses_what_is_no_policy)
{
	static const char *const cases[] = { "skip", "error=perhaps", "other=1", "=x" };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct lint_policy policy = { 0 };

		assert_fails(lint_policy_parse(str_of(cases[i]), &policy), ERR_INVALID);
		lint_policy_release(&policy);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_remark_is_kept_with_its_place),
		cmocka_unit_test(rules_are_skipped_by_name_or_all_together),
		cmocka_unit_test(the_policy_has_three_keys),
		cmocka_unit_test(refuses_what_is_no_policy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
