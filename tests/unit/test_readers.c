/* tests/unit/test_readers.c - which instructions read a path of the context.
 *
 * What COPY selects follows the reference's section on sources.
 */

#include "tests/unit/unit.h"

#include "base/err.h"
#include "base/file.h"
#include "builder/parse.h"
#include "builder/readers.h"
#include "builder/recipe.h"
#include "builder/scope.h"
#include "builder/tree.h"
#include "tests/unit/scene.h"
#include "tests/unit/tmp.h"

/* The lines of a Recipe that read `path`, "2 5 ". */
static char *lines_of(struct tree *tree, const char *text, const char *path)
{
	AUTO(recipe) struct recipe *recipe = NULL;
	AUTO(build_args) struct build_args *args = build_args_new();
	AUTO(readers) struct readers readers = { 0 };
	AUTO(buf) struct buf lines = BUF_INIT(4096);
	struct tree_node *node;

	build_args_set(args, STR("given"), "src");
	assert_ok(recipe_parse("Recipe", str_of(text), &recipe));
	assert_ok(tree_find(tree, &tree->root, str_of(path), false, &node));
	assert_non_null(node);
	assert_ok(readers_find(recipe, args, tree, node, &readers));
	vec_foreach (&readers, reader)
		buf_addf(&lines, "%u ", (*reader)->position.line);
	return lines.len ? buf_steal(&lines) : xstrdup("");
}

TEST(copies_and_mounts_read_what_they_select)
{
	static const struct {
		const char *line, *path;
		bool reads;
	} cases[] = {
		{ "COPY src/a /", "src/a", true },
		{ "COPY src/a /", "src/b", false },
		{ "COPY src/a /", "src", true }, /* something of it */
		{ "COPY src /", "src/deep/c", true },
		{ "COPY . /", "src/deep/c", true },
		{ "COPY s*/a /", "src/a", true },
		{ "COPY s* /", "other/d", false },
		{ "COPY link /", "src/a", true }, /* links are followed */
		{ "COPY --exclude=deep src /", "src/deep/c", false },
		{ "COPY --exclude=deep src /", "src/a", true },
		{ "COPY --parents src/*/c /", "src/deep/c", true },
		{ "COPY --parents src/*/c /", "src/a", false },
		{ "COPY --from=s src /", "src/a", false },
		{ "COPY gone src /", "src/a", true },
		{ "COPY $dir /", "src/a", true },
		{ "ADD src /", "src/a", true },
		{ "RUN --mount=target=/m x", "src/a", true },
		{ "RUN --mount=source=src,target=/m x", "src/a", true },
		{ "RUN --mount=source=other,target=/m x", "src/a", false },
		{ "RUN --mount=type=cache,source=src,target=/m x", "src/a", false },
		{ "RUN --mount=from=s,target=/m x", "src/a", false },
		{ "RUN cat src/a", "src/a", false },
		{ "ENV src=a", "src/a", false },
	};
	AUTO(tree) struct tree *tree = NULL;
	int fd = -1;

	scene_make(tmp_fd, "d 755 c\nd 755 c/src\nd 755 c/src/deep\nd 755 c/other\n"
			   "f 644 c/src/a x\nf 644 c/src/b x\nf 644 c/src/deep/c x\n"
			   "f 644 c/other/d x\nl - c/link src\n");
	assert_ok(file_open_dir(tmp_fd, "c", &fd));
	assert_ok(tree_open(fd, NULL, NULL, &tree));
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(mem)
		char *whole = xasprintf("FROM scratch AS s\nFROM scratch\nARG dir=src\n%s\n",
					cases[i].line);
		AUTO(mem) char *lines = lines_of(tree, whole, cases[i].path);

		if (strcmp(lines, cases[i].reads ? "4 " : "") != 0)
			fail_msg("%s of %s: '%s'", cases[i].line, cases[i].path, lines);
	}
}

TEST(every_stage_is_looked_at)
{
	AUTO(tree) struct tree *tree = NULL;
	AUTO(mem) char *lines = NULL;
	int fd = -1;

	scene_make(tmp_fd, "d 755 d\nf 644 d/f x\n");
	assert_ok(file_open_dir(tmp_fd, "d", &fd));
	assert_ok(tree_open(fd, NULL, NULL, &tree));
	lines = lines_of(
		tree,
		"FROM scratch\nCOPY f /\nFROM debian\nARG given\nRUN --mount=source=f,target=/f "
		"x\nCOPY $given /\nCOPY f* /\n",
		"f");
	assert_string_equal(lines, "2 5 7 ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(copies_and_mounts_read_what_they_select),
		cmocka_unit_test(every_stage_is_looked_at),
	};

	return cmocka_run_group_tests(tests, tmp_setup, tmp_teardown);
}
