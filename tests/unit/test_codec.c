/* tests/unit/test_codec.c - what other tools write is read, what we write they read. */

#include "tests/unit/unit.h"

#include "base/codec.h"
#include "base/stream.h"
#include "tests/unit/tmp.h"

#define MIB ((size_t)1024 * 1024)

/* ---- data ---- */

static uint32_t next_random(uint32_t *seed)
{
	*seed = *seed * 1664525 + 1013904223;
	return *seed >> 8;
}

/* Short runs of new bytes and copies of old ones, near and far: what a compressor looks for. The
 * same in every run. */
static char *make_data(size_t len)
{
	static const char letters[65] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	char *data = xcalloc(len + 1, 1);
	uint32_t seed = 12345;

	for (size_t i = 0; i < len;) {
		bool copy = i > 600 && next_random(&seed) % 4 > 0;
		size_t reach = next_random(&seed) % 2 ? 600 : i;
		size_t from = copy ? i - 1 - next_random(&seed) % (reach < i ? reach : i) : i;
		size_t run = copy ? 4 + next_random(&seed) % 60 : 1 + next_random(&seed) % 16;

		for (; run > 0 && i < len; run--, i++, from++) {
			const char *at = copy ? &data[from] : &letters[next_random(&seed) % 64];

			data[i] = *at;
		}
	}
	return data;
}

/* `data` compressed; written in pieces of at most `max` bytes, chosen by `seed`. */
static struct buf compressed(const char *how, const char *data, size_t len, unsigned workers,
			     size_t max, uint32_t seed)
{
	struct buf out = BUF_INIT(64 * MIB);
	struct compression compression;
	AUTO(sink) struct sink *sink = NULL;

	assert_ok(compression_parse(str_of(how), &compression));
	sink = codec_sink(sink_to_buf(&out), &compression, workers);
	for (size_t at = 0; at < len;) {
		size_t n = 1 + next_random(&seed) % max;

		n = n < len - at ? n : len - at;
		sink_write(sink, data + at, n);
		at += n;
	}
	assert_ok(sink_finish(sink));
	return out;
}

/* A source that gives one byte at a time. */
static size_t one_byte(void *self, void *data, size_t len, struct err **err)
{
	struct source *inner = self;
	size_t n = source_read(inner, data, len ? 1 : 0);

	if (n == 0)
		*err = source_check(inner);
	return n;
}

static void one_byte_free(void *self)
{
	source_free(self);
}

static struct source *by_single_bytes(struct source *inner)
{
	static const struct source_ops ops = { one_byte, one_byte_free };

	return source_new(&ops, inner);
}

/* Decompress `data`; owns nothing. `*out` is what came before the end or the error. */
static struct err *decompress(struct source *src, enum codec *found, struct buf *out)
{
	AUTO(source) struct source *plain = NULL;
	AUTO(sink) struct sink *sink = sink_to_buf(out);

	TRY(codec_open(src, found, &plain));
	return stream_copy(plain, sink, NULL);
}

static void assert_decompresses(const char *data, size_t len, enum codec codec, const char *want,
				size_t want_len)
{
	AUTO(buf) struct buf out = BUF_INIT(64 * MIB);
	enum codec found = CODEC_NONE;

	assert_ok(decompress(source_from_memory(data, len), &found, &out));
	assert_int_equal(found, codec);
	assert_int_equal(out.len, want_len);
	assert_memory_equal(buf_str(&out).at, want, want_len);
}

static void assert_corrupt(const char *data, size_t len)
{
	AUTO(buf) struct buf out = BUF_INIT(64 * MIB);
	AUTO(buf) struct buf slow = BUF_INIT(64 * MIB);

	assert_fails(decompress(source_from_memory(data, len), NULL, &out), ERR_CORRUPT);
	assert_fails(decompress(by_single_bytes(source_from_memory(data, len)), NULL, &slow),
		     ERR_CORRUPT);
}

/* ---- other tools ---- */

/* Run a shell command in the test's directory; it must exit 0. */
static void run(const char *command)
{
	AUTO(mem) char *line = xasprintf("cd '%s' && %s", tmp_path, command);

	if (system(line) != 0)
		fail_msg("failed: %s", command);
}

