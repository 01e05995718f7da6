/* tests/unit/test_cdi.c - devices by name: files of the Container Device Interface. */

#include "tests/unit/unit.h"

#include "tests/unit/tmp.h"

#include "base/str.h"
#include "builder/cdi.h"

#define HEAD "{\"cdiVersion\":\"0.6.0\",\"kind\":\"vendor.com/net\","
#define ONE(edits) HEAD "\"devices\":[{\"name\":\"a\",\"containerEdits\":{" edits "}}]}"

static void parse(const char *text, struct cdi_spec *ret)
{
	assert_ok(cdi_parse(str_of(text), "x.json", ret));
}

TEST(a_file_says_what_a_device_is_made_of)
{
	AUTO(cdi_spec) struct cdi_spec spec = { 0 };
	const struct volumes *volumes;

	parse(HEAD
	      "\"containerEdits\":{\"env\":[\"ALL=1\"]},"
	      "\"devices\":[{\"name\":\"b\",\"containerEdits\":{}},"
	      "{\"name\":\"0a:1\",\"annotations\":{\"org.mobyproject.buildkit.device.class\":\"w\"},"
	      "\"containerEdits\":{\"env\":[\"A=b=c\"],"
	      "\"deviceNodes\":[{\"path\":\"/dev/x\",\"hostPath\":\"/dev/null\"},{\"path\":"
	      "\"/dev/zero\",\"type\":\"c\",\"major\":1,\"permissions\":\"rwm\"}],"
	      "\"mounts\":[{\"hostPath\":\"/a/../b\",\"containerPath\":\"//c/./d/\",\"options\":"
	      "[\"ro\",\"nosuid\",\"noexec\",\"rbind\"]}],"
	      "\"hooks\":[{\"hookName\":\"createContainer\",\"path\":\"/bin/x\"}]}}]}",
	      &spec);
	assert_string_equal(spec.kind, "vendor.com/net");
	assert_string_equal(spec.edits.volumes.env.at[0], "ALL=1");
	assert_int_equal(spec.devices.len, 2);
	assert_string_equal(spec.devices.at[0].name, "0a:1"); /* by name */
	assert_string_equal(spec.devices.at[0].word, "w");
	assert_false(spec.devices.at[0].allowed);
	assert_true(spec.devices.at[0].edits.more);
	assert_false(spec.devices.at[1].edits.more);
	volumes = &spec.devices.at[0].edits.volumes;
	assert_int_equal(volumes->len, 3);
	assert_string_equal(volumes->env.at[0], "A=b=c");
	assert_true(volumes->at[0].device && volumes->at[1].device && !volumes->at[2].device);
	assert_string_equal(volumes->at[0].source, "/dev/null");
	assert_string_equal(volumes->at[0].target, "/dev/x");
	assert_string_equal(volumes->at[1].source, "/dev/zero");
	assert_string_equal(volumes->at[2].source, "/a/../b");
	assert_string_equal(volumes->at[2].target, "/c/d");
	assert_true(volumes->at[2].read_only && volumes->at[2].no_set_id && volumes->at[2].no_exec);
}

