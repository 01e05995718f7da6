/* tests/unit/test_stream.c - bytes pass unchanged, the first error is kept and told once. */

#include "tests/unit/unit.h"

#include <errno.h>
#include <signal.h>

#include "base/cancel.h"
#include "base/stream.h"
#include "tests/unit/child.h"
#include "tests/unit/tmp.h"

#define ABC "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define NOTHING "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

/* ---- streams that misbehave on purpose ---- */

/* Gives `text` in pieces of at most `step` bytes; then fails, if it is `broken`. */
struct dripping {
	const char *text;
	size_t step;
	bool broken;
	int reads; /* how often it was asked */
	int freed;
};

static size_t drip(void *self, void *data, size_t len, struct err **err)
{
	struct dripping *d = self;
	size_t n = strnlen(d->text, len < d->step ? len : d->step);

	d->reads++;
	memcpy(data, d->text, n);
	d->text += n;
	if (n == 0 && d->broken)
		*err = err_new(ERR_NETWORK, "connection reset");
	return n;
}

static void drip_free(void *self)
{
	((struct dripping *)self)->freed++;
}

static struct source *dripping(struct dripping *d)
{
	static const struct source_ops ops = { drip, drip_free };

	return source_new(&ops, d);
}

/* Takes `room` bytes and then no more. Counts what it is asked. */
struct full {
	size_t room;
	int writes, finishes, freed;
};

static struct err *full_write(void *self, const void *data, size_t len)
{
	struct full *f = self;

	(void)data;
	f->writes++;
	if (len > f->room)
		return err_new(ERR_SYSTEM, "no space left");
	f->room -= len;
	return NULL;
}

static struct err *full_finish(void *self)
{
	((struct full *)self)->finishes++;
	return NULL;
}

static void full_free(void *self)
{
	((struct full *)self)->freed++;
}

static struct sink *full_sink(struct full *f)
{
	static const struct sink_ops ops = { full_write, full_finish, full_free };

	return sink_new(&ops, f);
}

/* Everything that `src` still gives, as text. */
static char *rest_of(struct source *src)
{
	static char text[64];
	size_t len = 0;
	size_t n;

	while ((n = source_read(src, text + len, sizeof(text) - 1 - len)) > 0)
		len += n;
	text[len] = '\0';
	return text;
}

static struct digest digest_of(const char *text)
{
	struct digest d;

	assert_ok(digest_parse(text, &d));
	return d;
}

/* ---- sources ---- */

TEST(a_source_keeps_its_first_error_and_tells_it_once)
{
	struct dripping d = { "ab", 9, true, 0, 0 };
	AUTO(source) struct source *src = dripping(&d);

	assert_string_equal(rest_of(src), "ab");
	assert_int_equal(source_read(src, &(char){ 0 }, 1), 0);
	assert_int_equal(d.reads, 2); /* the end is never asked twice */
	assert_fails(source_check(src), ERR_NETWORK);
	assert_ok(source_check(src));
	assert_int_equal(source_read(src, &(char){ 0 }, 1), 0);
}

TEST(a_read_of_nothing_is_not_the_end)
{
	AUTO(source) struct source *src = source_from_memory("a", 1);

	assert_int_equal(source_read(src, &(char){ 0 }, 0), 0);
	assert_string_equal(rest_of(src), "a");
}

TEST(a_full_read_collects_pieces_or_says_what_is_missing)
{
	struct dripping d = { "abcd", 1, false, 0, 0 };
	struct dripping broken = { "abcd", 1, true, 0, 0 };
	AUTO(source) struct source *src = dripping(&d);
	AUTO(source) struct source *bad = dripping(&broken);
	char text[5] = "";

	assert_ok(source_read_full(src, text, 3));
	assert_string_equal(text, "abc");
	assert_fails(source_read_full(src, text, 2), ERR_INVALID);
	assert_fails(source_read_full(bad, text, 5), ERR_NETWORK);
}

TEST(a_limit_passes_what_fits_and_refuses_one_byte_more)
{
	AUTO(source) struct source *fits = source_limit(source_from_memory("abc", 3), 3, "it");
	AUTO(source) struct source *more = source_limit(source_from_memory("abcd", 4), 3, "it");
	AUTO(err) struct err *err = NULL;

	assert_string_equal(rest_of(fits), "abc");
	assert_ok(source_check(fits));
	assert_string_equal(rest_of(more), "");
	err = source_check(more);
	assert_int_equal(err_kind(err), ERR_INVALID);
	assert_string_equal(err_text(err), "it is larger than 3 bytes");
}

