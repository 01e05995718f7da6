/* tests/unit/test_from.c - what a name in --from stands for.
 *
 * The order (named context, stage, number, image) and the errors follow the reference's section
 * on FROM and stages.
 */

#include "tests/unit/unit.h"

#include "builder/build.h"
#include "builder/ignore.h"
#include "builder/plan.h"
#include "builder/tree.h"
#include "tests/unit/kitchen.h"

static char other_path[320]; /* a directory beside the context */
static struct build_context named[2];

/* Make the directory `other_path` and let it be what `name` means. */
static void name_context(const char *name, const char *scene)
{
	AUTO(fd) int fd = -1;

	snprintf(other_path, sizeof(other_path), "%s/other", tmp_path);
	assert_ok(file_remove_tree(tmp_fd, "other"));
	assert_int_equal(mkdirat(tmp_fd, "other", 0755), 0);
	assert_ok(file_open_dir(tmp_fd, "other", &fd));
	scene_make(fd, scene);
	named[0] = (struct build_context){ name, other_path };
	opts.contexts = named;
	opts.context_count = 1;
}

static const struct plan_from *last_from(void)
{
	return &plan->target->top->copy.from;
}

TEST(a_copy_without_from_reads_the_builds_own_context)
{
	fill_context("f 644 f x\n");
	must_plan("FROM scratch\nCOPY f /\n");
	assert_ptr_equal(last_from()->context, plan->context);
	assert_null(last_from()->stage);
	assert_null(last_from()->image);
}

TEST(a_name_is_a_context_before_it_is_a_stage_or_an_image)
{
	kitchen_image("i", F("in-image"), "");
	must_plan("FROM scratch AS s\nFROM scratch\nCOPY --from=localhost/i in-image /\n");
	assert_non_null(last_from()->image);
	must_plan("FROM scratch AS s\nRUN x\nFROM scratch\nCOPY --from=s /f /\n");
	assert_string_equal(last_from()->stage->name, "s");
	name_context("s", "f 644 f x\n");
	must_plan("FROM scratch AS s\nRUN x\nFROM scratch\nCOPY --from=s /f /\n");
	assert_string_equal(last_from()->context->name, "s");
	assert_int_equal(plan->steps.len, 1); /* the stage is not looked at */
	name_context("localhost/i", "f 644 f x\n");
	must_plan("FROM scratch\nCOPY --from=localhost/i f /\n");
	assert_string_equal(last_from()->context->name, "localhost/i");
	assert_int_equal(plan->images.len, 0);
}

TEST(a_stage_is_also_known_by_its_number)
{
	must_plan("FROM scratch AS s\nRUN x\nFROM scratch\nRUN y\nFROM scratch\n"
		  "COPY --from=1 /f /\n");
	assert_string_equal(last_from()->stage->name, "stage-1");
	must_plan("FROM scratch AS s\nRUN x\nFROM scratch\nCOPY --from=S /f /\n");
	assert_string_equal(last_from()->stage->name, "s");
}

TEST(variables_name_a_stage_an_image_or_a_context)
{
	static const struct {
		const char *lines;
		const char *stage; /* that is found */
	} cases[] = {
		{ "ARG which=two\nCOPY --from=$which /f /\n", "two" },
		{ "ARG which=t\nCOPY --from=${which}wo /f /\n", "two" },
		{ "ENV which=ONE\nCOPY --from=$which /f /\n", "one" },
		{ "ARG which\nCOPY --from=${which:-one} /f /\n", "one" },
		{ "ARG which=1\nCOPY --from=$which /f /\n", "two" },
		/* the ARGs before the first FROM, unless the stage has the name */
		{ "COPY --from=$everywhere /f /\n", "one" },
		{ "ARG everywhere=two\nCOPY --from=$everywhere /f /\n", "two" },
		{ "ARG everywhere\nCOPY --from=$everywhere /f /\n", "one" },
	};
	AUTO(err) struct err *err = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(mem)
		char *text = xasprintf("ARG everywhere=one\nFROM scratch AS one\nRUN x\n"
				       "FROM scratch AS two\nRUN y\nFROM scratch\n%s",
				       cases[i].lines);

		must_plan(text);
		assert_non_null(last_from()->stage);
		if (strcmp(last_from()->stage->name, cases[i].stage) != 0)
			fail_msg("%s: %s", cases[i].lines, last_from()->stage->name);
		/* the other one is not needed, and not looked at */
		assert_int_equal(plan->steps.len, 2);
	}
	kitchen_image("i", F("f"), "");
	must_plan("FROM scratch\nARG v=latest\nCOPY --from=localhost/i:$v f /\n");
	assert_non_null(last_from()->image);
	err = make_plan("FROM scratch\nCOPY --from=$nothing f /\n");
	assert_non_null(strstr(err_text(err), "Recipe:2: '$nothing' is empty"));
	err_free(err);
	err = make_plan("FROM scratch AS a\nARG s=a\nCOPY --from=$s f /\n");
	assert_non_null(strstr(err_text(err), "stage 'a' cannot copy from itself"));
}

