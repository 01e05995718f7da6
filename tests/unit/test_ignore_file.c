/* tests/unit/test_ignore_file.c - which ignore file counts, and that it is read or an error.
 *
 * The order is the reference's: the file of the Recipe replaces that of the context.
 */

#include "tests/unit/unit.h"

#include <sys/stat.h>

#include "base/err.h"
#include "base/file.h"
#include "builder/ignore.h"
#include "builder/ignore_file.h"
#include "tests/unit/scene.h"
#include "tests/unit/tmp.h"

/* A fresh context with these files. */
static int open_context(const char *scene)
{
	int fd = -1;

	assert_ok(file_remove_tree(tmp_fd, "context"));
	assert_int_equal(mkdirat(tmp_fd, "context", 0755), 0);
	assert_ok(file_open_dir(tmp_fd, "context", &fd));
	scene_make(fd, scene);
	return fd;
}

TEST(the_first_of_the_names_counts_and_no_other)
{
	static const char *const all = "d 755 sub\nf 644 sub/R.containerignore one\n"
				       "f 644 sub/R.dockerignore two\n"
				       "f 644 .containerignore three\n"
				       "f 644 .dockerignore four\n";
	static const char *const order[] = { "sub/R.containerignore", "sub/R.dockerignore",
					     ".containerignore", ".dockerignore" };
	static const char *const patterns[] = { "one", "two", "three", "four" };
	AUTO(fd) int fd = -1;

	fd = open_context(all);
	for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
		struct ignore_search search = {
			.context_fd = fd, .at_root = true, .recipe = "sub/R", .in_context = true
		};
		AUTO(ignore_file) struct ignore_file file = { 0 };

		assert_ok(ignore_file_find(&search, &file));
		assert_string_equal(file.name, order[i]);
		for (size_t k = 0; k < ARRAY_SIZE(patterns); k++)
			assert_int_equal(ignore_match(file.rules, patterns[k], NULL), k == i);
		assert_int_equal(unlinkat(fd, order[i], 0), 0);
	}
}

TEST(a_recipe_elsewhere_has_its_ignore_files_there)
{
	AUTO(mem) char *recipe = xasprintf("%s/R", tmp_path);
	AUTO(mem) char *want = xasprintf("%s/R.dockerignore", tmp_path);
	AUTO(fd) int fd = open_context("f 644 R.dockerignore inside\nf 644 .dockerignore root\n");
	struct ignore_search search = { .context_fd = fd, .at_root = true, .recipe = recipe };
	AUTO(ignore_file) struct ignore_file file = { 0 };
	AUTO(ignore_file) struct ignore_file own = { 0 };

	assert_ok(ignore_file_find(&search, &file));
	assert_string_equal(file.name, ".dockerignore");
	scene_make(tmp_fd, "f 644 R.dockerignore beside\n");
	assert_ok(ignore_file_find(&search, &own));
	assert_string_equal(own.name, want);
	assert_int_equal(unlinkat(tmp_fd, "R.dockerignore", 0), 0);
}

TEST(a_given_file_replaces_all_others_and_must_be_there)
{
	AUTO(mem) char *given = xasprintf("%s/given", tmp_path);
	AUTO(fd)
	int fd = open_context("f 644 R.dockerignore one\nf 644 .dockerignore two\n");
	struct ignore_search search = {
		.context_fd = fd, .at_root = true, .recipe = "R", .in_context = true, .given = given
	};
	AUTO(ignore_file) struct ignore_file file = { 0 };

	assert_fails(ignore_file_find(&search, &file), ERR_NOT_FOUND);
	scene_make(tmp_fd, "f 644 given three\n");
	search.at_root = false; /* whatever the context is */
	assert_ok(ignore_file_find(&search, &file));
	assert_true(ignore_match(file.rules, "three", NULL));
	assert_false(ignore_match(file.rules, "one", NULL));
}

TEST(a_context_that_was_fetched_has_none)
{
	AUTO(fd) int fd = open_context("f 644 .dockerignore a\n");
	struct ignore_search search = { .context_fd = fd };
	AUTO(ignore_file) struct ignore_file file = { 0 };

	assert_ok(ignore_file_find(&search, &file));
	assert_null(file.rules);
	assert_null(file.name);
}

TEST(one_that_cannot_be_read_is_an_error)
{
	static const char *const scenes[] = {
		"l - .dockerignore /etc/passwd\n", "l - .dockerignore .dockerignore\n",
		"d 755 .containerignore\n",        "f 644 .dockerignore [\n",
		"f 644 .dockerignore !\n",
	};

	for (size_t i = 0; i < ARRAY_SIZE(scenes); i++) {
		AUTO(fd) int fd = open_context(scenes[i]);
		struct ignore_search search = { .context_fd = fd, .at_root = true };
		AUTO(ignore_file) struct ignore_file file = { 0 };
		AUTO(err) struct err *err = ignore_file_find(&search, &file);

		if (!err)
			fail_msg("%s is read", scenes[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_of_the_names_counts_and_no_other),
		cmocka_unit_test(a_recipe_elsewhere_has_its_ignore_files_there),
		cmocka_unit_test(a_given_file_replaces_all_others_and_must_be_there),
		cmocka_unit_test(a_context_that_was_fetched_has_none),
		cmocka_unit_test(one_that_cannot_be_read_is_an_error),
	};

	return cmocka_run_group_tests(tests, tmp_setup, tmp_teardown);
}
