/* tests/unit/test_credentials_write.c - login and logout, and the files that they leave. */

#include "tests/unit/machine.h"

#include <sys/wait.h>

#include "registry/credentials.h"
#include "tests/unit/child.h"

static char name[] = "user";
static char pass[] = "pass";
static char letter[] = "u";
static char token[] = "tok";
static const struct credential alice = { .kind = CREDENTIAL_BASIC, .user = name, .secret = pass };

static struct err *save_as(const struct credentials_opts *opts, const char *key,
			   const struct credential *login)
{
	struct credentials_opts with = *opts;
	AUTO(credentials) struct credentials *c = NULL;
	AUTO(mem) char *where = NULL;

	with.paths = &machine;
	TRY(credentials_new(&with, &c));
	return credentials_save(c, key, login, &where);
}

static struct err *save(const char *key)
{
	return save_as(&(struct credentials_opts){ 0 }, key, &alice);
}

static struct err *erase(const char *key, bool *ret_found)
{
	struct credentials_opts opts = { .paths = &machine };
	AUTO(credentials) struct credentials *c = NULL;

	TRY(credentials_new(&opts, &c));
	return credentials_erase(c, key, ret_found);
}

static void must_hold(const char *path, const char *want)
{
	AUTO(buf) struct buf text = BUF_INIT(8192);

	assert_ok(file_read(tmp_fd, path, 8192, &text));
	assert_string_equal(buf_str(&text).at, want);
}

static unsigned mode_of(const char *path)
{
	struct stat st;

	assert_int_equal(fstatat(tmp_fd, path, &st, AT_SYMLINK_NOFOLLOW), 0);
	return st.st_mode & 07777;
}

static void must_find(const char *host, const char *user)
{
	struct credentials_opts opts = { .paths = &machine };
	AUTO(credentials) struct credentials *c = NULL;
	AUTO(credential) struct credential found = { 0 };

	assert_ok(credentials_new(&opts, &c));
	assert_ok(credentials_get(c, host, NULL, &found));
	assert_string_equal(found.user ? found.user : "", user);
}

#define ENTRY "{\n      \"auth\": \"dXNlcjpwYXNz\"\n    }"

TEST(makes_the_file_that_podman_reads_first)
{
	AUTO(fd) int fd = -1;

	assert_ok(file_make_dirs(tmp_fd, "run", 0755, &fd));
	assert_ok(save("h:5000"));
	must_hold("run/containers/1234/auth.json",
		  "{\n  \"auths\": {\n    \"h:5000\": " ENTRY "\n  }\n}");
	assert_int_equal(mode_of("run/containers/1234/auth.json"), 0600);
	assert_int_equal(mode_of("run/containers/1234"), 0700);
	must_find("h:5000", "user");
	machine_set("XDG_RUNTIME_DIR", machine_path("other"));
	assert_ok(save("i"));
	must_hold("other/containers/auth.json", "{\n  \"auths\": {\n    \"i\": " ENTRY "\n  }\n}");
}

TEST(keeps_what_else_is_in_the_file)
{
	machine_set("REGISTRY_AUTH_FILE", machine_path("other/auth.json"));
	machine_put("other/auth.json",
		    "{\"psFormat\":\"x\",\"auths\":{\"i\":{\"auth\":\"dTI6cDI=\"},"
		    "\"h\":{\"auth\":\"old\",\"email\":\"e\"}},\"n\":[1,2.5]}");
	assert_ok(save("h"));
	must_hold("other/auth.json",
		  "{\n  \"psFormat\": \"x\",\n  \"auths\": {\n    \"i\": {\n      \"auth\": "
		  "\"dTI6cDI=\"\n    },\n    \"h\": " ENTRY
		  "\n  },\n  \"n\": [\n    1,\n    2.5\n  ]\n}");
	assert_int_equal(mode_of("other/auth.json"), 0600);
}

TEST(the_hub_has_one_entry_under_the_name_of_the_file)
{
	machine_set("REGISTRY_AUTH_FILE", machine_path("other/auth.json"));
	machine_put("other/auth.json", "{\"auths\":{\"https://index.docker.io/v1/\":{},"
				       "\"registry-1.docker.io\":{},\"docker.io/a\":{}}}");
	assert_ok(save("docker.io"));
	must_hold("other/auth.json",
		  "{\n  \"auths\": {\n    \"docker.io/a\": {},\n    \"docker.io\": " ENTRY
		  "\n  }\n}");
	machine_set("X", "");
	machine_reset(NULL);
	machine_put("other/config.json", "{}");
	machine_set("REGISTRY_AUTH_FILE", machine_path("other/config.json"));
	assert_ok(save("docker.io"));
	must_hold("other/config.json",
		  "{\n  \"auths\": {\n    \"https://index.docker.io/v1/\": " ENTRY "\n  }\n}");
	must_find("registry-1.docker.io", "user");
}

