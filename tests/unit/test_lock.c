/* tests/unit/test_lock.c - locks exclude, share, wait, and die with their holder. */

#include "tests/unit/unit.h"

#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <time.h>

#include "base/cancel.h"
#include "base/digest.h"
#include "base/lock.h"
#include "base/str.h"
#include "base/vec.h"
#include "tests/unit/child.h"
#include "tests/unit/tmp.h"

static const struct digest low = { .bytes = { 0 } };
static const struct digest high = {
	.bytes = { 255, 255, 255, 255, 255, 255, 255, 255, 1 },
};

static void pause_ms(long ms)
{
	const struct timespec t = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

	nanosleep(&t, NULL);
}

static bool is_free(const char *path, enum lock_mode mode)
{
	AUTO(lock) struct lock lock = LOCK_INIT;
	bool held = false;

	assert_ok(lock_try_file(tmp_fd, path, mode, &lock, &held));
	assert_int_equal(held, lock.fd >= 0);
	return held;
}

/* ---- children that hold a lock ---- */

struct holding {
	const char *path;
	const struct digest *key; /* NULL: the whole file */
	int ready_fd, go_fd;      /* says that it holds; waits until it may let go */
};

static bool hold(void *arg)
{
	const struct holding *h = arg;
	AUTO(lock) struct lock lock = LOCK_INIT;
	char c;

	if (h->key)
		CHECK_OK(lock_key(tmp_fd, h->path, h->key, NULL, &lock));
	else
		CHECK_OK(lock_file(tmp_fd, h->path, LOCK_EXCLUSIVE, &lock));
	CHECK(write(h->ready_fd, "!", 1) == 1);
	CHECK(read(h->go_fd, &c, 1) >= 0);
	return true;
}

/* Start a child that holds the lock now; closing `*ret_go` lets it go on. */
static pid_t start_holder(const char *path, const struct digest *key, int *ret_go)
{
	int ready[2], go[2];
	struct holding h;
	pid_t pid;
	char c;

	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	assert_int_equal(pipe2(go, O_CLOEXEC), 0);
	h = (struct holding){ path, key, ready[1], go[0] };
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		alarm(120);
		close(go[1]);
		_exit(hold(&h) ? 0 : 1);
	}
	close(ready[1]);
	close(go[0]);
	assert_int_equal(read(ready[0], &c, 1), 1);
	close(ready[0]);
	*ret_go = go[1];
	return pid;
}

static void *close_later(void *arg)
{
	const int *fd = arg;

	pause_ms(50);
	close(*fd);
	return NULL;
}

static void *kill_later(void *arg)
{
	const pid_t *pid = arg;

	pause_ms(50);
	kill(*pid, SIGKILL);
	return NULL;
}

/* ---- waits that are called off ---- */

struct patience {
	int begun, questions, questions_max;
};

static void note_begin(void *self)
{
	struct patience *patience = self;

	patience->begun++;
}

static bool is_out_of_patience(void *self)
{
	struct patience *patience = self;

	return patience->questions++ >= patience->questions_max;
}

/* ---- tests ---- */

