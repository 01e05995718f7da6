/* tests/unit/test_tar.c - the canonical tar, byte for byte, and what it refuses. */

#include "tests/unit/archive.h"

#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "base/stream.h"
#include "base/tar.h"
#include "base/vec.h"

#define NOW 1700000000
#define BROKEN "\xff\xe4" /* not UTF-8 */

struct vector {
	const char *golden; /* tests/golden/tar/NAME.tar, made by tests/golden/tar.py */
	const char *content;
	struct tar_entry entry;
};

static struct strings kept; /* texts of the vectors, until the program ends */

static const char *keep(char *text)
{
	strings_push(&kept, text);
	free(text);
	return *vec_last(&kept);
}

/* `count` times `text`, and then `end`. */
static const char *many(size_t count, const char *text, const char *end)
{
	AUTO(buf) struct buf buf = BUF_INIT(BUF_MAX);

	while (count-- > 0)
		buf_adds(&buf, text);
	buf_adds(&buf, end);
	return keep(buf_steal(&buf));
}

static const char *join(const char *a, const char *b, const char *c)
{
	return keep(xasprintf("%s%s%s", a, b, c));
}

/* The last argument begins with the time; initialisers of more fields may follow. */
#define ENTRY(kind, name, target, bits, ...)                                      \
	{                                                                         \
		.type = (kind), .path = (name), .link = (target), .mode = (bits), \
		.mtime = __VA_ARGS__                                              \
	}
#define XATTRS(list) .xattrs = (list), .xattr_count = ARRAY_SIZE(list)

/* The whole archive of one entry: headers, content, padding, end. */
static void write_archive(struct buf *out, const struct vector *vector)
{
	AUTO(sink) struct sink *sink = sink_to_buf(out);

	assert_ok(tar_write_header(sink, &vector->entry));
	if (vector->content || vector->entry.size == 0) {
		if (vector->content)
			sink_write(sink, vector->content, vector->entry.size);
		tar_write_padding(sink, vector->entry.size);
		tar_write_end(sink);
	}
	assert_ok(sink_finish(sink));
}

static void read_golden(const char *name, struct buf *out)
{
	AUTO(mem) char *path = xasprintf("tests/golden/tar/%s.tar", name);

	read_file(path, out);
}

/* How much write_archive() writes behind the headers. */
static size_t archive_tail(const struct vector *vector)
{
	size_t size = vector->content ? vector->entry.size : 0;

	if (!vector->content && vector->entry.size > 0)
		return 0;
	return size + -size % TAR_BLOCK_SIZE + (size_t)2 * TAR_BLOCK_SIZE;
}

static void compare_with_golden(const struct vector *vector)
{
	AUTO(buf) struct buf got = BUF_INIT(BUF_MAX);
	AUTO(buf) struct buf want = BUF_INIT(BUF_MAX);
	AUTO(buf) struct buf header = BUF_INIT(BUF_MAX);

	write_archive(&got, vector);
	read_golden(vector->golden, &want);
	if (!str_equal(buf_str(&got), buf_str(&want)))
		fail_msg("%s differs from its golden file", vector->golden);

	assert_ok(tar_encode_header(&vector->entry, &header));
	assert_int_equal(header.len, want.len - archive_tail(vector));
	assert_memory_equal(header.at, want.at, header.len);
}

