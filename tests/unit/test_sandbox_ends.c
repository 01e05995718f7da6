/* tests/unit/test_sandbox_ends.c - how steps end, by themselves, by a signal, with their builder. */

#include "tests/unit/unit.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "tests/unit/run.h"

/* ---- how steps end ---- */

#define ABSENT "No such file or directory"
#define DENIED "Permission denied"
#define NO_FORMAT "neither a program for this machine nor a script that begins with #!"
#define NO_INTERPRETER "the interpreter that it names is missing"
#define TOO_MANY_LINKS "Too many levels of symbolic links"

TEST(exit_codes_are_those_of_a_shell)
{
	static const struct {
		const char *argv[4];
		int code, exec_errno;
		bool found;
		const char *reason;
	} cases[] = {
		{ { "/bin/true" }, 0, 0, false, "" },
		{ { "/bin/sh", "-c", "exit 3" }, 3, 0, false, "" },
		{ { "/bin/sh", "-c", "exit 255" }, 255, 0, false, "" },
		/* found in PATH, the second behind a file that is no program */
		{ { "false" }, 1, 0, false, "" },
		{ { "true" }, 0, 0, false, "" },
		{ { "nothing" }, 127, ENOENT, false, ABSENT },
		{ { "/bin/nothing" }, 127, ENOENT, false, ABSENT },
		{ { "/no/such/dir/x" }, 127, ENOENT, false, ABSENT },
		{ { "" }, 127, ENOENT, false, ABSENT },
		{ { "/plain" }, 126, EACCES, true, DENIED },
		{ { "/bin" }, 126, EACCES, true, DENIED },
		{ { "/text" }, 126, ENOEXEC, true, NO_FORMAT },
		{ { "/script" }, 127, ENOENT, true, NO_INTERPRETER },
		{ { "/loop" }, 126, ELOOP, true, TOO_MANY_LINKS },
	};
	static char *const env[] = { (char *)"PATH=/first:/other", NULL };
	struct rootfs *rootfs = rootfs_need(state);

	rootfs_put(rootfs, "plain", "", 0644);
	rootfs_put(rootfs, "text", "neither fish nor fowl", 0755);
	rootfs_put(rootfs, "script", "#!/no/interpreter\n", 0755);
	mkdirat(rootfs->layer_fd, "first", 0755);
	mkdirat(rootfs->layer_fd, "other", 0755);
	rootfs_put(rootfs, "first/true", "", 0644);
	assert_int_equal(symlinkat("/bin/true", rootfs->layer_fd, "other/true"), 0);
	assert_int_equal(symlinkat("/bin/busybox", rootfs->layer_fd, "other/false"), 0);
	assert_int_equal(symlinkat("loop", rootfs->layer_fd, "loop"), 0);

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct sandbox_result result = { .code = -1 };
		AUTO(mem) char *text = NULL;
		struct script_spec script;

		prepare_script(rootfs, "", &script);
		script.spec.argv = (char *const *)cases[i].argv;
		script.spec.envp = env;
		assert_ok(run_spec(&script.spec, &text, &result));
		assert_string_equal(sandbox_exec_reason(&result), cases[i].reason);
		if (result.code != cases[i].code || result.exec_errno != cases[i].exec_errno ||
		    result.signal != 0 || result.exec_found != cases[i].found)
			fail_msg("%s: code %d, signal %d, errno %d, found %d", cases[i].argv[0],
				 result.code, result.signal, result.exec_errno, result.exec_found);
	}
}

TEST(a_step_can_be_killed)
{
	struct rootfs *rootfs = rootfs_need(state);
	struct sandbox_result result = { 0 };
	struct script_spec script;
	struct sandbox_run *run;
	int output;

	prepare_script(rootfs, "sleep 1000 & echo ready; sleep 1000", &script);
	run = start_and_hear(&script, &output);
	assert_int_equal(wait_readable(sandbox_run_fd(run), 0), 0);
	sandbox_kill(run, SIGKILL);
	assert_int_equal(wait_readable(sandbox_run_fd(run), 60000), 1);
	assert_ok(sandbox_wait(run, &result));
	assert_int_equal(result.code, 137);
	assert_int_equal(result.signal, SIGKILL);
	assert_int_equal(wait_readable(output, 60000), 1); /* the background process, too */
	sandbox_kill(run, SIGKILL);                        /* harmless */
	sandbox_run_free(run);
	close(output);
}

TEST(a_signal_reaches_process_1_if_it_listens)
{
	struct rootfs *rootfs = rootfs_need(state);
	struct sandbox_result result = { 0 };
	struct script_spec script;
	struct sandbox_run *run;
	int output;

	prepare_script(rootfs, "trap 'exit 9' TERM; echo; sleep 1000 & wait", &script);
	run = start_and_hear(&script, &output);
	sandbox_kill(run, SIGTERM);
	assert_ok(sandbox_wait(run, &result));
	assert_int_equal(result.code, 9);
	sandbox_run_free(run);
	close(output);
}

