/* tests/unit/test_tarball.c - a tar is known by what it holds, and unpacked into nobody's way.
 *
 * The archives are made by the tar of the system.
 */

#include "tests/unit/unit.h"

#include <stdio.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/stream.h"
#include "builder/tarball.h"
#include "tests/unit/kitchen.h"

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
}

#define TAR "tar -C /usr/share --owner=7 --group=8 -c doc/bash 2>/dev/null"

TEST(what_a_file_holds_decides_and_not_its_name)
{
	static const struct {
		const char *command;
		enum tarball_kind want;
	} cases[] = {
		{ TAR, TARBALL_TAR },
		{ TAR " --format=v7", TARBALL_TAR },
		{ TAR " --format=pax", TARBALL_TAR },
		{ TAR " --format=ustar", TARBALL_TAR },
		{ TAR " | gzip", TARBALL_TAR },
		{ TAR " | bzip2", TARBALL_TAR },
		{ TAR " | xz -0", TARBALL_TAR },
		{ TAR " | zstd -q", TARBALL_TAR },
		{ "tar -c -T /dev/null", TARBALL_TAR },
		{ "printf 'FROM scratch\\n'", TARBALL_NONE },
		{ "printf 'FROM scratch\\n' | gzip", TARBALL_PACKED },
		{ "printf 'FROM scratch\\n' | xz", TARBALL_PACKED },
		{ "printf ''", TARBALL_NONE },
		{ "seq 1 10000", TARBALL_NONE },
		{ TAR " | head -c 500", TARBALL_NONE },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(buf) struct buf bytes = BUF_INIT(BUF_MAX);
		AUTO(source) struct source *content = NULL;
		enum tarball_kind kind;

		output_of(&bytes, cases[i].command);
		assert_ok(tarball_open(source_from_memory(bytes.at, bytes.len), &kind, &content));
		if (kind != cases[i].want)
			fail_msg("%s is kind %d", cases[i].command, kind);
	}
}

TEST(what_was_looked_at_is_still_there)
{
	AUTO(source) struct source *content = NULL;
	enum tarball_kind kind;
	char text[64] = "";

	assert_ok(tarball_open(source_from_memory("FROM scratch\n", 13), &kind, &content));
	assert_int_equal(source_read(content, text, sizeof(text)), 13);
	assert_string_equal(text, "FROM scratch\n");
}

TEST(a_tar_becomes_a_directory_of_the_store)
{
	AUTO(buf) struct buf bytes = BUF_INIT(BUF_MAX);
	AUTO(source) struct source *content = NULL;
	enum tarball_kind kind;
	AUTO(fd) int fd = -1;
	struct stat st;

	output_of(&bytes, "cd /usr/share && tar -c --transform 's|.*|d/.wh.file|' --mode=4751 "
			  "doc/bash/copyright | gzip");
	assert_ok(tarball_open(source_from_memory(bytes.at, bytes.len), &kind, &content));
	assert_ok(tarball_unpack(store, content, 0, &fd));
	assert_int_equal(fstatat(fd, "d/.wh.file", &st, AT_SYMLINK_NOFOLLOW), 0);
	assert_int_equal(st.st_mode, S_IFREG | 04751);
	assert_int_equal(fstatat(fd, "d", &st, AT_SYMLINK_NOFOLLOW), 0);
	assert_int_equal(st.st_mode, S_IFDIR | 0755); /* the tar does not bring it */
}

TEST(a_hard_link_to_nothing_is_refused)
{
	AUTO(buf) struct buf tar = BUF_INIT(BUF_MAX);
	AUTO(source) struct source *content = NULL;
	enum tarball_kind kind;
	int fd;

	tree_archive(&tar, "h 644 0:0 0 1 b -> a\n");
	assert_ok(tarball_open(source_from_memory(tar.at, tar.len), &kind, &content));
	assert_fails(tarball_unpack(store, content, 0, &fd), ERR_INVALID);
}

TEST(a_few_bytes_do_not_become_very_many)
{
	AUTO(mem)
	char *command = xasprintf("cd %s && truncate -s 5G big && tar -cS big | gzip", tmp_path);
	AUTO(buf) struct buf bytes = BUF_INIT(BUF_MAX);
	AUTO(source) struct source *content = NULL;
	enum tarball_kind kind;
	int fd;

	output_of(&bytes, command);
	assert_ok(tarball_open(source_from_memory(bytes.at, bytes.len), &kind, &content));
	assert_fails(tarball_unpack(store, content, bytes.len, &fd), ERR_INVALID);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		KITCHEN_TEST(what_a_file_holds_decides_and_not_its_name),
		KITCHEN_TEST(what_was_looked_at_is_still_there),
		KITCHEN_TEST(a_tar_becomes_a_directory_of_the_store),
		KITCHEN_TEST(a_hard_link_to_nothing_is_refused),
		KITCHEN_TEST(a_few_bytes_do_not_become_very_many),
	};

	return cmocka_run_group_tests(tests, tmp_setup, tmp_teardown);
}
