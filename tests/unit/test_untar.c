/* tests/unit/test_untar.c - archives of every tool, whole and broken, in any pieces. */

#include "tests/unit/archive.h"

#include <dirent.h>

/* ---- archives of real tools ---- */

#define ZEROS_120 "0*1197"
#define DEEP "0*591/0*592"
#define DIR_ "d 755 0:0 0 1700000000 dir/\n"
#define EMPTY "f 644 0:0 0 1700000000 dir/empty\n"
#define FILE_ "f 644 0:0 6 1700000000 dir/file hello\\x0a\n"
#define HARD "h 644 0:0 0 1700000000 dir/hard -> dir/file\n"
#define SOFT "l 777 0:0 0 1700000000 dir/soft -> file\n"
#define SHORT DIR_ EMPTY FILE_ HARD SOFT
#define NUL "c 666 0:0 0 1700000000 dir/null 1,3\n"
#define PIPE "p 600 0:0 0 1700000000 dir/pipe\n"
#define DEEPER "f 644 0:0 4 1700000000 " DEEP " deep\n"
#define LONG "f 644 0:0 4 1700000000 " ZEROS_120 " long\n"
#define LONGLINK "l 777 0:0 0 1700000000 longlink -> " ZEROS_120 "\n"
#define ODD "f 644 0:0 1 1700000000 caf\\xc3\\xa9\\x20\\xff x\n"
#define HOLE(letter) "\\x00*512" letter "*512"
#define SPARSE                                                                                  \
	"f 644 0:0 72192 1700000000 sparse " HOLE("a") HOLE("b") HOLE("c") HOLE("d") HOLE("e")  \
		HOLE("f") HOLE("g") HOLE("h") HOLE("i") HOLE("j") HOLE("k") HOLE("l") HOLE("m") \
			HOLE("n") HOLE("o") HOLE("p") HOLE("q") HOLE("r") HOLE("s") HOLE("t")   \
				HOLE("u") HOLE("v") HOLE("w") HOLE("x") HOLE("y") HOLE("z")     \
					HOLE("a") HOLE("b") HOLE("c") HOLE("d") "\\x00*41472\n"
#define XATTR(ids, time, xattrs) "f 4755 " ids " 4 " time " attr attr" xattrs "\n"
#define BOTH_XATTRS " user.none= user.one=v=1\\x0a2"

TEST(reads_what_every_tool_writes)
{
	/* What tests/fuzz/make-untar-corpus.sh has put into the archives. */
	static const struct {
		const char *archive, *want;
	} cases[] = {
		{ "gnu-v7", SHORT ODD },
		{ "gnu-ustar", SHORT NUL PIPE DEEPER ODD },
		{ "gnu-oldgnu", SHORT NUL PIPE DEEPER LONG LONGLINK ODD },
		{ "gnu-gnu", SHORT NUL PIPE DEEPER LONG LONGLINK ODD },
		{ "gnu-pax", SHORT NUL PIPE DEEPER LONG LONGLINK ODD },
		{ "gnu-pax-global", "f 644 7:0 6 1700000000 dir/file hello\\x0a\n"
				    "f 644 7:0 0 1700000000 dir/empty\n" },
		{ "gnu-label", FILE_ },
		{ "gnu-sparse-old", SPARSE FILE_ },
		{ "gnu-sparse-0.0", SPARSE FILE_ },
		{ "gnu-sparse-0.1", SPARSE FILE_ },
		{ "gnu-sparse-1.0", SPARSE FILE_ },
		{ "gnu-xattr", XATTR("0:0", "-2", BOTH_XATTRS) },
		{ "gnu-base256", XATTR("3000000:4000000000", "-2", "") },
		{ "pax-large-ids", XATTR("3000000:4000000000", "-2", "") },
		{ "bsdtar-v7", SHORT },
		{ "bsdtar-ustar", SHORT NUL PIPE DEEPER },
		{ "bsdtar-gnutar", SHORT NUL PIPE DEEPER LONG LONGLINK },
		{ "bsdtar-pax", SHORT NUL PIPE DEEPER LONG LONGLINK ODD },
		/* libarchive 3.6 writes the time -1.5 as "-2.5". */
		{ "bsdtar-xattr", XATTR("0:0", "-3", BOTH_XATTRS) },
		{ "python-ustar", SHORT NUL PIPE DEEPER ODD },
		{ "python-gnu", SHORT NUL PIPE DEEPER LONG LONGLINK ODD },
		{ "python-pax", SHORT NUL PIPE DEEPER LONG LONGLINK ODD },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(mem)
		char *path = xasprintf("tests/fuzz/corpus/untar/%s.tar", cases[i].archive);
		AUTO(buf) struct buf text = BUF_INIT(BUF_MAX);

		read_file(path, &text);
		for (size_t step = 1; step <= 100000; step *= 10) {
			AUTO(buf) struct buf got = BUF_INIT(BUF_MAX);

			assert_ok(err_wrap(list(buf_str(&text), NULL, step, &got), "%s", path));
			if (strcmp(got.at, cases[i].want) != 0)
				fail_msg("%s:\n%swanted:\n%s", path, got.at, cases[i].want);
		}
	}
}

