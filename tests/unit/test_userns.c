/* tests/unit/test_userns.c - whose subordinate ids are whose: subuid(5). */

#include "tests/unit/unit.h"

#include <string.h>

#include "base/userns.h"

TEST(ranges_of_a_user_are_found_by_name_and_by_number)
{
	static const struct {
		const char *text;
		const char *name;
		uid_t uid;
		size_t count;
		struct userns_range ranges[3];
	} cases[] = {
		{ "ann:100000:65536\nbob:200000:65536\n", "bob", 1001, 1, { { 200000, 65536 } } },
		{ "1001:300000:1000\n", "bob", 1001, 1, { { 300000, 1000 } } },
		{ "bob:1:2\n1001:5:6\nbob:9:10",
		  "bob",
		  1001,
		  3,
		  { { 1, 2 }, { 5, 6 }, { 9, 10 } } },
		/* a user without a name in the list of users */
		{ "bob:1:2\n1001:5:6\n", NULL, 1001, 1, { { 5, 6 } } },
		/* a name that begins like ours, one that ours begins with */
		{ "bobby:1:2\nbo:3:4\n", "bob", 1001, 0, { { 0 } } },
		{ "", "bob", 1001, 0, { { 0 } } },
		/* what is no rule: comments, words, signs, no count, nothing in it, beyond the last id */
		{ "# bob:1:2\nbob:x:2\nbob:-1:2\nbob:1:\nbob:1\nbob:1:0\n",
		  "bob",
		  1,
		  0,
		  { { 0 } } },
		{ "bob:4294967290:10\nbob:99999999999:1\n", "bob", 1, 0, { { 0 } } },
		{ "bob:1:2 \n\n\nbob:3:4\r\n", "bob", 1, 2, { { 1, 2 }, { 3, 4 } } },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct userns_range got[USERNS_RANGES_MAX];
		size_t count = userns_parse_ranges(str_of(cases[i].text), cases[i].name,
						   cases[i].uid, got);

		assert_int_equal(count, cases[i].count);
		for (size_t j = 0; j < count; j++) {
			assert_int_equal(got[j].first, cases[i].ranges[j].first);
			assert_int_equal(got[j].count, cases[i].ranges[j].count);
		}
	}
}

TEST(more_ranges_than_the_kernel_takes_are_left_out)
{
	AUTO(buf) struct buf text = BUF_INIT(65536);
	struct userns_range got[USERNS_RANGES_MAX];

	for (int i = 0; i < 1000; i++)
		buf_addf(&text, "bob:%d:1\n", 1000 + 2 * i);
	assert_int_equal(userns_parse_ranges(buf_str(&text), "bob", 1, got), USERNS_RANGES_MAX);
}

TEST(the_last_id_of_a_map_is_that_of_its_highest_line)
{
	assert_int_equal(userns_parse_last(str_of("         0          0 4294967295\n")),
			 INT32_MAX);
	assert_int_equal(userns_parse_last(str_of("0 1000 1\n1 100000 65536\n")), 65536);
	assert_int_equal(userns_parse_last(str_of("70000 5 2\n0 1000 1\n")), 70001);
	assert_int_equal(userns_parse_last(str_of("0 1000 1\n")), 0);
	assert_int_equal(userns_parse_last(str_of("")), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ranges_of_a_user_are_found_by_name_and_by_number),
		cmocka_unit_test(more_ranges_than_the_kernel_takes_are_left_out),
		cmocka_unit_test(the_last_id_of_a_map_is_that_of_its_highest_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
