/* tests/unit/test_credential_helper.c - programs that keep secrets, and how badly they may behave. */

#include "tests/unit/machine.h"

#include <signal.h>

#include "base/clock.h"
#include "registry/credential_helper.h"
#include "registry/credentials.h"

static char user[] = "u";
static char quoted[] = "s\"x";

/* Make docker-credential-fake of a shell's commands. */
static struct credential_helper put(const char *commands)
{
	AUTO(mem) char *text = xasprintf("#!/bin/sh\n%s\n", commands);

	machine_put("other/docker-credential-fake", text);
	strings_release(&machine_variables);
	machine_set("PATH", machine_path("other"));
	machine_set("SEEN", machine_path("other/seen"));
	return (struct credential_helper){ .paths = &machine,
					   .suffix = "fake",
					   .server = "h:5000" };
}

static void must_have_seen(const char *want)
{
	AUTO(buf) struct buf seen = BUF_INIT(8192);

	assert_ok(file_read(tmp_fd, "other/seen", 8192, &seen));
	assert_string_equal(buf_str(&seen).at, want);
}

TEST(is_told_the_verb_and_the_server)
{
	struct credential_helper helper = put(
		"echo \"$#:$1\" >$SEEN; /bin/cat >>$SEEN; echo '{\"Username\":\"u\",\"Secret\":\"s\"}'");
	AUTO(credential) struct credential found = { 0 };

	assert_ok(credential_helper_get(&helper, &found));
	assert_int_equal(found.kind, CREDENTIAL_BASIC);
	assert_string_equal(found.user, "u");
	assert_string_equal(found.secret, "s");
	must_have_seen("1:get\nh:5000");
}

TEST(has_no_descriptor_of_ours_but_its_own)
{
	struct credential_helper helper =
		put("cd /proc/self/fd && echo * >$SEEN; /bin/readlink 2 >>$SEEN; echo '{}'");
	AUTO(credential) struct credential found = { 0 };
	int inherited = dup(STDERR_FILENO); /* without CLOEXEC */

	assert_ok(credential_helper_get(&helper, &found));
	assert_int_equal(found.kind, CREDENTIAL_NONE);
	close(inherited);
	/* 3 is the directory that the shell reads, 10 its script */
	{
		AUTO(buf) struct buf seen = BUF_INIT(8192);

		assert_ok(file_read(tmp_fd, "other/seen", 8192, &seen));
		assert_non_null(strstr(seen.at, "/dev/null"));
		assert_null(strstr(seen.at, " 4"));
		assert_null(strstr(seen.at, " 5"));
	}
}

TEST(keeps_what_it_is_given)
{
	struct credential_helper helper = put("echo $1 >$SEEN; /bin/cat >>$SEEN");
	struct credential login = { .kind = CREDENTIAL_BASIC, .user = user, .secret = quoted };

	assert_ok(credential_helper_store(&helper, &login));
	must_have_seen(
		"store\n{\"ServerURL\":\"h:5000\",\"Username\":\"u\",\"Secret\":\"s\\\"x\"}");
	login.kind = CREDENTIAL_IDENTITY;
	assert_ok(credential_helper_store(&helper, &login));
	must_have_seen(
		"store\n{\"ServerURL\":\"h:5000\",\"Username\":\"<token>\",\"Secret\":\"s\\\"x\"}");
}

TEST(forgets_what_it_has)
{
	struct credential_helper helper = put("echo $1 >$SEEN; /bin/cat >>$SEEN");
	bool found = false;

	assert_ok(credential_helper_erase(&helper, &found));
	assert_true(found);
	must_have_seen("erase\nh:5000");
	helper = put("echo 'credentials not found in native keychain'; exit 1");
	assert_ok(credential_helper_erase(&helper, &found));
	assert_false(found);
	helper = put("exit 1");
	assert_fails(credential_helper_erase(&helper, &found), ERR_DENIED);
}

TEST(nothing_that_it_says_is_shown)
{
	static const char *const cases[] = {
		"echo secret; echo secret >&2; exit 3",
		"echo '{\"Secret\": secret}'",
		"echo '{\"Username\": [\"secret\"]}'",
		"echo secret; kill -9 $$",
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct credential_helper helper = put(cases[i]);
		AUTO(credential) struct credential found = { 0 };
		AUTO(err) struct err *err = credential_helper_get(&helper, &found);

		assert_non_null(err);
		assert_null(strstr(err_text(err), "secret"));
		assert_null(found.secret);
	}
}

TEST(is_not_waited_for_longer_than_its_time)
{
	struct credential_helper helper = put("echo '{'; exec /bin/sleep 100");
	AUTO(credential) struct credential found = { 0 };
	uint64_t begin = clock_monotonic();

	helper.timeout = 200;
	assert_fails(credential_helper_get(&helper, &found), ERR_DENIED);
	assert_true(clock_monotonic() - begin < UINT64_C(60000000000));
}

TEST(what_it_leaves_running_is_not_waited_for)
{
	struct credential_helper helper = put(
		"(echo $$ >/dev/null; exec /bin/sleep 40) & echo '{\"Username\":\"u\",\"Secret\":\"s\"}'");
	AUTO(credential) struct credential found = { 0 };

	assert_ok(credential_helper_get(&helper, &found)); /* it has 30 seconds */
	assert_string_equal(found.secret, "s");
}

TEST(need_not_read_its_input)
{
	struct credential_helper helper = put("exec <&-; echo '{}'");
	struct credential login = { .kind = CREDENTIAL_BASIC, .user = user };
	AUTO(mem) char *long_secret = xcalloc(300001, 1);

	memset(long_secret, 'x', 300000);
	login.secret = long_secret;
	assert_ok(credential_helper_store(&helper, &login));
}

TEST(may_say_much_but_not_everything)
{
	struct credential_helper helper = put(
		"echo '{\"Username\":\"u\",\"Secret\":\"s\"'; /usr/bin/head -c 50000 /dev/zero | "
		"/usr/bin/tr '\\0' ' '; echo }");
	AUTO(credential) struct credential found = { 0 };

	assert_ok(credential_helper_get(&helper, &found));
	assert_string_equal(found.secret, "s");
	helper = put("exec /usr/bin/yes");
	assert_fails(credential_helper_get(&helper, &found), ERR_INVALID);
}

TEST(must_be_in_the_path)
{
	struct credential_helper helper = put("echo '{}'");
	AUTO(credential) struct credential found = { 0 };

	helper.suffix = "other";
	assert_fails(credential_helper_get(&helper, &found), ERR_DENIED);
	helper.suffix = "";
	assert_fails(credential_helper_get(&helper, &found), ERR_INVALID);
	helper.suffix = "../fake";
	assert_fails(credential_helper_get(&helper, &found), ERR_INVALID);
	strings_release(&machine_variables);
	machine_set("PATH", "");
	helper.suffix = "fake";
	assert_fails(credential_helper_get(&helper, &found), ERR_DENIED);
}

#define CASE(name) cmocka_unit_test_setup(name, machine_reset)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(is_told_the_verb_and_the_server),
		CASE(has_no_descriptor_of_ours_but_its_own),
		CASE(keeps_what_it_is_given),
		CASE(forgets_what_it_has),
		CASE(nothing_that_it_says_is_shown),
		CASE(is_not_waited_for_longer_than_its_time),
		CASE(what_it_leaves_running_is_not_waited_for),
		CASE(need_not_read_its_input),
		CASE(may_say_much_but_not_everything),
		CASE(must_be_in_the_path),
	};

	return cmocka_run_group_tests(tests, tmp_setup, tmp_teardown);
}
