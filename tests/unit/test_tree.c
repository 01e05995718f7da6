/* tests/unit/test_tree.c - what is read of a context, what is hashed of it, and what is kept. */

#include "tests/unit/unit.h"

#include <sys/xattr.h>
#include <time.h>

#include "builder/ignore.h"
#include "builder/statcache.h"
#include "builder/tree.h"
#include "tests/unit/room.h"
#include "tests/unit/scene.h"

static int source_fd;

static int open_source(void **state)
{
	umask(022);
	assert_ok(file_remove_tree(tmp_fd, "source"));
	assert_ok(file_make_dirs(tmp_fd, "source", 0755, &source_fd));
	return room_open(state);
}

static int close_source(void **state)
{
	close(source_fd);
	return room_close(state);
}

static struct tree *open_tree(const struct ignore *ignore, struct statcache *cache)
{
	struct tree *tree = NULL;

	assert_ok(tree_open(dup(source_fd), ignore, cache, &tree));
	return tree;
}

static struct tree_node *find(struct tree *tree, const char *path)
{
	struct tree_node *node;

	assert_ok(tree_find(tree, &tree->root, str_of(path), false, &node));
	return node;
}

/* The digest of a file as it is now. */
static struct digest digest_now(const char *path)
{
	AUTO(tree) struct tree *tree = open_tree(NULL, NULL);
	struct tree_node *node = find(tree, path);

	assert_non_null(node);
	assert_ok(tree_hash(tree, node));
	return node->digest;
}

static void set_xattr(const char *path, const char *name, const char *value)
{
	AUTO(fd) int fd = openat(source_fd, path, O_RDONLY | O_CLOEXEC);

	assert_int_equal(fsetxattr(fd, name, value, strlen(value), 0), 0);
}

TEST(content_that_looks_like_an_attribute_is_not_one)
{
	static const char *const like[] = { "x9 4 user.note=kept", "1:x9 4 user.note=kept",
					    "xuser.note=kept" };
	struct digest with;

	scene_make(source_fd, "f 644 a x\n");
	set_xattr("a", "user.note", "kept");
	with = digest_now("a");
	for (size_t i = 0; i < ARRAY_SIZE(like); i++) {
		AUTO(mem) char *line = xasprintf("f 644 b%zu %s\n", i, like[i]);
		AUTO(mem) char *name = xasprintf("b%zu", i);
		struct digest other;

		scene_make(source_fd, line);
		other = digest_now(name);
		assert_false(digest_equal(&with, &other));
	}
}

TEST(attributes_of_the_machine_do_not_count)
{
	struct digest plain, marked, noted;

	scene_make(source_fd, "f 644 a x\n");
	plain = digest_now("a");
	set_xattr("a", "trusted.mark", "1");
	marked = digest_now("a");
	assert_true(digest_equal(&plain, &marked));
	set_xattr("a", "user.note", "1");
	noted = digest_now("a");
	assert_false(digest_equal(&plain, &noted));
}

