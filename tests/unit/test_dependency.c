/* tests/unit/test_dependency.c - what a build took from elsewhere, without secrets. */

#include "tests/unit/unit.h"

#include <string.h>

#include "builder/dependency.h"
#include "builder/git_url.h"

#define HEX "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
#define COMMIT "4b220de5058abfd01ff619c9d2ff6b09a049bea0"

static struct digest digest(void)
{
	struct digest ret;

	assert_ok(digest_parse("sha256:" HEX, &ret));
	return ret;
}

TEST(files_of_the_web_are_told_without_logins_and_queries)
{
	AUTO(dependencies) struct dependencies list = { 0 };
	const struct digest content = digest();

	dependencies_add_web(&list, "https://user:hunter2@example.com/a/b.tar?token=hunter2#x",
			     &content);
	assert_int_equal(list.len, 1);
	assert_null(strstr(list.at[0].uri, "hunter2"));
	assert_non_null(strstr(list.at[0].uri, "example.com/a/b.tar"));
	assert_string_equal(list.at[0].algorithm, "sha256");
	assert_string_equal(list.at[0].hex, HEX);
}

TEST(repositories_are_told_by_commit)
{
	AUTO(dependencies) struct dependencies list = { 0 };
	AUTO(git_url) struct git_url url = { 0 };
	bool is;

	assert_ok(git_url_parse("https://me:hunter2@example.com/a.git#v1:sub", GIT_URL_SOURCE, &is,
				&url));
	assert_true(is);
	dependencies_add_git(&list, &url, COMMIT);
	dependencies_add_git(&list, &url, HEX);
	assert_string_equal(list.at[0].uri, "https://example.com/a.git#v1");
	assert_string_equal(list.at[0].algorithm, "sha1");
	assert_string_equal(list.at[1].algorithm, "sha256");
}

TEST(what_was_taken_twice_is_told_once_and_in_order)
{
	AUTO(dependencies) struct dependencies list = { 0 };
	AUTO(dependencies) struct dependencies copy = { 0 };
	static const char *const uris[] = { "b", "a", "b", "c", "a" };
	const struct digest content = digest();

	dependencies_sort(&list);
	assert_int_equal(list.len, 0);
	for (size_t i = 0; i < ARRAY_SIZE(uris); i++)
		dependencies_add(&list, uris[i], &content);
	dependencies_copy(&copy, &list);
	dependencies_sort(&copy);
	assert_int_equal(copy.len, 3);
	assert_string_equal(copy.at[0].uri, "a");
	assert_string_equal(copy.at[1].uri, "b");
	assert_string_equal(copy.at[2].uri, "c");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(files_of_the_web_are_told_without_logins_and_queries),
		cmocka_unit_test(repositories_are_told_by_commit),
		cmocka_unit_test(what_was_taken_twice_is_told_once_and_in_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
