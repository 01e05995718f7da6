/* tests/unit/test_subid.c - nsswitch.conf(5) and what getsubids(1) says. */

#include "tests/unit/unit.h"

#include <stdlib.h>
#include <string.h>

#include "base/subid.h"

TEST(another_source_than_the_files_is_found)
{
	static const struct {
		const char *text, *source;
	} cases[] = {
		{ "subid: sss\n", "sss" },
		{ "passwd: files sss\nsubid:\tsss files\n", "sss" },
		{ " subid : ldap # comment\n", "ldap" },
		{ "subid:sss", "sss" },
		{ "subid: sss\nsubid: files\n", "sss" }, /* the first counts */
		{ "subid: files\nsubid: sss\n", NULL },
		{ "subid: files sss\n", NULL },
		{ "# subid: sss\n", NULL },
		{ "subids: sss\nxsubid: sss\n", NULL },
		{ "subid:\n", NULL },
		{ "", NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(mem) char *source = subid_parse_source(str_of(cases[i].text));

		if (cases[i].source)
			assert_string_equal(source, cases[i].source);
		else
			assert_null(source);
	}
}

TEST(ranges_are_read_from_the_output_of_getsubids)
{
	static const struct {
		const char *text;
		size_t count;
		struct userns_range ranges[2];
	} cases[] = {
		{ "0: ann 100000 65536\n", 1, { { 100000, 65536 } } },
		{ "0: ann 100000 65536\n1: ann 300000 5", 2, { { 100000, 65536 }, { 300000, 5 } } },
		{ "10: a.b@example.org 7 8\n", 1, { { 7, 8 } } },
		{ "Error fetching ranges\n", 0, { { 0 } } },
		{ "0: ann 100000\n0: ann 1 0\n0: ann x 5\n0: ann -1 5\n", 0, { { 0 } } },
		{ "0: ann 4294967290 10\n", 0, { { 0 } } },
		{ "", 0, { { 0 } } },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct userns_range ranges[USERNS_RANGES_MAX];
		const size_t count = subid_parse_answer(str_of(cases[i].text), ranges);

		assert_int_equal(count, cases[i].count);
		assert_memory_equal(ranges, cases[i].ranges, count * sizeof(ranges[0]));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(another_source_than_the_files_is_found),
		cmocka_unit_test(ranges_are_read_from_the_output_of_getsubids),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