TEST(plain_entries_have_the_bytes_of_the_golden_files)
{
	const char *x512 = many(512, "x", "");
	const char *x513 = many(513, "x", "");
	const struct vector vectors[] = {
		{ "plain", "hello\n", ENTRY(TAR_FILE, "etc/hostname", NULL, 0644, NOW, .size = 6) },
		{ "content-512", x512, ENTRY(TAR_FILE, "etc/block", NULL, 0644, NOW, .size = 512) },
		{ "content-513", x513, ENTRY(TAR_FILE, "etc/block", NULL, 0644, NOW, .size = 513) },
		{ "dir", NULL, ENTRY(TAR_DIR, "etc/", NULL, 0755, NOW) },
		{ "root", NULL, ENTRY(TAR_DIR, "./", NULL, 0755, NOW) },
		{ "symlink", NULL, ENTRY(TAR_SYMLINK, "bin", "usr/bin", 0777, NOW) },
		{ "hardlink", NULL, ENTRY(TAR_HARDLINK, "b/two", "a/one", 0644, NOW) },
		{ "char", NULL,
		  ENTRY(TAR_CHAR, "dev/console", NULL, 0600, NOW, .dev_major = 5, .dev_minor = 1) },
		{ "block", NULL,
		  ENTRY(TAR_BLOCK, "dev/a", NULL, 0660, NOW, .gid = 6, .dev_major = 255,
			.dev_minor = 255) },
		{ "dev-large", NULL,
		  ENTRY(TAR_CHAR, "dev/b", NULL, 0644, NOW, .dev_major = 4095,
			.dev_minor = 1048575) },
		{ "fifo", NULL, ENTRY(TAR_FIFO, "run/pipe", NULL, 0600, NOW) },
		{ "whiteout", NULL, ENTRY(TAR_FILE, "etc/.wh.hostname", NULL, 0, 0) },
		{ "mode-all", NULL, ENTRY(TAR_FILE, "bin/x", NULL, 07777, NOW) },
	};

	for (size_t i = 0; i < ARRAY_SIZE(vectors); i++)
		compare_with_golden(&vectors[i]);
}

