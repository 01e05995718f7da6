/* tests/unit/test_trees.c - copied trees are used again, and only where they fit. */

#include "tests/unit/tree.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "base/err.h"
#include "overlay/merge.h"
#include "overlay/trees.h"
#include "tests/unit/room.h"

static ino_t inode_of(const struct tree_copy *tree)
{
	struct stat st;

	assert_int_equal(fstat(tree_copy_fd(tree), &st), 0);
	return st.st_ino;
}

static struct tree_copy *take(struct trees *trees, const int *fds, size_t count)
{
	const struct merge what = { .layer_fds = fds, .count = count, .root_fd = fds[0] };
	struct tree_copy *tree = NULL;

	assert_ok(trees_take(trees, &what, &tree));
	return tree;
}

static void assert_tree(const char *what, const struct tree_copy *tree, const char *want)
{
	AUTO(buf) struct buf got = BUF_INIT(BUF_MAX);

	tree_text(&got, tree_copy_fd(tree), false);
	assert_text(what, &got, want);
}

TEST(the_next_step_gets_the_tree_with_the_new_layer_on_it)
{
	AUTO(fd) int base = tree_unpacked(tmp_fd, "base", D("d") F("d/f") F("d/g"));
	AUTO(fd) int first = tree_unpacked(tmp_fd, "first", D("d") F("d/f") F("n"));
	AUTO(fd) int other = tree_unpacked(tmp_fd, "other", D("x") F("x/y"));
	AUTO(fd) int nothing = tree_make(tmp_fd, "nothing");
	const int fds[] = { other, first, base };
	AUTO(trees) struct trees *trees = trees_new(store);
	struct tree_copy *tree = take(trees, &base, 1);
	const ino_t inode = inode_of(tree);

	assert_tree("base", tree, D("d") F("d/f") F("d/g"));
	assert_int_equal(unlinkat(tree_copy_fd(tree), "d/f", 0), 0); /* moved, as a step's */
	trees_keep(trees, tree, first);
	tree = take(trees, &fds[1], 2);
	assert_tree("first", tree, D("d") F("d/f") F("d/g") F("n"));
	assert_int_equal(inode_of(tree), inode);
	trees_keep(trees, tree, nothing);
	tree = take(trees, fds, 3);
	assert_tree("other", tree, D("d") F("d/f") F("d/g") F("n") D("x") F("x/y"));
	assert_int_equal(inode_of(tree), inode);
	tree_copy_free(tree);
}

TEST(a_tree_that_has_something_else_or_is_in_use_is_nobodys)
{
	AUTO(fd) int base = tree_unpacked(tmp_fd, "base", F("a"));
	AUTO(fd) int upper = tree_unpacked(tmp_fd, "upper", F("b"));
	AUTO(fd) int other = tree_unpacked(tmp_fd, "other", F("c"));
	const int fds[] = { other, base };
	AUTO(trees) struct trees *trees = trees_new(store);
	AUTO(tree_copy) struct tree_copy *tree = take(trees, &base, 1);
	AUTO(tree_copy) struct tree_copy *same = take(trees, &base, 1);
	AUTO(tree_copy) struct tree_copy *third = NULL;
	const ino_t inode = inode_of(tree);

	assert_int_not_equal(inode_of(same), inode);
	trees_keep(trees, STEAL(tree), upper); /* its layer became another one, or none */
	third = take(trees, fds, 2);
	assert_int_not_equal(inode_of(third), inode);
	assert_tree("third", third, F("a") F("c"));
}

static bool make_immutable(int fd, bool on)
{
	int flags = on ? FS_IMMUTABLE_FL : 0;

	return ioctl(fd, FS_IOC_SETFLAGS, &flags) == 0;
}

TEST(a_tree_that_cannot_be_made_complete_is_copied_again)
{
	AUTO(fd) int base = tree_unpacked(tmp_fd, "base", F("a"));
	AUTO(fd) int first = tree_unpacked(tmp_fd, "first", F("b"));
	const int fds[] = { first, base };
	AUTO(trees) struct trees *trees = trees_new(store);
	AUTO(tree_copy) struct tree_copy *tree = take(trees, &base, 1);
	AUTO(fd) int kept = fcntl(tree_copy_fd(tree), F_DUPFD_CLOEXEC, 0);

	if (!make_immutable(kept, true))
		skip(); /* an ordinary user, or a file system that has no such thing */
	trees_keep(trees, STEAL(tree), first);
	tree = take(trees, fds, 2);
	assert_true(make_immutable(kept, false));
	assert_tree("again", tree, F("a") F("b"));
}

TEST(of_many_trees_the_last_are_kept)
{
	AUTO(fd) int nothing = tree_make(tmp_fd, "nothing");
	AUTO(trees) struct trees *trees = trees_new(store);
	ino_t inodes[TREES_MAX + 1];
	int fds[ARRAY_SIZE(inodes)];

	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		const char name[] = { 'l', (char)('0' + i), '\0' };
		struct tree_copy *tree;

		fds[i] = tree_unpacked(tmp_fd, name, F("a"));
		tree = take(trees, &fds[i], 1);
		inodes[i] = inode_of(tree);
		trees_keep(trees, tree, nothing);
	}
	for (size_t i = ARRAY_SIZE(fds); i-- > 0;) {
		AUTO(tree_copy) struct tree_copy *tree = take(trees, &fds[i], 1);

		if (i > 0) /* the first one's inode may be in use again */
			assert_int_equal(inode_of(tree), inodes[i]);
		close(fds[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ROOM_TEST(the_next_step_gets_the_tree_with_the_new_layer_on_it),
		ROOM_TEST(a_tree_that_has_something_else_or_is_in_use_is_nobodys),
		ROOM_TEST(a_tree_that_cannot_be_made_complete_is_copied_again),
		ROOM_TEST(of_many_trees_the_last_are_kept),
	};

	return cmocka_run_group_tests(tests, tmp_setup, tmp_teardown);
}
