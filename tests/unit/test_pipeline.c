/* tests/unit/test_pipeline.c - streams cut in two threads are the same streams. */

#include "tests/unit/unit.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/str.h"
#include "base/stream.h"
#include "overlay/pipeline.h"

#define BIG (5 * PIPELINE_SLOT + 17)

/* Lengths around everything that has a boundary. */
static const size_t lengths[] = {
	0,
	1,
	511,
	PIPELINE_SLOT - 1,
	PIPELINE_SLOT,
	PIPELINE_SLOT + 1,
	2 * PIPELINE_SLOT,
	BIG,
	(PIPELINE_SLOTS + 3) * PIPELINE_SLOT + 1,
};
static const size_t steps[] = { 1000, 65536, PIPELINE_SLOT, 3 * PIPELINE_SLOT + 5 };

/* `len` bytes that do not repeat at any boundary. */
static char *sample(size_t len)
{
	char *data = xcalloc(len + 1, 1);

	for (size_t i = 0; i < len; i++)
		data[i] = (char)(i * 7 + i / 251);
	return data;
}

static size_t thread_count(void)
{
	FILE *in = fopen("/proc/self/status", "r");
	char line[256];
	unsigned long count = 0;

	while (fgets(line, sizeof(line), in))
		if (strncmp(line, "Threads:", 8) == 0)
			count = strtoul(line + 8, NULL, 10);
	fclose(in);
	return count;
}

TEST(what_is_written_arrives_in_any_pieces)
{
	for (size_t i = 0; i < ARRAY_SIZE(lengths); i++)
		for (size_t j = 0; j < ARRAY_SIZE(steps); j++) {
			size_t len = lengths[i];
			AUTO(mem) char *data = sample(len);
			AUTO(buf) struct buf got = BUF_INIT(SIZE_MAX / 2);
			AUTO(sink) struct sink *out = pipeline_sink(sink_to_buf(&got));

			for (size_t at = 0; at < len; at += steps[j])
				sink_write(out, data + at,
					   len - at < steps[j] ? len - at : steps[j]);
			assert_ok(sink_finish(out));
			assert_int_equal(got.len, len);
			if (len > 0)
				assert_memory_equal(got.at, data, len);
		}
}

TEST(what_is_read_arrives_in_any_pieces)
{
	for (size_t i = 0; i < ARRAY_SIZE(lengths); i++)
		for (size_t j = 0; j < ARRAY_SIZE(steps); j++) {
			size_t len = lengths[i], at = 0, n;
			AUTO(mem) char *data = sample(len);
			AUTO(mem) char *got = xcalloc(len + steps[j], 1);
			AUTO(source)
			struct source *src = pipeline_source(source_from_memory(data, len));

			while ((n = source_read(src, got + at, steps[j])) > 0)
				at += n;
			assert_ok(source_check(src));
			assert_int_equal(at, len);
			assert_memory_equal(got, data, len);
		}
}

TEST(little_is_passed_on_without_a_thread)
{
	size_t before = thread_count();
	AUTO(mem) char *data = sample(PIPELINE_SLOT);
	AUTO(buf) struct buf got = BUF_INIT(PIPELINE_SLOT);
	AUTO(sink) struct sink *out = pipeline_sink(sink_to_buf(&got));
	AUTO(source)
	struct source *src = pipeline_source(source_from_memory(data, PIPELINE_SLOT - 1));
	char byte;

	sink_write(out, data, PIPELINE_SLOT - 1);
	assert_int_equal(source_read(src, &byte, 1), 1);
	assert_int_equal(thread_count(), before);
	sink_write(out, data, 1);
	assert_int_equal(thread_count(), before + 1);
	assert_ok(sink_finish(out));
	assert_int_equal(thread_count(), before);
}

/* ---- errors ---- */

/* Fails once it was given or asked for more than `limit` bytes. */
struct faulty {
	size_t limit, seen;
	_Atomic size_t *given; /* by the other side so far; the distance must stay bounded */
	bool too_far;
};

static struct err *faulty_write(void *self, const void *data, size_t len)
{
	struct faulty *f = self;

	(void)data;
	f->seen += len;
	if (f->given && *f->given > f->seen + (PIPELINE_SLOTS + 1) * PIPELINE_SLOT)
		f->too_far = true;
	return f->seen > f->limit ? err_new(ERR_NETWORK, "the sink is full") : NULL;
}

static size_t faulty_read(void *self, void *data, size_t len, struct err **err)
{
	struct faulty *f = self;

	if (f->seen == f->limit) {
		*err = err_new(ERR_NETWORK, "the source is broken");
		return 0;
	}
	if (len > f->limit - f->seen)
		len = f->limit - f->seen;
	memset(data, 'x', len);
	f->seen += len;
	return len;
}

