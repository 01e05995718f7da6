/* tests/unit/test_sift.c - what --exclude and --parents let go along.
 *
 * Expectations follow the reference's section on COPY: patterns are those of an ignore file, relative
 * to the directory that is copied.
 */

#include "tests/unit/unit.h"

#include "builder/selection.h"
#include "builder/sift.h"
#include "tests/unit/scene.h"
#include "tests/unit/tmp.h"

TEST(answers_for_each_path)
{
	static const struct {
		const char *include, *excludes; /* the latter with blanks between */
		const char *path;
		enum sift_answer want;
	} cases[] = {
		{ NULL, "*.md", "a.md", SIFT_OUT },
		{ NULL, "*.md", "d/a.md", SIFT_IN }, /* anchored, as in an ignore file */
		{ NULL, "**/*.md", "d/e/a.md", SIFT_OUT },
		{ NULL, "**/*.md", "d/e", SIFT_IN },
		{ NULL, "d", "d/e/f", SIFT_OUT },
		{ NULL, "/d/", "d", SIFT_OUT },
		{ NULL, "d !d/e", "d", SIFT_BELOW },
		{ NULL, "d !d/e", "d/e", SIFT_IN },
		{ NULL, "d !d/e", "d/f", SIFT_OUT },
		{ NULL, "!d d", "d/e", SIFT_OUT }, /* the last one decides */
		{ NULL, "$X", "X", SIFT_IN },      /* nothing is expanded */
		{ "a/b", "", "a", SIFT_BELOW },
		{ "a/b", "", "a/b", SIFT_IN },
		{ "a/b", "", "a/b/c", SIFT_IN },
		{ "a/b", "", "a/c", SIFT_OUT },
		{ "a/b", "", "b", SIFT_OUT },
		{ "", "", "x/y", SIFT_IN },
		{ "", "x", "x/y", SIFT_OUT },
		{ "!a", "", "!a", SIFT_IN },
		{ " a ", "", " a ", SIFT_IN },
		{ "a/*.c", "", "a", SIFT_BELOW },
		{ "a/*.c", "", "a/x.c", SIFT_IN },
		{ "a/*.c", "", "a/x.h", SIFT_OUT },
		{ "a/*.c", "", "a/b/x.c", SIFT_OUT },
		{ "*/x", "", "a/y", SIFT_OUT },
		{ "**/x", "", "x", SIFT_IN },
		{ "**/x", "", "a", SIFT_BELOW },
		{ "**/x", "", "a/b/x", SIFT_IN },
		{ "**/x", "", "a/b/x/y", SIFT_IN },
		{ "a/**/x", "", "b", SIFT_OUT },
		{ "a/**/x", "", "a/b/c", SIFT_BELOW },
		{ "a/**", "", "a/b", SIFT_IN },
		{ "a/**", "", "b", SIFT_OUT },
		{ "a/[bc]", "", "a/c", SIFT_IN },
		{ "a/[bc]", "", "a/d", SIFT_OUT },
		{ "**/*.c", "a/b", "a/b/x.c", SIFT_OUT },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(sift) struct sift *sift = sift_new();
		AUTO(mem) char *text = xstrdup(cases[i].excludes);
		enum sift_answer got;

		for (char *one = strtok(text, " "); one; one = strtok(NULL, " "))
			assert_ok(sift_exclude(sift, one));
		if (cases[i].include)
			assert_ok(sift_include(sift, cases[i].include));
		got = sift_ask(sift, cases[i].path);
		if (got != cases[i].want)
			fail_msg("include %s, exclude %s, path %s: %d", cases[i].include,
				 cases[i].excludes, cases[i].path, (int)got);
	}
}

TEST(refuses_patterns_that_are_none)
{
	AUTO(sift) struct sift *sift = sift_new();

	assert_fails(sift_exclude(sift, "[a"), ERR_INVALID);
	assert_fails(sift_exclude(sift, "!"), ERR_INVALID);
	assert_fails(sift_include(sift, "a/[b"), ERR_INVALID);
}

/* ---- the same, of a tree ---- */

static int source_fd = -1;

static void fresh_source(const char *scene)
{
	if (source_fd >= 0)
		close(source_fd);
	assert_ok(file_remove_tree(tmp_fd, "source"));
	assert_ok(file_make_dirs(tmp_fd, "source", 0755, &source_fd));
	scene_make(source_fd, scene);
}

static void list_shown(const struct selected *selected, const struct tree_node *dir,
		       const char *path, struct buf *ret)
{
	for (size_t i = 0; i < dir->child_count; i++) {
		const struct tree_node *child = &dir->children[i];
		AUTO(mem) char *full = xasprintf("%s%s", path, child->name);
		AUTO(mem) char *below = xasprintf("%s/", full);

		if (!selected_shows(selected, child))
			continue;
		buf_addf(ret, "%s%s", ret->len ? " " : "", full);
		list_shown(selected, child, below, ret);
	}
}

