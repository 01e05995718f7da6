/* tests/unit/test_config.c - what instructions do to an image config, by the image-spec's names. */

#include "tests/unit/unit.h"

#include "base/json.h"
#include "builder/config.h"
#include "builder/recipe.h"
#include "store/image.h"

static const struct platform amd64 = { .os = "linux", .arch = "amd64" };

static struct config *config_of(const char *base)
{
	AUTO(json) json_t *doc = NULL;
	struct config *config = NULL;

	if (base)
		assert_ok(json_parse(str_of(base), JSON_MAX, "base", &doc));
	assert_ok(config_new(doc, &config));
	return config;
}

/* The finished document, with an empty history and no layers. */
static char *finish(const struct config *config)
{
	AUTO(json) json_t *history = json_array();
	AUTO(json) json_t *diff_ids = json_array();
	AUTO(json)
	json_t *doc = config_finish(config, &amd64, "1970-01-01T00:00:00Z", history, diff_ids);

	return json_format(doc);
}

static struct strings list_of(const char *a, const char *b)
{
	struct strings list = { 0 };

	strings_push(&list, a);
	if (b)
		strings_push(&list, b);
	return list;
}

TEST(scratch_has_a_path_and_a_directory)
{
	AUTO(config) struct config *config = config_of(NULL);
	AUTO(mem) char *got = finish(config);

	assert_string_equal(
		got, "{\"created\":\"1970-01-01T00:00:00Z\",\"architecture\":\"amd64\","
		     "\"os\":\"linux\",\"config\":{\"Env\":[\"PATH=/usr/local/sbin:/usr/local/bin:"
		     "/usr/sbin:/usr/bin:/sbin:/bin\"],\"WorkingDir\":\"/\"},"
		     "\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[]},\"history\":[]}");
}

TEST(keeps_what_it_does_not_know_and_orders_the_rest)
{
	AUTO(config)
	struct config *config = config_of(
		"{\"zeta\":1,\"config\":{\"Env\":[\"PATH=/bin\",\"A=1\"],\"Odd\":[1],"
		"\"Labels\":{\"b\":\"2\",\"a\":\"1\"},\"User\":\"me\"},\"os\":\"plan9\"}");
	AUTO(mem) char *got = finish(config);

	assert_string_equal(
		got, "{\"created\":\"1970-01-01T00:00:00Z\",\"architecture\":\"amd64\","
		     "\"os\":\"linux\",\"config\":{\"User\":\"me\",\"Env\":[\"PATH=/bin\",\"A=1\"],"
		     "\"Labels\":{\"a\":\"1\",\"b\":\"2\"},\"Odd\":[1]},"
		     "\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[]},\"history\":[],\"zeta\":1}");
}

TEST(a_base_without_a_path_gets_one_behind_its_other_variables)
{
	static const char *const cases[][2] = {
		{ "{\"config\":{\"Env\":[\"A=1\",\"MYPATH=x\"]}}",
		  "\"Env\":[\"A=1\",\"MYPATH=x\",\"PATH=" CONFIG_DEFAULT_PATH "\"]" },
		{ "{\"config\":{}}", "\"Env\":[\"PATH=" CONFIG_DEFAULT_PATH "\"]" },
		{ "{\"config\":{\"Env\":[\"PATH=\",\"A=1\"]}}", "\"Env\":[\"PATH=\",\"A=1\"]" },
	};

	assert_string_equal(CONFIG_DEFAULT_PATH,
			    "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(config) struct config *config = config_of(cases[i][0]);
		AUTO(mem) char *got = finish(config);

		if (!strstr(got, cases[i][1]))
			fail_msg("%s: %s", cases[i][0], got);
	}
}

TEST(all_of_a_base_is_inherited_but_its_time_and_its_triggers)
{
	static const char settings[] =
		"\"User\":\"u\",\"ExposedPorts\":{\"1/tcp\":{}},\"Env\":[\"B=2\",\"A=1\",\"PATH=x\"],"
		"\"Entrypoint\":[\"e\"],\"Cmd\":[\"c\"],\"Volumes\":{\"/v\":{}},\"WorkingDir\":\"/w\","
		"\"Labels\":{\"l\":\"1\"},\"StopSignal\":\"9\",\"Shell\":[\"s\"],"
		"\"Healthcheck\":{\"Test\":[\"NONE\"]}";
	static const char *const kept[] = {
		"\"User\":\"u\"",         "\"ExposedPorts\":{\"1/tcp\":{}}",
		"\"Entrypoint\":[\"e\"]", "\"Env\":[\"B=2\",\"A=1\",\"PATH=x\"]",
		"\"Cmd\":[\"c\"]",        "\"Volumes\":{\"/v\":{}}",
		"\"WorkingDir\":\"/w\"",  "\"Labels\":{\"l\":\"1\"}",
		"\"StopSignal\":\"9\"",   "\"Shell\":[\"s\"]",
		"\"author\":\"me\"",      "\"Healthcheck\":{\"Test\":[\"NONE\"]}",
	};
	AUTO(mem)
	char *base = xasprintf("{\"created\":\"2001-02-03T04:05:06Z\",\"author\":\"me\","
			       "\"config\":{%s,\"OnBuild\":[\"RUN x\"]}}",
			       settings);
	AUTO(config) struct config *config = config_of(base);
	AUTO(config) struct config *child = NULL;
	AUTO(strings) struct strings triggers = { 0 };

	config_take_onbuild(config, &triggers);
	assert_int_equal(triggers.len, 1);
	child = config_copy(config); /* a stage on a stage inherits likewise */
	for (int turn = 0; turn < 2; turn++) {
		AUTO(mem) char *got = finish(turn ? child : config);

		for (size_t i = 0; i < ARRAY_SIZE(kept); i++)
			if (!strstr(got, kept[i]))
				fail_msg("without %s: %s", kept[i], got);
		assert_null(strstr(got, "2001-02-03"));
		assert_null(strstr(got, "OnBuild"));
	}
}