TEST(slices_share_a_source_and_take_its_error)
{
	struct dripping d = { "abcde", 2, true, 0, 0 };
	AUTO(source) struct source *src = dripping(&d);
	struct source *one = source_slice(src, 3);
	struct source *two = source_slice(src, 9);

	assert_string_equal(rest_of(one), "abc");
	assert_ok(source_check(one));
	assert_string_equal(rest_of(two), "de");
	assert_fails(source_check(two), ERR_NETWORK);
	source_free(one);
	source_free(two);
	assert_int_equal(d.freed, 0);
}

TEST(what_was_looked_at_comes_again)
{
	static const size_t lens[] = { 1, 3, 10, 11, 100 };

	for (size_t i = 0; i < ARRAY_SIZE(lens); i++) {
		AUTO(source) struct source *src = NULL;
		char all[32] = "";
		size_t want = lens[i] < 10 ? lens[i] : 10, got = 0, n;
		struct str head;

		assert_ok(source_peek(source_from_memory("0123456789", 10), lens[i], &head, &src));
		assert_true(str_equal(head, (struct str){ "0123456789", want }));
		while ((n = source_read(src, all + got, 4)) > 0)
			got += n;
		assert_ok(source_check(src));
		assert_string_equal(all, "0123456789");
	}
}

TEST(a_hash_is_of_what_passed)
{
	struct dripping d = { "abc", 1, false, 0, 0 };
	AUTO(source) struct source *src = source_hash(dripping(&d));
	char text[DIGEST_TEXT_SIZE];
	struct digest digest;
	uint64_t size;

	assert_string_equal(rest_of(src), "abc");
	assert_ok(source_hash_finish(src, &digest, &size));
	assert_string_equal(digest_format(&digest, text), ABC);
	assert_int_equal(size, 3);
}

TEST(verification_withholds_the_end_of_wrong_content)
{
	static const struct {
		const char *text, *digest;
		uint64_t size;
		size_t step;
		const char *given;
		enum err_kind want;
	} cases[] = {
		{ "abc", ABC, 3, 9, "abc", ERR_NONE },     { "abc", ABC, 3, 1, "abc", ERR_NONE },
		{ "", NOTHING, 0, 9, "", ERR_NONE },       { "abd", ABC, 3, 9, "", ERR_CORRUPT },
		{ "abd", ABC, 3, 1, "ab", ERR_CORRUPT },   { "ab", ABC, 3, 1, "ab", ERR_CORRUPT },
		{ "", ABC, 3, 1, "", ERR_CORRUPT },        { "abcd", ABC, 3, 9, "", ERR_CORRUPT },
		{ "abcd", ABC, 3, 1, "abc", ERR_CORRUPT }, { "a", NOTHING, 0, 9, "", ERR_CORRUPT },
		{ "", ABC, 0, 9, "", ERR_CORRUPT },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct dripping d = { cases[i].text, cases[i].step, false, 0, 0 };
		const struct digest want = digest_of(cases[i].digest);
		AUTO(source) struct source *src = source_verify(dripping(&d), &want, cases[i].size);

		assert_string_equal(rest_of(src), cases[i].given);
		assert_fails(source_check(src), cases[i].want);
	}
}

TEST(an_inner_error_comes_out_of_any_chain)
{
	struct dripping d = { "abc", 1, true, 0, 0 };
	const struct digest want = digest_of(ABC);
	struct source *src = dripping(&d);

	src = source_hash(source_limit(src, 10, "it"));
	src = source_verify(src, &want, 4);
	assert_string_equal(rest_of(src), "abc");
	assert_fails(source_check(src), ERR_NETWORK);
	source_free(src);
	assert_int_equal(d.freed, 1);
	source_free(NULL);
}

TEST(a_descriptor_is_read_to_its_end)
{
	struct source *src;
	int fds[2];

	assert_int_equal(pipe(fds), 0);
	assert_int_equal(write(fds[1], "through", 7), 7);
	close(fds[1]);
	src = source_from_fd(fds[0], "pipe");
	assert_string_equal(rest_of(src), "through");
	assert_ok(source_check(src));
	source_free(src);
	assert_int_equal(fcntl(fds[0], F_GETFD), -1);
}

TEST(a_descriptor_that_cannot_be_read_says_its_name)
{
	AUTO(source) struct source *src = source_from_fd(dup(tmp_fd), "layer.tar");
	AUTO(err) struct err *err = NULL;

	assert_string_equal(rest_of(src), "");
	err = source_check(src);
	assert_int_equal(err_errno(err), EISDIR);
	assert_non_null(strstr(err_text(err), "layer.tar"));
}

/* ---- sinks ---- */

