/* tests/unit/test_critical.c - the longest chain of steps. */

#include "tests/unit/unit.h"

#include "base/mem.h"
#include "builder/critical.h"

#define INPUTS(...)                                  \
	.inputs = (const unsigned[]){ __VA_ARGS__ }, \
	.input_count = sizeof((const unsigned[]){ __VA_ARGS__ }) / sizeof(unsigned)

static void assert_path(struct critical_step *steps, size_t count, uint64_t length,
			const char *marks)
{
	assert_int_equal(critical_path(steps, count), length);
	for (size_t i = 0; i < count; i++)
		assert_int_equal(steps[i].critical, marks[i] == 'x');
}

TEST(nothing_has_no_path)
{
	assert_int_equal(critical_path(NULL, 0), 0);
}

TEST(of_a_diamond_it_is_the_longer_side)
{
	struct critical_step steps[] = {
		{ .number = 1, .duration = 5 },
		{ .number = 2, .duration = 10, INPUTS(1) },
		{ .number = 3, .duration = 30, INPUTS(1) },
		{ .number = 4, .duration = 1, INPUTS(2, 3) },
	};

	assert_path(steps, 4, 36, "x.xx");
	steps[1].duration = 31;
	assert_path(steps, 4, 37, "xx.x");
}

TEST(many_short_steps_are_longer_than_one_long)
{
	struct critical_step steps[] = {
		{ .number = 2, .duration = 4 },
		{ .number = 3, .duration = 4, INPUTS(2) },
		{ .number = 5, .duration = 4, INPUTS(3) },
		{ .number = 8, .duration = 11 },
		{ .number = 9, .duration = 0, INPUTS(5, 8) },
	};

	assert_path(steps, 5, 12, "xxx..");
}

TEST(steps_that_were_found_or_are_unknown_count_nothing)
{
	struct critical_step steps[] = {
		{ .number = 1 },
		{ .number = 2, .duration = 3, INPUTS(1, 7, 2) },
		{ .number = 3 },
	};

	assert_path(steps, 3, 3, ".x.");
}

TEST(a_layer_of_its_own_waits_for_nothing_below_it_but_who_follows_waits_for_both)
{
	struct critical_step steps[] = {
		{ .number = 1, .duration = 10 },
		{ .number = 2, .duration = 3, INPUTS(1), .aside = 1 },
		{ .number = 3, .duration = 1, INPUTS(2) },
	};

	assert_path(steps, 3, 11, "x.x");
	steps[1].duration = 12;
	assert_path(steps, 3, 13, ".xx");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_has_no_path),
		cmocka_unit_test(of_a_diamond_it_is_the_longer_side),
		cmocka_unit_test(many_short_steps_are_longer_than_one_long),
		cmocka_unit_test(steps_that_were_found_or_are_unknown_count_nothing),
		cmocka_unit_test(
			a_layer_of_its_own_waits_for_nothing_below_it_but_who_follows_waits_for_both),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
