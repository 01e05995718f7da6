/* tests/unit/test_run.c - one command in the sandbox: its output, its end, and what is said of it.
 *
 * Steps come from Recipes; the root that they run in is that of tests/unit/rootfs.h.
 */

#include "tests/unit/kitchen.h"

#include "base/cancel.h"
#include "base/clock.h"
#include "builder/events.h"
#include "builder/run.h"
#include "store/journal.h"
#include "tests/unit/run.h"

#define SECOND UINT64_C(1000000000)

static void *made; /* the rootfs, for all tests; NULL: there is none */
static struct journal *journal;
static struct buf lines[3]; /* what was heard, by stream */
static struct cancel_scope scope;
static bool stop_when_heard;

static void hear(__attribute__((unused)) void *self, const struct build_event *event)
{
	assert_int_equal(event->kind, EVENT_STEP_LOG);
	buf_add_str(&lines[event->stream], event->bytes);
	buf_addc(&lines[event->stream], '\n');
	if (stop_when_heard)
		cancel_stop(&scope);
}

static const struct build_events events = { .emit = hear };

static int open_kitchen(void **state)
{
	kitchen_open(state);
	opts.network = SANDBOX_NETWORK_NONE;
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
		lines[i] = BUF_INIT((size_t)8 * 1024 * 1024);
	scope = (struct cancel_scope){ 0 };
	stop_when_heard = false;
	assert_ok(journal_begin(store, &journal));
	*state = made;
	return 0;
}

static int close_kitchen(void **state)
{
	journal_free(journal);
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
		buf_release(&lines[i]);
	return kitchen_close(state);
}

/* Run the last step of a Recipe that begins with FROM scratch. */
static struct err *run_last(void **state, const char *text, int *ret_code)
{
	struct rootfs *rootfs = rootfs_need(state);
	AUTO(mem) char *recipe = xasprintf("FROM scratch\n%s", text);
	AUTO(fd) int root_fd = rootfs_mount(rootfs);
	struct run_site site = { .sandbox = sandbox, .events = &events, .journal = journal };

	must_plan(recipe);
	site.script = plan->recipe->script;
	return run_step(&site, plan->target->top, root_fd, ret_code);
}

static void assert_runs(void **state, const char *text, const char *out)
{
	int code = -1;

	buf_reset(&lines[BUILD_STDOUT]);
	assert_ok(run_last(state, text, &code));
	assert_int_equal(code, 0);
	assert_string_equal(lines[BUILD_STDOUT].at, out);
}

/* The step's log, owned by the caller. */
static char *log_text(void)
{
	AUTO(mem) char *path = journal_log_path(journal, plan->target->top->number);
	AUTO(buf) struct buf text = BUF_INIT((size_t)8 * 1024 * 1024);

	assert_ok(file_read(AT_FDCWD, path, text.max, &text));
	return buf_steal(&text);
}

/* It fails with this code, and says all of `said`. */
static void assert_run_fails(void **state, const char *text, int want, const char *const said[])
{
	int code = -1;
	AUTO(err) struct err *err = run_last(state, text, &code);
	AUTO(mem) char *whole = NULL;

	assert_int_equal(err_kind(err), ERR_INVALID);
	assert_int_equal(code, want);
	whole = xasprintf("%s\n%s\n", err_text(err), err_notes(err) ? err_notes(err) : "");
	for (; *said; said++)
		if (!strstr(whole, *said))
			fail_msg("no '%s' in: %s", *said, whole);
}

TEST(both_streams_are_told_line_by_line_and_kept_whole)
{
	int code;
	AUTO(mem) char *log = NULL;

	assert_ok(run_last(
		state, "RUN [\"/bin/sh\", \"-c\", \"echo one; echo two >&2; echo; printf end\"]\n",
		&code));
	assert_string_equal(lines[BUILD_STDOUT].at, "one\n\nend\n");
	assert_string_equal(lines[BUILD_STDERR].at, "two\n");
	log = log_text();
	assert_int_equal(strlen(log), strlen("one\ntwo\n\nend"));
}

TEST(much_output_is_kept_whole)
{
	int code;
	AUTO(mem) char *log = NULL;
	size_t told = 0;

	assert_ok(run_last(state,
			   "RUN [\"/bin/sh\", \"-c\", \"dd if=/dev/zero bs=1000 count=3000 "
			   "2>/dev/null; echo\"]\n",
			   &code));
	for (size_t i = 0; i < lines[BUILD_STDOUT].len; i++)
		told += lines[BUILD_STDOUT].at[i] == '\0';
	assert_int_equal(told, 3000000);
	{
		AUTO(mem) char *path = journal_log_path(journal, 1);
		struct stat st;

		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(st.st_size, 3000001);
	}
}