/* ---- the stream below ---- */

/* Gives bytes a few at a time, and an error behind them. */
struct dripping {
	struct str left;
	size_t step;
	bool fails;
};

static size_t drip(void *self, void *data, size_t len, struct err **err)
{
	struct dripping *from = self;

	if (len > from->step)
		len = from->step;
	if (len > from->left.len)
		len = from->left.len;
	if (len > 0)
		memcpy(data, from->left.at, len);
	if (len == 0 && from->fails)
		*err = err_new(ERR_NETWORK, "the line is cut");
	from->left.at += len;
	from->left.len -= len;
	return len;
}

static void leave(__attribute__((unused)) void *self)
{
}

static const struct source_ops dripping_ops = { drip, leave };

TEST(does_not_care_how_the_bytes_arrive)
{
	AUTO(buf) struct buf text = BUF_INIT(BUF_MAX);

	read_file("tests/fuzz/corpus/untar/gnu-sparse-1.0.tar", &text);
	for (size_t step = 1; step < 2000; step = step * 3 + 1) {
		struct dripping from = { buf_str(&text), step, false };
		AUTO(source) struct source *src = source_new(&dripping_ops, &from);
		AUTO(tar_reader) struct tar_reader *tar = tar_reader_new(src, NULL);
		const struct tar_entry *entry;
		char content[72192];

		assert_ok(tar_reader_next(tar, &entry));
		assert_string_equal(entry->path, "sparse");
		assert_ok(source_read_full(tar_reader_content(tar), content, sizeof(content)));
		assert_int_equal(content[72191], 0);
		assert_int_equal(content[30719], 'd');
		assert_ok(tar_reader_next(tar, &entry));
		assert_string_equal(entry->path, "dir/file");
		assert_ok(tar_reader_next(tar, &entry));
		assert_null(entry);
		assert_ok(tar_reader_next(tar, &entry));
		assert_null(entry);
		assert_int_equal(from.left.len, 0);
	}
}

TEST(passes_on_the_errors_of_its_source_for_good)
{
	AUTO(buf) struct buf text = BUF_INIT(BUF_MAX);

	read_file("tests/fuzz/corpus/untar/gnu-sparse-old.tar", &text);
	for (size_t len = 0; len < text.len; len += 100) {
		struct dripping from = { { text.at, len }, 1000, true };
		AUTO(source) struct source *src = source_new(&dripping_ops, &from);
		AUTO(tar_reader) struct tar_reader *tar = tar_reader_new(src, NULL);
		const struct tar_entry *entry = NULL;
		struct err *err;

		while (!(err = tar_reader_next(tar, &entry)))
			assert_non_null(entry);
		assert_int_equal(err_kind(err), ERR_NETWORK);
		err_free(err);
		assert_fails(tar_reader_next(tar, &entry), ERR_NETWORK);
	}
}

TEST(content_that_ends_early_is_an_error_of_both)
{
	const struct piece pieces[PIECES] = {
		{ .type = '0', .name = "f", BODY("abc"), .patch = { { SIZE, STR("00000002000") } } }
	};
	AUTO(buf) struct buf text = BUF_INIT(BUF_MAX);
	AUTO(source) struct source *src = NULL;
	AUTO(tar_reader) struct tar_reader *tar = NULL;
	const struct tar_entry *entry;
	char content[2048];

	build(&text, pieces);
	src = source_from_memory(text.at, text.len);
	tar = tar_reader_new(src, NULL);
	assert_ok(tar_reader_next(tar, &entry));
	assert_int_equal(source_read(tar_reader_content(tar), content, sizeof(content)), 512);
	assert_int_equal(source_read(tar_reader_content(tar), content, sizeof(content)), 0);
	assert_fails(source_check(tar_reader_content(tar)), ERR_CORRUPT);
	assert_fails(tar_reader_next(tar, &entry), ERR_CORRUPT);
}

