/* tests/unit/test_recipe.c - instructions by name, stages by name and number. */

#include "tests/unit/unit.h"

#include "builder/parse.h"

TEST(every_instruction_is_found_by_its_name_in_any_case)
{
	for (int i = 0; i < INSTRUCTION_COUNT; i++) {
		enum instruction_kind got = INSTRUCTION_COUNT;

		assert_true(
			instruction_find(str_of(instruction_name((enum instruction_kind)i)), &got));
		assert_int_equal(got, i);
	}
	enum instruction_kind got;

	assert_true(instruction_find(STR("fRoM"), &got));
	assert_int_equal(got, INSTRUCTION_FROM);
	assert_false(instruction_find(STR("FRO"), &got));
	assert_false(instruction_find(STR("FROMM"), &got));
	assert_false(instruction_find(STR(""), &got));
}

TEST(the_last_stage_of_a_name_before_another_one_counts)
{
	struct recipe *parsed = NULL;
	AUTO(recipe) struct recipe *recipe = NULL;

	assert_ok(recipe_parse(
		"R", STR("FROM a AS x\nFROM b\nFROM c AS X\nFROM d AS last\nFROM e AS x2\n"),
		&parsed));
	recipe = parsed;
	assert_ptr_equal(recipe_find_stage(recipe, "x", 5, false), &recipe->stages[2]);
	assert_ptr_equal(recipe_find_stage(recipe, "X", 2, false), &recipe->stages[0]);
	assert_null(recipe_find_stage(recipe, "x", 0, false));
	assert_null(recipe_find_stage(recipe, "last", 3, false));
	assert_null(recipe_find_stage(recipe, "1", 5, false));
	assert_ptr_equal(recipe_find_stage(recipe, "1", 5, true), &recipe->stages[1]);
	assert_null(recipe_find_stage(recipe, "4", 4, true)); /* not before itself */
	assert_null(recipe_find_stage(recipe, "-1", 5, true));
	assert_null(recipe_find_stage(recipe, "image:tag", 5, true));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_instruction_is_found_by_its_name_in_any_case),
		cmocka_unit_test(the_last_stage_of_a_name_before_another_one_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