TEST(a_signal_is_for_process_1_alone)
{
	struct rootfs *rootfs = rootfs_need(state);
	struct sandbox_result result = { 0 };
	struct script_spec script;
	struct sandbox_run *run;
	int output;

	/* The child is in the same group, and its end would be the command's. */
	prepare_script(rootfs,
		       "(trap 'exit 8' TERM; i=0; while [ $i -lt 10 ]; do sleep 0.1; i=$((i+1)); "
		       "done; exit 7) & echo; wait $!",
		       &script);
	run = start_and_hear(&script, &output);
	assert_int_equal(wait_readable(sandbox_run_fd(run), 200), 0); /* its trap is set */
	sandbox_kill(run, SIGTERM);
	assert_ok(sandbox_wait(run, &result));
	assert_int_equal(result.code, 7);
	sandbox_run_free(run);
	close(output);
}

TEST(freeing_a_run_ends_it)
{
	struct rootfs *rootfs = rootfs_need(state);
	struct script_spec script;
	int output;

	prepare_script(rootfs, "echo; setsid sleep 1000 & sleep 1000; sleep 1000", &script);
	sandbox_run_free(start_and_hear(&script, &output));
	assert_int_equal(wait_readable(output, 0), 1); /* end of file: nobody holds it */
	close(output);
}

TEST(reports_what_the_step_used)
{
	struct rootfs *rootfs = rootfs_need(state);
	struct sandbox_result result = { 0 };
	AUTO(mem) char *text = NULL;
	struct script_spec script;

	prepare_script(rootfs, "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; sleep 0.1",
		       &script);
	assert_ok(run_spec(&script.spec, &text, &result));
	assert_in_range(result.wall_ns, 100 * 1000 * 1000, UINT64_C(60000000000));
	assert_in_range(result.user_us, 1, 60000000);
	assert_in_range(result.max_rss, 100 * 1024, 512 * 1024 * 1024);
}

/* ---- several at once, and the death of the builder ---- */

#define THREADS 8

struct worker {
	struct script_spec script;
	char text[64];
	char *got;
	struct err *err;
	struct sandbox_result result;
};

static void *work(void *arg)
{
	struct worker *worker = arg;

	worker->err = run_spec(&worker->script.spec, &worker->got, &worker->result);
	return NULL;
}

TEST(steps_run_at_once_from_many_threads)
{
	struct rootfs *rootfs = rootfs_need(state);
	static struct worker workers[THREADS];
	pthread_t threads[THREADS];
	const uint64_t begin = clock_monotonic();
	uint64_t one_by_one = 0;

	for (int i = 0; i < THREADS; i++) {
		snprintf(workers[i].text, sizeof(workers[i].text), "sleep 0.3; echo %d; exit %d", i,
			 i);
		prepare_script(rootfs, workers[i].text, &workers[i].script);
	}
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
	for (int i = 0; i < THREADS; i++) {
		char want[16];

		pthread_join(threads[i], NULL);
		assert_null(workers[i].err);
		assert_int_equal(workers[i].result.code, i);
		snprintf(want, sizeof(want), "%d\n", i);
		assert_string_equal(workers[i].got, want);
		free(workers[i].got);
		one_by_one += workers[i].result.wall_ns;
	}
	assert_true(clock_monotonic() - begin < one_by_one);
}

struct short_life {
	struct script_spec script;
	struct sandbox_run *run;
};

static void *start_only(void *arg)
{
	struct short_life *life = arg;

	return sandbox_start(sandbox, &life->script.spec, &life->run);
}

TEST(a_step_outlives_the_thread_that_started_it)
{
	struct rootfs *rootfs = rootfs_need(state);
	struct sandbox_result result = { 0 };
	struct short_life life = { 0 };
	pthread_t thread;
	void *err;

	sandbox_free(sandbox);
	sandbox = sandbox_new(-1); /* so that this thread starts the spawner, too */
	prepare_script(rootfs, "sleep 0.3; exit 7", &life.script);
	assert_int_equal(pthread_create(&thread, NULL, start_only, &life), 0);
	pthread_join(thread, &err);
	assert_null(err);
	close(life.script.spec.root_fd);
	assert_ok(sandbox_wait(life.run, &result));
	assert_int_equal(result.code, 7);
	sandbox_run_free(life.run);
}