TEST(long_names_have_the_bytes_of_the_golden_files)
{
	const char *a49 = many(49, "a", "/"), *b49 = many(49, "b", "/"), *c60 = many(60, "c", "");
	const char *a80 = many(80, "a", "/"), *b70 = many(70, "b", "/"), *c90 = many(90, "c", "");
	const char *a154 = many(154, "a", "/"), *a155 = many(155, "a", "/");
	const char *b98 = many(98, "b", ""), *b99 = many(99, "b", "");
	const char *b100 = many(100, "b", ""), *b101 = many(101, "b", "");
	const char *d63 = many(63, "d", "/");
	const char *a100 = many(100, "a", ""), *a101 = many(101, "a", "");
	const struct {
		const char *golden;
		enum tar_type type;
		const char *path, *link;
	} cases[] = {
		{ "name-99", TAR_FILE, many(99, "a", ""), NULL },
		{ "name-100", TAR_FILE, a100, NULL },
		{ "name-101", TAR_FILE, a101, NULL },
		{ "name-4096", TAR_FILE, many(63, d63, many(64, "c", "")), NULL },
		{ "dir-100", TAR_DIR, many(99, "a", "/"), NULL },
		{ "dir-101", TAR_DIR, many(100, "a", "/"), NULL },
		{ "split-154", TAR_FILE, join(a154, b100, ""), NULL },
		{ "split-155", TAR_FILE, join(a155, b100, ""), NULL },
		{ "split-156", TAR_FILE, join("a", a155, b98), NULL },
		{ "split-255", TAR_FILE, join(a155, b99, ""), NULL },
		{ "split-257", TAR_FILE, join(a155, b101, ""), NULL },
		{ "split-dir", TAR_DIR, join(a155, b99, "/"), NULL },
		{ "split-last", TAR_FILE, join(a49, b49, c60), NULL },
		{ "split-two", TAR_FILE, join(a80, b70, c90), NULL },
		{ "split-none", TAR_FILE, join(many(20, "a", "/"), b101, ""), NULL },
		{ "link-100", TAR_SYMLINK, "l", a100 },
		{ "link-101", TAR_SYMLINK, "l", a101 },
		{ "hardlink-101", TAR_HARDLINK, "l",
		  join(many(50, "a", "/"), many(50, "b", ""), "") },
		{ "utf8", TAR_FILE, "caf\xc3\xa4", NULL },
		{ "utf8-long", TAR_FILE, many(60, "\xc3\xa4", ""), NULL },
		{ "utf8-cut", TAR_FILE, join("d/", many(85, "x", ""), many(10, "\xc3\xa4", "")),
		  NULL },
		{ "binary", TAR_FILE, "caf" BROKEN, NULL },
		{ "binary-long", TAR_FILE, many(60, BROKEN, ""), NULL },
		{ "binary-link", TAR_SYMLINK, "l", many(60, BROKEN, "") },
		{ "odd-bytes", TAR_FILE, "new\nline\\tab\t'q\" end ", NULL },
		{ "odd-link", TAR_SYMLINK, "l ", " \n=" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct vector vector = { cases[i].golden, NULL,
					       ENTRY(cases[i].type, cases[i].path, cases[i].link,
						     cases[i].type == TAR_SYMLINK ? 0777 : 0644,
						     NOW) };

		compare_with_golden(&vector);
	}
}

TEST(numbers_have_the_bytes_of_the_golden_files)
{
	const struct {
		const char *golden;
		uint32_t uid, gid;
		int64_t mtime;
		uint64_t size;
	} cases[] = {
		{ "uid-2097151", 2097151, 2097151, NOW, 0 },
		{ "uid-2097152", 2097152, 3, NOW, 0 },
		{ "gid-2097152", 3, 2097152, NOW, 0 },
		{ "uid-max", UINT32_MAX - 1, UINT32_MAX - 1, NOW, 0 },
		{ "mtime-0", 0, 0, 0, 0 },
		{ "mtime-minus-1", 0, 0, -1, 0 },
		{ "mtime-octal-max", 0, 0, INT64_C(8589934591), 0 },
		{ "mtime-2-to-33", 0, 0, INT64_C(8589934592), 0 },
		{ "size-below-8G", 0, 0, NOW, UINT64_C(8589934591) },
		{ "size-8G", 0, 0, NOW, UINT64_C(8589934592) },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct vector vector = { cases[i].golden, NULL,
					       ENTRY(TAR_FILE, "f", NULL, 0644, cases[i].mtime,
						     .uid = cases[i].uid, .gid = cases[i].gid,
						     .size = cases[i].size) };

		compare_with_golden(&vector);
	}
}

TEST(xattrs_have_the_bytes_of_the_golden_files)
{
	static const char capability[] = "\1\0\0\3\0\x20\0\0\0\0\0\0\0\0\0\0\0\0\0\0\xe8\3\0";
	char large[64 * 1024];
	const struct tar_xattr any[] = { { "user.a", STR("one\ntwo\0=three\0") } };
	const struct tar_xattr empty[] = { { "user.empty", { "", 0 } } };
	const struct tar_xattr full[] = { { "user.large", { large, sizeof(large) } } };
	const struct tar_xattr caps[] = { { "security.capability", { capability, 24 } } };
	const struct tar_xattr odd[] = { { "user.%41\n b", STR("v") } };
	const struct tar_xattr sorted[] = { { "security.x", STR("1") },
					    { "user.a", STR("3") },
					    { "user.a.b", STR("4") },
					    { "user.b", STR("2") } };
	const struct tar_xattr two[] = { { "trusted.a", STR("\0") }, { "trusted.b", { NULL, 0 } } };
	const struct vector vectors[] = {
		{ "xattr-any-bytes", NULL, ENTRY(TAR_FILE, "f", NULL, 0644, NOW, XATTRS(any)) },
		{ "xattr-empty", NULL, ENTRY(TAR_FILE, "f", NULL, 0644, NOW, XATTRS(empty)) },
		{ "xattr-64K", NULL, ENTRY(TAR_FILE, "f", NULL, 0644, NOW, XATTRS(full)) },
		{ "xattr-capability", "#!\n",
		  ENTRY(TAR_FILE, "bin/ping", NULL, 0755, NOW, .size = 3, XATTRS(caps)) },
		{ "xattr-sorted", NULL, ENTRY(TAR_DIR, "d/", NULL, 0755, NOW, XATTRS(sorted)) },
		{ "xattr-odd-name", NULL, ENTRY(TAR_FILE, "f", NULL, 0644, NOW, XATTRS(odd)) },
		{ "everything", NULL,
		  ENTRY(TAR_SYMLINK, many(51, BROKEN, ""), many(101, "a", ""), 07777,
			-(INT64_C(1) << 40), .uid = UINT32_C(1) << 31, .gid = UINT32_C(1) << 31,
			XATTRS(two)) },
	};

	for (size_t i = 0; i < sizeof(large); i++)
		large[i] = (char)i;
	for (size_t i = 0; i < ARRAY_SIZE(vectors); i++)
		compare_with_golden(&vectors[i]);
}

TEST(a_record_counts_its_own_digits)
{
	/* What a record has besides its value and its length. */
	const size_t rest = strlen(" SCHILY.xattr.user.a=\n");
	const size_t lengths[] = { 96, 97, 98, 99, 995, 996, 997 };
	const char *text = many(1000, "x", "");

	for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
		const struct tar_xattr xattr = { "user.a", { text, lengths[i] - rest } };
		const struct vector vector = { keep(xasprintf("record-%zu", lengths[i])), NULL,
					       ENTRY(TAR_FILE, "f", NULL, 0644, NOW,
						     .xattrs = &xattr, .xattr_count = 1) };

		compare_with_golden(&vector);
	}
}

