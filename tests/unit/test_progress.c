/* tests/unit/test_progress.c - what begins, how far it has come and how it ended, from any thread. */

#include "tests/unit/unit.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "base/progress.h"
#include "base/str.h"
#include "base/stream.h"

/* Everything told, as lines, and the sum of what was done. */
struct told {
	struct buf lines;
	atomic_ullong done;
	atomic_int advances;
};

static void told_begin(void *self, uint64_t id, const char *what, uint64_t total)
{
	buf_addf(&((struct told *)self)->lines, "begin %ju %s %ju\n", (uintmax_t)id, what,
		 (uintmax_t)total);
}

static void told_advance(void *self, uint64_t id, uint64_t n)
{
	struct told *told = self;

	assert_true(id > 0);
	atomic_fetch_add(&told->done, n);
	atomic_fetch_add(&told->advances, 1);
}

static void told_end(void *self, uint64_t id, bool ok)
{
	buf_addf(&((struct told *)self)->lines, "end %ju %s\n", (uintmax_t)id,
		 ok ? "well" : "badly");
}

static const struct progress_ops ops = { told_begin, told_advance, told_end };

TEST(each_piece_of_work_has_its_id)
{
	struct told told = { .lines = BUF_INIT(1000) };
	struct progress progress = { .ops = &ops, .self = &told };
	uint64_t first = progress_begin(&progress, "layer 1", 10);
	uint64_t second = progress_begin(&progress, "layer 2", 0);

	progress_advance(&progress, second, 3);
	progress_advance(&progress, first, 4);
	progress_end(&progress, first, true);
	progress_end(&progress, second, false);
	assert_string_equal(told.lines.at, "begin 1 layer 1 10\nbegin 2 layer 2 0\n"
					   "end 1 well\nend 2 badly\n");
	assert_int_equal(told.done, 7);
	buf_release(&told.lines);
}

TEST(null_is_silent)
{
	AUTO(source) struct source *src = NULL;
	struct source *inner = source_from_memory("abc", 3);

	assert_int_equal(progress_begin(NULL, "nothing", 1), 0);
	progress_advance(NULL, 0, 1);
	progress_end(NULL, 0, true);
	src = progress_source(NULL, 0, inner);
	assert_ptr_equal(src, inner);
}

TEST(a_source_tells_what_is_read_in_pieces_worth_a_call)
{
	enum { size = 3 * STREAM_CHUNK + 5 };
	struct told told = { .lines = BUF_INIT(1000) };
	struct progress progress = { .ops = &ops, .self = &told };
	AUTO(mem) char *data = xcalloc(size, 1);
	char piece[1000];
	size_t total = 0;

	{
		AUTO(source)
		struct source *src = progress_source(&progress, 1, source_from_memory(data, size));

		for (size_t n; (n = source_read(src, piece, sizeof(piece))) > 0;)
			total += n;
		assert_ok(source_check(src));
	}
	assert_int_equal(total, size);
	assert_int_equal(told.done, size);
	assert_in_range(told.advances, 2, 4);
}

TEST(a_source_left_early_has_told_what_was_read)
{
	struct told told = { .lines = BUF_INIT(1000) };
	struct progress progress = { .ops = &ops, .self = &told };
	char piece[3];
	struct source *src = progress_source(&progress, 1, source_from_memory("abcdef", 6));

	assert_ok(source_read_full(src, piece, sizeof(piece)));
	assert_memory_equal(piece, "abc", 3);
	source_free(src);
	assert_int_equal(told.done, 3);
	assert_int_equal(told.advances, 1);
}

TEST(a_source_passes_errors_on)
{
	struct told told = { .lines = BUF_INIT(1000) };
	struct progress progress = { .ops = &ops, .self = &told };
	struct source *limited = source_limit(source_from_memory("abcdef", 6), 4, "the text");
	AUTO(source) struct source *src = progress_source(&progress, 1, limited);
	AUTO(sink) struct sink *out = sink_null();

	assert_fails(stream_copy(src, out, NULL), ERR_INVALID);
}

/* Many ids from many threads, marked in `seen`. */
struct crowd {
	struct progress *progress;
	atomic_int seen[4001];
};

static void no_begin(__attribute__((unused)) void *self, __attribute__((unused)) uint64_t id,
		     __attribute__((unused)) const char *what,
		     __attribute__((unused)) uint64_t total)
{
}

static void no_end(__attribute__((unused)) void *self, __attribute__((unused)) uint64_t id,
		   __attribute__((unused)) bool ok)
{
}

static void *work_much(void *arg)
{
	struct crowd *crowd = arg;

	for (int i = 0; i < 1000; i++) {
		uint64_t id = progress_begin(crowd->progress, "work", 1);

		progress_advance(crowd->progress, id, 1);
		progress_end(crowd->progress, id, true);
		atomic_fetch_add(&crowd->seen[id], 1);
	}
	return NULL;
}

TEST(threads_never_share_an_id)
{
	static const struct progress_ops quiet = { no_begin, told_advance, no_end };
	struct told told = { .lines = BUF_INIT(1000) };
	struct progress progress = { .ops = &quiet, .self = &told };
	struct crowd crowd = { .progress = &progress };
	pthread_t threads[4];

	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, work_much, &crowd), 0);
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		pthread_join(threads[i], NULL);
	for (size_t id = 1; id <= 4000; id++)
		assert_int_equal(crowd.seen[id], 1);
	assert_int_equal(told.done, 4000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_piece_of_work_has_its_id),
		cmocka_unit_test(null_is_silent),
		cmocka_unit_test(a_source_tells_what_is_read_in_pieces_worth_a_call),
		cmocka_unit_test(a_source_left_early_has_told_what_was_read),
		cmocka_unit_test(a_source_passes_errors_on),
		cmocka_unit_test(threads_never_share_an_id),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
