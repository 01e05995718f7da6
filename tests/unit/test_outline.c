/* tests/unit/test_outline.c - what a Recipe can be given and make, which stages need each other, and how
 * what was found is told. */

#include "tests/unit/unit.h"

#include <fcntl.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "builder/check.h"
#include "builder/outline.h"
#include "builder/scope.h"
#include "builder/survey.h"
#include "cli/diagnose.h"
#include "tests/unit/tmp.h"

static struct build_args *args;

static int open_args(void **state)
{
	(void)state;
	args = build_args_new();
	return 0;
}

static int close_args(void **state)
{
	(void)state;
	build_args_free(args);
	return 0;
}

/* Read a Recipe and look at all of it. */
static void check(const char *text, struct check *ret)
{
	AUTO(mem) char *path = xasprintf("%s/Recipe", tmp_path);
	struct check_opts opts = { .recipe = path, .args = args };

	platform_host(&opts.platform);
	assert_ok(file_replace(tmp_fd, "Recipe", str_of(text), 0644, FILE_QUICK));
	assert_ok(check_run(&opts, ret));
}

/* "NAME[=VALUE][!][ (doc)]" each. */
static void add_list(const struct outline_list *list, struct buf *out)
{
	vec_foreach (list, one)
		buf_addf(out, " %s%s%s%s%s%s%s", one->name, one->value ? "=" : "",
			 one->value ? one->value : "", one->required ? "!" : "",
			 one->doc ? " (" : "", one->doc ? one->doc : "", one->doc ? ")" : "");
	buf_addc(out, ';');
}

static const char stages[] = "# V is which one\n"
			     "ARG V=1\n"
			     "FROM x AS one\n"
			     "ARG V\n"
			     "ARG EMPTY\n"
			     "RUN --mount=type=secret,id=s --mount=type=cache,target=/c a\n"
			     "FROM y AS two\n"
			     "ARG OTHER=$V\n"
			     "RUN --mount=type=ssh,required --mount=type=secret,id=t,required b\n"
			     "FROM one AS three\n"
			     "COPY --from=two /a /b\n"
			     "FROM z\n"
			     "RUN --mount=from=one,target=/one c\n";

TEST(an_outline_has_what_all_stages_of_the_target_take)
{
	static const struct {
		const char *target, *want;
	} cases[] = {
		{ "one", " V=1 (is which one) EMPTY; s;; /c;" },
		{ "two", " OTHER=; t!; default!;;" },
		{ "three", " V=1 (is which one) EMPTY OTHER=; s t!; default!; /c;" },
		{ NULL, " V=1 (is which one) EMPTY; s;; /c;" },
		{ "3", " V=1 (is which one) EMPTY; s;; /c;" },
	};
	AUTO(check) struct check found = { 0 };

	check(stages, &found);
	assert_null(found.error);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(outline) struct outline outline = { 0 };
		AUTO(buf) struct buf got = BUF_INIT(4096);

		assert_ok(outline_make(&found, cases[i].target, &outline));
		add_list(&outline.args, &got);
		add_list(&outline.secrets, &got);
		add_list(&outline.ssh, &got);
		add_list(&outline.caches, &got);
		if (strcmp(got.at, cases[i].want) != 0)
			fail_msg("%s: %s", cases[i].target ? cases[i].target : "(last)", got.at);
	}
	{
		AUTO(outline) struct outline outline = { 0 };

		assert_fails(outline_make(&found, "four", &outline), ERR_USAGE);
	}
}