static void faulty_free(void *self)
{
	(void)self;
}

static const struct sink_ops faulty_sink = { faulty_write, NULL, faulty_free };
static const struct source_ops faulty_source = { faulty_read, faulty_free };

TEST(what_fails_behind_the_cut_shows_in_front_of_it)
{
	static const size_t limits[] = { 0, PIPELINE_SLOT, 3 * PIPELINE_SLOT + 1, BIG - 1 };
	AUTO(mem) char *data = sample(BIG);

	for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
		struct faulty faulty = { .limit = limits[i] };
		AUTO(sink) struct sink *out = pipeline_sink(sink_new(&faulty_sink, &faulty));

		sink_write(out, data, BIG);
		assert_fails(sink_finish(out), ERR_NETWORK);
	}
}

TEST(a_long_loop_can_see_the_failure)
{
	struct faulty faulty = { .limit = 0 };
	AUTO(mem) char *data = sample(PIPELINE_SLOT);
	AUTO(sink) struct sink *out = pipeline_sink(sink_new(&faulty_sink, &faulty));
	int writes = 0;

	for (; !sink_failed(out) && writes < 1000; writes++)
		sink_write(out, data, PIPELINE_SLOT);
	assert_true(writes < 1000);
	assert_fails(sink_finish(out), ERR_NETWORK);
}

TEST(a_source_that_breaks_gives_what_it_had)
{
	static const size_t limits[] = { 0, 1, PIPELINE_SLOT, BIG };

	for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
		struct faulty faulty = { .limit = limits[i] };
		AUTO(source)
		struct source *src = pipeline_source(source_new(&faulty_source, &faulty));
		AUTO(mem) char *chunk = xcalloc(PIPELINE_SLOT, 1);
		size_t total = 0, n;

		while ((n = source_read(src, chunk, PIPELINE_SLOT)) > 0)
			total += n;
		assert_int_equal(total, limits[i]);
		assert_fails(source_check(src), ERR_NETWORK);
	}
}

TEST(what_is_freed_early_stops)
{
	static const size_t used[] = { 0, 1, PIPELINE_SLOT, BIG };
	AUTO(mem) char *data = sample(BIG);
	size_t before = thread_count();

	for (size_t i = 0; i < ARRAY_SIZE(used); i++) {
		AUTO(buf) struct buf got = BUF_INIT(BIG);
		struct sink *out = pipeline_sink(sink_to_buf(&got));
		struct source *src = pipeline_source(source_from_memory(data, BIG));
		AUTO(mem) char *chunk = xcalloc(BIG, 1);

		sink_write(out, data, used[i]);
		sink_free(out);
		assert_int_equal(source_read(src, chunk, used[i]) > 0, used[i] > 0);
		source_free(src);
		assert_int_equal(thread_count(), before);
	}
}

TEST(the_writer_never_runs_far_ahead)
{
	_Atomic size_t given = 0;
	struct faulty faulty = { .limit = SIZE_MAX, .given = &given };
	AUTO(mem) char *data = sample(10000);
	AUTO(sink) struct sink *out = pipeline_sink(sink_new(&faulty_sink, &faulty));

	while (given < 40 * PIPELINE_SLOT) {
		sink_write(out, data, 10000);
		given += 10000;
	}
	assert_ok(sink_finish(out));
	assert_int_equal(faulty.seen, given);
	assert_false(faulty.too_far);
}

TEST(cuts_can_be_made_in_a_row)
{
	AUTO(mem) char *data = sample(BIG);
	AUTO(buf) struct buf got = BUF_INIT(BIG);
	AUTO(source)
	struct source *src = pipeline_source(pipeline_source(source_from_memory(data, BIG)));
	AUTO(sink) struct sink *out = pipeline_sink(pipeline_sink(sink_to_buf(&got)));
	uint64_t copied;

	assert_ok(stream_copy(src, out, &copied));
	assert_ok(sink_finish(out));
	assert_int_equal(copied, BIG);
	assert_memory_equal(got.at, data, BIG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_arrives_in_any_pieces),
		cmocka_unit_test(what_is_read_arrives_in_any_pieces),
		cmocka_unit_test(little_is_passed_on_without_a_thread),
		cmocka_unit_test(what_fails_behind_the_cut_shows_in_front_of_it),
		cmocka_unit_test(a_long_loop_can_see_the_failure),
		cmocka_unit_test(a_source_that_breaks_gives_what_it_had),
		cmocka_unit_test(what_is_freed_early_stops),
		cmocka_unit_test(the_writer_never_runs_far_ahead),
		cmocka_unit_test(cuts_can_be_made_in_a_row),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