TEST(an_exclusive_lock_excludes_and_shared_ones_share)
{
	struct lock lock = LOCK_INIT;
	struct stat st;

	assert_ok(lock_file(tmp_fd, "file", LOCK_EXCLUSIVE, &lock));
	assert_int_equal(fcntl(lock.fd, F_GETFD), FD_CLOEXEC);
	assert_false(is_free("file", LOCK_SHARED));
	assert_false(is_free("file", LOCK_EXCLUSIVE));
	lock_release(&lock);
	assert_int_equal(lock.fd, -1);
	lock_release(&lock);
	assert_true(is_free("file", LOCK_EXCLUSIVE));

	assert_ok(lock_file(tmp_fd, "file", LOCK_SHARED, &lock));
	assert_true(is_free("file", LOCK_SHARED));
	assert_false(is_free("file", LOCK_EXCLUSIVE));
	lock_release(&lock);
	assert_int_equal(fstatat(tmp_fd, "file", &st, 0), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
}

TEST(a_lock_that_cannot_be_made_is_an_error)
{
	struct lock lock = LOCK_INIT;
	bool held = false;

	assert_fails(lock_file(tmp_fd, "no/file", LOCK_SHARED, &lock), ERR_NOT_FOUND);
	assert_fails(lock_try_file(tmp_fd, ".", LOCK_SHARED, &lock, &held), ERR_SYSTEM);
	assert_fails(lock_key(tmp_fd, "no/file", &low, NULL, &lock), ERR_NOT_FOUND);
	assert_int_equal(lock.fd, -1);
}

TEST(different_keys_do_not_wait_for_each_other)
{
	AUTO(lock) struct lock one = LOCK_INIT;
	AUTO(lock) struct lock two = LOCK_INIT;
	struct patience patience = { .questions_max = 0 };
	const struct lock_wait wait = { note_begin, is_out_of_patience, &patience };

	assert_ok(lock_key(tmp_fd, "keys", &low, &wait, &one));
	assert_ok(lock_key(tmp_fd, "keys", &high, &wait, &two));
	assert_int_equal(patience.begun, 0);
	assert_int_equal(patience.questions, 0);
}

TEST(a_key_is_a_byte_at_62_bits_of_it)
{
	AUTO(lock) struct lock lock = LOCK_INIT;
	AUTO(fd) int other = -1;
	struct flock probe = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 0 };

	assert_ok(lock_key(tmp_fd, "offset", &high, NULL, &lock));
	other = openat(tmp_fd, "offset", O_RDWR | O_CLOEXEC);
	assert_int_equal(fcntl(other, F_OFD_GETLK, &probe), 0);
	assert_int_equal(probe.l_type, F_WRLCK);
	assert_int_equal(probe.l_start, (1LL << 62) - 1);
	assert_int_equal(probe.l_len, 1);
}

TEST(closing_the_file_elsewhere_does_not_lose_the_lock)
{
	AUTO(lock) struct lock lock = LOCK_INIT;
	struct flock probe = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 0 };
	AUTO(fd) int other = -1;

	assert_ok(lock_key(tmp_fd, "closed", &low, NULL, &lock));
	close(openat(tmp_fd, "closed", O_RDWR | O_CLOEXEC));
	other = openat(tmp_fd, "closed", O_RDWR | O_CLOEXEC);
	assert_int_equal(fcntl(other, F_OFD_GETLK, &probe), 0);
	assert_int_equal(probe.l_type, F_WRLCK);
}

TEST(a_wait_ends_when_the_holder_lets_go)
{
	struct patience patience = { .questions_max = INT_MAX };
	const struct lock_wait waits[] = { { .self = NULL },
					   { .begin = note_begin, .self = &patience },
					   { note_begin, is_out_of_patience, &patience } };

	for (size_t i = 0; i < ARRAY_SIZE(waits); i++) {
		AUTO(lock) struct lock lock = LOCK_INIT;
		pthread_t thread;
		pid_t pid;
		int go;

		pid = start_holder("wait", &high, &go);
		assert_int_equal(pthread_create(&thread, NULL, close_later, &go), 0);
		assert_ok(lock_key(tmp_fd, "wait", &high, &waits[i], &lock));
		assert_int_equal(patience.begun, i);
		pthread_join(thread, NULL);
		assert_int_equal(child_wait(pid), 0);
	}
	assert_in_range(patience.questions, 2, 50);
}

TEST(a_lock_dies_with_its_holder)
{
	const struct digest *const keys[] = { NULL, &low };

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		AUTO(lock) struct lock lock = LOCK_INIT;
		pthread_t thread;
		pid_t pid;
		int go;

		pid = start_holder("dying", keys[i], &go);
		assert_int_equal(is_free("dying", LOCK_EXCLUSIVE), keys[i] != NULL);
		assert_int_equal(pthread_create(&thread, NULL, kill_later, &pid), 0);
		if (keys[i])
			assert_ok(lock_key(tmp_fd, "dying", keys[i], NULL, &lock));
		else
			assert_ok(lock_file(tmp_fd, "dying", LOCK_EXCLUSIVE, &lock));
		pthread_join(thread, NULL);
		assert_int_equal(child_wait(pid), 128 + SIGKILL);
		close(go);
	}
}