TEST(a_sink_keeps_its_first_error_and_swallows_the_rest)
{
	struct full f = { .room = 4 };
	struct sink *out = full_sink(&f);

	sink_write(out, "abc", 3);
	assert_false(sink_failed(out));
	sink_write(out, "abc", 3);
	assert_true(sink_failed(out));
	sink_write(out, "a", 1);
	assert_int_equal(f.writes, 2);
	assert_fails(sink_finish(out), ERR_SYSTEM);
	assert_int_equal(f.finishes, 0);
	sink_free(out);
	assert_int_equal(f.freed, 1);
	sink_free(NULL);
}

TEST(a_failed_sink_never_finishes_well)
{
	struct full f = { .room = 0 };
	AUTO(sink) struct sink *out = full_sink(&f);

	sink_write(out, "a", 1);
	assert_fails(sink_check(out), ERR_SYSTEM);
	assert_true(sink_failed(out));
	assert_fails(sink_finish(out), ERR_INTERNAL);
}

TEST(small_and_large_writes_reach_a_file_in_order)
{
	AUTO(buf) struct buf want = BUF_INIT(8 << 20);
	AUTO(buf) struct buf have = BUF_INIT(8 << 20);
	int fd = openat(tmp_fd, "out", O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	AUTO(sink) struct sink *out = sink_to_fd(fd, "out");

	for (size_t i = 0; i < 300; i++) {
		size_t len = i % 50 == 7 ? 65536 + i : i % 50 == 9 ? 65536 : i * 11;
		AUTO(mem) char *piece = xcalloc(len + 1, 1);

		memset(piece, (int)('a' + i % 26), len);
		buf_add(&want, piece, len);
		sink_write(out, piece, len);
	}
	assert_ok(sink_finish(out));
	assert_int_equal(fsync(fd), 0); /* still open */
	assert_ok(file_read(tmp_fd, "out", 8 << 20, &have));
	assert_true(str_equal(buf_str(&want), buf_str(&have)));
}

TEST(a_full_disk_is_reported_by_finish)
{
	AUTO(sink) struct sink *out = sink_to_fd(open("/dev/full", O_WRONLY | O_CLOEXEC), "blob");
	AUTO(err) struct err *err = NULL;

	sink_write(out, "x", 1);
	err = sink_finish(out);
	assert_int_equal(err_errno(err), ENOSPC);
	assert_string_equal(err_text(err), "write blob: No space left on device");
}

TEST(a_buffer_takes_bytes_up_to_its_ceiling)
{
	AUTO(buf) struct buf buf = BUF_INIT(4);
	AUTO(sink) struct sink *out = sink_to_buf(&buf);

	sink_write(out, "abcd", 4);
	assert_false(sink_failed(out));
	assert_string_equal(buf.at, "abcd");
	sink_write(out, "e", 1);
	assert_fails(sink_finish(out), ERR_INVALID);
}

TEST(a_hashing_sink_tells_digest_and_size_when_it_is_finished)
{
	char text[DIGEST_TEXT_SIZE];
	struct full f = { .room = 9 };
	struct digest digest;
	uint64_t size = 77;
	struct sink *out = sink_hash(full_sink(&f), &digest, &size);

	sink_write(out, "ab", 2);
	sink_write(out, "c", 1);
	assert_int_equal(size, 77);
	assert_ok(sink_finish(out));
	assert_string_equal(digest_format(&digest, text), ABC);
	assert_int_equal(size, 3);
	assert_int_equal(f.finishes, 1);
	sink_free(out);
	assert_int_equal(f.freed, 1);
	out = sink_hash(sink_null(), NULL, NULL);
	sink_write(out, "x", 1);
	assert_ok(sink_finish(out));
	sink_free(out);
}

TEST(a_hashing_sink_passes_errors_on)
{
	struct full f = { .room = 1 };
	uint64_t size = 77;
	AUTO(sink) struct sink *out = sink_hash(full_sink(&f), NULL, &size);

	sink_write(out, "abc", 3);
	assert_true(sink_failed(out));
	assert_fails(sink_finish(out), ERR_SYSTEM);
	assert_int_equal(size, 77);
}

/* ---- copies ---- */

TEST(a_copy_of_any_size_is_exact)
{
	static const size_t sizes[] = { 0, 1, 16383, 16384, 16385, 300000, 1000001 };

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		AUTO(mem) char *data = xcalloc(sizes[i] + 1, 1);
		AUTO(buf) struct buf buf = BUF_INIT(1 << 21);
		AUTO(source) struct source *src = source_from_memory(data, sizes[i]);
		AUTO(sink) struct sink *out = sink_to_buf(&buf);
		uint64_t copied;

		for (size_t at = 0; at < sizes[i]; at++)
			data[at] = (char)(at * 31 + at / 251);
		assert_ok(stream_copy(src, out, &copied));
		assert_ok(sink_finish(out));
		assert_int_equal(copied, sizes[i]);
		assert_int_equal(buf.len, sizes[i]);
		assert_memory_equal(buf_str(&buf).at, data, sizes[i]);
	}
}

