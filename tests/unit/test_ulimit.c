/* tests/unit/test_ulimit.c - the values of --ulimit, as docker spells them. */

#include "tests/unit/unit.h"

#include <sys/resource.h>

#include "builder/ulimit.h"

TEST(limits_are_numbers_or_none)
{
	static const struct {
		const char *text;
		struct sandbox_limit want;
	} cases[] = {
		{ "nofile=1024", { RLIMIT_NOFILE, 1024, 1024 } },
		{ "nofile=1024:2048", { RLIMIT_NOFILE, 1024, 2048 } },
		{ "core=-1", { RLIMIT_CORE, SANDBOX_NO_LIMIT, SANDBOX_NO_LIMIT } },
		{ "nproc=5:-1", { RLIMIT_NPROC, 5, SANDBOX_NO_LIMIT } },
		{ "stack=0:0", { RLIMIT_STACK, 0, 0 } },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct ulimits ulimits = { .at = NULL };

		assert_ok(ulimits_add(&ulimits, cases[i].text));
		assert_int_equal(ulimits.len, 1);
		assert_int_equal(ulimits.at[0].resource, cases[i].want.resource);
		assert_true(ulimits.at[0].soft == cases[i].want.soft);
		assert_true(ulimits.at[0].hard == cases[i].want.hard);
		ulimits_release(&ulimits);
	}
}

TEST(what_is_said_last_of_a_limit_counts)
{
	struct ulimits ulimits = { .at = NULL };

	assert_ok(ulimits_add(&ulimits, "nofile=1"));
	assert_ok(ulimits_add(&ulimits, "cpu=2"));
	assert_ok(ulimits_add(&ulimits, "nofile=3"));
	assert_int_equal(ulimits.len, 2);
	assert_int_equal(ulimits.at[0].soft, 3);
	ulimits_release(&ulimits);
}

TEST(what_is_no_limit_is_refused)
{
	static const char *const texts[] = { "",          "nofile",   "nofile=",    "nofile=1:",
					     "=1",        "files=1",  "nofile=2:1", "nofile=-1:1",
					     "nofile=-2", "nofile=1x" };

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct ulimits ulimits = { .at = NULL };
		AUTO(err) struct err *err = ulimits_add(&ulimits, texts[i]);

		if (err_kind(err) != ERR_INVALID || ulimits.len)
			fail_msg("'%s': %s", texts[i], err ? err_text(err) : "accepted");
		ulimits_release(&ulimits);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(limits_are_numbers_or_none),
		cmocka_unit_test(what_is_said_last_of_a_limit_counts),
		cmocka_unit_test(what_is_no_limit_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
