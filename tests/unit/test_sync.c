/* tests/unit/test_sync.c - layers are flushed and marked by a process that nobody waits for. */

#include "tests/unit/unit.h"

#include <errno.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <time.h>

#include "base/clock.h"
#include "store/layer.h"
#include "tests/unit/room.h"

#define MS ((uint64_t)1000000)
#define HOUR (3600 * MS * 1000)

static struct layer_meta seal(struct store *in)
{
	AUTO(layer_stage) struct layer_stage *stage = NULL;
	struct layer_meta meta = { .lid = "" };

	assert_ok(layer_begin(in, &stage));
	assert_ok(layer_seal(stage, NULL, &meta));
	return meta;
}

static bool is_marked(const struct layer_meta *meta)
{
	AUTO(mem) char *marker = xasprintf("layers/%s/synced", meta->lid);

	return room_has(marker);
}

static void pause_ms(long ms)
{
	const struct timespec t = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

	nanosleep(&t, NULL);
}

/* Whether the marker comes, in the half minute that a busy disk may need. */
static bool becomes_marked(const struct layer_meta *meta)
{
	for (int i = 0; i < 6000 && !is_marked(meta); i++)
		pause_ms(5);
	return is_marked(meta);
}

/* The flusher is nobody's child but this process's, once its parent is gone: wait for its end. */
static void wait_for_flusher(void)
{
	int status = -1;

	assert_true(waitpid(-1, &status, 0) > 0);
	assert_int_equal(status, 0);
}

static bool has_flusher(void)
{
	return waitpid(-1, NULL, WNOHANG) >= 0 || errno != ECHILD;
}

TEST(nothing_is_started_for_a_short_build)
{
	struct layer_meta meta = seal(store);

	for (int i = 0; i < 5; i++)
		store_sync_later(store, HOUR);
	assert_false(has_flusher());
	assert_false(is_marked(&meta));
	/* What was not flushed is not forgotten. */
	assert_ok(store_sync(store));
	assert_true(is_marked(&meta));
}

TEST(nothing_is_started_when_everything_is_marked)
{
	store_sync_later(store, 0);
	(void)seal(store);
	assert_ok(store_sync(store));
	store_sync_later(store, 0);
	assert_false(has_flusher());
}

TEST(a_long_build_is_flushed_while_it_runs)
{
	struct layer_meta first = seal(store), second, third;

	store->opened -= HOUR; /* as if it had been open for so long */
	store_sync_later(store, HOUR);
	assert_true(becomes_marked(&first)); /* at once: it has waited */
	second = seal(store);
	store_sync_later(store, 20 * MS);
	assert_true(becomes_marked(&second));
	third = seal(store);
	store_sync_later(store, HOUR);
	pause_ms(50);
	assert_false(is_marked(&third));
	store_sync_later(store, 0); /* nothing new: no order */
	store_close(store);
	wait_for_flusher();
	assert_false(has_flusher());
	assert_ok(store_open(room_path, &store));
	assert_true(is_marked(&third));
}

TEST(an_order_that_is_due_earlier_does_not_wait_for_one_before_it)
{
	struct layer_meta first = seal(store), second;

	store_sync_later(store, 0);
	assert_true(becomes_marked(&first));
	first = seal(store);
	store_sync_later(store, HOUR);
	second = seal(store);
	store_sync_later(store, 10 * MS);
	assert_true(becomes_marked(&second));
	assert_true(becomes_marked(&first));
	room_reopen();
	wait_for_flusher();
}

static bool seal_and_die(void *arg)
{
	struct layer_meta meta;
	CHILD_STORE(mine);

	meta = seal(mine);
	store_sync_later(mine, 0);
	meta = seal(mine);
	store_sync_later(mine, HOUR);
	CHECK(write(*(int *)arg, &meta, sizeof(meta)) == sizeof(meta));
	raise(SIGKILL);
	return false;
}

TEST(what_was_handed_over_is_flushed_when_the_process_is_killed)
{
	struct layer_meta meta;
	int pipe_fds[2];

	assert_return_code(pipe(pipe_fds), errno);
	room_child(seal_and_die, &pipe_fds[1], true);
	assert_int_equal(read(pipe_fds[0], &meta, sizeof(meta)), sizeof(meta));
	wait_for_flusher();
	assert_true(is_marked(&meta));
	close(pipe_fds[1]);
	/* It has let go of everything: nobody waits for it at the end of a pipe. */
	assert_int_equal(read(pipe_fds[0], &meta, sizeof(meta)), 0);
	close(pipe_fds[0]);
}

TEST(the_flusher_holds_no_pipe_and_no_lease)
{
	struct layer_meta meta = seal(store);
	int pipe_fds[2];
	char c;

	assert_return_code(pipe(pipe_fds), errno);
	store_sync_later(store, 0);
	close(pipe_fds[1]);
	assert_int_equal(read(pipe_fds[0], &c, 1), 0);
	close(pipe_fds[0]);
	assert_true(becomes_marked(&meta));
	room_reopen(); /* another lease */
	wait_for_flusher();
	(void)seal(store);
	assert_int_equal(room_count("leases"), 1);
}

TEST(more_layers_than_fit_into_one_order_are_flushed)
{
	struct layer_meta last = { .lid = "" }, meta = seal(store);
	AUTO(mem) char *marker = xasprintf("layers/%s/synced", meta.lid);

	/* Of layers that are gone nobody takes notice. */
	for (unsigned i = 0; i < 2500; i++) {
		char lid[STORE_ID_SIZE];

		assert_ok(store_random_id(lid));
		store_note_unsynced(store, lid);
	}
	last = seal(store);
	store_sync_later(store, 0);
	assert_true(becomes_marked(&last));
	assert_true(room_has(marker));
	room_reopen();
	wait_for_flusher();
	assert_int_equal(room_count("layers"), 2);
}

TEST(after_a_write_error_the_flusher_discards_what_it_cannot_vouch_for)
{
	struct layer_meta marked = seal(store), lost, later;
	AUTO(mem) char *marked_path = xasprintf("layers/%s/meta", marked.lid);
	AUTO(mem) char *lost_path = NULL, *later_path = NULL;

	assert_ok(store_sync(store));
	store_note_unsynced(store, marked.lid);
	lost = seal(store);
	later = seal(store);
	atomic_store(&store->sync_failed, true); /* as after a syncfs(2) that reported EIO */
	store_sync_later(store, 0);
	room_reopen();
	wait_for_flusher();
	lost_path = xasprintf("layers/%s/meta", lost.lid);
	later_path = xasprintf("layers/%s/meta", later.lid);
	assert_true(room_has(marked_path));
	assert_false(room_has(lost_path));
	assert_false(room_has(later_path));
}

/* Orphans of our children become our own. */
static int become_reaper(void **state)
{
	return prctl(PR_SET_CHILD_SUBREAPER, 1) < 0 ? -1 : tmp_setup(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ROOM_TEST(nothing_is_started_for_a_short_build),
		ROOM_TEST(nothing_is_started_when_everything_is_marked),
		ROOM_TEST(a_long_build_is_flushed_while_it_runs),
		ROOM_TEST(an_order_that_is_due_earlier_does_not_wait_for_one_before_it),
		ROOM_TEST(what_was_handed_over_is_flushed_when_the_process_is_killed),
		ROOM_TEST(the_flusher_holds_no_pipe_and_no_lease),
		ROOM_TEST(more_layers_than_fit_into_one_order_are_flushed),
		ROOM_TEST(after_a_write_error_the_flusher_discards_what_it_cannot_vouch_for),
	};

	return cmocka_run_group_tests(tests, become_reaper, tmp_teardown);
}
