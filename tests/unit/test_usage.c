/* tests/unit/test_usage.c - disk space, as du(1) counts it. */

#include "tests/unit/scene.h"

#include <stdlib.h>

#include "store/usage.h"
#include "tests/unit/tmp.h"

/* What du(1) says of a directory. */
static uint64_t du(const char *path)
{
	AUTO(mem) char *command = xasprintf("du -s --block-size=1 '%s'", path);
	FILE *out = popen(command, "r");
	unsigned long long bytes = 0;

	assert_non_null(out);
	assert_int_equal(fscanf(out, "%llu", &bytes), 1);
	assert_int_equal(pclose(out), 0);
	return bytes;
}

static void fill(const char *path, off_t size)
{
	AUTO(fd) int fd = openat(tmp_fd, path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(posix_fallocate(fd, 0, size), 0);
}

TEST(it_is_what_du_says)
{
	AUTO(usage) struct usage usage = { 0 };
	uint64_t bytes = 0;

	scene_make(tmp_fd, "d 755 tree\nd 755 tree/deep\nd 755 tree/deep/er\n"
			   "f 644 tree/deep/er/file text\nl - tree/link /etc\np 600 tree/pipe\n");
	fill("tree/large", 3000000);
	assert_int_equal(linkat(tmp_fd, "tree/large", tmp_fd, "tree/deep/twin", 0), 0);
	assert_ok(usage_add(&usage, tmp_fd, ".", &bytes));
	assert_int_equal(bytes, du(tmp_path));
	assert_in_range(bytes, 3000000, 3100000); /* the twin counts once */
}

TEST(what_has_several_names_counts_where_it_is_met_first)
{
	AUTO(usage) struct usage usage = { 0 };
	uint64_t one = 0, two = 0;

	assert_int_equal(mkdirat(tmp_fd, "one", 0755) | mkdirat(tmp_fd, "two", 0755), 0);
	fill("one/large", 3000000);
	assert_int_equal(linkat(tmp_fd, "one/large", tmp_fd, "two/large", 0), 0);
	assert_ok(usage_add(&usage, tmp_fd, "one", &one));
	assert_ok(usage_add(&usage, tmp_fd, "two", &two));
	assert_in_range(one, 3000000, 3100000);
	assert_in_range(two, 0, 100000);
}

TEST(what_is_absent_counts_nothing)
{
	AUTO(usage) struct usage usage = { 0 };
	uint64_t bytes = 5;

	assert_ok(usage_add(&usage, tmp_fd, "absent", &bytes));
	assert_int_equal(bytes, 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_is_what_du_says),
		cmocka_unit_test(what_has_several_names_counts_where_it_is_met_first),
		cmocka_unit_test(what_is_absent_counts_nothing),
	};

	return cmocka_run_group_tests(tests, tmp_setup, tmp_teardown);
}
