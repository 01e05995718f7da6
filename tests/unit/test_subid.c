/* tests/unit/test_subid.c - nsswitch.conf(5) and what getsubids(1) says. */

#include "tests/unit/unit.h"

#include <stdlib.h>
#include <string.h>

#include "base/subid.h"
#include "tests/unit/tmp.h"

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

static void put_getsubids(const char *script)
{
	AUTO(fd)
	int fd = openat(tmp_fd, "getsubids", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
	AUTO(mem) char *text = xasprintf("#!/bin/sh\n%s\n", script);
	AUTO(mem) char *path = xasprintf("%s:/usr/bin:/bin", tmp_path);

	assert_ok(file_write_all(fd, text, strlen(text), "a script"));
	assert_int_equal(setenv("PATH", path, 1), 0);
}

TEST(a_source_is_asked_but_not_waited_for_without_end)
{
	static const struct {
		const char *script;
		bool groups, silent;
		size_t count;
	} cases[] = {
		{ "[ \"$*\" = ann ] && echo 0: ann 100000 65536", false, false, 1 },
		{ "[ \"$*\" = '-g ann' ] && echo 0: ann 100000 65536", true, false, 1 },
		{ "echo 0: ann 100000 65536; exit 1", false, false, 0 },
		{ "yes", false, false, 0 },
		{ "sleep 1000", false, true, 0 },
	};
	const unsigned before = subid_patience;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct userns_range ranges[USERNS_RANGES_MAX];
		bool silent = !cases[i].silent;

		put_getsubids(cases[i].script);
		subid_patience = cases[i].silent ? 200 : 60000;
		assert_int_equal(subid_ask("ann", cases[i].groups, ranges, &silent),
				 cases[i].count);
		assert_int_equal(silent, cases[i].silent);
	}
	subid_patience = before;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(another_source_than_the_files_is_found),
		cmocka_unit_test(ranges_are_read_from_the_output_of_getsubids),
		cmocka_unit_test(a_source_is_asked_but_not_waited_for_without_end),
	};

	return cmocka_run_group_tests(tests, tmp_setup, tmp_teardown);
}
