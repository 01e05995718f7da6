/* tests/unit/test_lease.c - leases live as long as their process; the dead are swept. */

#include "tests/unit/unit.h"

#include <errno.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "store/layer.h"
#include "tests/unit/room.h"

/* The text of the only lease. */
static char *lease_text(void)
{
	AUTO(strings) struct strings leases = { 0 };
	AUTO(mem) char *path = NULL;

	assert_ok(file_list(store_fd(store), "leases", &leases));
	assert_int_equal(leases.len, 1);
	path = xasprintf("leases/%s", leases.at[0]);
	return room_text(path);
}

static void pin(enum pin_kind kind, const char *name)
{
	AUTO(lock) struct lock hold = LOCK_INIT;

	assert_ok(store_hold(store, &hold));
	assert_ok(store_pin(store, &(struct pin){ kind, name }, 1));
}

TEST(a_lease_is_made_by_the_first_pin_and_goes_with_the_store)
{
	AUTO(mem) char *text = NULL;
	AUTO(mem) char *want = NULL;

	assert_int_equal(room_count("leases"), 0);
	pin(PIN_LAYER, "abc");
	assert_int_equal(room_count("leases"), 1);
	assert_int_equal(room_count("tmp"), 0); /* nothing is staged yet */
	text = lease_text();
	want = xasprintf("cairn-lease 1 pid %ld boot %s\n\nL abc\n", (long)getpid(),
			 store_boot_id(store));
	assert_string_equal(text, want);
	room_reopen();
	assert_int_equal(room_count("leases"), 0);
}

TEST(a_pin_is_written_once)
{
	const struct pin pins[] = { { PIN_STEP, "k1" }, { PIN_LAYER, "l1" }, { PIN_BLOB, "b1" } };
	AUTO(lock) struct lock hold = LOCK_INIT;
	AUTO(mem) char *text = NULL;

	assert_ok(store_hold(store, &hold));
	assert_ok(store_pin(store, pins, 2));
	assert_ok(store_pin(store, pins, 3));
	text = lease_text();
	assert_string_equal(strchr(text, '\n') + 1, "\nS k1\nL l1\n\nB b1\n");
}

/* On a disk that is full in the middle of a line. */
static bool pin_torn(void *arg)
{
	const struct pin torn = { PIN_LAYER, "torn" }, whole = { PIN_LAYER, "whole" };
	AUTO(lock) struct lock hold = LOCK_INIT;
	AUTO(err) struct err *err = NULL;
	struct rlimit full;
	struct stat st;
	CHILD_STORE(mine);

	(void)arg;
	CHECK_OK(store_hold(mine, &hold));
	CHECK_OK(store_pin(mine, &(struct pin){ PIN_LAYER, "first" }, 1));
	CHECK(fstat(atomic_load(&mine->lease_fd), &st) == 0);
	CHECK(getrlimit(RLIMIT_FSIZE, &full) == 0);
	full.rlim_cur = (rlim_t)st.st_size + 3;
	signal(SIGXFSZ, SIG_IGN);
	CHECK(setrlimit(RLIMIT_FSIZE, &full) == 0);
	err = store_pin(mine, &torn, 1);
	CHECK(err_kind(err) == ERR_SYSTEM);
	full.rlim_cur = full.rlim_max;
	CHECK(setrlimit(RLIMIT_FSIZE, &full) == 0);
	CHECK_OK(store_pin(mine, &whole, 1));
	raise(SIGKILL); /* which leaves the lease to be read */
	return false;
}

TEST(a_pin_that_is_torn_spoils_no_other)
{
	AUTO(mem) char *text = NULL;

	room_child(pin_torn, NULL, true);
	text = lease_text();
	assert_non_null(strstr(text, "\nL first\n"));
	assert_non_null(strstr(text, "\nL whole\n"));
	assert_null(strstr(text, "torn"));
}

