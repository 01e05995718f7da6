/* tests/unit/test_ready.c - waiting for descriptors. */

#include "tests/unit/unit.h"

#include <errno.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/ready.h"

TEST(tells_what_is_ready_and_that_time_is_over)
{
	int ends[2];
	unsigned failed = 0;
	struct pollfd wanted;

	assert_int_equal(pipe(ends), 0);
	wanted = (struct pollfd){ .fd = ends[0], .events = POLLIN };
	assert_int_equal(ready_wait(&wanted, 1, 0, &failed), 0);
	assert_int_equal(write(ends[1], "x", 1), 1);
	assert_int_equal(ready_wait(&wanted, 1, -1, &failed), 1);
	assert_int_equal(wanted.revents, POLLIN);
	close(ends[0]);
	close(ends[1]);
}

/* poll(2): EINVAL for more descriptors than a process may have. */
TEST(a_failure_for_good_ends_the_wait)
{
	struct rlimit usual;
	struct pollfd wanted = { .fd = -1 };
	unsigned failed = READY_TRIES - 2;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &usual), 0);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &(struct rlimit){ 0, usual.rlim_max }), 0);
	assert_int_equal(ready_wait(&wanted, 1, -1, &failed), 0);
	assert_int_equal(ready_wait(&wanted, 1, -1, &failed), -1);
	assert_int_equal(errno, EINVAL);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &usual), 0);
	assert_int_equal(ready_wait(&wanted, 1, 0, &failed), 0);
	assert_int_equal(failed, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tells_what_is_ready_and_that_time_is_over),
		cmocka_unit_test(a_failure_for_good_ends_the_wait),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