TEST(a_copy_reports_the_side_that_failed)
{
	struct dripping bad = { "abc", 1, true, 0, 0 };
	struct dripping good = { "abc", 1, false, 0, 0 };
	struct full f = { .room = 2 };
	AUTO(source) struct source *bad_source = dripping(&bad);
	AUTO(source) struct source *good_source = dripping(&good);
	AUTO(sink) struct sink *bad_sink = full_sink(&f);
	AUTO(sink) struct sink *good_sink = sink_null();

	assert_fails(stream_copy(bad_source, good_sink, NULL), ERR_NETWORK);
	assert_fails(stream_copy(good_source, bad_sink, NULL), ERR_SYSTEM);
	assert_int_equal(good.reads, 3); /* and reads no further */
}

static bool copy_after_a_signal(__attribute__((unused)) void *arg)
{
	struct dripping d = { "abc", 1, false, 0, 0 };
	AUTO(source) struct source *src = dripping(&d);
	AUTO(sink) struct sink *out = sink_null();
	AUTO(err) struct err *err = NULL;

	cancel_catch_signals();
	raise(SIGTERM);
	err = stream_copy(src, out, NULL);
	CHECK(err_kind(err) == ERR_CANCELLED);
	return true;
}

TEST(a_copy_ends_when_the_process_is_told_to_stop)
{
	child_run(copy_after_a_signal, NULL);
}

TEST(a_tee_writes_down_what_is_read)
{
	AUTO(buf) struct buf copy = BUF_INIT(8);
	AUTO(sink) struct sink *out = sink_to_buf(&copy);
	AUTO(source) struct source *src = source_tee(source_from_memory("abcdefghijkl", 12), out);
	char got[16];

	assert_int_equal(source_read(src, got, 6), 6);
	assert_memory_equal(got, "abcdef", 6);
	assert_string_equal(copy.at, "abcdef");
	assert_int_equal(source_read(src, got, 6), 0); /* the copy is full */
	assert_fails(source_check(src), ERR_INVALID);
}

TEST(a_borrowed_sink_outlives_what_wraps_it)
{
	AUTO(buf) struct buf text = BUF_INIT(6);
	AUTO(sink) struct sink *out = sink_to_buf(&text);
	struct sink *wrapped = sink_hash(sink_borrow(out), NULL, NULL);

	sink_write(wrapped, "abc", 3);
	assert_ok(sink_finish(wrapped));
	sink_free(wrapped);
	sink_write(out, "def", 3);
	assert_string_equal(text.at, "abcdef");

	wrapped = sink_borrow(out);
	sink_write(wrapped, "g", 1);
	assert_fails(sink_finish(wrapped), ERR_INVALID);
	sink_free(wrapped);
	assert_true(sink_failed(out));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_source_keeps_its_first_error_and_tells_it_once),
		cmocka_unit_test(a_read_of_nothing_is_not_the_end),
		cmocka_unit_test(a_full_read_collects_pieces_or_says_what_is_missing),
		cmocka_unit_test(a_limit_passes_what_fits_and_refuses_one_byte_more),
		cmocka_unit_test(slices_share_a_source_and_take_its_error),
		cmocka_unit_test(what_was_looked_at_comes_again),
		cmocka_unit_test(a_hash_is_of_what_passed),
		cmocka_unit_test(verification_withholds_the_end_of_wrong_content),
		cmocka_unit_test(an_inner_error_comes_out_of_any_chain),
		cmocka_unit_test(a_descriptor_is_read_to_its_end),
		cmocka_unit_test(a_descriptor_that_cannot_be_read_says_its_name),
		cmocka_unit_test(a_sink_keeps_its_first_error_and_swallows_the_rest),
		cmocka_unit_test(a_failed_sink_never_finishes_well),
		cmocka_unit_test(small_and_large_writes_reach_a_file_in_order),
		cmocka_unit_test(a_full_disk_is_reported_by_finish),
		cmocka_unit_test(a_buffer_takes_bytes_up_to_its_ceiling),
		cmocka_unit_test(a_hashing_sink_tells_digest_and_size_when_it_is_finished),
		cmocka_unit_test(a_hashing_sink_passes_errors_on),
		cmocka_unit_test(a_copy_of_any_size_is_exact),
		cmocka_unit_test(a_copy_reports_the_side_that_failed),
		cmocka_unit_test(a_copy_ends_when_the_process_is_told_to_stop),
		cmocka_unit_test(a_tee_writes_down_what_is_read),
		cmocka_unit_test(a_borrowed_sink_outlives_what_wraps_it),
	};

	return cmocka_run_group_tests(tests, tmp_setup, tmp_teardown);
}