TEST(writes_every_kind)
{
	struct credential identity = { .kind = CREDENTIAL_IDENTITY, .secret = token };
	struct credential with_user = { .kind = CREDENTIAL_IDENTITY,
					.user = letter,
					.secret = token };
	struct credential none = { 0 };

	machine_set("REGISTRY_AUTH_FILE", machine_path("other/auth.json"));
	machine_put("other/auth.json", "");
	assert_ok(save_as(&(struct credentials_opts){ 0 }, "a", &identity));
	assert_ok(save_as(&(struct credentials_opts){ 0 }, "b/c", &with_user));
	must_hold(
		"other/auth.json",
		"{\n  \"auths\": {\n    \"a\": {\n      \"identitytoken\": \"tok\"\n    },\n    "
		"\"b/c\": {\n      \"auth\": \"dTo=\",\n      \"identitytoken\": \"tok\"\n    }\n  "
		"}\n}");
	assert_fails(save_as(&(struct credentials_opts){ 0 }, "a", &none), ERR_INVALID);
	assert_fails(save("https://h"), ERR_INVALID);
	assert_fails(save(""), ERR_INVALID);
}

TEST(goes_through_links_and_leaves_them)
{
	AUTO(mem) char *target = NULL;

	machine_put("other/real/auth.json", "{}");
	assert_int_equal(symlinkat("real/auth.json", tmp_fd, "other/two"), 0);
	assert_int_equal(symlinkat("two", tmp_fd, "other/one"), 0);
	machine_set("REGISTRY_AUTH_FILE", machine_path("other/one"));
	assert_ok(save("h"));
	assert_ok(file_read_link(tmp_fd, "other/one", &target));
	assert_string_equal(target, "two");
	must_hold("other/real/auth.json", "{\n  \"auths\": {\n    \"h\": " ENTRY "\n  }\n}");
}

TEST(links_in_a_circle_end)
{
	AUTO(fd) int fd = -1;

	assert_ok(file_make_dirs(tmp_fd, "other", 0755, &fd));
	assert_int_equal(symlinkat("b", fd, "a"), 0);
	assert_int_equal(symlinkat("a", fd, "b"), 0);
	machine_set("REGISTRY_AUTH_FILE", machine_path("other/a"));
	assert_fails(save("h"), ERR_INVALID);
}

TEST(a_broken_file_is_left_alone)
{
	machine_set("REGISTRY_AUTH_FILE", machine_path("other/auth.json"));
	machine_put("other/auth.json", "{\"auths\":");
	assert_fails(save("h"), ERR_INVALID);
	must_hold("other/auth.json", "{\"auths\":");
	machine_put("other/auth.json", "[]");
	assert_fails(save("h"), ERR_INVALID);
	machine_put("other/auth.json", "{\"auths\":[]}");
	assert_fails(save("h"), ERR_INVALID);
	must_hold("other/auth.json", "{\"auths\":[]}");
}

TEST(logout_forgets_all_names_of_the_registry)
{
	bool found = true;

	machine_set("REGISTRY_AUTH_FILE", machine_path("other/auth.json"));
	assert_ok(erase("h", &found));
	assert_false(found);
	assert_false(file_exists(tmp_fd, "other"));
	machine_put("other/auth.json",
		    "{\"auths\":{\"h\":{},\"https://h/v1/\":{},\"h/a\":{},\"i\":{}}}");
	assert_ok(erase("h", &found));
	assert_true(found);
	must_hold("other/auth.json", "{\n  \"auths\": {\n    \"h/a\": {},\n    \"i\": {}\n  }\n}");
	assert_ok(erase("h/a", &found));
	assert_true(found);
	must_hold("other/auth.json", "{\n  \"auths\": {\n    \"i\": {}\n  }\n}");
	assert_ok(erase("h", &found));
	assert_false(found);
}