/* What a COPY of `source` would bring, file by file. */
static struct err *select_from(const char *source, bool parents, const char *excludes,
			       struct buf *ret)
{
	AUTO(strings) struct strings patterns = { 0 };
	AUTO(selection)
	struct selection selection = { .excludes = &patterns, .parents = parents };
	AUTO(mem) char *text = xstrdup(excludes);
	AUTO(tree) struct tree *tree = NULL;

	for (char *one = strtok(text, " "); one; one = strtok(NULL, " "))
		strings_push(&patterns, one);
	TRY(tree_open(dup(source_fd), NULL, NULL, &tree));
	TRY(selection_add(&selection, tree, source, "the build context"));
	TRY(selection_load(&selection, tree, NULL));
	vec_foreach (&selection, item) {
		if (!S_ISDIR(item->node->mode))
			buf_addf(ret, "%s%s", ret->len ? " " : "", item->name);
		list_shown(item, item->node, "", ret);
	}
	return NULL;
}

static const char scene[] =
	"d 755 a\nd 755 a/b\nd 755 a/b/c\nf 644 a/b/c/x.c 1\nf 644 a/b/y.h 2\n"
	"f 644 a/x.c 3\nd 755 e\nf 644 e/x.c 4\nl - ln a/b\nl - a/dead nowhere\n";

TEST(lets_go_along_what_is_asked_for)
{
	static const struct {
		const char *source;
		bool parents;
		const char *excludes, *want;
	} cases[] = {
		/* relative to each directory that is copied, however it was found */
		{ "a", false, "b", "dead x.c" },
		{ "a/b", false, "b", "c c/x.c y.h" },
		{ "?", false, "x.c", "b b/c b/c/x.c b/y.h dead" },
		{ ".", false, "**/*.c", "a a/b a/b/c a/b/y.h a/dead e ln" },
		{ ".", false, "a e !**/y.h", "a a/b a/b/y.h ln" },
		{ ".", false, "*", "" },
		/* what is named itself is never excluded */
		{ "a/x.c", false, "x.c a", "x.c" },
		{ "a/*.c", false, "**", "x.c" },
		{ "ln", false, "c", "y.h" },
		/* --parents */
		{ "a/x.c", true, "", "a a/x.c" },
		{ "a/b/c", true, "", "a a/b a/b/c a/b/c/x.c" },
		{ "a/./b/c", true, "", "b b/c b/c/x.c" },
		{ "a/./b/./c", true, "", "b b/c b/c/x.c" },
		{ "./a/x.c", true, "", "a a/x.c" },
		{ "/../a/../a/x.c", true, "", "a a/x.c" },
		{ "**/x.c", true, "", "a a/b a/b/c a/b/c/x.c a/x.c e e/x.c" },
		{ "a/**/./x.c", true, "", "" }, /* before the pivot `**` is one name */
		{ "?/./x.c", true, "", "x.c x.c" },
		{ "*/x.c", true, "", "a a/x.c e e/x.c" },
		{ "nothing/*", true, "", "" },
		{ "a/./**", true, "b/c", "b b/y.h dead x.c" }, /* relative to the pivot */
		{ "ln/./c", true, "", "c c/x.c" },             /* a link before the pivot */
		{ "ln", true, "", "ln" },                      /* the last name stays a link */
		{ "a/dead", true, "", "a a/dead" },
		{ ".", true, "a", "e e/x.c ln" },
	};

	fresh_source(scene);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(buf) struct buf got = BUF_INIT(4096);

		assert_ok(select_from(cases[i].source, cases[i].parents, cases[i].excludes, &got));
		if (strcmp(got.len ? got.at : "", cases[i].want) != 0)
			fail_msg("%s, excluding '%s': %s", cases[i].source, cases[i].excludes,
				 got.len ? got.at : "");
	}
}

TEST(says_what_parents_lacks)
{
	static const struct {
		const char *source;
		enum err_kind kind;
		const char *says;
	} cases[] = {
		{ "a/z", ERR_NOT_FOUND, "'a/z' is not in the build context" },
		{ "a/./z", ERR_NOT_FOUND, "'a/z' is not in the build context" },
		{ "z/./x", ERR_NOT_FOUND, "'z' is not in the build context" },
		{ "ln/c", ERR_INVALID, "'ln' in 'ln/c' is a symbolic link" },
		{ "a/[x", ERR_INVALID, "syntax error" },
	};

	fresh_source(scene);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(buf) struct buf got = BUF_INIT(4096);
		AUTO(err) struct err *err = select_from(cases[i].source, true, "", &got);

		assert_int_equal(err_kind(err), cases[i].kind);
		if (!strstr(err_text(err), cases[i].says))
			fail_msg("%s: %s", cases[i].source, err_text(err));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_for_each_path),
		cmocka_unit_test(refuses_patterns_that_are_none),
		cmocka_unit_test(lets_go_along_what_is_asked_for),
		cmocka_unit_test(says_what_parents_lacks),
	};
	int failed = cmocka_run_group_tests(tests, tmp_setup, tmp_teardown);

	if (source_fd >= 0)
		close(source_fd);
	return failed;
}