static void put(const char *name, const char *data, size_t len)
{
	assert_ok(file_replace(tmp_fd, name, (struct str){ data, len }, 0644, FILE_QUICK));
}

static struct buf get(const char *name)
{
	struct buf buf = BUF_INIT(64 * MIB);

	assert_ok(file_read(tmp_fd, name, 64 * MIB, &buf));
	return buf;
}

/* ---- names ---- */

TEST(compressions_are_parsed_or_explained)
{
	static const struct {
		const char *text;
		enum codec codec;
		int level;
		const char *error; /* part of it */
	} cases[] = {
		{ "none", CODEC_NONE, 0, NULL },
		{ "gzip", CODEC_GZIP, 0, NULL },
		{ "gzip:1", CODEC_GZIP, 1, NULL },
		{ "gzip:12", CODEC_GZIP, 12, NULL },
		{ "zstd", CODEC_ZSTD, 0, NULL },
		{ "zstd:19", CODEC_ZSTD, 19, NULL },
		{ "", 0, 0, "use gzip, zstd or none" },
		{ "xz", 0, 0, "'xz' is no compression: use gzip, zstd or none" },
		{ "Gzip", 0, 0, "use gzip, zstd or none" },
		{ "gzip:13", 0, 0, "levels 1 to 12" },
		{ "gzip:0", 0, 0, "levels 1 to 12" },
		{ "gzip:", 0, 0, "levels 1 to 12" },
		{ "zstd:20", 0, 0, "levels 1 to 19" },
		{ "zstd:-1", 0, 0, "levels 1 to 19" },
		{ "zstd:3:4", 0, 0, "levels 1 to 19" },
		{ "none:1", 0, 0, "'none' has no level" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct compression how = { .level = 77 };
		AUTO(err) struct err *err = compression_parse(str_of(cases[i].text), &how);

		if (cases[i].error) {
			assert_int_equal(err_kind(err), ERR_INVALID);
			assert_non_null(strstr(err_text(err), cases[i].error));
			assert_int_equal(how.level, 77);
			continue;
		}
		assert_null(err);
		assert_int_equal(how.codec, cases[i].codec);
		assert_int_equal(how.level, cases[i].level);
	}
}

TEST(the_first_four_bytes_decide)
{
	const struct {
		struct str head;
		enum codec want;
	} cases[] = {
		{ STR(""), CODEC_NONE },
		{ STR("\x1f\x8b\x08"), CODEC_NONE },
		{ STR("\x1f\x8b\x08\x00"), CODEC_GZIP },
		{ STR("\x1f\x8b\x07\x00"), CODEC_NONE },
		{ STR("\x28\xb5\x2f\xfd"), CODEC_ZSTD },
		{ STR("\x28\xb5\x2f\xfe"), CODEC_NONE },
		{ STR("\x50\x2a\x4d\x18"), CODEC_ZSTD },
		{ STR("\x5f\x2a\x4d\x18"), CODEC_ZSTD },
		{ STR("\x60\x2a\x4d\x18"), CODEC_NONE },
		{ STR("BZh9"), CODEC_NONE },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(codec_detect(cases[i].head.at, cases[i].head.len), cases[i].want);
	assert_string_equal(codec_name(CODEC_NONE), "none");
	assert_string_equal(codec_name(CODEC_GZIP), "gzip");
	assert_string_equal(codec_name(CODEC_ZSTD), "zstd");
}

/* ---- reading ---- */

TEST(what_is_not_compressed_passes_as_it_is)
{
	static const char text[] = "plain";

	for (size_t len = 0; len <= 5; len++) {
		AUTO(buf) struct buf out = BUF_INIT(64);
		struct source *src = by_single_bytes(source_from_memory(text, len));

		assert_ok(decompress(src, NULL, &out));
		assert_true(str_equal(buf_str(&out), (struct str){ text, len }));
	}
}

TEST(files_of_other_tools_are_read)
{
	static const struct {
		const char *command;
		enum codec codec;
	} cases[] = {
		{ "gzip -k -f data && cp data.gz out", CODEC_GZIP }, /* with name and time */
		{ "gzip -1 -n <data >out", CODEC_GZIP },
		{ "gzip -9 -n <data >out", CODEC_GZIP },
		{ "{ gzip <data-1; gzip -1 <data-2; } >out", CODEC_GZIP },
		{ "{ gzip </dev/null; gzip <data; gzip </dev/null; } >out", CODEC_GZIP },
		{ "{ gzip <data; head -c 100000 /dev/zero; } >out", CODEC_GZIP },
		{ "zstd -q <data >out", CODEC_ZSTD },
		{ "zstd -q -f data -o out", CODEC_ZSTD }, /* with its size */
		{ "zstd -q -9 --no-check <data >out", CODEC_ZSTD },
		{ "zstd -q --long=27 <data >out", CODEC_ZSTD },
		{ "{ zstd -q <data-1; zstd -q -1 <data-2; } >out", CODEC_ZSTD },
		{ "{ zstd -q </dev/null; zstd -q <data; } >out", CODEC_ZSTD },
		{ "{ printf 'P*M\\030\\003\\000\\000\\000abc'; zstd -q <data;"
		  " printf '_*M\\030\\000\\000\\000\\000'; } >out",
		  CODEC_ZSTD }, /* skippable frames at both ends */
	};
	AUTO(mem) char *data = make_data(MIB);

	put("data", data, MIB);
	put("data-1", data, MIB / 3);
	put("data-2", data + MIB / 3, MIB - MIB / 3);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(buf) struct buf packed = BUF_INIT(1);

		run(cases[i].command);
		packed = get("out");
		assert_decompresses(packed.at, packed.len, cases[i].codec, data, MIB);
	}
}

/* RFC 1952, 2.3: every optional field, which gzip(1) never writes together. */
TEST(all_fields_of_a_gzip_header_are_skipped)
{
	static const char member[] = "\x1f\x8b\x08\x1e" /* FHCRC, FEXTRA, FNAME, FCOMMENT */
				     "\x01\x02\x03\x04\x00\x03"
				     "\x05\x00" /* extra field of 5 bytes */
				     "ab\x01\x00x"
				     "name\0"
				     "comment\0"
				     "\x4e\x7a" /* CRC-16 of all of the above */
				     "\x03\x00" /* an empty final block */
				     "\0\0\0\0\0\0\0\0";

	char wrong[sizeof(member)];

	assert_decompresses(member, sizeof(member) - 1, CODEC_GZIP, "", 0);
	for (size_t i = 3; i < sizeof(member) - 1; i++) { /* the CRC covers every byte of it */
		memcpy(wrong, member, sizeof(member));
		wrong[i]++;
		assert_corrupt(wrong, sizeof(member) - 1);
	}
}

TEST(single_bytes_in_and_out_make_no_difference)
{
	static const char *const codecs[] = { "gzip", "zstd" };
	AUTO(mem) char *data = make_data(20000);

	for (size_t i = 0; i < ARRAY_SIZE(codecs); i++) {
		AUTO(buf) struct buf packed = compressed(codecs[i], data, 20000, 1, 20000, 1);
		AUTO(buf) struct buf twice = BUF_INIT(MIB);
		AUTO(source) struct source *plain = NULL;
		char c;

		buf_add_str(&twice, buf_str(&packed));
		buf_add_str(&twice, buf_str(&packed)); /* a second member or frame */
		assert_ok(codec_open(by_single_bytes(source_from_memory(twice.at, twice.len)), NULL,
				     &plain));
		for (size_t at = 0; at < 40000; at++) {
			assert_int_equal(source_read(plain, &c, 1), 1);
			assert_int_equal(c, data[at % 20000]);
		}
		assert_int_equal(source_read(plain, &c, 1), 0);
		assert_ok(source_check(plain));
	}
}

TEST(a_part_of_a_file_is_never_taken_for_the_whole)
{
	static const char *const codecs[] = { "gzip", "zstd" };
	AUTO(mem) char *data = make_data(1200);

	for (size_t i = 0; i < ARRAY_SIZE(codecs); i++) {
		AUTO(buf) struct buf packed = compressed(codecs[i], data, 1200, 1, 1200, 1);

		for (size_t len = 4; len < packed.len; len++)
			assert_corrupt(packed.at, len);
	}
}

static void flip(struct buf *buf, size_t bit)
{
	unsigned char *byte = (unsigned char *)buf->at + bit / 8;

	*byte ^= (unsigned char)(1U << bit % 8);
}

/* Some bits mean nothing (a time, the padding of a bit stream), so the law is: an error, or the
 * right content. */
TEST(a_flipped_bit_never_changes_the_content)
{
	static const char *const codecs[] = { "gzip", "zstd" };
	AUTO(mem) char *data = make_data(1200);

	for (size_t i = 0; i < ARRAY_SIZE(codecs); i++) {
		AUTO(buf) struct buf packed = compressed(codecs[i], data, 1200, 1, 1200, 1);
		size_t harmless = 0;

		for (size_t bit = 32; bit < 8 * packed.len; bit++) {
			AUTO(buf) struct buf out = BUF_INIT(64 * MIB);
			AUTO(err) struct err *err = NULL;

			flip(&packed, bit);
			err = decompress(source_from_memory(packed.at, packed.len), NULL, &out);
			flip(&packed, bit);
			if (!err)
				assert_true(str_equal(buf_str(&out), (struct str){ data, 1200 }));
			harmless += !err;
		}
		assert_true(harmless <= 48 + 7); /* gzip: time, system, bits of the last byte */
	}
}

/* RFC 1952, 2.3.1.2: a reserved flag may announce a field that we cannot know. */
TEST(reserved_flags_of_gzip_are_refused)
{
	AUTO(buf) struct buf packed = compressed("gzip", "abc", 3, 1, 3, 1);

	for (size_t bit = 24; bit < 32; bit++) {
		packed.at[3] = '\0';
		flip(&packed, bit);
		if (bit == 24) /* FTEXT is but a remark */
			assert_decompresses(packed.at, packed.len, CODEC_GZIP, "abc", 3);
		else
			assert_corrupt(packed.at, packed.len);
	}
}

TEST(no_member_follows_padding)
{
	AUTO(buf) struct buf packed = compressed("gzip", "abc", 3, 1, 3, 1);
	AUTO(buf) struct buf twice = BUF_INIT(MIB);

	buf_add_str(&twice, buf_str(&packed));
	buf_addc(&twice, '\0');
	assert_decompresses(twice.at, twice.len, CODEC_GZIP, "abc", 3);
	buf_add_str(&twice, buf_str(&packed));
	assert_corrupt(twice.at, twice.len);
}

TEST(nothing_but_padding_may_follow)
{
	const struct {
		const char *codec;
		struct str tail;
	} cases[] = {
		{ "gzip", STR("x") },      { "gzip", STR("\0\0\0\0x") },
		{ "gzip", STR("\x1f") },   { "gzip", STR("\x1f\x8b\x08\x00") },
		{ "gzip", STR("\0\x1f") }, { "gzip", STR("\x28\xb5\x2f\xfd") },
		{ "zstd", STR("x") },      { "zstd", STR("\0\0\0\0") },
		{ "zstd", STR("\x28") },   { "zstd", STR("\x1f\x8b\x08\x00") },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(buf) struct buf packed = compressed(cases[i].codec, "abc", 3, 1, 3, 1);

		buf_add_str(&packed, cases[i].tail);
		assert_corrupt(packed.at, packed.len);
	}
}

/* RFC 8878, 3.1.1: a frame with a window of 2^log bytes and one raw block, "x". */
TEST(the_window_of_a_zstd_frame_is_bounded)
{
	for (int log = 20; log <= 41; log++) {
		const char frame[] = {
			0x28, (char)0xb5, 0x2f, (char)0xfd, 0, (char)((log - 10) << 3), 9, 0, 0, 'x'
		};
		AUTO(buf) struct buf out = BUF_INIT(64);

		assert_fails(decompress(source_from_memory(frame, sizeof(frame)), NULL, &out),
			     log <= 27 ? ERR_NONE : ERR_UNSUPPORTED);
		assert_int_equal(out.len, log <= 27);
	}
}

/* ---- errors of the other side ---- */

struct failing {
	const char *at;
	size_t left;
};

static size_t fail_later(void *self, void *data, size_t len, struct err **err)
{
	struct failing *f = self;
	size_t n = len < f->left ? len : f->left;

	memcpy(data, f->at, n);
	f->at += n;
	f->left -= n;
	if (n == 0)
		*err = err_new(ERR_NETWORK, "connection reset");
	return n;
}

static struct err *refuse(void *self, const void *data, size_t len)
{
	(void)self, (void)data, (void)len;
	return err_new(ERR_SYSTEM, "no space left");
}

static void keep(void *self)
{
	(void)self;
}

TEST(an_error_of_the_source_is_not_hidden)
{
	static const struct source_ops ops = { fail_later, keep };
	static const char *const codecs[] = { "none", "gzip", "zstd" };

	for (size_t i = 0; i < ARRAY_SIZE(codecs); i++) {
		AUTO(buf) struct buf packed = compressed(codecs[i], "abcdef", 6, 1, 6, 1);

		for (size_t len = 0; len <= packed.len; len++) {
			AUTO(buf) struct buf out = BUF_INIT(64);
			struct failing f = { packed.at, len };

			assert_fails(decompress(source_new(&ops, &f), NULL, &out), ERR_NETWORK);
		}
		for (size_t len = 0; len < 4; len++) { /* too few to know the codec */
			struct failing f = { packed.at, len };
			struct source *plain = NULL;

			assert_fails(codec_open(source_new(&ops, &f), NULL, &plain), ERR_NETWORK);
			assert_null(plain);
		}
	}
}

TEST(an_error_of_the_sink_is_not_hidden)
{
	static const struct sink_ops ops = { refuse, NULL, keep };
	AUTO(mem) char *data = make_data(9 * MIB);

	for (enum codec codec = CODEC_NONE; codec <= CODEC_ZSTD; codec++) {
		const struct compression how = { .codec = codec };
		AUTO(sink) struct sink *small = codec_sink(sink_new(&ops, NULL), &how, 2);
		AUTO(sink) struct sink *large = codec_sink(sink_new(&ops, NULL), &how, 2);

		sink_write(small, data, 10);
		assert_fails(sink_finish(small), ERR_SYSTEM);
		for (int i = 0; i < 8 && !sink_failed(large); i++)
			sink_write(large, data, 9 * MIB);
		assert_true(sink_failed(large));
		assert_fails(sink_finish(large), ERR_SYSTEM);
	}
}

TEST(a_sink_may_be_left_in_the_middle)
{
	AUTO(mem) char *data = make_data(5 * MIB);

	for (enum codec codec = CODEC_NONE; codec <= CODEC_ZSTD; codec++) {
		const struct compression how = { .codec = codec };
		struct sink *out = codec_sink(sink_null(), &how, 3);

		sink_write(out, data, 5 * MIB);
		sink_free(out);
		sink_free(codec_sink(sink_null(), &how, 1));
	}
}

/* ---- writing ---- */

TEST(what_was_compressed_comes_back)
{
	static const char *const hows[] = { "none",   "gzip", "gzip:1", "gzip:12",
					    "zstd:1", "zstd", "zstd:4" };
	static const size_t sizes[] = { 0, 1, 65536, MIB - 1, MIB, MIB + 1, 2 * MIB + 7 };
	AUTO(mem) char *data = make_data(5 * MIB);

	for (size_t i = 0; i < ARRAY_SIZE(hows); i++) {
		for (size_t j = 0; j < ARRAY_SIZE(sizes); j++) {
			AUTO(buf)
			struct buf packed =
				compressed(hows[i], data, sizes[j], 2, 300000, (uint32_t)j);
			enum codec codec = hows[i][0] == 'n' ? CODEC_NONE :
					   hows[i][0] == 'g' ? CODEC_GZIP :
							       CODEC_ZSTD;

			assert_decompresses(packed.at, packed.len, codec, data, sizes[j]);
		}
	}
}

TEST(other_tools_read_what_we_write)
{
	static const size_t sizes[] = { 0, 1, MIB, 5 * MIB + 3 };
	AUTO(mem) char *data = make_data(5 * MIB + 3);

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		AUTO(buf) struct buf gzip = compressed("gzip", data, sizes[i], 2, MIB, 3);
		AUTO(buf) struct buf zstd = compressed("zstd", data, sizes[i], 2, MIB, 3);

		put("data", data, sizes[i]);
		put("ours.gz", gzip.at, gzip.len);
		put("ours.zst", zstd.at, zstd.len);
		run("gzip -t ours.gz && gzip -dc ours.gz | cmp - data");
		run("zstd -tq ours.zst && zstd -dcq ours.zst | cmp - data");
		run("zstd -lv ours.zst 2>&1 | grep -q 'Check: XXH64'");
	}
}