TEST(triggers_read_stages_of_the_recipe_that_they_run_in)
{
	must_plan("FROM scratch AS made\nRUN x\nFROM scratch AS parent\n"
		  "ONBUILD RUN --mount=from=made,target=/m y\nONBUILD COPY --from=0 /f /\n"
		  "FROM parent\n");
	assert_string_equal(last_from()->stage->name, "made");
	assert_int_equal(plan->steps.len, 3);
	assert_string_equal(plan->steps.at[1]->mounts.at[0].from.stage->name, "made");
}

TEST(names_of_contexts_are_compared_as_names_of_images)
{
	static const struct {
		const char *given, *said;
		bool same;
	} cases[] = {
		{ "app", "app", true },
		{ "app", "APP", true },
		{ "App", "app", true },
		{ "app", "app:latest", true },
		{ "app", "docker.io/library/app", true },
		{ "docker.io/library/app:latest", "app", true },
		{ "app:1", "app:1", true },
		{ "app:1", "app:2", false },
		{ "app:1", "app", false },
		{ "quay.io/app", "app", false },
		{ "quay.io/app", "quay.io/app:latest", true },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(mem)
		char *text = xasprintf("FROM scratch\nCOPY --from=%s f /\n", cases[i].said);
		AUTO(err) struct err *err = NULL;

		name_context(cases[i].given, "f 644 f x\n");
		err = make_plan(text);
		if (!err != cases[i].same)
			fail_msg("%s for %s: %s", cases[i].given, cases[i].said, err_text(err));
	}
}

TEST(of_two_contexts_of_one_name_the_last_counts)
{
	name_context("c", "f 644 f x\n");
	named[1] = named[0];
	named[0].value = "/nonexistent";
	opts.context_count = 2;
	must_plan("FROM scratch\nCOPY --from=c f /\n");
}

TEST(scratch_is_the_empty_directory)
{
	pool = pool_new(1);
	name_context("scratch", "f 644 f x\n"); /* no context can be called so */
	must_plan("FROM scratch\nCOPY --from=scratch g* /\n");
	assert_null(last_from()->context);
	assert_null(last_from()->stage);
	assert_null(last_from()->image);
	must_execute();
}

TEST(a_named_context_has_ignore_rules_of_its_own)
{
	fill_context("f 644 a x\nf 644 b x\nf 644 .dockerignore a\n"
		     "f 644 Recipe.dockerignore b\n");
	name_context("c", "f 644 a x\nf 644 b x\nf 644 .dockerignore b\n");
	must_plan("FROM scratch\nCOPY a /\nCOPY --from=c a /\n");
	assert_fails(make_plan("FROM scratch\nCOPY b /\n"), ERR_NOT_FOUND);
	assert_fails(make_plan("FROM scratch\nCOPY --from=c b /\n"), ERR_NOT_FOUND);
}

TEST(a_context_is_not_opened_before_it_is_read)
{
	name_context("c", "");
	named[0].value = "/nonexistent";
	opts.context = "/nonexistent either";
	must_plan("FROM scratch\nRUN x\n");
	assert_fails(make_plan("FROM scratch\nCOPY --from=c f /\n"), ERR_NOT_FOUND);
	assert_fails(make_plan("FROM scratch\nCOPY f /\n"), ERR_NOT_FOUND);
}

