/* tests/unit/test_context.c - contexts on standard input; those of the web and in repositories are
 * tested end to end.
 */

#include "tests/unit/unit.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "builder/context.h"
#include "builder/context_spec.h"
#include "tests/unit/kitchen.h"

/* Fetch what stands in `bytes` from standard input. */
static struct err *fetch_input(struct str bytes, struct context *ret)
{
	const struct context_opts how = { .store = store };
	AUTO(context_spec) struct context_spec spec = { 0 };
	AUTO(fd) int kept = dup(STDIN_FILENO);
	AUTO(fd) int fd = openat(tmp_fd, "input", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	struct err *err;

	assert_ok(file_write_all(fd, bytes.at, bytes.len, "input"));
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	assert_int_equal(dup2(fd, STDIN_FILENO), STDIN_FILENO);
	assert_ok(context_spec_parse("-", false, &spec));
	assert_true(context_is_remote(&spec));
	err = context_fetch(&how, &spec, ret);
	assert_int_equal(dup2(kept, STDIN_FILENO), STDIN_FILENO);
	return err;
}

TEST(a_tar_on_standard_input_is_unpacked)
{
	AUTO(buf) struct buf tar = BUF_INIT(BUF_MAX);
	AUTO(context) struct context context = CONTEXT_INIT;
	struct stat st;

	tree_archive(&tar, D("d") "f 640 5:6 1 1700000000 d/f x\n");
	assert_ok(fetch_input(buf_str(&tar), &context));
	assert_true(context.remote);
	assert_null(context.recipe_name);
	assert_false(context.has_time);
	assert_int_equal(fstatat(context.fd, "d/f", &st, 0), 0);
	assert_int_equal(st.st_mode, S_IFREG | 0640);
	assert_int_equal(st.st_mtim.tv_sec, 1700000000);
}

TEST(a_recipe_on_standard_input_comes_alone)
{
	AUTO(context) struct context context = CONTEXT_INIT;

	assert_ok(fetch_input(STR("FROM scratch\n"), &context));
	assert_int_equal(context.fd, -1);
	assert_true(str_is(buf_str(&context.recipe), "FROM scratch\n"));
	assert_string_equal(context.recipe_name, "(standard input)");
}

TEST(what_is_neither_is_refused)
{
	static const char gzip[] = { 0x1f, (char)0x8b, 8, 0, 0, 0, 0, 0, 0, 3,
				     3,    0,          0, 0, 0, 0, 0, 0, 0, 0 };
	AUTO(context) struct context empty = CONTEXT_INIT;
	AUTO(context) struct context packed = CONTEXT_INIT;

	assert_fails(fetch_input(STR(""), &empty), ERR_INVALID);
	assert_fails(fetch_input((struct str){ gzip, sizeof(gzip) }, &packed), ERR_INVALID);
}

TEST(a_directory_of_that_name_comes_before_a_repository)
{
	AUTO(context_spec) struct context_spec spec = { 0 };
	AUTO(fd) int here = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	AUTO(fd) int fd = -1;

	assert_ok(context_spec_parse("github.com/owner/app", false, &spec));
	assert_int_equal(fchdir(tmp_fd), 0);
	assert_true(context_is_remote(&spec));
	assert_ok(file_make_dirs(tmp_fd, "github.com/owner/app", 0755, &fd));
	assert_false(context_is_remote(&spec));
	assert_int_equal(fchdir(here), 0);
	assert_ok(file_remove_tree(tmp_fd, "github.com"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		KITCHEN_TEST(a_tar_on_standard_input_is_unpacked),
		KITCHEN_TEST(a_recipe_on_standard_input_comes_alone),
		KITCHEN_TEST(what_is_neither_is_refused),
		KITCHEN_TEST(a_directory_of_that_name_comes_before_a_repository),
	};

	return cmocka_run_group_tests(tests, tmp_setup, tmp_teardown);
}