TEST(holes_are_hashed_as_the_zeros_that_they_are)
{
	enum { SIZE = 3 << 20 };
	AUTO(fd) int holes = openat(source_fd, "holes", O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	AUTO(fd) int full = openat(source_fd, "full", O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	AUTO(mem) char *bytes = xcalloc(1, SIZE);
	struct digest one, two;

	for (size_t i = 0; i < 4; i++)
		bytes[1500000 + i] = "data"[i];
	assert_int_equal(pwrite(full, bytes, SIZE, 0), SIZE);
	assert_int_equal(ftruncate(holes, SIZE), 0);
	assert_int_equal(pwrite(holes, "data", 4, 1500000), 4);
	one = digest_now("holes");
	two = digest_now("full");
	assert_true(digest_equal(&one, &two));
	assert_int_equal(pwrite(holes, "atad", 4, 1500000), 4);
	one = digest_now("holes");
	assert_false(digest_equal(&one, &two));
}

TEST(a_file_that_changes_after_it_was_opened_is_noticed)
{
	AUTO(tree) struct tree *tree = open_tree(NULL, NULL);
	AUTO(fd) int writer = -1;
	AUTO(fd) int fd = -1;
	const struct tree_node *node;

	scene_make(source_fd, "f 644 a one\n");
	node = find(tree, "a");
	assert_ok(tree_open_node(tree, node, &fd));
	assert_ok(tree_expect_unchanged(node, fd));
	writer = openat(source_fd, "a", O_WRONLY | O_CLOEXEC);
	assert_int_equal(write(writer, "two", 3), 3);
	assert_fails(tree_expect_unchanged(node, fd), ERR_INVALID);
}

/* The time alone tells of a change that gives it the same size and time of change: with a second name, too. */
TEST(a_file_with_two_names_that_changes_is_noticed)
{
	static const struct timespec then[2] = { { .tv_sec = 1700000000 },
						 { .tv_sec = 1700000000 } };
	AUTO(tree) struct tree *tree = NULL;
	AUTO(fd) int fd = -1;

	scene_make(source_fd, "f 644 a one\n");
	assert_int_equal(linkat(source_fd, "a", source_fd, "b", 0), 0);
	assert_int_equal(utimensat(source_fd, "a", then, 0), 0);
	tree = open_tree(NULL, NULL);
	assert_ok(tree_open_node(tree, find(tree, "b"), &fd));
	/* until the kernel's clock has moved on */
	for (int i = 0; i < 1000; i++) {
		struct stat st;

		assert_int_equal(utimensat(source_fd, "a", then, 0), 0);
		assert_int_equal(fstat(fd, &st), 0);
		if (st.st_ctim.tv_nsec != find(tree, "b")->ctime.tv_nsec)
			break;
		usleep(1000);
	}
	assert_fails(tree_expect_unchanged(find(tree, "b"), fd), ERR_INVALID);
}

TEST(attributes_of_a_directory_that_change_after_hashing_are_noticed)
{
	AUTO(tree) struct tree *tree = open_tree(NULL, NULL);
	AUTO(xattrs) struct xattrs got = { 0 };
	AUTO(fd) int fd = -1;
	const struct tree_node *node;

	scene_make(source_fd, "d 755 d\n");
	node = find(tree, "d");
	assert_ok(tree_load_all(tree, &tree->root, NULL, true, NULL));
	assert_ok(tree_open_node(tree, node, &fd));
	assert_ok(tree_read_xattrs(node, fd, &got));
	set_xattr("d", "user.note", "new");
	assert_fails(tree_read_xattrs(node, fd, &got), ERR_INVALID);
}

TEST(an_excluded_directory_is_seen_for_what_is_below_it)
{
	static const struct {
		const char *path;
		bool visible;
	} cases[] = { { "a", true },    { "a/b", true },   { "a/b/keep", true },
		      { "a/e", false }, { "c", false },    { "c/d", false },
		      { "top", true },  { "top/x", true }, { "top/x/f", true } };
	AUTO(ignore) struct ignore *ignore = NULL;
	AUTO(tree) struct tree *tree = NULL;

	scene_make(source_fd, "d 755 a\nd 755 a/b\nf 644 a/b/keep x\nd 755 a/e\nd 755 c\n"
			      "d 755 c/d\nf 644 c/d/gone x\nd 755 top\nd 755 top/x\n"
			      "f 644 top/x/f x\n");
	assert_ok(ignore_parse("ignore", STR("a\nc\n!**/keep\n"), &ignore));
	tree = open_tree(ignore, NULL);
	assert_ok(tree_load_all(tree, &tree->root, NULL, false, NULL));
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct tree_node *node = find(tree, cases[i].path);

		if (!node || node->visible != cases[i].visible)
			fail_msg("%s", cases[i].path);
	}
}

TEST(a_directory_can_be_left_out)
{
	AUTO(tree) struct tree *tree = open_tree(NULL, NULL);
	AUTO(fd) int fd = -1;

	scene_make(source_fd, "d 755 a\nd 755 a/store\nf 644 a/store/f x\nd 755 a/other\n");
	assert_ok(file_open_dir(source_fd, "a/store", &fd));
	assert_ok(tree_skip(tree, fd));
	assert_null(find(tree, "a/store"));
	assert_non_null(find(tree, "a/other"));
}

TEST(modes_can_be_those_that_git_keeps)
{
	static const struct {
		const char *path;
		mode_t now, seen;
	} cases[] = {
		{ "plain", 0664, S_IFREG | 0644 },  { "shut", 0, S_IFREG | 0644 },
		{ "run", 04711, S_IFREG | 0755 },   { "mine", 0100, S_IFREG | 0755 },
		{ "theirs", 077, S_IFREG | 0644 },  { "d", 03700, S_IFDIR | 0755 },
		{ "d/open", 0666, S_IFREG | 0644 },
	};
	AUTO(tree) struct tree *tree = NULL;

	scene_make(source_fd,
		   "f 644 plain x\nf 644 shut x\nf 644 run x\nf 644 mine x\n"
		   "f 644 theirs x\nd 755 d\nf 644 d/open x\np 660 pipe\nl - link run\n");
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(fchmodat(source_fd, cases[i].path, cases[i].now, 0), 0);
	assert_int_equal(fchmod(source_fd, 0770), 0);
	tree = open_tree(NULL, NULL);
	tree_take_git_modes(tree);
	assert_int_equal(tree->root.mode, S_IFDIR | 0755);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct tree_node *node = find(tree, cases[i].path);
		AUTO(fd) int fd = -1;

		if (node->mode != cases[i].seen)
			fail_msg("%s is %o", cases[i].path, node->mode);
		assert_ok(tree_open_node(tree, node, &fd)); /* it is what was scanned */
	}
	assert_int_equal(find(tree, "pipe")->mode, S_IFIFO | 0644);
	assert_int_equal(find(tree, "link")->mode, S_IFLNK | 0777);
}