TEST(the_content_of_a_context_is_in_the_key_and_its_place_is_not)
{
	struct digest from_context, from_named;

	fill_context("f 644 f x\n");
	name_context("c", "f 644 f x\n");
	must_plan("FROM scratch\nCOPY f /\n");
	from_context = plan->target->top->record.key;
	must_plan("FROM scratch\nCOPY --from=c f /\n");
	from_named = plan->target->top->record.key;
	assert_true(digest_equal(&from_context, &from_named));
	name_context("c", "f 644 f y\n");
	must_plan("FROM scratch\nCOPY --from=c f /\n");
	assert_false(digest_equal(&from_named, &plan->target->top->record.key));
}

TEST(what_cannot_be_copied_from_is_refused_with_both_names)
{
	static const struct {
		const char *recipe;
		const char *text; /* somewhere in the message or its notes */
	} cases[] = {
		{ "FROM scratch AS a\nCOPY --from=b x /\nFROM scratch AS b\nFROM a\n",
		  "Recipe:2: stage 'b' comes after stage 'a'" },
		{ "FROM scratch AS a\nCOPY --from=a x /\n", "stage 'a' cannot copy from itself" },
		{ "FROM scratch AS a\nCOPY --from=0 x /\n",
		  "there is no stage 0 before stage 'a'" },
		{ "FROM scratch AS a\nCOPY --from=7 x /\n",
		  "there is no stage 7 before stage 'a'" },
		{ "FROM scratch AS build\nFROM scratch\nCOPY --from=biuld x /\n",
		  "did you mean 'build'?" },
		{ "FROM scratch\nCOPY --from=suorces x /\n", "did you mean 'sources'?" },
		{ "FROM scratch AS a\nRUN --mount=from=b,target=/x y\nFROM scratch AS b\nFROM a\n",
		  "Recipe:2: stage 'b' comes after stage 'a'" },
		{ "FROM scratch AS a\nRUN --mount=from=a,target=/x y\n",
		  "stage 'a' cannot copy from itself" },
		{ "FROM scratch AS a\nRUN --mount=type=cache,from=A,target=/x y\n",
		  "stage 'A' cannot copy from itself" },
		/* a number names no stage in a mount, nor in FROM */
		{ "FROM scratch\nFROM scratch\nRUN --mount=from=0,target=/x y\n", "image '0'" },
		{ "FROM scratch\nFROM 0\n", "image '0'" },
	};

	name_context("sources", "");
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(err) struct err *err = make_plan(cases[i].recipe);

		assert_non_null(err);
		if (!strstr(err_text(err), cases[i].text) && !strstr(err_notes(err), cases[i].text))
			fail_msg("%s: %s\n%s", cases[i].recipe, err_text(err), err_notes(err));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		KITCHEN_TEST(a_copy_without_from_reads_the_builds_own_context),
		KITCHEN_TEST(a_name_is_a_context_before_it_is_a_stage_or_an_image),
		KITCHEN_TEST(a_stage_is_also_known_by_its_number),
		KITCHEN_TEST(variables_name_a_stage_an_image_or_a_context),
		KITCHEN_TEST(triggers_read_stages_of_the_recipe_that_they_run_in),
		KITCHEN_TEST(names_of_contexts_are_compared_as_names_of_images),
		KITCHEN_TEST(of_two_contexts_of_one_name_the_last_counts),
		KITCHEN_TEST(scratch_is_the_empty_directory),
		KITCHEN_TEST(a_named_context_has_ignore_rules_of_its_own),
		KITCHEN_TEST(a_context_is_not_opened_before_it_is_read),
		KITCHEN_TEST(the_content_of_a_context_is_in_the_key_and_its_place_is_not),
		KITCHEN_TEST(what_cannot_be_copied_from_is_refused_with_both_names),
	};

	return cmocka_run_group_tests(tests, tmp_setup, tmp_teardown);
}
