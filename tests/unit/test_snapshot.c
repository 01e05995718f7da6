/* tests/unit/test_snapshot.c - what changed in a tree becomes an upper directory. */

#include "tests/unit/tree.h"

#include <errno.h>
#include <sys/xattr.h>

#include "base/err.h"
#include "base/stream.h"
#include "overlay/diff.h"
#include "overlay/merge.h"
#include "overlay/snapshot.h"
#include "overlay/whiteout.h"
#include "tests/unit/tmp.h"

#define NOW "300" /* what times of the test become */

/* A layer, what a step does to it, and the upper directory that overlayfs leaves then. */
struct scene {
	const char *what;
	const char *before;
	bool (*change)(int fd);
	const char *upper;
};

static bool put(int fd, const char *path, const char *text, int flags)
{
	AUTO(fd) int file = openat(fd, path, O_WRONLY | O_CREAT | O_CLOEXEC | flags, 0644);

	return file >= 0 && write(file, text, strlen(text)) == (ssize_t)strlen(text);
}

static bool touch_nothing(int fd)
{
	char byte;
	AUTO(fd) int file = openat(fd, "d/f", O_RDWR | O_CLOEXEC);

	return read(file, &byte, 1) == 1;
}

static bool write_same(int fd)
{
	const struct timespec times[2] = { { .tv_sec = 200 }, { .tv_sec = 200 } };

	return put(fd, "d/f", "y", 0) && utimensat(fd, "d/f", times, 0) == 0;
}

static bool change_mode(int fd)
{
	return fchmodat(fd, "d/f", 0600, 0) == 0;
}

static bool change_dir(int fd)
{
	return fchmodat(fd, "d", 0700, 0) == 0;
}

static bool delete_file(int fd)
{
	return unlinkat(fd, "d/f", 0) == 0;
}

static bool make_anew(int fd)
{
	return unlinkat(fd, "d/f", 0) == 0 && unlinkat(fd, "d", AT_REMOVEDIR) == 0 &&
	       mkdirat(fd, "d", 0755) == 0 && put(fd, "d/new", "n", 0);
}

static bool dir_for_file(int fd)
{
	return unlinkat(fd, "d/f", 0) == 0 && mkdirat(fd, "d/f", 0755) == 0;
}

static bool file_for_dir(int fd)
{
	return unlinkat(fd, "d/f", 0) == 0 && unlinkat(fd, "d", AT_REMOVEDIR) == 0 &&
	       put(fd, "d", "n", 0);
}

static bool rename_dir(int fd)
{
	return renameat(fd, "d", fd, "e") == 0;
}

static bool swap_files(int fd)
{
	return renameat2(fd, "a", fd, "b", RENAME_EXCHANGE) == 0;
}

static bool link_file(int fd)
{
	return linkat(fd, "d/f", fd, "g", 0) == 0;
}

static bool speak_to_the_kernel(int fd)
{
	AUTO(fd) int dir = openat(fd, "d", O_RDONLY | O_CLOEXEC);

	return fsetxattr(dir, "user.overlay.opaque", "y", 1, 0) == 0;
}

static bool delete_one(int fd)
{
	return unlinkat(fd, "a", 0) == 0;
}

static bool rename_one(int fd)
{
	return renameat(fd, "a", fd, "c") == 0;
}

static bool replace_one(int fd)
{
	return put(fd, "new", "n", 0) && renameat(fd, "new", fd, "a") == 0;
}

static bool delete_one_change_other(int fd)
{
	return unlinkat(fd, "a", 0) == 0 && fchmodat(fd, "d/b", 0600, 0) == 0;
}

static bool delete_one_write_other(int fd)
{
	const struct timespec times[2] = { { .tv_sec = 200 }, { .tv_sec = 200 } };

	return unlinkat(fd, "a", 0) == 0 && put(fd, "d/b", "y", 0) &&
	       utimensat(fd, "d/b", times, 0) == 0;
}

static bool delete_one_mark_other(int fd)
{
	AUTO(fd) int file = openat(fd, "d/b", O_RDONLY | O_CLOEXEC);

	return unlinkat(fd, "a", 0) == 0 && fsetxattr(file, "user.a", "1", 1, 0) == 0;
}

static bool link_third(int fd)
{
	return linkat(fd, "a", fd, "c", 0) == 0;
}

#define TWO F("a") D("d") "h 644 0:0 0 200 d/b -> a\n"

