/* tests/unit/test_recipe_file.c - where a Recipe is looked for, and in which order. */

#include "tests/unit/unit.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "builder/recipe_file.h"
#include "tests/unit/scene.h"
#include "tests/unit/tmp.h"

/* Where we are: tmp_path/here; beside it a directory "context". */
static int setup(void **state)
{
	if (tmp_setup(state))
		return -1;
	scene_make(tmp_fd, "d 755 here\nd 755 context\nd 755 context/in\n"
			   "f 644 here/both here\nf 644 context/both context\n"
			   "f 644 context/in/only context\nf 644 here/mine here\n"
			   "l - context/out ../here/mine\nd 755 context/dir\n");
	return 0;
}

/* Find a Recipe as -f NAME says, from "here"; what it says is the caller's. */
static struct err *find(const char *name, bool fetched, struct recipe_file *ret)
{
	AUTO(mem) char *context = xasprintf("%s/context", tmp_path);
	struct recipe_search search = { .recipe = name, .context = context, .context_fd = -1 };
	AUTO(fd) int before = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	AUTO(fd) int here = -1;
	AUTO(fd) int context_fd = -1;
	struct err *err;

	assert_ok(file_open_dir(tmp_fd, "here", &here));
	assert_ok(file_open_dir(tmp_fd, "context", &context_fd));
	if (fetched)
		search.context_fd = context_fd;
	assert_int_equal(fchdir(here), 0);
	err = recipe_file_find(&search, ret);
	assert_int_equal(fchdir(before), 0);
	return err;
}

TEST(a_path_is_found_where_we_are_or_in_the_context)
{
	static const struct {
		const char *name;
		bool fetched;
		const char *want; /* NULL: it is not found */
		bool in_context;
	} cases[] = {
		{ "both", false, "here", false },
		{ "both", true, "context", true },
		{ "mine", false, "here", false },
		{ "mine", true, "here", false },
		{ "in/only", false, "context", true },
		{ "in/only", true, "context", true },
		{ "neither", false, NULL, false },
		{ "neither", true, NULL, false },
		{ "out", false, NULL, false }, /* a link that leads out of the context */
		{ "../context/both", false, "context", false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(recipe_file) struct recipe_file file = RECIPE_FILE_INIT;
		AUTO(err) struct err *err = find(cases[i].name, cases[i].fetched, &file);

		if (!err != (cases[i].want != NULL))
			fail_msg("%s: %s", cases[i].name, err ? err_text(err) : "found");
		if (err)
			continue;
		assert_true(str_is(str_trim(buf_str(&file.bytes)), cases[i].want));
		assert_int_equal(file.in_context, cases[i].in_context);
		assert_string_equal(file.name, cases[i].name);
	}
}

TEST(without_a_path_four_names_are_tried_in_order)
{
	static const char *const names[] = { "dockerfile", "Dockerfile", "Containerfile",
					     "Recipe" };
	AUTO(recipe_file) struct recipe_file none = RECIPE_FILE_INIT;

	assert_fails(find(NULL, false, &none), ERR_NOT_FOUND);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		AUTO(mem) char *scene = xasprintf("f 644 context/%s %s\n", names[i], names[i]);
		AUTO(recipe_file) struct recipe_file file = RECIPE_FILE_INIT;

		scene_make(tmp_fd, scene);
		assert_ok(find(NULL, i % 2, &file));
		assert_string_equal(file.name, names[i]);
		assert_true(file.in_context);
	}
}

TEST(a_directory_is_no_recipe_and_nothing_is_none)
{
	const struct recipe_search nothing = { .context_fd = -1 };
	AUTO(recipe_file) struct recipe_file file = RECIPE_FILE_INIT;
	AUTO(recipe_file) struct recipe_file other = RECIPE_FILE_INIT;

	assert_fails(find("dir", false, &file), ERR_INVALID);
	assert_fails(recipe_file_find(&nothing, &other), ERR_USAGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_path_is_found_where_we_are_or_in_the_context),
		cmocka_unit_test(without_a_path_four_names_are_tried_in_order),
		cmocka_unit_test(a_directory_is_no_recipe_and_nothing_is_none),
	};

	return cmocka_run_group_tests(tests, setup, tmp_teardown);
}
