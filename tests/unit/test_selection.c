/* tests/unit/test_selection.c - the digest of what is selected follows all that a copy shows, and
 * nothing else. */

#include "tests/unit/unit.h"

#include <sys/xattr.h>

#include "builder/chmod.h"
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

/* The digest of what some patterns, separated by blanks, select, for a copy with this --chmod, or NULL. */
static struct digest digest_with(const char *patterns, const char *mode)
{
	struct chmod_spec chmod = { 0 };
	AUTO(tree) struct tree *tree = NULL;
	AUTO(selection) struct selection selection = { .chmod = &chmod };
	AUTO(hasher) struct hasher *h = hasher_new();
	AUTO(mem) char *text = xstrdup(patterns);
	struct digest digest;

	if (mode)
		assert_ok(chmod_parse(str_of(mode), &chmod));
	assert_ok(tree_open(dup(source_fd), NULL, NULL, &tree));
	for (char *one = strtok(text, " "); one; one = strtok(NULL, " "))
		assert_ok(selection_add(&selection, tree, one, "the build context"));
	assert_ok(selection_digest(&selection, tree, false, NULL, h));
	assert_ok(hasher_finish(h, &digest));
	return digest;
}

static struct digest digest_of(const char *patterns)
{
	return digest_with(patterns, NULL);
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

TEST(forgets_modes_that_a_chmod_decides)
{
	static const struct {
		const char *mode, *one, *two;
		bool same;
	} cases[] = {
		{ "755", "d 755 d\nf 644 d/a x\n", "d 755 d\nf 4711 d/a x\n", true },
		{ "0", "d 755 d\nd 755 d/e\n", "d 755 d\nd 1777 d/e\n", true },
		{ "755", "d 755 d\nf 644 d/a x\n", "d 755 d\nd 755 d/a\n", false },
		{ "755", "d 755 d\np 644 d/a\n", "d 755 d\np 600 d/a\n", true },
		{ "u=rwX,go=rX", "d 755 d\nf 664 d/a x\n", "d 755 d\nf 600 d/a x\n", true },
		{ "u=rwX,go=rX", "d 755 d\nf 664 d/a x\n", "d 755 d\nf 610 d/a x\n", false },
		{ "a=r", "d 755 d\nf 664 d/a x\n", "d 755 d\nf 6755 d/a x\n", true },
		{ "a=r", "d 755 d\nd 755 d/a\n", "d 755 d\nd 1755 d/a\n", true },
		{ "ug=r,o=", "d 755 d\nd 755 d/a\n", "d 755 d\nd 1755 d/a\n", false },
		{ "u+x,go-w", "d 755 d\nf 644 d/a x\n", "d 755 d\nf 766 d/a x\n", true },
		{ "u+x,go-w", "d 755 d\nf 644 d/a x\n", "d 755 d\nf 640 d/a x\n", false },
		{ "g=u", "d 755 d\nf 644 d/a x\n", "d 755 d\nf 604 d/a x\n", true },
		{ "g=u", "d 755 d\nf 644 d/a x\n", "d 755 d\nf 444 d/a x\n", false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct digest one, two;

		fresh_source(cases[i].one);
		one = digest_with("d", cases[i].mode);
		fresh_source(cases[i].two);
		two = digest_with("d", cases[i].mode);
		if (digest_equal(&one, &two) != cases[i].same)
			fail_msg("--chmod=%s of %s%s", cases[i].mode, cases[i].one, cases[i].two);
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
		cmocka_unit_test(forgets_modes_that_a_chmod_decides),
		cmocka_unit_test(follows_attributes_of_directories),
	};
	int failed = cmocka_run_group_tests(tests, tmp_setup, tmp_teardown);

	if (source_fd >= 0)
		close(source_fd);
	return failed;
}