TEST(refuses_what_it_cannot_say)
{
	static char large[TAR_XATTR_MAX + 1];
	const struct tar_xattr unsorted[] = { { "b", STR("") }, { "a", STR("") } };
	const struct tar_xattr twice[] = { { "a", STR("") }, { "a", STR("") } };
	const struct tar_xattr nameless[] = { { "", STR("") } };
	const struct tar_xattr equals[] = { { "user.a=b", STR("") } };
	const struct tar_xattr huge[] = { { "user.a", { large, sizeof(large) } } };
	const struct tar_entry cases[] = {
		ENTRY(TAR_FILE, "", NULL, 0, 0),
		ENTRY(TAR_FILE, "/etc", NULL, 0, 0),
		ENTRY(TAR_FILE, "./etc", NULL, 0, 0),
		ENTRY(TAR_DIR, "./etc/", NULL, 0, 0),
		ENTRY(TAR_FILE, "./", NULL, 0, 0),
		ENTRY(TAR_FILE, "etc/", NULL, 0, 0),
		ENTRY(TAR_SYMLINK, "etc/", "x", 0, 0),
		ENTRY(TAR_DIR, "etc", NULL, 0, 0),
		ENTRY(TAR_DIR, "/", NULL, 0, 0),
		ENTRY(TAR_FILE, many(4097, "a", ""), NULL, 0, 0),
		ENTRY(TAR_SYMLINK, "l", many(4097, "a", ""), 0, 0),
		ENTRY(TAR_SYMLINK, "l", NULL, 0, 0),
		ENTRY(TAR_HARDLINK, "l", "", 0, 0),
		ENTRY(TAR_FILE, "f", "target", 0, 0),
		ENTRY(TAR_FILE, "f", NULL, 010000, 0),
		ENTRY(TAR_FILE, "f", NULL, 0, 0, .uid = UINT32_MAX),
		ENTRY(TAR_FILE, "f", NULL, 0, 0, .gid = UINT32_MAX),
		ENTRY(TAR_FILE, "f", NULL, 0, 0, .size = UINT64_C(1) << 63),
		ENTRY(TAR_DIR, "d/", NULL, 0, 0, .size = 1),
		ENTRY(TAR_HARDLINK, "h", "f", 0, 0, .size = 1),
		ENTRY(TAR_CHAR, "c", NULL, 0, 0, .dev_major = 2097152),
		ENTRY(TAR_BLOCK, "b", NULL, 0, 0, .dev_minor = 2097152),
		ENTRY(TAR_FILE, "f", NULL, 0, 0, .dev_minor = 1),
		ENTRY(TAR_FILE, "f", NULL, 0, 0, XATTRS(unsorted)),
		ENTRY(TAR_FILE, "f", NULL, 0, 0, XATTRS(twice)),
		ENTRY(TAR_FILE, "f", NULL, 0, 0, XATTRS(nameless)),
		ENTRY(TAR_FILE, "f", NULL, 0, 0, XATTRS(equals)),
		ENTRY(TAR_FILE, "f", NULL, 0, 0, XATTRS(huge)),
	};
	AUTO(buf) struct buf buf = BUF_INIT(BUF_MAX);

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(err) struct err *err = tar_encode_header(&cases[i], &buf);

		if (err_kind(err) != ERR_INVALID || buf.len > 0)
			fail_msg("case %zu gets through", i);
	}
}