TEST(a_mode_that_changes_is_noticed_where_it_counts)
{
	for (int git = 0; git < 2; git++) {
		AUTO(tree) struct tree *tree = open_tree(NULL, NULL);
		struct tree_node *node;
		AUTO(fd) int fd = -1;

		scene_make(source_fd, git ? "d 755 e\n" : "d 755 d\n");
		if (git)
			tree_take_git_modes(tree);
		node = find(tree, git ? "e" : "d");
		assert_int_equal(fchmodat(source_fd, node->name, 0700, 0), 0);
		if (git)
			assert_ok(tree_open_node(tree, node, &fd));
		else
			assert_fails(tree_open_node(tree, node, &fd), ERR_INVALID);
	}
}

/* One build: hash everything, and remember it. */
static void build(const char *rules)
{
	AUTO(ignore) struct ignore *ignore = NULL;
	AUTO(statcache) struct statcache *cache = NULL;
	AUTO(tree) struct tree *tree = NULL;

	assert_ok(ignore_parse("ignore", str_of(rules), &ignore));
	assert_ok(statcache_open(store, source_fd, &cache));
	tree = open_tree(ignore, cache);
	assert_ok(tree_load_all(tree, &tree->root, NULL, true, NULL));
	assert_ok(tree_remember(tree));
}

/* Whether the cache knows a file whose stat was `st`. */
static bool is_known(const char *dir, const char *name, const struct stat *st)
{
	AUTO(statcache) struct statcache *cache = NULL;
	struct statcache_key key;
	struct digest digest;

	memset(&key, 0, sizeof(key));
	key.dev = st->st_dev;
	key.ino = st->st_ino;
	key.size = (uint64_t)st->st_size;
	key.mtime_sec = st->st_mtim.tv_sec;
	key.mtime_nsec = (uint32_t)st->st_mtim.tv_nsec;
	key.ctime_sec = st->st_ctim.tv_sec;
	key.ctime_nsec = (uint32_t)st->st_ctim.tv_nsec;
	assert_ok(statcache_open(store, source_fd, &cache));
	return statcache_find(cache, str_of(dir), str_of(name), &key, &digest);
}

TEST(what_is_known_of_directories_vanishes_with_them)
{
	static const char *const dirs[] = { "kept", "gone", "gone/deep", "file", "hidden" };
	const struct timespec settle = { .tv_nsec = 3L * STATCACHE_SETTLED };
	struct stat st[ARRAY_SIZE(dirs)];

	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
		AUTO(mem) char *scene = xasprintf("d 755 %s\nf 644 %s/f x\n", dirs[i], dirs[i]);
		AUTO(mem) char *path = xasprintf("%s/f", dirs[i]);

		scene_make(source_fd, scene);
		assert_int_equal(fstatat(source_fd, path, &st[i], 0), 0);
	}
	nanosleep(&settle, NULL);
	build("");
	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++)
		assert_true(is_known(dirs[i], "f", &st[i]));
	assert_ok(file_remove_tree(source_fd, "gone"));
	assert_ok(file_remove_tree(source_fd, "file"));
	scene_make(source_fd, "f 644 file x\n");
	nanosleep(&settle, NULL);
	build("hidden\n"); /* another Recipe's rules: what they hide is there all the same */
	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++)
		assert_int_equal(is_known(dirs[i], "f", &st[i]), i == 0 || i == 4);
}

#define IN_SOURCE(name) cmocka_unit_test_setup_teardown(name, open_source, close_source)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_SOURCE(content_that_looks_like_an_attribute_is_not_one),
		IN_SOURCE(attributes_of_the_machine_do_not_count),
		IN_SOURCE(holes_are_hashed_as_the_zeros_that_they_are),
		IN_SOURCE(a_file_that_changes_after_it_was_opened_is_noticed),
		IN_SOURCE(a_file_with_two_names_that_changes_is_noticed),
		IN_SOURCE(attributes_of_a_directory_that_change_after_hashing_are_noticed),
		IN_SOURCE(an_excluded_directory_is_seen_for_what_is_below_it),
		IN_SOURCE(a_directory_can_be_left_out),
		IN_SOURCE(modes_can_be_those_that_git_keeps),
		IN_SOURCE(a_mode_that_changes_is_noticed_where_it_counts),
		IN_SOURCE(what_is_known_of_directories_vanishes_with_them),
	};

	return cmocka_run_group_tests(tests, tmp_setup, tmp_teardown);
}
