/* tests/unit/test_signals.c - signals wait in a pipe until somebody asks for them. */

#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include "cli/signals.h"
#include "tests/unit/child.h"

static bool is_readable(int fd)
{
	struct pollfd polled = { .fd = fd, .events = POLLIN };

	return poll(&polled, 1, 0) == 1;
}

static bool arrive_in_order_and_as_often(__attribute__((unused)) void *arg)
{
	const int numbers[] = { SIGHUP,  SIGINT,  SIGQUIT, SIGUSR1,  SIGUSR2,      SIGALRM, SIGINT,
				SIGTERM, SIGCONT, SIGINT,  SIGWINCH, SIGRTMIN + 3, SIGINT };
	int fd = -1;

	CHECK_OK(signals_catch(&fd));
	CHECK(!is_readable(fd));
	CHECK(signals_next() == 0);
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
		raise(numbers[i]);
	CHECK(is_readable(fd));
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
		CHECK(signals_next() == numbers[i]);
	CHECK(!is_readable(fd));
	signals_release();
	return true;
}

static bool ignored_stay_ignored(__attribute__((unused)) void *arg)
{
	int fd = -1;

	signal(SIGHUP, SIG_IGN);
	CHECK_OK(signals_catch(&fd));
	raise(SIGHUP);
	CHECK(signals_next() == 0);
	signals_release();
	raise(SIGHUP);
	return true;
}

static volatile sig_atomic_t heard;

static void hear(int number)
{
	heard = number;
}

static bool handlers_come_back(__attribute__((unused)) void *arg)
{
	int fd = -1;

	signals_release(); /* of nothing */
	signal(SIGTERM, hear);
	for (int round = 0; round < 3; round++) {
		CHECK_OK(signals_catch(&fd));
		raise(SIGTERM);
		CHECK(heard == 0);
		CHECK(signals_next() == SIGTERM);
	}
	signals_release();
	signals_release();
	CHECK(signals_next() == 0);
	CHECK(fcntl(fd, F_GETFD) == -1 && errno == EBADF);
	raise(SIGTERM);
	CHECK(heard == SIGTERM);
	return true;
}

/* The number is in `arg`. */
static bool ends_us_all_the_same(void *arg)
{
	const struct rlimit no_core = { 0 };
	const int *number = arg;
	int fd = -1;

	CHECK(setrlimit(RLIMIT_CORE, &no_core) == 0);
	signal(*number, SIG_DFL); /* a sanitizer may have taken it */
	CHECK_OK(signals_catch(&fd));
	raise(*number);
	return true;
}

static bool more_than_fit_are_lost(__attribute__((unused)) void *arg)
{
	int fd = -1;
	unsigned got = 0;

	CHECK_OK(signals_catch(&fd));
	for (int i = 0; i < 70000; i++)
		raise(SIGUSR1);
	while (signals_next() == SIGUSR1)
		got++;
	CHECK(got >= 4096 && got < 70000);
	raise(SIGUSR2);
	CHECK(signals_next() == SIGUSR2);
	signals_release();
	return true;
}

TEST(signals_arrive_in_order_and_as_often_as_they_came)
{
	child_run(arrive_in_order_and_as_often, NULL);
}

TEST(an_ignored_signal_stays_ignored)
{
	child_run(ignored_stay_ignored, NULL);
}

TEST(when_released_the_handlers_are_what_they_were)
{
	child_run(handlers_come_back, NULL);
}

TEST(a_fault_of_our_own_is_not_caught)
{
	const int numbers[] = { SIGSEGV, SIGABRT, SIGBUS, SIGPIPE, SIGXFSZ };

	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		int number = numbers[i];

		assert_int_equal(child_wait(child_start(ends_us_all_the_same, &number)),
				 128 + number);
	}
}

TEST(a_flood_of_signals_blocks_nothing)
{
	child_run(more_than_fit_are_lost, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(signals_arrive_in_order_and_as_often_as_they_came),
		cmocka_unit_test(an_ignored_signal_stays_ignored),
		cmocka_unit_test(when_released_the_handlers_are_what_they_were),
		cmocka_unit_test(a_fault_of_our_own_is_not_caught),
		cmocka_unit_test(a_flood_of_signals_blocks_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
