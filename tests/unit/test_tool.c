/* tests/unit/test_tool.c - other programs, to their end. */

#include "tests/unit/unit.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cancel.h"
#include "base/clock.h"
#include "base/str.h"
#include "base/tool.h"
#include "tests/unit/tmp.h"

static const char *const environment[] = { "PATH=relative:/usr/bin:/bin", "MARK=here", NULL };

static struct err *shell(const char *script, struct tool how, struct tool_end *ret)
{
	const char *const argv[] = { "sh", "-c", script, NULL };

	how.argv = argv;
	how.environment = environment;
	return tool_run(&how, ret);
}

TEST(gives_what_it_said_and_its_code)
{
	AUTO(buf) struct buf out = BUF_INIT(100);
	AUTO(tool_end) struct tool_end end = { 0 };

	assert_ok(shell("echo out; echo ' err ' >&2; exit 3",
			(struct tool){ .dir_fd = -1, .out_fd = -1, .out = &out }, &end));
	assert_int_equal(end.code, 3);
	assert_string_equal(out.at, "out\n");
	assert_string_equal(end.errors, "err");
}

TEST(has_our_environment_and_directory_and_no_descriptor)
{
	AUTO(buf) struct buf out = BUF_INIT(4096);
	AUTO(tool_end) struct tool_end end = { 0 };
	AUTO(fd) int leak = open("/dev/null", O_RDONLY); /* without O_CLOEXEC */
	AUTO(mem) char *want = NULL;

	assert_ok(shell("echo $MARK $HOME; pwd -P; ls /proc/self/fd | tr '\\n' ' '; cat",
			(struct tool){ .dir_fd = tmp_fd, .out_fd = -1, .out = &out }, &end));
	want = xasprintf("here\n%s\n0 1 2 3 ", tmp_path); /* 3 is that of ls */
	assert_string_equal(out.at, want);
	assert_string_equal(end.errors, "");
}

TEST(a_signal_is_a_code)
{
	AUTO(tool_end) struct tool_end end = { 0 };

	assert_ok(shell("kill -TERM $$", (struct tool){ .dir_fd = -1, .out_fd = -1 }, &end));
	assert_int_equal(end.code, 128 + 15);
}