TEST(the_number_of_workers_and_the_cuts_do_not_change_a_byte)
{
	static const struct {
		const char *how;
		size_t len; /* several members or jobs, and a rest */
	} cases[] = {
		{ "gzip", 4 * MIB + 1 }, { "gzip:1", 9 * MIB },     { "zstd", 7 * MIB + 9 },
		{ "zstd:1", 6 * MIB },   { "zstd:5", 9 * MIB + 5 },
	};
	static const unsigned workers[] = { 1, 2, 3, 8, 999 };
	AUTO(mem) char *data = make_data(9 * MIB + 5);

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const char *how = cases[i].how;
		AUTO(buf) struct buf want = compressed(how, data, cases[i].len, 1, 9 * MIB, 0);

		for (size_t j = 0; j < ARRAY_SIZE(workers); j++) {
			AUTO(buf)
			struct buf have = compressed(how, data, cases[i].len, workers[j],
						     j % 2 ? 3 * MIB : 9999, (uint32_t)(i * 7 + j));

			assert_true(str_equal(buf_str(&want), buf_str(&have)));
		}
	}
}

TEST(little_input_is_as_independent_of_cuts_and_workers)
{
	static const size_t sizes[] = { 1, 5, 1000, 131071, 131072, 131073, 600000 };
	static const char *const hows[] = { "gzip", "zstd" };
	AUTO(mem) char *data = make_data(600000);

	for (size_t i = 0; i < ARRAY_SIZE(hows); i++) {
		for (size_t j = 0; j < ARRAY_SIZE(sizes); j++) {
			AUTO(buf)
			struct buf want = compressed(hows[i], data, sizes[j], 1, sizes[j], 0);
			AUTO(buf) struct buf have = compressed(hows[i], data, sizes[j], 4, 777, 5);

			assert_true(str_equal(buf_str(&want), buf_str(&have)));
		}
	}
}