TEST(a_target_needs_what_it_is_built_on_copies_from_and_mounts)
{
	static const struct {
		const char *target, *want;
	} cases[] = {
		{ "one", "1000" }, { "TWO", "0100" }, { "three", "1110" },
		{ NULL, "1001" },  { "", "1001" },    { "0", "1000" },
	};
	AUTO(check) struct check found = { 0 };

	check(stages, &found);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct stage *target;
		AUTO(mem) bool *needed = NULL;

		assert_ok(survey_find_target(found.recipe, cases[i].target, &target));
		assert_ok(survey_needed(found.recipe, found.globals, target, &needed));
		for (size_t k = 0; k < 4; k++)
			if (needed[k] != (cases[i].want[k] == '1'))
				fail_msg("%s: stage %zu",
					 cases[i].target ? cases[i].target : "(last)", k);
	}
	{
		const struct stage *target;
		AUTO(err) struct err *err = survey_find_target(found.recipe, "thre", &target);

		assert_int_equal(err_kind(err), ERR_USAGE);
		assert_non_null(strstr(err_text(err), "did you mean three?"));
	}
}

/* Collects "LINE:VALUE OF A ". */
static struct err *note(void *self, const struct survey_site *site)
{
	const char *value = scope_get(site->scope, STR("A"));

	buf_addf(self, "%u:%s ", site->position->line, value ? value : "-");
	return NULL;
}

TEST(a_survey_knows_the_variables_where_it_stands)
{
	AUTO(check) struct check found = { 0 };
	AUTO(buf) struct buf got = BUF_INIT(4096);
	bool wanted[] = { true, false, true };
	struct survey survey = { .wanted = wanted, .visit = note, .visit_self = &got };

	check("ARG A=global\nFROM x AS a\nENV A=one\nRUN b\nFROM y\nRUN c\nFROM a\nRUN d\n",
	      &found);
	survey.recipe = found.recipe;
	survey.globals = found.globals;
	assert_ok(survey_run(&survey));
	assert_non_null(got.at);
	assert_non_null(strstr(got.at, "4:one "));
	assert_null(strstr(got.at, "6:"));
	if (!strstr(got.at, "8:one "))
		fail_msg("%s", got.at); /* what the stage below has set stays */
}

TEST(what_was_found_is_told_with_rules_lines_and_the_error)
{
	AUTO(check) struct check found = { 0 };
	AUTO(check) struct check wrong = { 0 };

	check("FROM x AS Build\nRUN a\n", &found);
	{
		AUTO(json) json_t *json = diagnose_json(&found);
		AUTO(json) json_t *sarif = diagnose_sarif(&found);
		json_t *warning = json_array_get(json_object_get(json, "warnings"), 0);
		json_t *run = json_array_get(json_object_get(sarif, "runs"), 0);
		json_t *result = json_array_get(json_object_get(run, "results"), 0);

		assert_int_equal(json_array_size(json_object_get(json, "warnings")), 1);
		assert_string_equal(json_string_value(json_object_get(warning, "ruleName")),
				    "StageNameCasing");
		assert_null(json_object_get(json, "buildError"));
		assert_string_equal(json_string_value(json_object_get(sarif, "version")), "2.1.0");
		assert_string_equal(json_string_value(json_object_get(result, "ruleId")),
				    "StageNameCasing");
		assert_string_equal(json_string_value(json_object_get(result, "level")), "warning");
	}
	check("FROM x\nRUNN a\n", &wrong);
	{
		AUTO(json) json_t *json = diagnose_json(&wrong);
		AUTO(json) json_t *sarif = diagnose_sarif(&wrong);
		json_t *run = json_array_get(json_object_get(sarif, "runs"), 0);
		json_t *result = json_array_get(json_object_get(run, "results"), 0);

		assert_non_null(json_object_get(json, "buildError"));
		assert_string_equal(json_string_value(json_object_get(result, "level")), "error");
	}
}

#define ARGS_TEST(name) cmocka_unit_test_setup_teardown(name, open_args, close_args)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ARGS_TEST(an_outline_has_what_all_stages_of_the_target_take),
		ARGS_TEST(a_target_needs_what_it_is_built_on_copies_from_and_mounts),
		ARGS_TEST(a_survey_knows_the_variables_where_it_stands),
		ARGS_TEST(what_was_found_is_told_with_rules_lines_and_the_error),
	};

	return cmocka_run_group_tests(tests, tmp_setup, tmp_teardown);
}
