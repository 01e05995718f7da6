/* tests/unit/test_vec.c - arrays grow, keep what they hold, and own no element. */

#include "tests/unit/unit.h"

#include <string.h>

#include "base/vec.h"

TEST(a_vector_keeps_its_elements_while_it_grows)
{
	VEC(int) numbers = { 0 };
	int sum = 0;

	for (int i = 0; i < 1000; i++) {
		vec_push(&numbers, i);
		assert_int_equal(*vec_last(&numbers), i);
	}
	assert_int_equal(numbers.len, 1000);
	assert_true(numbers.cap >= numbers.len);
	for (int i = 0; i < 1000; i++)
		assert_int_equal(numbers.at[i], i);
	vec_foreach (&numbers, number)
		sum += *number;
	assert_int_equal(sum, 499500);
	vec_release(&numbers);
}

TEST(an_empty_vector_has_nothing_to_visit)
{
	VEC(int) numbers = { 0 };

	vec_foreach (&numbers, number)
		fail_msg("visited %d", *number);
	vec_release(&numbers);
	vec_release(&numbers); /* again is fine */
	assert_null(numbers.at);
	assert_int_equal(numbers.len + numbers.cap, 0);
}

struct point {
	int x, y;
	const char *name;
};

TEST(elements_may_be_structures_and_come_zeroed)
{
	VEC(struct point) points = { 0 };

	for (int i = 0; i < 20; i++) {
		struct point *p = vec_add(&points);

		assert_int_equal(p->x, 0);
		assert_null(p->name);
		*p = (struct point){ .x = i, .y = -i, .name = "p" };
	}
	vec_push(&points, (struct point){ .x = 5, .y = 6 });
	assert_int_equal(points.at[19].y, -19);
	assert_int_equal(vec_last(&points)->y, 6);
	vec_release(&points);
	vec_push(&points, (struct point){ .x = 1 }); /* usable again */
	assert_int_equal(points.len, 1);
	vec_release(&points);
}

TEST(growing_makes_room_for_what_is_needed)
{
	size_t cap = 0;
	int *at = vec_grow_(NULL, &cap, 1000, sizeof(*at));
	size_t before = cap;

	assert_true(cap >= 1000);
	at[999] = 1;
	at = vec_grow_(at, &cap, before, sizeof(*at)); /* always by some */
	assert_true(cap > before);
	assert_int_equal(at[999], 1);
	free(at);
}

TEST(a_list_of_strings_owns_copies)
{
	AUTO(strings) struct strings list = { 0 };
	AUTO(strings) struct strings both = { 0 };
	char text[] = "first";

	strings_push(&list, text);
	text[0] = 'w';
	strings_push(&list, "");
	strings_push(&both, "zero");
	strings_copy(&both, &list);
	strings_release(&list);
	assert_int_equal(list.len, 0);
	assert_int_equal(both.len, 3);
	assert_string_equal(both.at[0], "zero");
	assert_string_equal(both.at[1], "first");
	assert_string_equal(both.at[2], "");
}

TEST(the_view_for_execve_ends_with_null)
{
	AUTO(strings) struct strings list = { 0 };

	assert_null(strings_argv(&list)[0]);
	assert_int_equal(list.len, 0);
	for (size_t i = 1; i <= 20; i++) {
		char *const *argv;

		strings_push(&list, "arg");
		argv = strings_argv(&list);
		assert_string_equal(argv[i - 1], "arg");
		assert_null(argv[i]);
		assert_int_equal(list.len, i);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_vector_keeps_its_elements_while_it_grows),
		cmocka_unit_test(an_empty_vector_has_nothing_to_visit),
		cmocka_unit_test(elements_may_be_structures_and_come_zeroed),
		cmocka_unit_test(growing_makes_room_for_what_is_needed),
		cmocka_unit_test(a_list_of_strings_owns_copies),
		cmocka_unit_test(the_view_for_execve_ends_with_null),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
