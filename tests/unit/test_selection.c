/* tests/unit/test_selection.c - the digest of what is selected follows all that a copy shows, and
 * nothing else. */

#include "tests/unit/unit.h"

#include <sys/xattr.h>

#include "builder/selection.h"
#include "tests/unit/scene.h"
#include "tests/unit/tmp.h"

static int source_fd = -1;

static void fresh_source(const char *scene)
{
	if (source_fd >= 0)
		close(source_fd);
	assert_ok(file_remove_tree(tmp_fd, "source"));
	assert_ok(file_make_dirs(tmp_fd, "source", 0755, &source_fd));
	scene_make(source_fd, scene);
}

/* The digest of what some patterns, separated by blanks, select. */
static struct digest digest_of(const char *patterns)
{
	AUTO(tree) struct tree *tree = NULL;
	AUTO(selection) struct selection selection = { 0 };
	AUTO(hasher) struct hasher *h = hasher_new();
	AUTO(mem) char *text = xstrdup(patterns);
	struct digest digest;

	assert_ok(tree_open(dup(source_fd), NULL, NULL, &tree));
	for (char *one = strtok(text, " "); one; one = strtok(NULL, " "))
		assert_ok(selection_add(&selection, tree, one, "the build context"));
	assert_ok(selection_digest(&selection, tree, false, NULL, h));
	assert_ok(hasher_finish(h, &digest));
	return digest;
}

TEST(tells_apart_what_a_copy_would_show)
{
	static const struct {
		const char *what, *patterns, *one, *two;
		bool same;
	} cases[] = {
		{ "the mode of a selected directory", "d", "d 755 d\nf 644 d/a x\n",
		  "d 700 d\nf 644 d/a x\n", true },
		{ "the mode of a directory in it", "d", "d 755 d\nd 755 d/e\n",
		  "d 755 d\nd 700 d/e\n", false },
		{ "the mode of a file", "a", "f 644 a x\n", "f 600 a x\n", false },
		{ "the owner of a file of the context", "a", "f 644 a x\n", "f 644,1,1 a x\n",
		  true },
		{ "a file and a directory", "a", "f 644 a\n", "d 755 a\n", false },
		{ "two names of one file, and two files", "d",
		  "d 755 d\nf 644 d/a x\nh - d/b d/a\n", "d 755 d\nf 644 d/a x\nf 644 d/b x\n",
		  false },
		{ "another name outside of what is selected", "d",
		  "d 755 d\nf 644 d/a x\nh - b d/a\n", "d 755 d\nf 644 d/a x\n", true },
		{ "another name in another source", "d e",
		  "d 755 d\nf 644 d/a x\nd 755 e\nh - e/b d/a\n",
		  "d 755 d\nf 644 d/a x\nd 755 e\nf 644 e/b x\n", true },
		{ "which of them belong together", "d",
		  "d 755 d\nf 644 d/a x\nf 644 d/b x\nh - d/c d/a\nh - d/d d/b\n",
		  "d 755 d\nf 644 d/a x\nf 644 d/b x\nh - d/c d/b\nh - d/d d/a\n", false },
		{ "two names of one link", "d", "d 755 d\nl - d/a x\nh - d/b d/a\n",
		  "d 755 d\nl - d/a x\nl - d/b x\n", false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct digest one, two;

		fresh_source(cases[i].one);
		one = digest_of(cases[i].patterns);
		fresh_source(cases[i].two);
		two = digest_of(cases[i].patterns);
		if (digest_equal(&one, &two) != cases[i].same)
			fail_msg("%s", cases[i].what);
	}
}

TEST(follows_attributes_of_directories)
{
	static const struct {
		const char *path, *name;
		bool same;
	} cases[] = {
		{ "d/e", "user.note", false },
		{ "d/e", "trusted.note", true },
		{ "d", "user.note", true }, /* its contents are copied, not itself */
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(fd) int fd = -1;
		struct digest one, two;

		fresh_source("d 755 d\nd 755 d/e\n");
		one = digest_of("d");
		fd = openat(source_fd, cases[i].path, O_RDONLY | O_CLOEXEC);
		assert_int_equal(fsetxattr(fd, cases[i].name, "1", 1, 0), 0);
		two = digest_of("d");
		if (digest_equal(&one, &two) != cases[i].same)
			fail_msg("%s of %s", cases[i].name, cases[i].path);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tells_apart_what_a_copy_would_show),
		cmocka_unit_test(follows_attributes_of_directories),
	};
	int failed = cmocka_run_group_tests(tests, tmp_setup, tmp_teardown);

	if (source_fd >= 0)
		close(source_fd);
	return failed;
}