TEST(all_that_can_be_forgotten_is_listed)
{
	struct credentials_opts opts = { .paths = &machine };
	AUTO(credentials) struct credentials *c = NULL;
	AUTO(strings) struct strings keys = { 0 };

	machine_set("REGISTRY_AUTH_FILE", machine_path("other/auth.json"));
	machine_put("other/auth.json",
		    "{\"auths\":{\"h:5000\":{},\"https://index.docker.io/v1/\":{},\"h/a\":{},"
		    "\"\":{}}}");
	assert_ok(credentials_new(&opts, &c));
	assert_ok(credentials_keys(c, &keys));
	assert_int_equal(keys.len, 3);
	assert_string_equal(keys.at[0], "h:5000");
	assert_string_equal(keys.at[1], "index.docker.io");
	assert_string_equal(keys.at[2], "h/a");
}

TEST(a_helper_keeps_the_secret_where_one_is_named)
{
	AUTO(mem)
	char *script = xasprintf("#!/bin/sh\necho $1 >>%s\ncat >>%s\necho >>%s\n",
				 machine_path("other/seen"), machine_path("other/seen"),
				 machine_path("other/seen"));
	AUTO(mem) char *path = xasprintf("%s:/usr/bin:/bin", machine_path("other"));
	AUTO(strings) struct strings helpers = { 0 };
	bool found = false;

	machine_put("other/docker-credential-fake", script);
	strings_release(&machine_variables);
	machine_set("PATH", path);
	machine_set("REGISTRY_AUTH_FILE", machine_path("other/auth.json"));
	machine_put("other/auth.json",
		    "{\"credHelpers\":{\"h\":\"fake\"},\"auths\":{\"h\":{\"auth\":"
		    "\"dTI6cDI=\"}}}");
	assert_ok(save("h"));
	must_hold("other/auth.json",
		  "{\n  \"credHelpers\": {\n    \"h\": \"fake\"\n  },\n  \"auths\": {\n    "
		  "\"h\": {}\n  }\n}");
	assert_ok(erase("h", &found));
	assert_true(found);
	machine_put("other/auth.json", "{\"credsStore\":\"fake\"}");
	assert_ok(save("docker.io"));
	must_hold("other/seen",
		  "store\n{\"ServerURL\":\"h\",\"Username\":\"user\",\"Secret\":\"pass\"}\n"
		  "erase\nh\n"
		  "store\n{\"ServerURL\":\"https://index.docker.io/v1/\",\"Username\":"
		  "\"user\",\"Secret\":\"pass\"}\n");
	machine_put("other/auth.json", "{}");
	strings_push(&helpers, "fake");
	assert_ok(save_as(&(struct credentials_opts){ .helpers = &helpers }, "i", &alice));
	must_hold("other/auth.json", "{\n  \"auths\": {\n    \"i\": {}\n  }\n}");
}

static bool log_in_often(void *arg)
{
	for (int i = 0; i < 20; i++) {
		AUTO(mem) char *key = xasprintf("%s%d", (const char *)arg, i);

		CHECK_OK(save(key));
	}
	return true;
}

TEST(two_that_log_in_at_once_lose_nothing)
{
	static char one[] = "a";
	static char other[] = "b";
	pid_t first, second;

	machine_put("other/auth.json", "{}");
	machine_set("REGISTRY_AUTH_FILE", machine_path("other/auth.json"));
	first = child_start(log_in_often, one);
	second = child_start(log_in_often, other);
	assert_int_equal(child_wait(first), 0);
	assert_int_equal(child_wait(second), 0);
	for (int i = 0; i < 20; i++) {
		AUTO(mem) char *a = xasprintf("a%d", i);
		AUTO(mem) char *b = xasprintf("b%d", i);

		must_find(a, "user");
		must_find(b, "user");
	}
}

#define CASE(name) cmocka_unit_test_setup(name, machine_reset)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(makes_the_file_that_podman_reads_first),
		CASE(keeps_what_else_is_in_the_file),
		CASE(the_hub_has_one_entry_under_the_name_of_the_file),
		CASE(writes_every_kind),
		CASE(goes_through_links_and_leaves_them),
		CASE(links_in_a_circle_end),
		CASE(a_broken_file_is_left_alone),
		CASE(logout_forgets_all_names_of_the_registry),
		CASE(all_that_can_be_forgotten_is_listed),
		CASE(a_helper_keeps_the_secret_where_one_is_named),
		CASE(two_that_log_in_at_once_lose_nothing),
	};

	return cmocka_run_group_tests(tests, tmp_setup, tmp_teardown);
}