TEST(output_may_go_to_a_descriptor)
{
	AUTO(tool_end) struct tool_end end = { 0 };
	AUTO(fd) int fd = openat(tmp_fd, "out", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	char data[8] = "";

	assert_ok(shell("printf x", (struct tool){ .dir_fd = -1, .out_fd = fd }, &end));
	assert_int_equal(pread(fd, data, sizeof(data), 0), 1);
	assert_string_equal(data, "x");
}

TEST(of_many_complaints_the_last_are_kept)
{
	AUTO(tool_end) struct tool_end end = { 0 };

	assert_ok(shell("i=0; while [ $i -lt 5000 ]; do echo line $i >&2; i=$((i+1)); done",
			(struct tool){ .dir_fd = -1, .out_fd = -1 }, &end));
	assert_true(strlen(end.errors) <= TOOL_ERRORS_MAX);
	assert_true(str_ends(str_of(end.errors), "line 4999"));
}

static void hear(void *ear, struct str text)
{
	buf_add_str(ear, text);
}

TEST(complaints_are_heard_while_they_come)
{
	AUTO(buf) struct buf heard = BUF_INIT(64);
	AUTO(tool_end) struct tool_end end = { 0 };
	struct tool how = { .dir_fd = -1, .out_fd = -1, .hear = hear, .ear = &heard };

	assert_ok(shell("echo out; printf 'a\\r' >&2; echo b >&2", how, &end));
	assert_true(str_is(buf_str(&heard), "a\rb\n"));
}

TEST(too_much_output_ends_it)
{
	AUTO(buf) struct buf out = BUF_INIT(1000);
	AUTO(tool_end) struct tool_end end = { 0 };

	assert_fails(shell("while :; do echo yes; done",
			   (struct tool){ .dir_fd = -1, .out_fd = -1, .out = &out }, &end),
		     ERR_INVALID);
}

TEST(what_falls_silent_is_killed_with_all_that_it_started)
{
	AUTO(tool_end) struct tool_end end = { 0 };
	AUTO(fd) int mark = openat(tmp_fd, "alive", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	uint64_t began = clock_monotonic();

	assert_fails(shell("(sleep 1.5; echo yes >alive) & sleep 30",
			   (struct tool){ .dir_fd = tmp_fd, .out_fd = -1, .silence = 300 }, &end),
		     ERR_NETWORK);
	assert_true(clock_monotonic() - began < UINT64_C(10000000000));
	sleep(2);
	assert_int_equal(lseek(mark, 0, SEEK_END), 0);
}

TEST(what_it_leaves_behind_is_not_waited_for)
{
	AUTO(tool_end) struct tool_end end = { 0 };
	uint64_t began = clock_monotonic();

	assert_ok(shell("sleep 3 & exit 0", (struct tool){ .dir_fd = -1, .out_fd = -1 }, &end));
	assert_true(clock_monotonic() - began < UINT64_C(2500000000));
}

TEST(a_scope_that_is_stopped_ends_it)
{
	AUTO(tool_end) struct tool_end end = { 0 };
	struct cancel_scope scope = { 0 };
	const struct cancel_scope *before = cancel_enter(&scope);
	struct err *err;

	cancel_stop(&scope);
	err = shell("sleep 30", (struct tool){ .dir_fd = -1, .out_fd = -1 }, &end);
	cancel_enter(before);
	assert_int_equal(err_kind(err), ERR_CANCELLED);
	err_free(err);
}

TEST(a_program_that_is_not_there_is_named)
{
	static const char *const argv[] = { "no-such-program", NULL };
	AUTO(tool_end) struct tool_end end = { 0 };

	assert_fails(tool_run(&(struct tool){ .argv = argv,
					      .environment = environment,
					      .dir_fd = -1,
					      .out_fd = -1 },
			      &end),
		     ERR_NOT_FOUND);
}

/* The number in a file that the program writes before it goes to sleep. */
static pid_t wait_for_number(const char *name)
{
	char text[16] = "";

	for (int i = 0; i < 1000; i++) {
		AUTO(fd) int fd = openat(tmp_fd, name, O_RDONLY | O_CLOEXEC);

		if (fd >= 0 && read(fd, text, sizeof(text) - 1) > 0 && strchr(text, '\n'))
			return (pid_t)atoi(text);
		usleep(10000);
	}
	fail_msg("no %s", name);
	return 0;
}

/* The state of a process in /proc, or 'X' if it is gone. */
static char state_of(pid_t pid)
{
	AUTO(mem) char *path = xasprintf("/proc/%d/stat", (int)pid);
	AUTO(fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
	char text[256] = "";
	const char *end;

	if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0)
		return 'X';
	end = strrchr(text, ')');
	return end ? end[2] : 'X';
}

TEST(it_does_not_outlive_us)
{
	AUTO(tool_end) struct tool_end end = { 0 };
	pid_t us = fork(), tool;
	char last = 'X';

	if (us == 0) {
		err_free(shell("echo $$ >number; exec sleep 100",
			       (struct tool){ .dir_fd = tmp_fd, .out_fd = -1 }, &end));
		_exit(0);
	}
	tool = wait_for_number("number");
	assert_int_equal(kill(us, SIGKILL), 0);
	assert_int_equal(waitpid(us, NULL, 0), us);
	for (int i = 0; i < 300; i++) {
		last = state_of(tool);
		if (last == 'X' || last == 'Z')
			return;
		usleep(10000);
	}
	kill(tool, SIGKILL);
	fail_msg("it is still there: %c", last);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gives_what_it_said_and_its_code),
		cmocka_unit_test(has_our_environment_and_directory_and_no_descriptor),
		cmocka_unit_test(a_signal_is_a_code),
		cmocka_unit_test(output_may_go_to_a_descriptor),
		cmocka_unit_test(of_many_complaints_the_last_are_kept),
		cmocka_unit_test(complaints_are_heard_while_they_come),
		cmocka_unit_test(too_much_output_ends_it),
		cmocka_unit_test(what_falls_silent_is_killed_with_all_that_it_started),
		cmocka_unit_test(what_it_leaves_behind_is_not_waited_for),
		cmocka_unit_test(a_scope_that_is_stopped_ends_it),
		cmocka_unit_test(a_program_that_is_not_there_is_named),
		cmocka_unit_test(it_does_not_outlive_us),
	};

	return cmocka_run_group_tests(tests, tmp_setup, tmp_teardown);
}