/* In a process that will be killed: start a step as user 1000 that makes itself hard to kill. */
static void live_until_killed(struct rootfs *rootfs, int output)
{
	struct sandbox *own = sandbox_new(-1);
	struct sandbox_run *run = NULL;
	struct script_spec script;

	prctl(PR_SET_PDEATHSIG, SIGKILL); /* if the test fails first */
	prepare_script(rootfs,
		       "trap '' TERM HUP INT; setsid sleep 1000 & setsid sleep 1000 & echo; "
		       "while :; do sleep 1000; done",
		       &script);
	script.spec.uid = 1000; /* a change of ids takes the death signal away */
	script.spec.stdout_fd = output;
	err_free(sandbox_start(own, &script.spec, &run));
	close(output);
	for (;;)
		pause();
}

TEST(kill_9_of_the_builder_kills_the_step)
{
	struct rootfs *rootfs = rootfs_need(state);
	int output[2];
	char byte;
	pid_t pid;

	assert_int_equal(pipe2(output, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0) {
		close(output[0]);
		live_until_killed(rootfs, output[1]);
	}
	close(output[1]);
	assert_int_equal(read(output[0], &byte, 1), 1);
	assert_int_equal(wait_readable(output[0], 100), 0); /* it lives */
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	/* the pipe ends when the last process of the step is gone */
	assert_int_equal(wait_readable(output[0], 60000), 1);
	assert_int_equal(read(output[0], &byte, 1), 0);
	close(output[0]);
}

TEST(the_spawner_is_small_and_shows_nothing)
{
	struct rootfs *rootfs = rootfs_need(state);
	AUTO(mem) char *status = NULL;
	AUTO(mem) char *environment = NULL;
	const char *line;
	char path[64];
	int fd;

	assert_output(rootfs, "true", "");
	snprintf(path, sizeof(path), "/proc/%d/status", (int)sandbox_spawner_pid(sandbox));
	fd = open(path, O_RDONLY | O_CLOEXEC);
	status = read_all(fd);
	close(fd);
	line = strstr(status, "VmRSS:");
	assert_non_null(line);
	assert_in_range(strtol(line + strlen("VmRSS:"), NULL, 10), 1, 1024); /* kB */
	assert_non_null(strstr(status, "Threads:\t1\n"));
	snprintf(path, sizeof(path), "/proc/%d/environ", (int)sandbox_spawner_pid(sandbox));
	fd = open(path, O_RDONLY | O_CLOEXEC);
	environment = read_all(fd);
	close(fd);
	assert_string_equal(environment, "");
}

TEST(closed_standard_descriptors_do_no_harm)
{
	struct rootfs *rootfs = rootfs_need(state);
	struct sandbox_result result = { 0 };
	struct sandbox *own = sandbox_new(-1);
	struct sandbox_run *run = NULL;
	struct script_spec script;
	int saved[2];

	for (int i = 0; i < 2; i++)
		saved[i] = fcntl(i, F_DUPFD_CLOEXEC, 10);
	prepare_script(rootfs, "exit 5", &script);
	close(0);
	close(1);
	struct err *err = sandbox_start(own, &script.spec, &run);

	if (!err)
		err = sandbox_wait(run, &result);
	sandbox_run_free(run);
	sandbox_free(own);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(dup2(saved[i], i), i);
		close(saved[i]);
	}
	close(script.spec.root_fd);
	assert_ok(err);
	assert_int_equal(result.code, 5);
}

TEST(a_spawner_that_dies_is_reported)
{
	struct rootfs *rootfs = rootfs_need(state);
	struct sandbox_result result = { 0 };
	struct script_spec script;
	struct sandbox_run *run;
	int output;

	sandbox_free(sandbox);
	sandbox = sandbox_new(-1);
	prepare_script(rootfs, "echo; sleep 1000", &script);
	run = start_and_hear(&script, &output);
	assert_int_equal(kill(sandbox_spawner_pid(sandbox), SIGKILL), 0);
	assert_fails(sandbox_wait(run, &result), ERR_INTERNAL);
	sandbox_run_free(run);
	close(output);
	sandbox_free(sandbox);
	sandbox = sandbox_new(-1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ROOTFS_TEST(exit_codes_are_those_of_a_shell),
		ROOTFS_TEST(a_step_can_be_killed),
		ROOTFS_TEST(a_signal_reaches_process_1_if_it_listens),
		ROOTFS_TEST(a_signal_is_for_process_1_alone),
		ROOTFS_TEST(freeing_a_run_ends_it),
		ROOTFS_TEST(reports_what_the_step_used),
		ROOTFS_TEST(steps_run_at_once_from_many_threads),
		ROOTFS_TEST(a_step_outlives_the_thread_that_started_it),
		ROOTFS_TEST(kill_9_of_the_builder_kills_the_step),
		ROOTFS_TEST(the_spawner_is_small_and_shows_nothing),
		ROOTFS_TEST(closed_standard_descriptors_do_no_harm),
		ROOTFS_TEST(a_spawner_that_dies_is_reported),
	};

	return cmocka_run_group_tests(tests, open_sandbox, close_sandbox);
}
