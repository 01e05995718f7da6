/* tests/unit/test_decompress.c - what the tools of a system compress is read, and nothing else.
 *
 * The files are made by gzip, bzip2, xz and zstd themselves.
 */

#include "tests/unit/unit.h"

#include <stdio.h>

#include "base/decompress.h"
#include "base/err.h"
#include "base/str.h"
#include "base/stream.h"

#define MOST ((size_t)8 << 20)

/* What a shell command writes. */
static void output_of(struct buf *ret, const char *command)
{
	FILE *pipe = popen(command, "re");
	char chunk[4096];
	size_t n;

	assert_non_null(pipe);
	while ((n = fread(chunk, 1, sizeof(chunk), pipe)) > 0)
		buf_add(ret, chunk, n);
	assert_int_equal(pclose(pipe), 0);
	assert_true(ret->len > 0);
}

static struct err *read_plain(struct str bytes, struct buf *ret)
{
	AUTO(source) struct source *src = NULL;
	struct sink *out = sink_to_buf(ret);
	struct err *err;

	TRY(decompress_open(source_from_memory(bytes.at, bytes.len), &src));
	err = stream_copy(src, out, NULL);
	sink_free(out);
	return err;
}

/* Lines enough for several blocks and reads. */
#define TEXT "seq 1 200000"

static const struct {
	const char *name, *tool;
} kinds[] = {
	{ "gzip", "gzip -n" },
	{ "bzip2", "bzip2 -1" },
	{ "xz", "xz -0" },
	{ "zstd", "zstd -q" },
};

TEST(reads_what_the_tools_of_the_system_write)
{
	AUTO(buf) struct buf plain = BUF_INIT(MOST);

	output_of(&plain, TEXT);
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		AUTO(mem) char *command = xasprintf(TEXT " | %s", kinds[i].tool);
		AUTO(buf) struct buf packed = BUF_INIT(MOST);
		AUTO(buf) struct buf got = BUF_INIT(MOST);

		output_of(&packed, command);
		assert_string_equal(decompress_detect(buf_str(&packed)), kinds[i].name);
		assert_ok(read_plain(buf_str(&packed), &got));
		assert_true(str_equal(buf_str(&got), buf_str(&plain)));
	}
}

TEST(reads_files_of_several_streams_to_their_end)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		AUTO(mem)
		char *command = xasprintf("(echo one | %s; printf '' | %s; echo two | %s)",
					  kinds[i].tool, kinds[i].tool, kinds[i].tool);
		AUTO(buf) struct buf packed = BUF_INIT(MOST);
		AUTO(buf) struct buf got = BUF_INIT(MOST);

		output_of(&packed, command);
		assert_ok(read_plain(buf_str(&packed), &got));
		assert_true(str_is(buf_str(&got), "one\ntwo\n"));
	}
}

TEST(an_empty_file_of_each_kind_is_empty)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		AUTO(mem) char *command = xasprintf("printf '' | %s", kinds[i].tool);
		AUTO(buf) struct buf packed = BUF_INIT(MOST);
		AUTO(buf) struct buf got = BUF_INIT(MOST);

		output_of(&packed, command);
		assert_string_equal(decompress_detect(buf_str(&packed)), kinds[i].name);
		assert_ok(read_plain(buf_str(&packed), &got));
		assert_int_equal(got.len, 0);
	}
}

TEST(refuses_what_is_cut_changed_or_followed_by_rubbish)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		AUTO(mem) char *command = xasprintf("seq 1 2000 | %s", kinds[i].tool);
		AUTO(buf) struct buf packed = BUF_INIT(MOST);
		AUTO(buf) struct buf got = BUF_INIT(MOST);

		output_of(&packed, command);
		for (size_t cut = DECOMPRESS_HEAD; cut < packed.len; cut += 97)
			assert_fails(read_plain((struct str){ packed.at, cut }, &got), ERR_CORRUPT);
		packed.at[packed.len / 2] ^= 0x10;
		assert_fails(read_plain(buf_str(&packed), &got), ERR_CORRUPT);
		packed.at[packed.len / 2] ^= 0x10;
		buf_adds(&packed, "rubbish behind it");
		assert_fails(read_plain(buf_str(&packed), &got), ERR_CORRUPT);
	}
}

TEST(passes_what_is_not_compressed)
{
	static const char *const texts[] = { "", "FROM scratch\n", "BZh1 is how this text begins",
					     "\xfd"
					     "7z" };

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		AUTO(buf) struct buf got = BUF_INIT(MOST);

		assert_null(decompress_detect(str_of(texts[i])));
		assert_ok(read_plain(str_of(texts[i]), &got));
		assert_true(str_is(buf_str(&got), texts[i]));
	}
}

TEST(refuses_an_xz_dictionary_that_takes_too_much_memory)
{
	AUTO(buf) struct buf packed = BUF_INIT(MOST);
	AUTO(buf) struct buf got = BUF_INIT(MOST);

	output_of(&packed, "seq 1 100 | xz --lzma2=dict=512MiB");
	assert_fails(read_plain(buf_str(&packed), &got), ERR_UNSUPPORTED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_what_the_tools_of_the_system_write),
		cmocka_unit_test(reads_files_of_several_streams_to_their_end),
		cmocka_unit_test(an_empty_file_of_each_kind_is_empty),
		cmocka_unit_test(refuses_what_is_cut_changed_or_followed_by_rubbish),
		cmocka_unit_test(passes_what_is_not_compressed),
		cmocka_unit_test(refuses_an_xz_dictionary_that_takes_too_much_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
