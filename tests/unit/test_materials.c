/* tests/unit/test_materials.c - context and Recipe together, and what planning is told of them. */

#include "tests/unit/unit.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/err.h"
#include "builder/materials.h"
#include "builder/recipe.h"
#include "builder/script.h"
#include "tests/unit/kitchen.h"

static struct err *gather(const char *text_of_context, const char *recipe, char **ret_name)
{
	AUTO(context) struct context context = CONTEXT_INIT;
	AUTO(recipe) struct recipe *found = NULL;

	opts.context = text_of_context;
	opts.recipe = recipe;
	TRY(materials_gather(store, &opts, &context, &found, 1));
	if (ret_name)
		*ret_name = xstrdup(script_name(found->script));
	return NULL;
}

TEST(standard_input_is_not_both)
{
	assert_fails(gather("-", "-", NULL), ERR_USAGE);
}

TEST(a_recipe_alone_leaves_nothing_for_a_path_to_name)
{
	AUTO(mem) char *name = NULL;
	AUTO(fd) int kept = dup(STDIN_FILENO);
	int ends[2];

	for (int round = 0; round < 2; round++) {
		assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
		assert_int_equal(write(ends[1], "FROM scratch\n", 13), 13);
		close(ends[1]);
		assert_int_equal(dup2(ends[0], STDIN_FILENO), STDIN_FILENO);
		close(ends[0]);
		if (round == 0) {
			assert_fails(gather("-", "Recipe", NULL), ERR_USAGE);
			continue;
		}
		assert_ok(gather("-", NULL, &name));
		assert_string_equal(name, "(standard input)");
		assert_string_equal(opts.recipe, "-"); /* no ignore file is named after it */
	}
	assert_int_equal(dup2(kept, STDIN_FILENO), STDIN_FILENO);
}

TEST(a_path_that_is_only_in_the_context_is_one_of_the_context)
{
	AUTO(mem) char *name = NULL;
	AUTO(mem) char *whole = xasprintf("%s/sub/R", context_path);
	AUTO(fd) int fd = -1;
	AUTO(fd) int dir_fd = -1;

	fill_context("d 755 sub\n");
	assert_ok(file_open_dir(tmp_fd, "context/sub", &dir_fd));
	fd = openat(dir_fd, "R", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	assert_ok(file_write_all(fd, "FROM scratch\n", 13, "R"));
	assert_ok(gather(context_path, "sub/R", &name));
	assert_string_equal(name, "sub/R");
	assert_null(opts.recipe); /* named by its script, and looked for in the context */
	assert_ok(gather(context_path, whole, NULL));
	assert_string_equal(opts.recipe, whole);
	assert_non_null(opts.fetched);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		KITCHEN_TEST(standard_input_is_not_both),
		KITCHEN_TEST(a_recipe_alone_leaves_nothing_for_a_path_to_name),
		KITCHEN_TEST(a_path_that_is_only_in_the_context_is_one_of_the_context),
	};

	return cmocka_run_group_tests(tests, tmp_setup, tmp_teardown);
}