TEST(the_upper_directory_is_that_of_overlayfs)
{
	static const struct scene scenes[] = {
		{ "opened, not written", D("d") F("d/f"), touch_nothing, "" },
		{ "the same size and time", D("d") F("d/f"), write_same,
		  D("d") "f 644 0:0 1 200 d/f y\n" },
		{ "a mode", D("d") F("d/f"), change_mode, D("d") "f 600 0:0 1 200 d/f x\n" },
		{ "the mode of a directory", D("d") F("d/f"), change_dir, "d 700 0:0 0 100 d\n" },
		{ "a file is gone", D("d") F("d/f"), delete_file,
		  "d 755 0:0 0 " NOW " d\nw d/f\n" },
		{ "a directory anew", D("d") F("d/f"), make_anew,
		  "d 755 0:0 0 " NOW " d user.overlay.opaque=y\nf 644 0:0 1 " NOW " d/new n\n" },
		{ "a directory for a file", D("d") F("d/f"), dir_for_file,
		  "d 755 0:0 0 " NOW " d\nd 755 0:0 0 " NOW " d/f user.overlay.opaque=y\n" },
		{ "a file for a directory", D("d") F("d/f"), file_for_dir,
		  "f 644 0:0 1 " NOW " d n\n" },
		{ "a directory renamed", D("d") F("d/f"), rename_dir, "w d\n" D("e") F("e/f") },
		{ "two files changed places", F("a") "f 600 0:0 1 200 b y\n", swap_files,
		  "f 600 0:0 1 200 a y\n" F("b") },
		{ "a hard link", D("d") F("d/f"), link_file,
		  D("d") F("d/f") "h 644 0:0 0 200 g -> d/f\n" },
		{ "one name of two is gone", TWO, delete_one, "w a\n" },
		{ "one name of two is another", TWO, rename_one, "w a\n" F("c") },
		{ "one name of two is of another file", TWO, replace_one,
		  "f 644 0:0 1 " NOW " a n\n" },
		{ "one is gone, the other has another mode", TWO, delete_one_change_other,
		  "w a\n" D("d") "f 600 0:0 1 200 d/b x\n" },
		{ "one is gone, the other is written", TWO, delete_one_write_other,
		  "w a\n" D("d") "f 644 0:0 1 200 d/b y\n" },
		{ "one is gone, the other has an attribute", TWO, delete_one_mark_other,
		  "w a\n" D("d") "f 644 0:0 1 200 d/b x user.a=1\n" },
		{ "a third name", TWO, link_third,
		  F("a") "h 644 0:0 0 200 c -> a\n" D("d") "h 644 0:0 0 200 d/b -> a\n" },
		{ "an attribute for the kernel", D("d") F("d/f"), speak_to_the_kernel,
		  "d 755 0:0 0 100 d user.overlay.overlay.opaque=y\n" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(scenes); i++) {
		const struct scene *s = &scenes[i];
		AUTO(fd) int layer = tree_unpacked(tmp_fd, "layer", s->before);
		AUTO(fd) int work = tree_make(tmp_fd, "work");
		AUTO(fd) int copy = tree_make(tmp_fd, "copy");
		AUTO(fd) int upper = tree_make(tmp_fd, "upper");
		const struct merge merge = { .layer_fds = &layer, .count = 1, .root_fd = layer };
		AUTO(snapshot) struct snapshot *snapshot = NULL;
		AUTO(buf) struct buf got = BUF_INIT(BUF_MAX);
		bool apart = false;

		assert_ok(merge_layers(&merge, copy));
		assert_ok(snapshot_take(copy, work, &snapshot));
		if (!s->change(copy))
			fail_msg("%s: %s", s->what, strerror(errno));
		assert_ok(snapshot_move_changes(snapshot, &merge, copy, upper, NULL, &apart));
		/* then the file has a name in the tree, too */
		assert_int_equal(apart, s->change != rename_one);
		assert_ok(diff_clamp_times(upper, 300));
		tree_text(&got, upper, false);
		assert_text(s->what, &got, s->upper);
	}
}

TEST(what_no_layer_can_have_is_refused)
{
	for (int device = 0; device < 2; device++) {
		AUTO(fd) int work = tree_make(tmp_fd, "work");
		AUTO(fd) int copy = tree_make(tmp_fd, "copy");
		AUTO(fd) int upper = tree_make(tmp_fd, "upper");
		AUTO(snapshot) struct snapshot *snapshot = NULL;
		const struct merge nothing = { .root_fd = upper };
		bool apart;

		assert_ok(snapshot_take(copy, work, &snapshot));
		assert_int_equal(mkdirat(copy, "d", 0755), 0);
		if (device)
			assert_int_equal(mknodat(copy, "d/x", S_IFCHR, 0), 0);
		else
			assert_true(put(copy, "d/.wh.x", "", 0));
		assert_fails(snapshot_move_changes(snapshot, &nothing, copy, upper, NULL, &apart),
			     ERR_INVALID);
	}
}

/* The layers of a stack, the newest first, and what is seen of them. */
TEST(layers_merge_as_overlayfs_shows_them)
{
	static const char *const layers[] = {
		D("a") F("a/new") W("a/.wh.gone") W(".wh.b") D("o") W("o/.wh..wh..opq") F("o/n"),
		"d 700 7:8 0 50 a user.d=1\n" F("a/old") F("a/gone") D("b") F("b/x") D("o")
			F("o/p"),
		F("a") F("c") "h 644 0:0 0 200 c2 -> c\n" D("o") F("o/q"),
	};
	static const char want[] =
		D("a") F("a/new") F("a/old") F("c") "h 644 0:0 0 200 c2 -> c\n" D("o") F("o/n");

	/* copied; linked; the lowest one copied and the others laid on it */
	for (int how = 0; how < 3; how++) {
		const bool link = how == 1;
		int fds[ARRAY_SIZE(layers)];
		AUTO(fd) int dest = tree_make(tmp_fd, "dest");
		struct merge merge = { .layer_fds = fds, .count = ARRAY_SIZE(fds), .link = link };
		AUTO(buf) struct buf got = BUF_INIT(BUF_MAX);
		struct stat st;

		for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
			char name[] = { 'l', (char)('0' + i), '\0' };
			const struct unpack_opts opts = { .below_fd = -1 };
			AUTO(buf) struct buf tar = BUF_INIT(BUF_MAX);
			AUTO(source) struct source *src = NULL;
			struct unpack_result result;

			fds[i] = tree_make(tmp_fd, name);
			tree_archive(&tar, layers[i]);
			src = source_from_memory(tar.at, tar.len);
			assert_ok(unpack(src, fds[i], &opts, &result));
		}
		merge.root_fd = fds[0];
		if (how == 2) {
			merge.layer_fds = &fds[ARRAY_SIZE(fds) - 1];
			merge.count = 1;
		}
		assert_ok(merge_layers(&merge, dest));
		merge.layer_fds = fds;
		merge.count = ARRAY_SIZE(fds) - 1;
		if (how == 2)
			assert_ok(merge_more(&merge, dest));
		tree_text(&got, dest, false);
		/* what is linked has other names elsewhere, and is the same file */
		assert_text(link ? "linked" : "copied", &got, want);
		assert_int_equal(fstatat(dest, "a/old", &st, 0), 0);
		assert_int_equal(st.st_nlink, link ? 2 : 1);
		for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
			close(fds[i]);
	}
}