static bool is_locked(const char *lease)
{
	AUTO(mem) char *path = xasprintf("leases/%s", lease);
	AUTO(lock) struct lock lock = LOCK_INIT;
	bool got = false;

	assert_ok(lock_try_file(store_fd(store), path, LOCK_EXCLUSIVE, &lock, &got));
	return !got;
}

TEST(a_lease_is_locked_while_its_process_lives)
{
	AUTO(strings) struct strings leases = { 0 };

	pin(PIN_LAYER, "abc");
	assert_ok(file_list(store_fd(store), "leases", &leases));
	assert_true(is_locked(leases.at[0]));
}

/* ---- the dead ---- */

/* Seal a layer, begin another one with a tree in it, and die. */
static bool work_and_die(void *arg)
{
	struct layer_stage *sealed = NULL, *begun = NULL;
	struct layer_meta meta = { .lid = "" };
	AUTO(fd) int deep = -1;
	CHILD_STORE(mine);

	CHECK_OK(layer_begin(mine, &sealed));
	CHECK_OK(layer_seal(sealed, NULL, &meta));
	CHECK_OK(layer_begin(mine, &begun));
	CHECK_OK(file_make_dirs(begun->fs_fd, "a/b/c/d", 0555, &deep));
	CHECK(write(*(int *)arg, meta.lid, sizeof(meta.lid)) == sizeof(meta.lid));
	raise(SIGKILL);
	return false;
}

TEST(what_a_killed_process_staged_goes_and_what_it_sealed_stays)
{
	char lid[LAYER_ID_SIZE];
	AUTO(fd) int fd = -1;
	int tmp_dir = -1;
	int pipe_fds[2];

	assert_return_code(pipe(pipe_fds), errno);
	room_child(work_and_die, &pipe_fds[1], true);
	assert_int_equal(read(pipe_fds[0], lid, sizeof(lid)), sizeof(lid));
	assert_int_equal(room_count("leases"), 1);
	assert_int_equal(room_count("tmp"), 1);

	assert_ok(store_lease(store, &tmp_dir));   /* the next process comes by */
	assert_int_equal(room_count("leases"), 1); /* its own */
	assert_int_equal(room_count("tmp"), 1);
	assert_ok(layer_open(store, lid, &fd, NULL));
	room_reopen();
	assert_int_equal(room_count("leases"), 0);
	assert_int_equal(room_count("tmp"), 0);
	trash_drain(store, UINT64_MAX); /* a slow machine may not have got far in its time */
	assert_int_equal(room_count("trash"), 0);
	close(pipe_fds[0]);
	close(pipe_fds[1]);
}

TEST(the_living_are_left_alone)
{
	AUTO(store) struct store *other = NULL;
	AUTO(layer_stage) struct layer_stage *stage = NULL;
	AUTO(fd) int made = -1;
	int tmp_dir = -1;

	assert_ok(layer_begin(store, &stage));
	assert_ok(store_open(room_path, &other));
	assert_ok(store_lease(other, &tmp_dir));
	assert_int_equal(room_count("leases"), 2);
	assert_int_equal(room_count("tmp"), 2);
	assert_ok(file_make_dirs(stage->fs_fd, "still/there", 0755, &made));
}

TEST(staging_without_a_lease_is_swept)
{
	int tmp_dir = -1;

	assert_return_code(mkdirat(store_fd(store), "tmp/orphan", 0700), errno);
	room_put("tmp/orphan/file", "x", 1);
	assert_ok(store_lease(store, &tmp_dir));
	assert_false(room_has("tmp/orphan"));
}

/* ---- crowds ---- */

static bool come_and_go(void *arg)
{
	const bool *die = arg;

	for (int i = 0; i < 25; i++) {
		struct layer_stage *stage = NULL;
		struct layer_meta meta = { .lid = "" };
		CHILD_STORE(mine);

		CHECK_OK(layer_begin(mine, &stage));
		CHECK_OK(layer_seal(stage, NULL, &meta));
		if (*die && i == 24)
			raise(SIGKILL);
		layer_stage_free(stage);
		store_close(mine);
	}
	return true;
}