TEST(a_file_that_is_wrong_is_refused_with_the_place)
{
	static const struct {
		const char *text, *says;
	} cases[] = {
		{ "", "x.json" },
		{ "[]", "object" },
		{ "{\"kind\":\"v.com/c\",\"devices\":[]}", "cdiVersion" },
		{ "{\"cdiVersion\":\"2.0\",\"kind\":\"v.com/c\",\"devices\":[]}", "version '2.0'" },
		{ "{\"cdiVersion\":\"0.6.0\",\"kind\":\"v\",\"devices\":[]}", "'v' is not" },
		{ "{\"cdiVersion\":\"0.6.0\",\"kind\":\"v/c/d\",\"devices\":[]}",
		  "'v/c/d' is not" },
		{ "{\"cdiVersion\":\"0.6.0\",\"kind\":\"1v/c\",\"devices\":[]}", "'1v/c' is not" },
		{ "{\"cdiVersion\":\"0.6.0\",\"kind\":\"v/c-\",\"devices\":[]}", "'v/c-' is not" },
		{ "{\"cdiVersion\":\"0.6.0\",\"kind\":\"v/c\"}", "devices" },
		{ HEAD "\"devices\":[{}]}", "devices[0].name" },
		{ HEAD "\"devices\":[{\"name\":\"a b\"}]}", "'a b' cannot name" },
		{ HEAD "\"devices\":[{\"name\":\"*\"}]}", "'*' cannot name" },
		{ HEAD "\"devices\":[{\"name\":\"a\"},{\"name\":\"b\"},{\"name\":\"a\"}]}",
		  "twice" },
		{ ONE("\"env\":\"A=b\""), "containerEdits.env" },
		{ ONE("\"env\":[\"A\"]"), "'A' is not NAME=VALUE" },
		{ ONE("\"env\":[\"=b\"]"), "'=b' is not NAME=VALUE" },
		{ ONE("\"deviceNodes\":[{}]"), "deviceNodes[0].path" },
		{ ONE("\"deviceNodes\":[{\"path\":\"/x\"}]"), "not below /dev" },
		{ ONE("\"deviceNodes\":[{\"path\":\"/dev/../x\"}]"), "not below /dev" },
		{ ONE("\"deviceNodes\":[{\"path\":\"/dev/x\",\"hostPath\":\"x\"}]"), "absolute" },
		{ ONE("\"deviceNodes\":[{\"path\":\"/dev/x\",\"permissions\":\"r\"}]"), "no less" },
		{ ONE("\"deviceNodes\":[{\"path\":\"/dev/x\",\"permissions\":\"q\"}]"), "'q'" },
		{ ONE("\"mounts\":[{\"hostPath\":\"/x\"}]"), "containerPath" },
		{ ONE("\"mounts\":[{\"hostPath\":\"/x\",\"containerPath\":\"/\"}]"), "below '/'" },
		{ ONE("\"mounts\":[{\"hostPath\":\"/x\",\"containerPath\":\"/y\",\"type\":\"tmpfs\"}]"),
		  "'tmpfs'" },
		{ ONE("\"mounts\":[{\"hostPath\":\"/x\",\"containerPath\":\"/y\",\"options\":[\"rshared\"]}]"),
		  "'rshared' is not known" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(cdi_spec) struct cdi_spec spec = { 0 };
		AUTO(err) struct err *err = cdi_parse(str_of(cases[i].text), "x.json", &spec);

		assert_int_equal(err_kind(err), ERR_INVALID);
		if (!strstr(err_text(err), cases[i].says))
			fail_msg("'%s' does not say '%s'", err_text(err), cases[i].says);
	}
}

TEST(what_can_be_the_name_of_a_device)
{
	static const char *const right[] = { "v.com/c", "v/c=a",         "v-1.com/c_2=0",
					     "v/c=*",   "v/c=a.b:c-d_e", "v/c.d=a" };
	static const char *const wrong[] = { "",       "v",      "v/",      "/c",
					     "v/c=",   "v/c=-a", "v/c=a/",  "v/c=**",
					     ".v/c=a", "v./c=a", "v/c=a b", "v/c=a=b" };

	for (size_t i = 0; i < ARRAY_SIZE(right); i++)
		assert_true(cdi_is_name(right[i]));
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		assert_false(cdi_is_name(wrong[i]));
}

/* ---- several files ---- */

static void write_file(const char *dir, const char *name, const char *text)
{
	AUTO(fd) int fd = -1;

	assert_ok(file_make_dirs(tmp_fd, dir, 0755, &fd));
	assert_ok(file_replace(fd, name, str_of(text), 0644, FILE_QUICK));
}

static struct cdi *open_dirs(const char *first, const char *second)
{
	AUTO(strings) struct strings dirs = { 0 };

	vec_push(&dirs, xasprintf("%s/%s", tmp_path, first));
	vec_push(&dirs, xasprintf("%s/%s", tmp_path, second));
	return cdi_new(&dirs);
}

/* The names that are found, with blanks between. */
static void assert_found(struct cdi *cdi, const char *name, const char *want, size_t guarded)
{
	AUTO(cdi_found) struct cdi_found found = { 0 };
	AUTO(volumes) struct volumes volumes = { 0 };
	AUTO(buf) struct buf got = BUF_INIT(4096);

	assert_ok(cdi_find(cdi, name, &volumes, &found));
	vec_foreach (&found.names, each)
		buf_addf(&got, "%s%s", got.len ? " " : "", *each);
	assert_string_equal(got.at ? got.at : "", want);
	assert_int_equal(found.guarded.len, guarded);
}

TEST(a_name_asks_for_one_device_the_first_one_all_or_those_of_a_word)
{
	AUTO(cdi) struct cdi *cdi = NULL;

	write_file(
		"many", "x.json",
		"{\"cdiVersion\":\"1.1.0\",\"kind\":\"v.com/c\","
		"\"annotations\":{\"org.mobyproject.buildkit.device.class\":\"w\"},\"devices\":["
		"{\"name\":\"b\",\"annotations\":{\"org.mobyproject.buildkit.device.autoallow\":\"true\"}},"
		"{\"name\":\"c\",\"annotations\":{\"org.mobyproject.buildkit.device.class\":\"b\"}},"
		"{\"name\":\"a\"}]}");
	write_file(
		"many", "y.json",
		"{\"cdiVersion\":\"0.3.0\",\"kind\":\"v.com/d\",\"devices\":[{\"name\":\"a\"}]}");
	write_file("many", "ignored.txt", "?");
	cdi = open_dirs("many", "absent");
	assert_found(cdi, "v.com/c=a", "v.com/c=a", 1);
	assert_found(cdi, "v.com/c=b", "v.com/c=b", 0); /* a name is stronger than a word */
	assert_found(cdi, "v.com/c", "v.com/c=a", 1);
	assert_found(cdi, "v.com/c=*", "v.com/c=a v.com/c=b v.com/c=c", 2);
	assert_found(cdi, "v.com/c=w", "v.com/c=a v.com/c=b", 1);
	assert_found(cdi, "v.com/d=*", "v.com/d=a", 1);
	assert_found(cdi, "v.com/c=x", "", 0);
	assert_found(cdi, "v.com/e", "", 0);
	assert_found(cdi, "v.com/e=*", "", 0);
}

TEST(a_later_directory_wins_and_one_directory_may_not_contradict_itself)
{
	AUTO(cdi) struct cdi *cdi = NULL;
	AUTO(cdi) struct cdi *twice = NULL;
	AUTO(volumes) struct volumes volumes = { 0 };
	AUTO(cdi_found) struct cdi_found found = { 0 };

	write_file("low", "z.json", ONE("\"env\":[\"FROM=low\"]"));
	write_file("high", "a.json", ONE("\"env\":[\"FROM=high\"]"));
	write_file("low", "broken.json", "{");
	cdi = open_dirs("low", "high");
	assert_ok(cdi_find(cdi, "vendor.com/net=a", &volumes, &found));
	assert_int_equal(volumes.env.len, 1);
	assert_string_equal(volumes.env.at[0], "FROM=high");
	write_file("high", "b.json", ONE(""));
	twice = open_dirs("low", "high");
	assert_fails(cdi_find(twice, "vendor.com/net=a", NULL, &found), ERR_INVALID);
}

TEST(what_a_file_has_for_all_comes_once_and_what_is_missing_is_said)
{
	AUTO(cdi) struct cdi *cdi = NULL;
	AUTO(volumes) struct volumes volumes = { 0 };
	AUTO(cdi_found) struct cdi_found found = { 0 };
	AUTO(err) struct err *missing = NULL;

	write_file(
		"all", "x.json",
		HEAD
		"\"containerEdits\":{\"env\":[\"ALL=1\"]},\"devices\":["
		"{\"name\":\"a\",\"containerEdits\":{\"deviceNodes\":[{\"path\":\"/dev/null\"}]}},"
		"{\"name\":\"b\",\"containerEdits\":{\"env\":[\"B=1\"]}}]}");
	write_file(
		"all", "y.json",
		"{\"cdiVersion\":\"0.6.0\",\"kind\":\"v.com/gone\",\"devices\":[{\"name\":\"a\","
		"\"containerEdits\":{\"deviceNodes\":[{\"path\":\"/dev/no-such-device\"}]}},"
		"{\"name\":\"b\",\"containerEdits\":{\"deviceNodes\":[{\"path\":\"/dev/x\",\"hostPath\":"
		"\"/etc/passwd\"}]}}]}");
	write_file("all", "z.yaml", "?");
	cdi = open_dirs("all", "absent");
	assert_ok(cdi_find(cdi, "vendor.com/net=*", &volumes, &found));
	assert_int_equal(volumes.env.len, 2);
	assert_string_equal(volumes.env.at[0], "ALL=1");
	assert_string_equal(volumes.env.at[1], "B=1");
	assert_int_equal(volumes.len, 1);
	assert_true(volumes.at[0].named);
	assert_fails(cdi_find(cdi, "v.com/gone=a", &volumes, &found), ERR_NOT_FOUND);
	assert_fails(cdi_find(cdi, "v.com/gone=b", &volumes, &found), ERR_INVALID);
	assert_fails(cdi_find(cdi, "no name", &volumes, &found), ERR_INVALID);
	missing = cdi_missing(cdi, "v.com/none=a");
	assert_int_equal(err_kind(missing), ERR_NOT_FOUND);
	assert_non_null(strstr(err_text(missing), "/all, "));
	assert_non_null(strstr(err_notes(missing), "z.yaml is YAML"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_file_says_what_a_device_is_made_of),
		cmocka_unit_test(a_file_that_is_wrong_is_refused_with_the_place),
		cmocka_unit_test(what_can_be_the_name_of_a_device),
		cmocka_unit_test(a_name_asks_for_one_device_the_first_one_all_or_those_of_a_word),
		cmocka_unit_test(
			a_later_directory_wins_and_one_directory_may_not_contradict_itself),
		cmocka_unit_test(what_a_file_has_for_all_comes_once_and_what_is_missing_is_said),
	};

	return cmocka_run_group_tests(tests, tmp_setup, tmp_teardown);
}