TEST(a_failure_has_place_code_and_last_output)
{
	static const char *const said[] = { "Recipe:2: the command failed with exit code 7",
					    "\nx11\nx12\n",
					    "\nx30\n",
					    "the whole of it: ",
					    ".log",
					    NULL };
	AUTO(mem) char *log = NULL;

	assert_run_fails(state,
			 "RUN [\"/bin/sh\", \"-c\", \"i=0; while test $i -lt 30; do i=$((i+1)); "
			 "echo x$i; done; exit 7\"]\n",
			 7, said);
	log = log_text();
	assert_non_null(strstr(log, "x1\nx2\n"));
}

TEST(a_program_that_is_not_there_is_told_as_such)
{
	static const char *const said[] = { "Recipe:2: cannot execute '/no/such' in the image",
					    "exit code 127", NULL };

	assert_run_fails(state, "RUN [\"/no/such\"]\n", 127, said);
}

TEST(a_user_that_is_not_there_is_told_with_the_place)
{
	int code;
	AUTO(err)
	struct err *err = run_last(state, "USER nobody-here\nRUN [\"/bin/true\"]\n", &code);

	assert_non_null(err);
	assert_non_null(strstr(err_text(err), "Recipe:3"));
	assert_non_null(strstr(err_text(err), "nobody-here"));
}

TEST(the_environment_is_the_images_with_the_users_home)
{
	struct rootfs *rootfs = rootfs_need(state);

	if (mkdirat(rootfs->layer_fd, "etc", 0755) == 0)
		rootfs_put(rootfs, "etc/passwd",
			   "root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1001::/home/user:/bin/sh\n",
			   0644);
	assert_runs(
		state,
		"ENV A=b\nUSER user\nRUN [\"/bin/sh\", \"-c\", \"echo $HOME $A; id -u; id -g\"]\n",
		"/home/user b\n1000\n1001\n");
	assert_runs(state, "ENV HOME=/mine\nRUN [\"/bin/sh\", \"-c\", \"echo $HOME; id -u\"]\n",
		    "/mine\n0\n");
	assert_runs(state, "WORKDIR /tmp\nRUN [\"/bin/pwd\"]\n", "/tmp\n");
}

TEST(what_a_command_leaves_behind_does_not_hold_it_up)
{
	uint64_t began = clock_monotonic();

	assert_runs(state, "RUN [\"/bin/sh\", \"-c\", \"sleep 1000 & echo done\"]\n", "done\n");
	assert_true(clock_monotonic() - began < 60 * SECOND);
}

TEST(a_command_of_a_build_that_has_failed_is_killed)
{
	uint64_t began = clock_monotonic();
	const struct cancel_scope *before = cancel_enter(&scope);
	int code;

	stop_when_heard = true;
	assert_fails(run_last(state,
			      "RUN [\"/bin/sh\", \"-c\", \"trap '' TERM; echo up; sleep 1000\"]\n",
			      &code),
		     ERR_CANCELLED);
	cancel_enter(before);
	assert_true(clock_monotonic() - began < 60 * SECOND);
	assert_string_equal(lines[BUILD_STDOUT].at, "up\n");
}

static int open_all(void **state)
{
	open_sandbox(state);
	return tmp_setup(state) || rootfs_make(&made);
}

static int close_all(void **state)
{
	close_sandbox(state);
	return rootfs_remove(&made) || tmp_teardown(state);
}

#define RUN_TEST(name) cmocka_unit_test_setup_teardown(name, open_kitchen, close_kitchen)

int main(void)
{
	const struct CMUnitTest tests[] = {
		RUN_TEST(both_streams_are_told_line_by_line_and_kept_whole),
		RUN_TEST(much_output_is_kept_whole),
		RUN_TEST(a_failure_has_place_code_and_last_output),
		RUN_TEST(a_program_that_is_not_there_is_told_as_such),
		RUN_TEST(a_user_that_is_not_there_is_told_with_the_place),
		RUN_TEST(the_environment_is_the_images_with_the_users_home),
		RUN_TEST(what_a_command_leaves_behind_does_not_hold_it_up),
		RUN_TEST(a_command_of_a_build_that_has_failed_is_killed),
	};

	return cmocka_run_group_tests(tests, open_all, close_all);
}