/* RFC 1952, 2.3.1: no flags, no time, unknown system; RFC 8878, 3.1.1.1: a checksum, no size. */
TEST(headers_tell_nothing_about_where_and_when)
{
	AUTO(buf) struct buf gzip = compressed("gzip", "abc", 3, 1, 3, 0);
	AUTO(buf) struct buf zstd = compressed("zstd", "abc", 3, 1, 3, 0);

	assert_memory_equal(gzip.at, "\x1f\x8b\x08\0\0\0\0\0\0\xff", 10);
	assert_memory_equal(zstd.at, "\x28\xb5\x2f\xfd\x04", 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(compressions_are_parsed_or_explained),
		cmocka_unit_test(the_first_four_bytes_decide),
		cmocka_unit_test(what_is_not_compressed_passes_as_it_is),
		cmocka_unit_test(files_of_other_tools_are_read),
		cmocka_unit_test(all_fields_of_a_gzip_header_are_skipped),
		cmocka_unit_test(single_bytes_in_and_out_make_no_difference),
		cmocka_unit_test(a_part_of_a_file_is_never_taken_for_the_whole),
		cmocka_unit_test(a_flipped_bit_never_changes_the_content),
		cmocka_unit_test(reserved_flags_of_gzip_are_refused),
		cmocka_unit_test(no_member_follows_padding),
		cmocka_unit_test(nothing_but_padding_may_follow),
		cmocka_unit_test(the_window_of_a_zstd_frame_is_bounded),
		cmocka_unit_test(an_error_of_the_source_is_not_hidden),
		cmocka_unit_test(an_error_of_the_sink_is_not_hidden),
		cmocka_unit_test(a_sink_may_be_left_in_the_middle),
		cmocka_unit_test(what_was_compressed_comes_back),
		cmocka_unit_test(other_tools_read_what_we_write),
		cmocka_unit_test(the_number_of_workers_and_the_cuts_do_not_change_a_byte),
		cmocka_unit_test(little_input_is_as_independent_of_cuts_and_workers),
		cmocka_unit_test(headers_tell_nothing_about_where_and_when),
	};

	return cmocka_run_group_tests(tests, tmp_setup, tmp_teardown);
}