TEST(all_headers_of_an_entry_have_a_ceiling)
{
	static char value[TAR_XATTR_MAX];
	struct tar_xattr xattrs[40];
	struct tar_entry entry = ENTRY(TAR_FILE, "f", NULL, 0644, 0, .xattrs = xattrs);
	AUTO(buf) struct buf buf = BUF_INIT(TAR_HEADER_MAX);

	for (size_t i = 0; i < ARRAY_SIZE(xattrs); i++)
		xattrs[i] = (struct tar_xattr){ keep(xasprintf("user.%02zu", i)),
						{ value, sizeof(value) } };
	entry.xattr_count = 31; /* 2 MiB hold 31 of them, but not 32 with their names */
	assert_ok(tar_encode_header(&entry, &buf));
	buf_reset(&buf);
	entry.xattr_count = 32;
	assert_fails(tar_encode_header(&entry, &buf), ERR_INVALID);
	assert_int_equal(buf.len, 0);
}

TEST(what_has_no_place_below_a_directory_is_told)
{
	const struct {
		struct tar_entry entry;
		enum err_kind want;
	} cases[] = {
		{ ENTRY(TAR_FILE, "a/b", NULL, 0, 0), ERR_NONE },
		{ ENTRY(TAR_FILE, "/etc/passwd", NULL, 0, 0), ERR_NONE },
		{ ENTRY(TAR_FILE, "./a//./b", NULL, 0, 0), ERR_NONE },
		{ ENTRY(TAR_FILE, "...", NULL, 0, 0), ERR_NONE },
		{ ENTRY(TAR_FILE, "..a/b..", NULL, 0, 0), ERR_NONE },
		{ ENTRY(TAR_FILE, many(255, "a", ""), NULL, 0, 0), ERR_NONE },
		{ ENTRY(TAR_DIR, "./", NULL, 0, 0), ERR_NONE },
		{ ENTRY(TAR_DIR, "/", NULL, 0, 0), ERR_NONE },
		{ ENTRY(TAR_SYMLINK, "l", "../../etc", 0, 0), ERR_NONE },
		{ ENTRY(TAR_HARDLINK, "l", "./a", 0, 0), ERR_NONE },
		{ ENTRY(TAR_CHAR, "d", NULL, 0, 0, .dev_minor = 1), ERR_NONE },
		{ ENTRY(TAR_CHAR, "d", NULL, 0, 0, .dev_major = 1), ERR_NONE },
		{ ENTRY(TAR_BLOCK, "d", NULL, 0, 0), ERR_NONE },
		{ ENTRY(TAR_FILE, "../a", NULL, 0, 0), ERR_INVALID },
		{ ENTRY(TAR_FILE, "/../a", NULL, 0, 0), ERR_INVALID },
		{ ENTRY(TAR_FILE, "a/../b", NULL, 0, 0), ERR_INVALID },
		{ ENTRY(TAR_DIR, "a/..", NULL, 0, 0), ERR_INVALID },
		{ ENTRY(TAR_DIR, "..", NULL, 0, 0), ERR_INVALID },
		{ ENTRY(TAR_FILE, many(256, "a", "/b"), NULL, 0, 0), ERR_INVALID },
		{ ENTRY(TAR_FILE, "./", NULL, 0, 0), ERR_INVALID },
		{ ENTRY(TAR_SYMLINK, "/", "a", 0, 0), ERR_INVALID },
		{ ENTRY(TAR_HARDLINK, "l", "../a", 0, 0), ERR_INVALID },
		{ ENTRY(TAR_HARDLINK, "l", "a/../b", 0, 0), ERR_INVALID },
		{ ENTRY(TAR_HARDLINK, "l", "./", 0, 0), ERR_INVALID },
		{ ENTRY(TAR_HARDLINK, "../l", "a", 0, 0), ERR_INVALID },
		{ ENTRY(TAR_CHAR, "d", NULL, 0, 0), ERR_INVALID },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_fails(tar_check_entry(&cases[i].entry), cases[i].want);
}

static int release_kept(__attribute__((unused)) void **state)
{
	strings_release(&kept);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain_entries_have_the_bytes_of_the_golden_files),
		cmocka_unit_test(long_names_have_the_bytes_of_the_golden_files),
		cmocka_unit_test(numbers_have_the_bytes_of_the_golden_files),
		cmocka_unit_test(xattrs_have_the_bytes_of_the_golden_files),
		cmocka_unit_test(a_record_counts_its_own_digits),
		cmocka_unit_test(refuses_what_it_cannot_say),
		cmocka_unit_test(all_headers_of_an_entry_have_a_ceiling),
		cmocka_unit_test(what_has_no_place_below_a_directory_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, release_kept);
}
