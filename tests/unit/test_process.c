/* tests/unit/test_process.c - how a process ended is told as a shell tells it. */

#include "tests/unit/unit.h"

#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/process.h"
#include "tests/unit/tmp.h"

/* A child that exits with `code` or, if `number` is not 0, kills itself. Its pidfd. */
static int start_child(int code, int number)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		if (number)
			raise(number);
		_exit(code);
	}
	return (int)syscall(SYS_pidfd_open, pid, 0);
}

TEST(tells_ends_as_a_shell_does)
{
	static const struct {
		int code, number;
		struct process_end want;
	} cases[] = {
		{ 0, 0, { 0, 0 } },
		{ 3, 0, { 3, 0 } },
		{ 255, 0, { 255, 0 } },
		{ 0, SIGKILL, { 137, SIGKILL } },
		{ 0, SIGTERM, { 143, SIGTERM } },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct process_end end = { -1, -1 };
		int pidfd = start_child(cases[i].code, cases[i].number);

		assert_ok(process_wait(pidfd, &end));
		assert_int_equal(end.code, cases[i].want.code);
		assert_int_equal(end.signal, cases[i].want.signal);
		close(pidfd);
	}
}

TEST(decodes_the_status_of_wait)
{
	assert_int_equal(process_decode(W_EXITCODE(7, 0)).code, 7);
	assert_int_equal(process_decode(W_EXITCODE(7, 0)).signal, 0);
	assert_int_equal(process_decode(W_EXITCODE(0, SIGSEGV)).code, 139);
	assert_int_equal(process_decode(W_EXITCODE(0, SIGSEGV) | WCOREFLAG).signal, SIGSEGV);
}

TEST(a_signal_for_one_that_is_gone_is_no_error)
{
	struct process_end end;
	int pidfd = start_child(0, SIGSTOP);

	assert_ok(process_signal(pidfd, SIGKILL));
	assert_ok(process_wait(pidfd, &end));
	assert_int_equal(end.signal, SIGKILL);
	assert_ok(process_signal(pidfd, SIGTERM));
	assert_fails(process_wait(pidfd, &end), ERR_SYSTEM); /* reaped already */
	close(pidfd);
}

struct loan {
	int answer;
	int code;
};

SYSTEM_CALLS_ONLY static int repay(void *arg)
{
	struct loan *loan = arg;

	loan->answer = 42;
	return loan->code;
}

TEST(a_borrowed_child_shares_memory_and_has_ended_on_return)
{
	struct loan loan = { .code = 5 };
	struct process_end end;
	int pidfd = -1;
	pid_t pid = 0;

	assert_ok(process_borrow(repay, &loan, CLONE_PIDFD | SIGCHLD, &pid, &pidfd));
	assert_int_equal(loan.answer, 42);
	assert_true(pid > 0 && pid != getpid());
	assert_ok(process_wait(pidfd, &end));
	assert_int_equal(end.code, 5);
	close(pidfd);
	/* thread and process groups cannot be mixed: an error, no crash */
	assert_fails(process_borrow(repay, &loan, CLONE_NEWPID | CLONE_THREAD, &pid, NULL),
		     ERR_SYSTEM);
}

TEST(an_orphan_shares_memory_and_is_nobodys_child)
{
	struct loan loan = { .code = 5 };
	struct pollfd polled = { .fd = -1, .events = POLLIN };
	struct process_end end;

	assert_ok(process_borrow_orphan(repay, &loan, &polled.fd));
	assert_int_equal(poll(&polled, 1, 60000), 1);
	assert_int_equal(loan.answer, 42);
	assert_fails(process_wait(polled.fd, &end), ERR_SYSTEM); /* ECHILD */
	close(polled.fd);
}

TEST(a_program_is_a_file_that_can_be_run_in_an_absolute_directory)
{
	AUTO(mem)
	char *path = xasprintf("::%s/none:bin:%s/dir:%s/bad:%s/bin:%s/bin2", tmp_path, tmp_path,
			       tmp_path, tmp_path, tmp_path);
	AUTO(mem) char *want = xasprintf("%s/bin/tool", tmp_path);
	AUTO(mem) char *found = NULL;
	/* a directory of the name, a file that nobody runs, and two that are right */
	static const char *const dirs[] = { "dir/tool", "bad", "bin", "bin2" };
	static const struct {
		const char *path;
		mode_t mode;
	} files[] = { { "bad/tool", 0644 }, { "bin/tool", 0755 }, { "bin2/tool", 0755 } };

	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
		AUTO(fd) int fd = -1;

		assert_ok(file_make_dirs(tmp_fd, dirs[i], 0755, &fd));
	}
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		AUTO(fd)
		int fd = openat(tmp_fd, files[i].path, O_WRONLY | O_CREAT, files[i].mode);

		assert_true(fd >= 0);
	}
	assert_int_equal(fchdir(tmp_fd), 0);
	found = program_find("tool", path);
	assert_string_equal(found, want);
	assert_null(program_find("tool", "bin"));
	assert_null(program_find("tool", "/none:"));
	assert_null(program_find("tool", ""));
	assert_null(program_find("tool", NULL));
}

TEST(names_signals)
{
	char buf[SIGNAL_NAME_SIZE];

	assert_string_equal(signal_name(SIGKILL, buf), "SIGKILL");
	assert_string_equal(signal_name(SIGHUP, buf), "SIGHUP");
	assert_string_equal(signal_name(40, buf), "signal 40");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tells_ends_as_a_shell_does),
		cmocka_unit_test(decodes_the_status_of_wait),
		cmocka_unit_test(a_signal_for_one_that_is_gone_is_no_error),
		cmocka_unit_test(a_borrowed_child_shares_memory_and_has_ended_on_return),
		cmocka_unit_test(an_orphan_shares_memory_and_is_nobodys_child),
		cmocka_unit_test(a_program_is_a_file_that_can_be_run_in_an_absolute_directory),
		cmocka_unit_test(names_signals),
	};

	return cmocka_run_group_tests(tests, tmp_setup, tmp_teardown);
}