/* In the thread that calls, as in every thread that it makes. */
static void block_all_signals(void)
{
	sigset_t all;

	sigfillset(&all);
	sigdelset(&all, SIGALRM);
	pthread_sigmask(SIG_BLOCK, &all, NULL);
}

/* Ask for a key that another process has, and lose patience at once, soon, or after a while. */
static bool waits_are_called_off(void *arg)
{
	const bool *catches = arg;
	const int questions[] = { 0, 1, 14 };

	block_all_signals();
	if (*catches)
		cancel_catch_signals();
	for (size_t i = 0; i < ARRAY_SIZE(questions); i++) {
		struct patience patience = { .questions_max = questions[i] };
		const struct lock_wait wait = { note_begin, is_out_of_patience, &patience };
		struct lock lock = LOCK_INIT;
		AUTO(err) struct err *err = lock_key(tmp_fd, "called-off", &low, &wait, &lock);

		CHECK(err_kind(err) == ERR_CANCELLED);
		CHECK(lock.fd == -1);
		CHECK(patience.begun == 1);
		CHECK(patience.questions == questions[i] + 1);
		CHECK(!cancel_signal());
	}
	return true;
}

TEST(a_wait_ends_when_the_lock_is_not_wanted_any_more)
{
	AUTO(lock) struct lock lock = LOCK_INIT;
	bool catches[] = { false, true };
	pid_t pid;
	int go;

	pid = start_holder("called-off", &low, &go);
	for (size_t i = 0; i < ARRAY_SIZE(catches); i++)
		child_run(waits_are_called_off, &catches[i]);
	close(go);
	assert_int_equal(child_wait(pid), 0);
	assert_ok(lock_key(tmp_fd, "called-off", &low, NULL, &lock)); /* nobody has kept it */
}

