/* tests/unit/test_image_changes.c - annotations as docker buildx spells them, and where they go. */

#include "tests/unit/unit.h"

#include "base/json.h"
#include "builder/config.h"
#include "builder/image_changes.h"

static const struct platform amd64 = { .os = "linux", .arch = "amd64" };

/* What `level` has after `text` was read, as JSON. */
static void assert_annotations(const char *text, enum annotation_level level, const char *want)
{
	struct image_changes changes = { .drop_labels = false };
	AUTO(json) json_t *all = NULL;
	AUTO(mem) char *got = NULL;

	assert_ok(image_changes_annotate(&changes, text));
	all = image_changes_annotations(&changes, level, &amd64, NULL, NULL);
	got = json_format(all);
	if (strcmp(got, want) != 0)
		fail_msg("%s: %s instead of %s", text, got, want);
	image_changes_release(&changes);
}

TEST(an_annotation_goes_where_its_levels_and_platforms_say)
{
	static const struct {
		const char *text;
		enum annotation_level level;
		const char *want;
	} cases[] = {
		{ "a=b", ANNOTATION_MANIFEST, "{\"a\":\"b\"}" },
		{ "a=b", ANNOTATION_INDEX, "{}" },
		{ "a=", ANNOTATION_MANIFEST, "{\"a\":\"\"}" },
		{ "a=b:c=d", ANNOTATION_MANIFEST, "{\"a\":\"b:c=d\"}" },
		{ "manifest:a=b", ANNOTATION_MANIFEST, "{\"a\":\"b\"}" },
		{ "manifest:a:c=b", ANNOTATION_MANIFEST, "{\"a:c\":\"b\"}" },
		{ "index,manifest-descriptor:a=b", ANNOTATION_INDEX, "{\"a\":\"b\"}" },
		{ "index,manifest-descriptor:a=b", ANNOTATION_MANIFEST_DESCRIPTOR,
		  "{\"a\":\"b\"}" },
		{ "index,manifest-descriptor:a=b", ANNOTATION_MANIFEST, "{}" },
		{ "index-descriptor:a=b", ANNOTATION_INDEX_DESCRIPTOR, "{\"a\":\"b\"}" },
		{ "manifest[linux/amd64]:a=b", ANNOTATION_MANIFEST, "{\"a\":\"b\"}" },
		{ "manifest[linux/arm64]:a=b", ANNOTATION_MANIFEST, "{}" },
		{ "manifest[linux/arm64],manifest[linux/amd64]:a=b", ANNOTATION_MANIFEST,
		  "{\"a\":\"b\"}" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_annotations(cases[i].text, cases[i].level, cases[i].want);
}

TEST(what_is_no_annotation_is_refused)
{
	static const char *const texts[] = { "",
					     "a",
					     "=b",
					     "manifest:=b",
					     ":a=b",
					     "layer:a=b",
					     "manifest,:a=b",
					     "manifest[linux/amd64:a=b",
					     "manifest[]:a=b" };

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct image_changes changes = { .drop_labels = false };
		AUTO(err) struct err *err = image_changes_annotate(&changes, texts[i]);

		if (err_kind(err) != ERR_INVALID)
			fail_msg("'%s': %s", texts[i], err ? err_text(err) : "accepted");
		image_changes_release(&changes);
	}
}

TEST(those_of_the_base_come_first_and_can_be_taken_away)
{
	struct image_changes changes = { .inherit_annotations = true, .created_annotation = true };
	AUTO(json) json_t *base = NULL;
	AUTO(json) json_t *all = NULL;
	AUTO(mem) char *got = NULL;

	assert_ok(json_parse(STR("{\"gone\":\"1\",\"kept\":\"2\",\"set\":\"3\"}"), 100, "base",
			     &base));
	strings_push(&changes.unset_annotations, "gone");
	strings_push(&changes.unset_annotations, "set");
	assert_ok(image_changes_annotate(&changes, "set=4"));
	all = image_changes_annotations(&changes, ANNOTATION_MANIFEST, &amd64, base, "then");
	got = json_format(all);
	assert_string_equal(got, "{\"kept\":\"2\",\"org.opencontainers.image.created\":\"then\","
				 "\"set\":\"4\"}");
	assert_int_equal(json_object_size(base), 3);
	image_changes_release(&changes);
}

/* As buildah does: --unsetenv comes last. */
TEST(variables_are_set_and_then_taken_away)
{
	struct image_changes changes = { .drop_labels = false };
	AUTO(config) struct config *config = NULL;
	AUTO(strings) struct strings env = { 0 };

	assert_ok(config_new(NULL, &config));
	config_set_env(config, STR("A"), "1");
	config_set_env(config, STR("B"), "2");
	strings_push(&changes.env, "B=3");
	strings_push(&changes.env, "C=4=5");
	strings_push(&changes.env, "D=6");
	strings_push(&changes.unset_env, "A");
	strings_push(&changes.unset_env, "D");
	image_changes_apply(&changes, config);
	config_env(config, &env);
	assert_int_equal(env.len, 3);
	assert_string_equal(env.at[0], "PATH=" CONFIG_DEFAULT_PATH);
	assert_string_equal(env.at[1], "B=3");
	assert_string_equal(env.at[2], "C=4=5");
	image_changes_release(&changes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_annotation_goes_where_its_levels_and_platforms_say),
		cmocka_unit_test(what_is_no_annotation_is_refused),
		cmocka_unit_test(those_of_the_base_come_first_and_can_be_taken_away),
		cmocka_unit_test(variables_are_set_and_then_taken_away),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