/* Zeros, as many as there are left. */
static size_t zeros_read(void *self, void *data, size_t len, struct err **err)
{
	uint64_t *left = self;
	size_t count = len < *left ? len : (size_t)*left;

	(void)err; /* cannot fail */
	memset(data, 0, count);
	*left -= count;
	return count;
}

static void zeros_free(__attribute__((unused)) void *self)
{
}

TEST(what_follows_the_end_has_an_end)
{
	static const struct source_ops ops = { zeros_read, zeros_free };
	static const struct {
		uint64_t zeros;
		enum err_kind want;
	} cases[] = { { 1024, ERR_NONE },
		      { 1024 + (UINT64_C(64) << 20), ERR_NONE },
		      { 1025 + (UINT64_C(64) << 20), ERR_INVALID },
		      { UINT64_MAX, ERR_INVALID } };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint64_t left = cases[i].zeros;
		AUTO(source) struct source *src = source_new(&ops, &left);
		AUTO(tar_reader) struct tar_reader *tar = tar_reader_new(src, NULL);
		const struct tar_entry *entry;

		assert_fails(tar_reader_next(tar, &entry), cases[i].want);
	}
}

TEST(any_prefix_of_an_archive_is_read_or_refused)
{
	static const char *const archives[] = { "gnu-pax-global", "gnu-xattr", "bsdtar-v7",
						"gnu-label" };

	for (size_t i = 0; i < ARRAY_SIZE(archives); i++) {
		AUTO(mem) char *path = xasprintf("tests/fuzz/corpus/untar/%s.tar", archives[i]);
		AUTO(buf) struct buf text = BUF_INIT(BUF_MAX);

		read_file(path, &text);
		for (size_t len = 0; len < text.len; len++) {
			AUTO(buf) struct buf got = BUF_INIT(BUF_MAX);
			/* Memory of its own, so that a sanitizer sees the end. */
			AUTO(mem) char *prefix = xmemdup(text.at, len);
			AUTO(err)
			struct err *err = list((struct str){ prefix, len }, NULL, 7, &got);

			if (err)
				assert_int_equal(err_kind(err), ERR_CORRUPT);
		}
	}
}

/* ---- round trip ---- */

TEST(reads_back_what_the_canonical_writer_writes)
{
	DIR *dir = opendir("tests/golden/tar");
	size_t count = 0;

	assert_non_null(dir);
	for (const struct dirent *file; (file = readdir(dir));) {
		AUTO(mem) char *path = xasprintf("tests/golden/tar/%s", file->d_name);
		AUTO(buf) struct buf text = BUF_INIT(BUF_MAX);
		AUTO(buf) struct buf again = BUF_INIT(BUF_MAX);
		AUTO(source) struct source *src = NULL;
		AUTO(tar_reader) struct tar_reader *tar = NULL;
		const struct tar_entry *entry;

		if (file->d_name[0] == '.')
			continue;
		read_file(path, &text);
		src = source_from_memory(text.at, text.len);
		tar = tar_reader_new(src, NULL);
		assert_ok(err_wrap(tar_reader_next(tar, &entry), "%s", path));
		assert_ok(err_wrap(tar_encode_header(entry, &again), "%s", path));
		if (again.len > text.len || memcmp(again.at, text.at, again.len) != 0)
			fail_msg("%s comes back otherwise", path);
		count++;
	}
	closedir(dir);
	assert_true(count > 50);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_what_every_tool_writes),
		cmocka_unit_test(does_not_care_how_the_bytes_arrive),
		cmocka_unit_test(passes_on_the_errors_of_its_source_for_good),
		cmocka_unit_test(content_that_ends_early_is_an_error_of_both),
		cmocka_unit_test(what_follows_the_end_has_an_end),
		cmocka_unit_test(any_prefix_of_an_archive_is_read_or_refused),
		cmocka_unit_test(reads_back_what_the_canonical_writer_writes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