TEST(processes_that_come_go_and_die_do_not_disturb_each_other)
{
	static bool dies[] = { false, true, false, true };
	pid_t children[ARRAY_SIZE(dies)];
	int tmp_dir = -1;

	for (size_t i = 0; i < ARRAY_SIZE(dies); i++)
		children[i] = child_start(come_and_go, &dies[i]);
	for (size_t i = 0; i < ARRAY_SIZE(dies); i++)
		assert_int_equal(child_wait(children[i]), dies[i] ? 128 + SIGKILL : 0);
	assert_ok(store_lease(store, &tmp_dir));
	assert_int_equal(room_count("leases"), 1);
	assert_int_equal(room_count("layers"), 100);
}

static void *pin_many(void *arg)
{
	unsigned first = *(const unsigned *)arg;

	for (unsigned i = first; i < first + 100; i++) {
		AUTO(lock) struct lock hold = LOCK_INIT;
		char name[16];

		snprintf(name, sizeof(name), "p%u", i);
		err_free(store_hold(store, &hold)); /* an assert must not jump out of a thread */
		err_free(store_pin(store, &(struct pin){ PIN_BLOB, name }, 1));
	}
	return NULL;
}

TEST(threads_share_one_lease)
{
	unsigned first[] = { 0, 0, 50, 100 };
	pthread_t threads[ARRAY_SIZE(first)];
	AUTO(mem) char *text = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(first); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, pin_many, &first[i]), 0);
	for (size_t i = 0; i < ARRAY_SIZE(first); i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	assert_int_equal(room_count("leases"), 1);
	text = lease_text();
	for (unsigned i = 0; i < 200; i++) {
		char line[16];

		snprintf(line, sizeof(line), "\nB p%u\n", i);
		assert_non_null(strstr(text, line));
	}
}

/* ---- the prune lock ---- */

static bool prune_gets_in(void *arg)
{
	AUTO(lock) struct lock lock = LOCK_INIT;
	bool got = false;

	CHECK_OK(lock_try_file(store_fd(store), "lock/prune", LOCK_EXCLUSIVE, &lock, &got));
	CHECK(got == *(bool *)arg);
	return true;
}

TEST(a_look_up_keeps_prune_out_and_lets_it_in_afterwards)
{
	AUTO(lock) struct lock hold = LOCK_INIT;
	bool yes = true, no = false;

	assert_ok(store_hold(store, &hold));
	child_run(prune_gets_in, &no);
	lock_release(&hold);
	child_run(prune_gets_in, &yes);
}

/* ---- the trash ---- */

/* A tree with directories that nobody may write, a link to the outside, and depth. */
static void make_rubbish(const char *outside)
{
	AUTO(fd) int top = -1;
	AUTO(fd) int deep = -1;

	assert_ok(file_make_dirs(store_fd(store), "contexts/rubbish", 0700, &top));
	assert_ok(file_make_dirs(top, "a/b/c", 0700, &deep));
	for (int i = 0; i < 300; i++) {
		char name[16];

		snprintf(name, sizeof(name), "f%d", i);
		room_put_at(deep, name, "x", 1);
	}
	assert_return_code(symlinkat(outside, deep, "link"), errno);
	assert_return_code(fchmodat(top, "a/b/c", 0500, 0), errno);
	assert_return_code(fchmodat(top, "a/b", 0, 0), errno);
}

TEST(the_trash_is_emptied_whatever_lies_in_it)
{
	AUTO(mem) char *outside = xasprintf("%s/outside", tmp_path);
	struct stat st;

	assert_return_code(mkdir(outside, 0711), errno);
	make_rubbish(outside);
	assert_ok(trash_put(store, store_fd(store), "contexts/rubbish"));
	assert_ok(trash_put(store, store_fd(store), "contexts/absent"));
	assert_false(room_has("contexts/rubbish"));
	assert_int_equal(room_count("trash"), 1);
	trash_drain(store, UINT64_MAX);
	assert_int_equal(room_count("trash"), 0);
	assert_return_code(stat(outside, &st), errno);
	assert_int_equal(st.st_mode & 07777, 0711);
}