TEST(holes_and_attributes_are_copied)
{
	AUTO(fd) int layer = tree_unpacked(tmp_fd, "layer", F("f") "f 4755 3:4 1 9 g x user.a=1\n");
	AUTO(fd) int dest = tree_make(tmp_fd, "dest");
	const struct merge merge = { .layer_fds = &layer, .count = 1, .root_fd = layer };
	AUTO(fd) int file = openat(layer, "f", O_WRONLY | O_CLOEXEC);
	AUTO(buf) struct buf got = BUF_INIT(BUF_MAX);
	struct stat st;

	assert_int_equal(pwrite(file, "end", 3, 8 << 20), 3);
	assert_ok(merge_layers(&merge, dest));
	assert_int_equal(fstatat(dest, "f", &st, 0), 0);
	assert_int_equal(st.st_size, (8 << 20) + 3);
	assert_true(st.st_blocks < 1024);
	assert_int_equal(unlinkat(dest, "f", 0), 0);
	tree_text(&got, dest, false);
	assert_text("attributes", &got, "f 4755 3:4 1 9 g x user.a=1\n");
}

/* Whiteouts where neither devices nor attributes can be. */
TEST(marks_are_whiteouts_too)
{
	AUTO(fd) int below = tree_unpacked(tmp_fd, "below", F("a") F("b") D("o") F("o/p"));
	AUTO(fd) int layer = tree_unpacked(tmp_fd, "layer", F("b"));
	AUTO(fd) int dest = tree_make(tmp_fd, "dest");
	AUTO(fd) int mark = openat(layer, ".wh.a", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	const int fds[] = { layer, below };
	const struct merge merge = { .layer_fds = fds, .count = 2, .root_fd = layer };
	AUTO(buf) struct buf got = BUF_INIT(BUF_MAX);

	assert_int_equal(fsetxattr(mark, "user.overlay.cairn-mark", "y", 1, 0), 0);
	assert_int_equal(fchmod(mark, 0), 0);
	assert_ok(merge_layers(&merge, dest));
	tree_text(&got, dest, false);
	assert_text("hidden", &got, F("b") D("o") F("o/p"));
}

TEST(what_only_looks_like_a_mark_is_none)
{
	AUTO(fd) int layer = tree_make(tmp_fd, "layer");
	const char *names[] = { ".wh.a", ".wh..wh..opq" };
	const struct diff_opts opts = { .below_fd = -1 };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		AUTO(sink) struct sink *nowhere = sink_null();
		struct diff_result result;
		const char *hidden;
		struct stat st;

		assert_true(put(layer, names[i], "", 0) && fchmodat(layer, names[i], 0, 0) == 0);
		assert_int_equal(fstatat(layer, names[i], &st, 0), 0);
		assert_int_equal(whiteout_mark(layer, names[i], &st, &hidden), WHITEOUT_NONE);
		assert_fails(diff_write(layer, &opts, nowhere, &result), ERR_INVALID);
		assert_int_equal(unlinkat(layer, names[i], 0), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_upper_directory_is_that_of_overlayfs),
		cmocka_unit_test(what_no_layer_can_have_is_refused),
		cmocka_unit_test(layers_merge_as_overlayfs_shows_them),
		cmocka_unit_test(holes_and_attributes_are_copied),
		cmocka_unit_test(marks_are_whiteouts_too),
		cmocka_unit_test(what_only_looks_like_a_mark_is_none),
	};

	return cmocka_run_group_tests(tests, tmp_setup, tmp_teardown);
}
