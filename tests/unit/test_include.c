/* tests/unit/test_include.c - files in files, and the places that errors tell. */

#include "tests/unit/unit.h"

#include "builder/include.h"
#include "builder/script.h"
#include "tests/unit/scene.h"
#include "tests/unit/tmp.h"

static void put(const char *path, const char *text)
{
	AUTO(fd)
	int fd = openat(tmp_fd, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_ok(file_write_all(fd, text, strlen(text), path));
}

/* Expand the Recipe at `path`, which errors call the same behind "dir/". */
static struct err *expand(const char *path, const char *text, struct script **ret)
{
	const struct include_root root = { .dir_fd = tmp_fd, .path = path };
	AUTO(script) struct script *script = NULL;
	AUTO(mem) char *name = xasprintf("dir/%s", path);

	TRY(script_new(name, str_of(text), &script));
	return include_expand(script, '\\', &root, ret);
}

TEST(joins_files_and_knows_their_lines)
{
	/* the whole, and where each of its lines is from */
	static const char *const want[] = {
		"FROM x|dir/R|1", "|dir/R|2",        "a 1|dir/sub/a|1", "|dir/sub/a|2",
		"b|dir/sub/b|1",  "a 3|dir/sub/a|3", "RUN <<E|dir/R|3", "INCLUDE sub/a|dir/R|4",
		"E|dir/R|5",      "|dir/R|6",        "b|dir/sub/b|1",   "last|dir/R|7",
	};
	AUTO(script) struct script *whole = NULL;
	unsigned line;

	mkdirat(tmp_fd, "sub", 0755);
	put("sub/a", "a 1\nINCLUDE b\na 3");
	put("sub/b", "b\n");
	assert_ok(expand("R",
			 "FROM x\nINCLUDE sub/a\nRUN <<E\nINCLUDE sub/a\nE\n"
			 "  include sub/b\nlast",
			 &whole));
	assert_non_null(whole);
	assert_int_equal(script_lines(whole), ARRAY_SIZE(want));
	for (unsigned i = 0; i < ARRAY_SIZE(want); i++) {
		const char *name = script_place(whole, i + 1, &line);
		AUTO(mem)
		char *got = xasprintf("%.*s|%s|%u", STR_ARG(script_line(whole, i + 1)), name, line);

		assert_string_equal(got, want[i]);
	}
}

TEST(shows_the_lines_of_the_file)
{
	const struct position at = { 4, 4, 0, NULL };
	AUTO(script) struct script *whole = NULL;
	AUTO(err) struct err *err = NULL;

	put("c", "c 1\nc 2\nc 3\n");
	assert_ok(expand("R", "FROM x\nINCLUDE c\nlast\n", &whole));
	err = script_error(whole, &at, ERR_INVALID, "wrong");
	assert_string_equal(err_text(err), "dir/c:2: wrong");
	assert_string_equal(err_notes(err), "  1 |     c 1\n  2 | >>> c 2\n  3 |     c 3");
}

TEST(leaves_alone_what_includes_nothing)
{
	struct script *whole = NULL;

	assert_ok(expand("R", "FROM x\nRUN <<E\nINCLUDE y\nE\n# INCLUDE z\nRUN a \\\nINCLUDE b\n",
			 &whole));
	assert_null(whole);
}

TEST(refuses_what_leads_out_round_and_too_deep)
{
	static const struct {
		const char *text;
		enum err_kind kind;
		const char *says;
	} cases[] = {
		{ "INCLUDE", ERR_INVALID, "dir/R:1: INCLUDE requires exactly one argument" },
		{ "INCLUDE ../x", ERR_INVALID, "outside of the directory" },
		{ "INCLUDE a/../../x", ERR_INVALID, "outside of the directory" },
		{ "INCLUDE .", ERR_INVALID, "outside of the directory" },
		{ "INCLUDE /x", ERR_INVALID, "not from '/'" },
		{ "INCLUDE none", ERR_NOT_FOUND, "dir/R:1: INCLUDE none" },
		{ "\nINCLUDE R", ERR_INVALID, "dir/R:2: INCLUDE R: the file includes itself" },
		{ "INCLUDE round", ERR_INVALID, "the file includes itself" },
		{ "INCLUDE open", ERR_INVALID, "dir/open ends within an instruction" },
		{ "INCLUDE out", ERR_INVALID, "" },
		{ "RUN <<E\nx", ERR_INVALID, "dir/R:1: unterminated heredoc" },
	};

	put("round", "x\nINCLUDE ./round\n");
	put("open", "RUN x \\  \n");
	assert_int_equal(symlinkat("/etc/hostname", tmp_fd, "out"), 0);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct script *whole = NULL;
		AUTO(err) struct err *err = expand("R", cases[i].text, &whole);

		if (!err || (cases[i].says[0] && err_kind(err) != cases[i].kind) ||
		    !strstr(err_text(err), cases[i].says))
			fail_msg("%s: %d %s", cases[i].text, err_kind(err), err_text(err));
		assert_null(whole);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(joins_files_and_knows_their_lines),
		cmocka_unit_test(shows_the_lines_of_the_file),
		cmocka_unit_test(leaves_alone_what_includes_nothing),
		cmocka_unit_test(refuses_what_leads_out_round_and_too_deep),
	};

	return cmocka_run_group_tests(tests, tmp_setup, tmp_teardown);
}
