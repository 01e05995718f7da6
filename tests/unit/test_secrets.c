/* tests/unit/test_secrets.c - every form of --secret; expected is what docker buildx makes of it. */

#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"
#include "builder/secrets.h"

static void write_file(const char *path, const char *data, size_t len)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_int_equal(fwrite(data, 1, len, file), len);
	fclose(file);
}

TEST(every_form_finds_its_value)
{
	static const struct {
		const char *text, *id, *want;
	} cases[] = {
		{ "id=a,src=token", "a", "from a file\n" },
		{ "id=a,source=token", "a", "from a file\n" },
		{ "ID=a,Src=token,type=file", "a", "from a file\n" },
		{ "type=file,id=a,src=token", "a", "from a file\n" },
		{ "id=a,env=TOKEN", "a", "from a variable" },
		{ "id=a,type=env,src=TOKEN", "a", "from a variable" },
		{ "type=env,id=a,env=TOKEN", "a", "from a variable" },
		{ "type=env,id=TOKEN", "TOKEN", "from a variable" },
		{ "id=TOKEN", "TOKEN", "from a variable" }, /* the variable wins */
		{ "type=file,id=TOKEN", "TOKEN", "a file called like the variable" },
		{ "id=token", "token", "from a file\n" },
		{ "id=EMPTY", "EMPTY", "" },
		{ "\"id=a,b\",src=token", "a,b", "from a file\n" },
		{ "id=a,src=token,id=b", "b", "from a file\n" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(secrets) struct secrets *secrets = secrets_new();
		const struct secret *got;

		assert_ok(secrets_add(secrets, cases[i].text));
		got = secrets_find(secrets, cases[i].id);
		assert_non_null(got);
		assert_string_equal(got->value, cases[i].want);
		assert_int_equal(got->len, strlen(cases[i].want));
		assert_null(secrets_find(secrets, "another"));
	}
	assert_null(secrets_find(NULL, "a"));
}

TEST(what_cannot_be_a_secret_is_refused)
{
	static const struct {
		const char *text;
		enum err_kind want;
	} cases[] = {
		{ "", ERR_INVALID },
		{ "a", ERR_INVALID },
		{ "src=token", ERR_INVALID },
		{ "id=,src=token", ERR_INVALID },
		{ "id=a,type=text", ERR_INVALID },
		{ "id=a,file=token", ERR_INVALID },
		{ "id=a,src=token,env=TOKEN", ERR_INVALID },
		{ "id=a,src=nothing", ERR_NOT_FOUND },
		{ "id=nothing", ERR_NOT_FOUND },
		{ "id=a,env=NOTHING", ERR_NOT_FOUND },
		{ "id=token,type=env", ERR_NOT_FOUND },
		{ "id=a,src=.", ERR_SYSTEM },
		{ "id=a,src=large", ERR_INVALID },
	};
	AUTO(secrets) struct secrets *secrets = secrets_new();

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(err) struct err *err = secrets_add(secrets, cases[i].text);

		if (err_kind(err) != cases[i].want)
			fail_msg("%s: %s", cases[i].text, err_text(err));
	}
}

TEST(a_value_may_hold_any_byte_and_be_as_large_as_allowed)
{
	AUTO(secrets) struct secrets *secrets = secrets_new();
	const struct secret *got;

	assert_ok(secrets_add(secrets, "id=a,src=largest"));
	got = secrets_find(secrets, "a");
	assert_int_equal(got->len, 500 * 1024);
	assert_int_equal(got->value[3], '\0');
	assert_int_equal(got->value[4], '\xff');
}

TEST(a_later_secret_replaces_an_earlier_one)
{
	AUTO(secrets) struct secrets *secrets = secrets_new();

	assert_ok(secrets_add(secrets, "id=a,src=token"));
	assert_ok(secrets_add(secrets, "id=b,src=token"));
	assert_ok(secrets_add(secrets, "id=a,env=TOKEN"));
	assert_string_equal(secrets_find(secrets, "a")->value, "from a variable");
	assert_string_equal(secrets_find(secrets, "b")->value, "from a file\n");
}

static int set_up(__attribute__((unused)) void **state)
{
	static char dir[] = "/tmp/test-secrets-XXXXXX";
	static char data[500 * 1024 + 1] = "abc\0\xff";

	assert_non_null(mkdtemp(dir));
	assert_int_equal(chdir(dir), 0);
	*state = dir;
	setenv("TOKEN", "from a variable", 1);
	setenv("EMPTY", "", 1);
	unsetenv("NOTHING");
	write_file("token", "from a file\n", 12);
	write_file("TOKEN", "a file called like the variable", 31);
	write_file("large", data, sizeof(data));
	write_file("largest", data, sizeof(data) - 1);
	return 0;
}

static int tear_down(void **state)
{
	unlink("token");
	unlink("TOKEN");
	unlink("large");
	unlink("largest");
	return chdir("/") + rmdir(*state);
}

TEST(values_are_hidden_the_longest_first)
{
	AUTO(secrets) struct secrets *secrets = secrets_new();
	AUTO(mem) char *hidden = NULL, *nothing = NULL;

	setenv("HIDE_A", "abcd", 1);
	setenv("HIDE_B", "abcdef\n", 1);
	setenv("HIDE_C", "xyz", 1);
	assert_ok(secrets_add(secrets, "id=a,env=HIDE_A"));
	assert_ok(secrets_add(secrets, "id=b,env=HIDE_B"));
	assert_ok(secrets_add(secrets, "id=c,env=HIDE_C"));
	hidden = secrets_hide(secrets, "abcdabcdef-abc xyz abcde");
	assert_string_equal(hidden, "******-abc xyz ***e");
	nothing = secrets_hide(NULL, "abcd");
	assert_string_equal(nothing, "abcd");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_form_finds_its_value),
		cmocka_unit_test(what_cannot_be_a_secret_is_refused),
		cmocka_unit_test(a_value_may_hold_any_byte_and_be_as_large_as_allowed),
		cmocka_unit_test(a_later_secret_replaces_an_earlier_one),
		cmocka_unit_test(values_are_hidden_the_longest_first),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
