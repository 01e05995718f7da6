/*
 * tests/unit/kitchen.h - a store, a context, and plans of Recipes, for tests of the builder.
 *
 *	KITCHEN_TEST(a_test)
 *
 * gives the test what tests/unit/room.h gives, an empty directory `context_path`, and `opts` for
 * must_plan(), which makes `plan`. Images to build on come from kitchen_image(). Commands need no
 * sandbox: kitchen_run() stands in for it. The program's group needs tmp_setup and tmp_teardown.
 */
#ifndef TESTS_UNIT_KITCHEN_H
#define TESTS_UNIT_KITCHEN_H

#include <sys/stat.h>

#include "base/json.h"
#include "base/pool.h"
#include "base/stream.h"
#include "builder/build.h"
#include "builder/execute.h"
#include "builder/parse.h"
#include "builder/plan.h"
#include "builder/scope.h"
#include "store/blob.h"
#include "store/image.h"
#include "store/ref.h"
#include "tests/unit/room.h"
#include "tests/unit/scene.h"
#include "tests/unit/tree.h"

#define KITCHEN_TEST(name) cmocka_unit_test_setup_teardown(name, kitchen_open, kitchen_close)

static struct build_args *args;
static struct build_opts opts;
static struct build_target wanted; /* of the options */
static struct pool *pool; /* of the plans; NULL unless the test makes one, which then ends it */
static struct plan *plan;
static char context_path[300];

static inline int kitchen_open(void **state)
{
	umask(022);
	room_open(state);
	snprintf(context_path, sizeof(context_path), "%s/context", tmp_path);
	assert_ok(file_remove_tree(tmp_fd, "context"));
	assert_int_equal(mkdirat(tmp_fd, "context", 0755), 0);
	args = build_args_new();
	wanted = (struct build_target){ 0 };
	opts = (struct build_opts){
		.context = context_path, .args = args, .targets = &wanted, .target_count = 1
	};
	platform_host(&opts.platform);
	return 0;
}

static inline void kitchen_drop_plan(void)
{
	plan_free(plan);
	plan = NULL;
}

static inline int kitchen_close(void **state)
{
	kitchen_drop_plan();
	pool_free(pool);
	pool = NULL;
	build_args_free(args);
	return room_close(state);
}

/* Put a scene (tests/unit/scene.h) into the context. */
static inline void fill_context(const char *scene)
{
	AUTO(fd) int fd = -1;

	assert_ok(file_open_dir(tmp_fd, "context", &fd));
	scene_make(fd, scene);
}

static inline struct err *make_plan(const char *text)
{
	struct recipe *recipe;

	kitchen_drop_plan();
	TRY(recipe_parse("Recipe", str_of(text), &recipe));
	return plan_make(store, &opts, recipe, pool, &plan);
}

static inline void must_plan(const char *text)
{
	assert_ok(make_plan(text));
}

/* Store a tar of `lines` (tests/unit/tree.h) as a layer's blob. */
static inline struct image_layer kitchen_layer(const char *lines)
{
	AUTO(buf) struct buf tar = BUF_INIT(BUF_MAX);
	struct image_layer layer = { 0 };

	tree_archive(&tar, lines);
	assert_ok(blob_put(store, buf_str(&tar), &layer.blob.digest));
	layer.blob.size = tar.len;
	snprintf(layer.blob.media_type, sizeof(layer.blob.media_type), MEDIA_OCI_LAYER);
	layer.diff_id = layer.blob.digest;
	return layer;
}

/* An image of one layer, in the store as localhost/`name`. `members` of its config document, each
 * with a comma behind it, may be empty. */
static inline struct image_layer kitchen_image(const char *name, const char *lines,
					       const char *members)
{
	struct image_layer layer = kitchen_layer(lines);
	AUTO(mem) char *full = xasprintf("localhost/%s:latest", name);
	struct descriptor manifest, config;
	char digest[DIGEST_TEXT_SIZE];
	AUTO(json) json_t *document = NULL;
	AUTO(mem)
	char *text = xasprintf("{%s\"architecture\":\"%s\",\"os\":\"linux\",\"rootfs\":{\"type\":"
			       "\"layers\",\"diff_ids\":[\"%s\"]}}",
			       members, opts.platform.arch, digest_format(&layer.diff_id, digest));

	assert_ok(json_parse(str_of(text), JSON_MAX, "config", &document));
	assert_ok(image_put(store, document, &layer, 1, NULL, &manifest, &config));
	assert_ok(ref_set(store, full, &manifest));
	return layer;
}

/* What RUN ["write", PATH...] does in a test, as `run` of struct execute_opts: files that hold
 * their own names. It runs on any thread: no asserts. */
static inline struct err *kitchen_run(__attribute__((unused)) const struct run_site *site,
				      struct plan_step *step, int root_fd, int *ret_code)
{
	*ret_code = 0;
	for (size_t i = 1; i < step->argv.len; i++) {
		const char *path = step->argv.at[i];
		AUTO(fd) int fd = -1;

		if (strcmp(step->argv.at[0], "write") != 0)
			return NULL;
		TRY(file_open(root_fd, path, O_WRONLY | O_CREAT | O_TRUNC, 0644, FILE_IN_ROOT,
			      &fd));
		TRY(file_write_all(fd, path, strlen(path), path));
	}
	return NULL;
}

/* Do what the plan says, down to the blobs. */
static inline void must_execute(void)
{
	const struct execute_opts how = { .blobs = true, .run = kitchen_run };
	unsigned needed, missing;

	assert_ok(execute_lookup(plan, &needed, &missing));
	assert_ok(execute(plan, &how));
}

#endif
