/* tests/unit/test_cancel.c - signals set one flag, ring one bell, and end what blocks; a scope that
 * is stopped ends what works in it.
 */

#include "tests/unit/unit.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#include "base/cancel.h"
#include "tests/unit/child.h"

static bool rings(void)
{
	struct pollfd bell = { .fd = cancel_fd(), .events = POLLIN };

	return poll(&bell, 1, 0) == 1 && (bell.revents & POLLIN);
}

static bool nothing_happens_before_a_signal(__attribute__((unused)) void *arg)
{
	CHECK(cancel_fd() == -1);
	cancel_catch_signals();
	CHECK(cancel_fd() >= 0);
	CHECK(!rings());
	CHECK(cancel_signal() == 0);
	CHECK_OK(cancel_check());
	return true;
}

static bool signal_is_remembered(void *arg)
{
	const int *number = arg;
	AUTO(err) struct err *err = NULL;

	cancel_catch_signals();
	raise(*number);
	CHECK(cancel_signal() == *number);
	CHECK(rings());
	CHECK(rings()); /* and goes on ringing */
	err = cancel_check();
	CHECK(err_kind(err) == ERR_CANCELLED);
	CHECK(strcmp(err_text(err), "interrupted") == 0);
	return true;
}

static bool first_signal_wins(__attribute__((unused)) void *arg)
{
	cancel_catch_signals();
	raise(SIGTERM);
	raise(SIGINT);
	CHECK(cancel_signal() == SIGTERM);
	return true;
}

static bool ignored_signal_stays_ignored(__attribute__((unused)) void *arg)
{
	signal(SIGHUP, SIG_IGN);
	cancel_catch_signals();
	raise(SIGHUP);
	CHECK(cancel_signal() == 0);
	return true;
}

/* Reads a pipe to which nobody writes. */
static bool blocked_read_ends(void *arg)
{
	const int *pipe_fd = arg;
	char c;

	cancel_catch_signals();
	CHECK(write(pipe_fd[1], "!", 1) == 1); /* ready to be interrupted */
	CHECK(read(pipe_fd[2], &c, 1) == -1 && errno == EINTR);
	CHECK(cancel_signal() == SIGINT);
	return true;
}

TEST(before_a_signal_nothing_is_cancelled)
{
	child_run(nothing_happens_before_a_signal, NULL);
}

TEST(each_of_the_signals_is_remembered)
{
	int signals[] = { SIGINT, SIGTERM, SIGHUP };

	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		child_run(signal_is_remembered, &signals[i]);
}

TEST(the_first_signal_wins)
{
	child_run(first_signal_wins, NULL);
}

TEST(a_signal_that_was_ignored_stays_ignored)
{
	child_run(ignored_signal_stays_ignored, NULL);
}

TEST(a_read_that_blocks_is_interrupted)
{
	const struct timespec moment = { .tv_nsec = 20000000 };
	siginfo_t info = { 0 };
	int fds[4];
	pid_t pid;
	char c;

	assert_int_equal(pipe(fds), 0);
	assert_int_equal(pipe(fds + 2), 0);
	pid = child_start(blocked_read_ends, fds);
	assert_int_equal(read(fds[0], &c, 1), 1);
	while (info.si_pid == 0) { /* a signal that comes before the read is repeated */
		kill(pid, SIGINT);
		nanosleep(&moment, NULL);
		assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT | WNOHANG), 0);
	}
	assert_int_equal(child_wait(pid), 0);
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		close(fds[i]);
}

TEST(a_scope_that_is_stopped_ends_the_work_in_it_and_within_it)
{
	struct cancel_scope outer = { 0 }, inner = { .outer = &outer },
			    beside = { .outer = &outer };

	cancel_stop(&inner);
	assert_true(cancel_stopped(&inner));
	assert_false(cancel_stopped(&beside));
	assert_false(cancel_stopped(&outer));
	cancel_stop(&outer);
	assert_true(cancel_stopped(&beside));
	assert_false(cancel_stopped(NULL));
}

TEST(a_thread_asks_for_the_scope_that_it_works_in)
{
	struct cancel_scope scope = { 0 };
	AUTO(err) struct err *err = NULL;

	assert_null(cancel_enter(&scope));
	assert_ptr_equal(cancel_current(), &scope);
	assert_ok(cancel_check());
	cancel_stop(&scope);
	err = cancel_check();
	assert_int_equal(err_kind(err), ERR_CANCELLED);
	assert_ptr_equal(cancel_enter(NULL), &scope);
	assert_ok(cancel_check());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(before_a_signal_nothing_is_cancelled),
		cmocka_unit_test(each_of_the_signals_is_remembered),
		cmocka_unit_test(the_first_signal_wins),
		cmocka_unit_test(a_signal_that_was_ignored_stays_ignored),
		cmocka_unit_test(a_read_that_blocks_is_interrupted),
		cmocka_unit_test(a_scope_that_is_stopped_ends_the_work_in_it_and_within_it),
		cmocka_unit_test(a_thread_asks_for_the_scope_that_it_works_in),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