/* A user without rights meets directories that only their owner may open, if at all. */
static bool drain_as_nobody(void *arg)
{
	const char *dir = arg;
	AUTO(mem) char *root = xasprintf("%s/store", dir);
	AUTO(mem) char *outside = xasprintf("%s/outside", dir);
	AUTO(strings) struct strings left = { 0 };
	AUTO(fd) int deep = -1;
	AUTO(fd) int blind = -1;
	struct stat st;

	CHECK(chown(dir, 65534, 65534) == 0);
	CHECK(setresgid(65534, 65534, 65534) == 0 && setresuid(65534, 65534, 65534) == 0);
	CHECK(mkdir(outside, 0711) == 0);
	CHECK_OK(store_open(root, &store));
	CHECK_OK(file_make_dirs(store_fd(store), "contexts/rubbish/a/b", 0700, &deep));
	CHECK(symlinkat(outside, deep, "link") == 0);
	CHECK(fchmod(deep, 0500) == 0);
	CHECK_OK(file_make_dirs(store_fd(store), "contexts/rubbish/blind/c", 0700, &blind));
	CHECK(fchmodat(store_fd(store), "contexts/rubbish/blind", 0600, 0) == 0);
	CHECK(fchmodat(store_fd(store), "contexts/rubbish/a", 0, 0) == 0);
	CHECK_OK(trash_put(store, store_fd(store), "contexts/rubbish"));
	trash_drain(store, UINT64_MAX);
	CHECK_OK(file_list(store_fd(store), "trash", &left));
	CHECK(left.len == 0);
	CHECK(stat(outside, &st) == 0 && (st.st_mode & 07777) == 0711);
	store_close(store);
	return true;
}

TEST(the_trash_is_emptied_without_rights_too_and_no_link_is_followed)
{
	AUTO(mem) char *dir = xasprintf("%s/nobody", tmp_path);

	if (geteuid() != 0)
		skip();
	assert_return_code(chmod(tmp_path, 0711), errno);
	assert_return_code(mkdir(dir, 0700), errno);
	child_run(drain_as_nobody, dir);
}

TEST(emptying_the_trash_stops_in_time_and_goes_on_later)
{
	make_rubbish("/nowhere");
	assert_ok(trash_put(store, store_fd(store), "contexts/rubbish"));
	trash_drain(store, clock_monotonic());
	assert_int_not_equal(room_count("trash"), 0);
	for (int i = 0; i < 400; i++) /* one deletion at a time is enough */
		trash_drain(store, 0);
	assert_int_equal(room_count("trash"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ROOM_TEST(a_lease_is_made_by_the_first_pin_and_goes_with_the_store),
		ROOM_TEST(a_pin_is_written_once),
		ROOM_TEST(a_pin_that_is_torn_spoils_no_other),
		ROOM_TEST(a_lease_is_locked_while_its_process_lives),
		ROOM_TEST(what_a_killed_process_staged_goes_and_what_it_sealed_stays),
		ROOM_TEST(the_living_are_left_alone),
		ROOM_TEST(staging_without_a_lease_is_swept),
		ROOM_TEST(processes_that_come_go_and_die_do_not_disturb_each_other),
		ROOM_TEST(threads_share_one_lease),
		ROOM_TEST(a_look_up_keeps_prune_out_and_lets_it_in_afterwards),
		ROOM_TEST(the_trash_is_emptied_whatever_lies_in_it),
		ROOM_TEST(the_trash_is_emptied_without_rights_too_and_no_link_is_followed),
		ROOM_TEST(emptying_the_trash_stops_in_time_and_goes_on_later),
	};

	return cmocka_run_group_tests(tests, tmp_setup, tmp_teardown);
}