TEST(env_replaces_in_place_and_keeps_the_order)
{
	AUTO(config)
	struct config *config = config_of("{\"config\":{\"Env\":[\"PATH=x\",\"A=1\","
					  "\"AB=2\"]}}");
	AUTO(strings) struct strings env = { 0 };

	config_set_env(config, STR("A"), "=new=");
	config_set_env(config, STR("C"), "");
	config_env(config, &env);
	assert_int_equal(env.len, 4);
	assert_string_equal(env.at[0], "PATH=x");
	assert_string_equal(env.at[1], "A==new=");
	assert_string_equal(env.at[2], "AB=2");
	assert_string_equal(env.at[3], "C=");
}

TEST(an_entrypoint_clears_only_an_inherited_cmd)
{
	AUTO(config) struct config *inherited = config_of("{\"config\":{\"Cmd\":[\"old\"]}}");
	AUTO(config) struct config *own = config_of("{\"config\":{\"Cmd\":[\"old\"]}}");
	AUTO(strings) struct strings argv = list_of("/x", NULL);
	AUTO(strings) struct strings cmd = { 0 };

	config_set_entrypoint(inherited, &argv);
	config_list(inherited, "Cmd", &cmd);
	assert_int_equal(cmd.len, 0);
	config_set_cmd(own, &argv);
	config_set_entrypoint(own, &argv);
	config_list(own, "Cmd", &cmd);
	assert_int_equal(cmd.len, 1);
}

TEST(a_stage_built_on_another_inherits_its_cmd)
{
	AUTO(config) struct config *parent = config_of(NULL);
	AUTO(config) struct config *child = NULL;
	AUTO(strings) struct strings argv = list_of("/x", NULL);
	AUTO(strings) struct strings cmd = { 0 };

	config_set_cmd(parent, &argv);
	child = config_copy(parent);
	config_set_entrypoint(child, &argv); /* CMD was not set in the child's own stage */
	config_list(child, "Cmd", &cmd);
	assert_int_equal(cmd.len, 0);
	config_list(parent, "Cmd", &cmd);
	assert_int_equal(cmd.len, 1);
}

TEST(a_healthcheck_stores_no_zeros)
{
	AUTO(config) struct config *config = config_of("{\"config\":{\"Env\":[\"PATH=x\"]}}");
	AUTO(strings) struct strings test = list_of("CMD-SHELL", "true");
	const struct healthcheck timing = { .interval = 5000000000, .retries = 2 };
	AUTO(mem) char *got = NULL;

	config_set_healthcheck(config, &test, &timing);
	got = finish(config);
	assert_non_null(strstr(got, "\"Healthcheck\":{\"Test\":[\"CMD-SHELL\",\"true\"],"
				    "\"Interval\":5000000000,\"Retries\":2}"));
}

TEST(triggers_are_taken_once)
{
	AUTO(config) struct config *config = config_of("{\"config\":{\"OnBuild\":[\"RUN a\"]}}");
	AUTO(strings) struct strings triggers = { 0 };
	AUTO(mem) char *got = NULL;

	config_take_onbuild(config, &triggers);
	config_take_onbuild(config, &triggers);
	assert_int_equal(triggers.len, 1);
	got = finish(config);
	assert_null(strstr(got, "OnBuild"));
}

TEST(refuses_members_of_the_wrong_type)
{
	static const char *const wrong[] = {
		"{\"config\":{\"Env\":{}}}",        "{\"config\":{\"Env\":[1]}}",
		"{\"config\":{\"Labels\":[]}}",     "{\"config\":{\"User\":1}}",
		"{\"config\":{\"OnBuild\":\"x\"}}", "{\"history\":{}}",
	};

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		AUTO(json) json_t *doc = NULL;
		struct config *config = NULL;

		assert_ok(json_parse(str_of(wrong[i]), JSON_MAX, "base", &doc));
		assert_fails(config_new(doc, &config), ERR_INVALID);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(scratch_has_a_path_and_a_directory),
		cmocka_unit_test(keeps_what_it_does_not_know_and_orders_the_rest),
		cmocka_unit_test(a_base_without_a_path_gets_one_behind_its_other_variables),
		cmocka_unit_test(all_of_a_base_is_inherited_but_its_time_and_its_triggers),
		cmocka_unit_test(env_replaces_in_place_and_keeps_the_order),
		cmocka_unit_test(an_entrypoint_clears_only_an_inherited_cmd),
		cmocka_unit_test(a_stage_built_on_another_inherits_its_cmd),
		cmocka_unit_test(a_healthcheck_stores_no_zeros),
		cmocka_unit_test(triggers_are_taken_once),
		cmocka_unit_test(refuses_members_of_the_wrong_type),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