static uint64_t nanoseconds(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

TEST(a_long_wait_is_asked_about_every_50_ms_and_costs_no_time)
{
	const uint64_t cpu = nanoseconds(CLOCK_PROCESS_CPUTIME_ID);
	const uint64_t began = nanoseconds(CLOCK_MONOTONIC);
	struct patience patience = { .questions_max = 14 };
	const struct lock_wait wait = { note_begin, is_out_of_patience, &patience };
	struct lock lock = LOCK_INIT;
	pid_t pid;
	int go;

	pid = start_holder("long", &high, &go);
	assert_fails(lock_key(tmp_fd, "long", &high, &wait, &lock), ERR_CANCELLED);
	/* Pauses of 1, 2, 4 … 32 ms and seven of 50 ms between the questions. */
	assert_true(nanoseconds(CLOCK_MONOTONIC) - began >= 350000000);
	assert_true(nanoseconds(CLOCK_PROCESS_CPUTIME_ID) - cpu < 100000000);
	close(go);
	assert_int_equal(child_wait(pid), 0);
}

/* ---- cancellation ---- */

static void *wait_for_key(__attribute__((unused)) void *arg)
{
	AUTO(lock) struct lock lock = LOCK_INIT;

	return lock_key(tmp_fd, "cancel-key", &low, NULL, &lock);
}

static void *wait_for_file(__attribute__((unused)) void *arg)
{
	AUTO(lock) struct lock lock = LOCK_INIT;

	return lock_file(tmp_fd, "cancel-file", LOCK_SHARED, &lock);
}

/* The signal reaches this thread while others wait. */
static bool signal_while_others_wait(void *arg)
{
	const long *delay = arg;
	AUTO(err) struct err *for_key = NULL;
	AUTO(err) struct err *for_file = NULL;
	pthread_t key_thread, file_thread;

	cancel_catch_signals();
	CHECK(pthread_create(&key_thread, NULL, wait_for_key, NULL) == 0);
	CHECK(pthread_create(&file_thread, NULL, wait_for_file, NULL) == 0);
	pause_ms(*delay);
	CHECK(raise(SIGTERM) == 0); /* in this thread */
	CHECK(pthread_join(key_thread, (void **)&for_key) == 0);
	CHECK(pthread_join(file_thread, (void **)&for_file) == 0);
	CHECK(err_kind(for_key) == ERR_CANCELLED);
	CHECK(err_kind(for_file) == ERR_CANCELLED);
	return true;
}

TEST(waiting_ends_when_the_process_is_told_to_stop)
{
	AUTO(lock) struct lock file = LOCK_INIT;
	AUTO(lock) struct lock key = LOCK_INIT;
	long delays[] = { 0, 1, 20 };

	assert_ok(lock_key(tmp_fd, "cancel-key", &low, NULL, &key));
	assert_ok(lock_file(tmp_fd, "cancel-file", LOCK_EXCLUSIVE, &file));
	for (size_t i = 0; i < ARRAY_SIZE(delays); i++)
		child_run(signal_while_others_wait, &delays[i]);
}

static void do_nothing(int signal)
{
	(void)signal;
}

/* Every thread of this process gets the signal. */
static bool signal_all_threads(int signal)
{
	AUTO(strings) struct strings tasks = { 0 };

	CHECK_OK(file_list(AT_FDCWD, "/proc/self/task", &tasks));
	vec_foreach (&tasks, task) {
		uint64_t tid;

		CHECK_OK(num_parse(str_of(*task), 1, INT_MAX, &tid));
		CHECK(tgkill(getpid(), (pid_t)tid, signal) == 0);
	}
	return true;
}

/* Window changes and the like: a signal that is none of ours. */
static bool stray_signals_end_no_wait(void *arg)
{
	const int *go = arg;
	struct sigaction quiet = { .sa_handler = do_nothing };
	AUTO(err) struct err *err = NULL;
	pthread_t thread;

	cancel_catch_signals();
	sigaction(SIGUSR1, &quiet, NULL);
	CHECK(pthread_create(&thread, NULL, wait_for_key, NULL) == 0);
	for (int i = 0; i < 5; i++) {
		pause_ms(5);
		CHECK(signal_all_threads(i % 2 ? SIGUSR1 : SIGURG));
	}
	close(*go);
	CHECK(pthread_join(thread, (void **)&err) == 0);
	CHECK_OK(STEAL(err));
	return true;
}

TEST(other_signals_do_not_end_a_wait)
{
	pid_t holder;
	pid_t pid;
	int go;

	holder = start_holder("cancel-key", &low, &go);
	pid = child_start(stray_signals_end_no_wait, &go);
	close(go); /* the child's copy is the last */
	assert_int_equal(child_wait(pid), 0);
	assert_int_equal(child_wait(holder), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_exclusive_lock_excludes_and_shared_ones_share),
		cmocka_unit_test(a_lock_that_cannot_be_made_is_an_error),
		cmocka_unit_test(different_keys_do_not_wait_for_each_other),
		cmocka_unit_test(a_key_is_a_byte_at_62_bits_of_it),
		cmocka_unit_test(closing_the_file_elsewhere_does_not_lose_the_lock),
		cmocka_unit_test(a_wait_ends_when_the_holder_lets_go),
		cmocka_unit_test(a_lock_dies_with_its_holder),
		cmocka_unit_test(a_wait_ends_when_the_lock_is_not_wanted_any_more),
		cmocka_unit_test(a_long_wait_is_asked_about_every_50_ms_and_costs_no_time),
		cmocka_unit_test(waiting_ends_when_the_process_is_told_to_stop),
		cmocka_unit_test(other_signals_do_not_end_a_wait),
	};

	return cmocka_run_group_tests(tests, tmp_setup, tmp_teardown);
}
