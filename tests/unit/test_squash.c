/* tests/unit/test_squash.c - what makes one tree out of another, as the tar of one layer. */

#include "tests/unit/unit.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/file.h"
#include "base/stream.h"
#include "overlay/squash.h"
#include "tests/unit/scene.h"
#include "tests/unit/tmp.h"

/* Two trees; what both have of the first is made the same file by a link. */
static void open_tree(const char *name, const char *scene, int *ret_fd)
{
	assert_int_equal(mkdirat(tmp_fd, name, 0755), 0);
	assert_ok(file_open_dir(tmp_fd, name, ret_fd));
	scene_make(*ret_fd, scene);
}

static void share(int from_fd, int to_fd, const char *path)
{
	(void)unlinkat(to_fd, path, 0);
	assert_int_equal(linkat(from_fd, path, to_fd, path, 0), 0);
}

/* The paths of the tar, "a b/ b/.wh.c"; the caller's. */
static char *squash(int below_fd, int full_fd, uint64_t *ret_entries)
{
	AUTO(buf) struct buf tar = BUF_INIT((size_t)16 * 1024 * 1024);
	struct buf names = BUF_INIT((size_t)64 * 1024);
	struct sink *out = sink_to_buf(&tar);

	assert_ok(squash_write(below_fd, full_fd, out, ret_entries));
	assert_ok(sink_finish(out));
	sink_free(out);
	buf_adds(&names, "");
	for (size_t at = 0; at + 512 <= tar.len && tar.at[at];) {
		const char *header = tar.at + at;
		const size_t size = (size_t)strtoul(header + 124, NULL, 8);

		buf_addf(&names, "%s%.100s", names.len ? " " : "", header);
		at += 512 + (size + 511) / 512 * 512;
	}
	return buf_steal(&names);
}

static void clear(void)
{
	assert_ok(file_remove_tree(tmp_fd, "below"));
	assert_ok(file_remove_tree(tmp_fd, "full"));
}

TEST(what_is_new_is_written_and_what_is_gone_hidden)
{
	AUTO(fd) int below_fd = -1;
	AUTO(fd) int full_fd = -1;
	AUTO(mem) char *names = NULL;
	uint64_t entries;

	open_tree("below",
		  "f 644 same x\n"
		  "f 644 gone x\n"
		  "d 755 dir\n"
		  "f 644 dir/same x\n"
		  "f 644 dir/b x\n"
		  "f 644 dir/a x\n"
		  "f 644 turns x\n"
		  "d 755 lost\n"
		  "f 644 lost/x x\n",
		  &below_fd);
	open_tree("full",
		  "f 644 new x\n"
		  "d 755 dir\n"
		  "d 755 turns\n",
		  &full_fd);
	share(below_fd, full_fd, "same");
	share(below_fd, full_fd, "dir/same");
	names = squash(below_fd, full_fd, &entries);
	assert_string_equal(names, ".wh.gone .wh.lost dir/ dir/.wh.a dir/.wh.b new turns/");
	assert_int_equal(entries, 7);
	clear();
}

TEST(on_nothing_everything_is_new)
{
	AUTO(fd) int below_fd = -1;
	AUTO(fd) int full_fd = -1;
	AUTO(mem) char *names = NULL;
	AUTO(mem) char *none = NULL;
	uint64_t entries;

	open_tree("below", "f 644 x x\n", &below_fd);
	open_tree("full", "d 755 d\nf 644 d/x x\n", &full_fd);
	names = squash(-1, full_fd, &entries);
	assert_string_equal(names, "d/ d/x");
	none = squash(below_fd, below_fd, &entries);
	assert_string_equal(none, "");
	assert_int_equal(entries, 0);
	clear();
}

/* As copied views have it: no directory of one tree is one of the other. */
TEST(a_directory_that_is_alike_is_no_entry)
{
	static const struct timespec times[2] = { { .tv_sec = 1000 }, { .tv_sec = 1000 } };
	static const char *const dirs[] = { "alike", "attribute", "mode", "owner",
					    "time",  "up/in",     "up" };
	static const char scene[] = "d 755 alike\nd 755 attribute\nd 755 mode\nd 755 owner\n"
				    "d 755 time\nd 755 up\nd 755 up/in\n";
	AUTO(fd) int below_fd = -1;
	AUTO(fd) int full_fd = -1;
	AUTO(fd) int fd = -1;
	AUTO(mem) char *none = NULL;
	AUTO(mem) char *names = NULL;
	uint64_t entries;

	open_tree("below", scene, &below_fd);
	open_tree("full", scene, &full_fd);
	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
		assert_int_equal(utimensat(below_fd, dirs[i], times, 0), 0);
		assert_int_equal(utimensat(full_fd, dirs[i], times, 0), 0);
	}
	none = squash(below_fd, full_fd, &entries);
	assert_string_equal(none, "");
	assert_int_equal(fchmodat(full_fd, "mode", 0700, 0), 0);
	assert_int_equal(fchownat(full_fd, "owner", 0, 1, 0), 0);
	assert_int_equal(utimensat(full_fd, "time", NULL, 0), 0);
	assert_int_equal(fchmodat(full_fd, "up/in", 0700, 0), 0);
	assert_ok(file_open_dir(full_fd, "attribute", &fd));
	assert_int_equal(fsetxattr(fd, "user.note", "x", 1, 0), 0);
	names = squash(below_fd, full_fd, &entries);
	assert_string_equal(names,
			    "PaxHeaders.0/attribute attribute/ mode/ owner/ time/ up/ up/in/");
	clear();
}

TEST(a_root_of_another_mode_is_an_entry)
{
	AUTO(fd) int below_fd = -1;
	AUTO(fd) int full_fd = -1;
	AUTO(mem) char *names = NULL;
	uint64_t entries;

	open_tree("below", "f 644 x x\n", &below_fd);
	open_tree("full", "f 644 y x\n", &full_fd);
	share(below_fd, full_fd, "x");
	assert_int_equal(unlinkat(full_fd, "y", 0), 0);
	assert_int_equal(fchmod(full_fd, 01777), 0);
	names = squash(below_fd, full_fd, &entries);
	assert_string_equal(names, "./");
	clear();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_new_is_written_and_what_is_gone_hidden),
		cmocka_unit_test(on_nothing_everything_is_new),
		cmocka_unit_test(a_directory_that_is_alike_is_no_entry),
		cmocka_unit_test(a_root_of_another_mode_is_an_entry),
	};

	return cmocka_run_group_tests(tests, tmp_setup, tmp_teardown);
}
