/* tests/unit/test_output.c - a file appears whole, in place of the old one, or not at all. */

#include "tests/unit/tmp.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/output.h"
#include "base/stream.h"
#include "base/vec.h"

static char *path_of(const char *name)
{
	return xasprintf("%s/%s", tmp_path, name);
}

/* Write `text` to a file of the test's directory, and commit or not. */
static struct err *put(const char *name, const char *text, bool commit)
{
	AUTO(mem) char *path = path_of(name);
	AUTO(output) struct output *output = NULL;

	TRY(output_open(path, &output));
	sink_write(output_sink(output), text, strlen(text));
	return commit ? output_commit(output) : NULL;
}

static void assert_holds(const char *name, const char *want)
{
	AUTO(buf) struct buf text = BUF_INIT(4096);

	buf_adds(&text, "");
	assert_ok(file_read(tmp_fd, name, 4096, &text));
	assert_string_equal(text.at, want);
}

static void assert_files(size_t count)
{
	AUTO(strings) struct strings names = { 0 };

	assert_ok(file_list(tmp_fd, ".", &names));
	assert_int_equal(names.len, count);
}

TEST(replaces_the_old_file_at_the_end)
{
	assert_ok(put("file", "old", true));
	assert_holds("file", "old");
	assert_ok(put("file", "new", false));
	assert_holds("file", "old");
	assert_files(1);
	assert_ok(put("file", "newer", true));
	assert_holds("file", "newer");
	assert_files(1);
}

TEST(follows_a_link_to_the_file_that_is_meant)
{
	struct stat st;

	assert_ok(put("target", "old", true));
	assert_int_equal(symlinkat("target", tmp_fd, "link"), 0);
	assert_ok(put("link", "new", true));
	assert_holds("target", "new");
	assert_int_equal(fstatat(tmp_fd, "link", &st, AT_SYMLINK_NOFOLLOW), 0);
	assert_true(S_ISLNK(st.st_mode));
	assert_int_equal(unlinkat(tmp_fd, "link", 0), 0);
	assert_int_equal(unlinkat(tmp_fd, "target", 0), 0);
}

TEST(writes_to_what_is_no_file_as_it_is)
{
	AUTO(output) struct output *output = NULL;
	char got[8] = "";
	AUTO(fd) int fd = -1;

	assert_int_equal(mkfifoat(tmp_fd, "fifo", 0600), 0);
	fd = openat(tmp_fd, "fifo", O_RDWR | O_CLOEXEC);
	assert_ok(put("fifo", "hello", true));
	assert_int_equal(read(fd, got, 5), 5);
	assert_string_equal(got, "hello");
	assert_int_equal(unlinkat(tmp_fd, "fifo", 0), 0);
	assert_ok(output_open("/dev/null", &output));
	assert_ok(output_commit(output));
}

TEST(a_link_to_a_pipe_stays_one)
{
	char self[64], got[8] = "";
	struct stat st;
	int ends[2];

	assert_int_equal(pipe(ends), 0);
	snprintf(self, sizeof(self), "/proc/self/fd/%d", ends[1]);
	assert_int_equal(symlinkat(self, tmp_fd, "out"), 0); /* as /dev/stdout is */
	assert_ok(put("out", "bytes", true));
	assert_int_equal(fstatat(tmp_fd, "out", &st, AT_SYMLINK_NOFOLLOW), 0);
	assert_true(S_ISLNK(st.st_mode));
	assert_int_equal(read(ends[0], got, sizeof(got)), 5);
	assert_string_equal(got, "bytes");
	close(ends[0]);
	close(ends[1]);
	assert_int_equal(unlinkat(tmp_fd, "out", 0), 0);
}

TEST(a_link_to_nothing_is_followed)
{
	assert_int_equal(symlinkat("target", tmp_fd, "dangling"), 0);
	assert_ok(put("dangling", "bytes", true));
	assert_holds("target", "bytes");
	assert_int_equal(unlinkat(tmp_fd, "dangling", 0), 0);
	assert_int_equal(unlinkat(tmp_fd, "target", 0), 0);
}

TEST(says_where_nothing_can_be_written)
{
	AUTO(output) struct output *output = NULL;

	assert_fails(output_open(tmp_path, &output), ERR_INVALID);
	assert_fails(put("no/such/file", "x", true), ERR_NOT_FOUND);
	assert_fails(put("new/", "x", true), ERR_INVALID);
}

/* output_check() of a path in the test's directory. */
static struct err *check(const char *name)
{
	AUTO(mem) char *path = path_of(name);

	return output_check(path);
}

TEST(what_cannot_be_written_is_told_beforehand)
{
	static const struct {
		const char *name;
		enum err_kind want;
	} cases[] = {
		{ "new", ERR_NONE },          { "old", ERR_NONE },
		{ "to-old", ERR_NONE },       { "dangling", ERR_NONE },
		{ "fifo", ERR_NONE },         { "dir", ERR_INVALID },
		{ "to-dir", ERR_INVALID },    { "new/", ERR_INVALID },
		{ "no/file", ERR_NOT_FOUND }, { "old/file", ERR_NOT_FOUND },
		{ "no/such/", ERR_INVALID },  { "dir/new", ERR_NONE },
	};
	int ends[2];

	assert_ok(put("old", "x", true));
	assert_int_equal(mkdirat(tmp_fd, "dir", 0700), 0);
	assert_int_equal(mkfifoat(tmp_fd, "fifo", 0600), 0);
	assert_int_equal(symlinkat("old", tmp_fd, "to-old"), 0);
	assert_int_equal(symlinkat("dir", tmp_fd, "to-dir"), 0);
	assert_int_equal(symlinkat("nothing", tmp_fd, "dangling"), 0);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_fails(check(cases[i].name), cases[i].want);
	assert_false(file_exists(tmp_fd, "new"));
	assert_false(file_exists(tmp_fd, "nothing"));
	assert_int_equal(pipe(ends), 0);
	{
		int kept = dup(STDOUT_FILENO);

		assert_int_equal(dup2(ends[1], STDOUT_FILENO), STDOUT_FILENO);
		assert_fails(output_check("-"), ERR_NONE);
		assert_int_equal(dup2(kept, STDOUT_FILENO), STDOUT_FILENO);
		close(kept);
	}
	close(ends[0]);
	close(ends[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(replaces_the_old_file_at_the_end),
		cmocka_unit_test(follows_a_link_to_the_file_that_is_meant),
		cmocka_unit_test(writes_to_what_is_no_file_as_it_is),
		cmocka_unit_test(a_link_to_a_pipe_stays_one),
		cmocka_unit_test(a_link_to_nothing_is_followed),
		cmocka_unit_test(says_where_nothing_can_be_written),
		cmocka_unit_test(what_cannot_be_written_is_told_beforehand),
	};

	return cmocka_run_group_tests(tests, tmp_setup, tmp_teardown);
}
