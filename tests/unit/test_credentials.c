/* tests/unit/test_credentials.c - which credential is found for a registry, and from where. */

#include "tests/unit/machine.h"

#include <pthread.h>

#include "registry/credentials.h"

/* base64 of "user:pass", "u2:p2", "u3:p:3" and "00000000-0000-0000-0000-000000000000:" */
#define USER_PASS "dXNlcjpwYXNz"
#define U2_P2 "dTI6cDI="
#define U3_P_3 "dTM6cDoz"
#define ZEROS "MDAwMDAwMDAtMDAwMC0wMDAwLTAwMDAtMDAwMDAwMDAwMDAwOg=="

static struct err *get_with(const struct credentials_opts *opts, const char *host, const char *path,
			    struct credential *ret)
{
	struct credentials_opts with = *opts;
	AUTO(credentials) struct credentials *c = NULL;

	with.paths = &machine;
	TRY(credentials_new(&with, &c));
	return credentials_get(c, host, path, ret);
}

static struct err *get(const char *host, const char *path, struct credential *ret)
{
	return get_with(&(struct credentials_opts){ 0 }, host, path, ret);
}

/* "basic user pass", "none", "identity - token" ... */
static char *shown(const struct credential *c)
{
	static const char *const kinds[] = { "none", "basic", "identity", "bearer" };

	if (c->kind == CREDENTIAL_NONE)
		return xstrdup("none");
	return xasprintf("%s %s %s", kinds[c->kind], c->user ? c->user : "-", c->secret);
}

static void must_find(const char *host, const char *path, const char *want)
{
	AUTO(credential) struct credential found = { 0 };
	AUTO(mem) char *text = NULL;

	assert_ok(get(host, path, &found));
	text = shown(&found);
	if (strcmp(text, want) != 0)
		fail_msg("%s/%s: '%s', not '%s'", host, path ? path : "", text, want);
}

TEST(nobody_is_known_without_files)
{
	AUTO(credential) struct credential found = { 0 };

	assert_ok(get("example.com", "a/b", &found));
	assert_int_equal(found.kind, CREDENTIAL_NONE);
	assert_string_equal(found.source, "anonymous");
	assert_null(found.secret);
}

TEST(reads_every_kind_of_entry)
{
	static const struct {
		const char *entry, *want;
	} cases[] = {
		{ "{\"auth\":\"" USER_PASS "\"}", "basic user pass" },
		{ "{\"auth\":\"" U3_P_3 "\"}", "basic u3 p:3" },
		{ "{\"auth\":\"dXNlcjpwYXNzAAA=\"}", "basic user pass" }, /* NULs behind it */
		{ "{\"auth\":\"dXNlcjo=\"}", "basic user " },
		{ "{\"username\":\"robot$x\",\"password\":\"p+q\"}", "basic robot$x p+q" },
		{ "{\"username\":\"x\",\"password\":\"y\",\"auth\":\"" USER_PASS "\"}",
		  "basic user pass" },
		{ "{\"auth\":\"" ZEROS "\",\"identitytoken\":\"tok\"}",
		  "identity 00000000-0000-0000-0000-000000000000 tok" },
		{ "{\"identitytoken\":\"tok\"}", "identity - tok" },
		{ "{\"username\":\"<token>\",\"password\":\"tok\"}", "identity - tok" },
		{ "{\"registrytoken\":\"jwt\"}", "bearer - jwt" },
		{ "{\"auth\":\"" USER_PASS "\",\"registrytoken\":\"jwt\"}", "bearer user jwt" },
		{ "{}", "none" },
		{ "null", "none" },
		{ "{\"auth\":\"\",\"email\":\"x\"}", "none" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(mem) char *text = xasprintf("{\"auths\":{\"h:5000\":%s}}", cases[i].entry);

		machine_put("home/.docker/config.json", text);
		must_find("h:5000", "a", cases[i].want);
		must_find("h", "a", "none");
		must_find("h:5001", "a", "none");
	}
}

TEST(the_longest_key_wins)
{
	machine_put("home/.docker/config.json",
		    "{\"auths\":{\"h\":{\"auth\":\"" USER_PASS "\"},\"h/a/b\":{\"auth\":\"" U3_P_3
		    "\"},\"h/a\":{\"auth\":\"" U2_P2 "\"}, \"other\":{}}}");
	must_find("h", "a/b", "basic u3 p:3");
	must_find("h", "a/b/c", "basic u3 p:3");
	must_find("h", "a/bc", "basic u2 p2");
	must_find("h", "a", "basic u2 p2");
	must_find("h", "ab", "basic user pass");
	must_find("h", NULL, "basic user pass");
	must_find("hh", "a", "none");
}

TEST(a_key_for_a_part_is_not_for_the_whole)
{
	machine_put("home/.docker/config.json",
		    "{\"auths\":{\"h/a\":{\"auth\":\"" USER_PASS "\"}}}");
	must_find("h", "b", "none");
	must_find("h", NULL, "none");
}

TEST(keys_may_be_urls_as_docker_writes_them)
{
	static const char *const keys[] = { "https://h/v1/", "http://h", "https://h/any",
					    "h/v2/",         "h/v1",     "h/" };

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		AUTO(mem)
		char *text =
			xasprintf("{\"auths\":{\"%s\":{\"auth\":\"" USER_PASS "\"}}}", keys[i]);

		machine_put("home/.docker/config.json", text);
		must_find("h", "a", "basic user pass");
		must_find("h:443", "a", "none");
	}
}

TEST(the_hub_has_many_names)
{
	static const char *const keys[] = { "https://index.docker.io/v1/", "docker.io",
					    "index.docker.io", "registry-1.docker.io",
					    "https://registry-1.docker.io/v2/" };

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		AUTO(mem)
		char *text =
			xasprintf("{\"auths\":{\"%s\":{\"auth\":\"" USER_PASS "\"}}}", keys[i]);

		machine_put("home/.docker/config.json", text);
		must_find("docker.io", "library/app", "basic user pass");
		must_find("registry-1.docker.io", "library/app", "basic user pass");
		must_find("auth.docker.io", "library/app", "none");
		must_find("hub.docker.io", NULL, "none");
	}
	machine_put("home/.docker/config.json",
		    "{\"auths\":{\"docker.io\":{\"auth\":\"" USER_PASS
		    "\"},\"docker.io/team\":{\"auth\":\"" U2_P2 "\"}}}");
	must_find("docker.io", "team/app", "basic u2 p2");
	must_find("docker.io", "library/app", "basic user pass");
}

/* A file for each source, with the number of the source as the user. */
static void put_source(const char *path, int number)
{
	AUTO(mem)
	char *text =
		xasprintf("{\"auths\":{\"h\":{\"username\":\"u%d\",\"password\":\"p\"}}}", number);

	machine_put(path, text);
}

static void must_come_from(const struct credentials_opts *opts, const char *user,
			   const char *source)
{
	AUTO(credential) struct credential found = { 0 };

	assert_ok(get_with(opts, "h", "a", &found));
	assert_string_equal(found.user, user);
	assert_string_equal(found.source, source);
}

static void must_come_from_file(const char *user, const char *path)
{
	AUTO(mem) char *source = xasprintf("from %s", machine_path(path));

	must_come_from(&(struct credentials_opts){ 0 }, user, source);
}

TEST(sources_are_asked_in_their_order)
{
	struct credentials_opts opts = { 0 };
	AUTO(mem) char *from_seven = xasprintf("from %s", machine_path("other/seven"));

	machine_put("home/.dockercfg",
		    "{\"https://h/v1/\":{\"username\":\"u1\",\"password\":\"p\"}}");
	must_come_from_file("u1", "home/.dockercfg");
	put_source("home/.docker/config.json", 2);
	must_come_from_file("u2", "home/.docker/config.json");
	put_source("other/docker/config.json", 3);
	machine_set("DOCKER_CONFIG", machine_path("other/docker"));
	must_come_from_file("u3", "other/docker/config.json");
	put_source("home/.config/containers/auth.json", 4);
	must_come_from_file("u4", "home/.config/containers/auth.json");
	put_source("run/containers/1234/auth.json", 5);
	must_come_from_file("u5", "run/containers/1234/auth.json");
	machine_set("DOCKER_AUTH_CONFIG", "{\"auths\":{\"h\":{\"auth\":\"" USER_PASS "\"}}}");
	must_come_from(&opts, "user", "from $DOCKER_AUTH_CONFIG");
	put_source("other/six", 6);
	machine_set("REGISTRY_AUTH_FILE", machine_path("other/six"));
	must_come_from_file("u6", "other/six");
	put_source("other/seven", 7);
	opts.authfile = machine_path("other/seven");
	must_come_from(&opts, "u7", from_seven);
	opts.creds = "u8:p:8";
	opts.creds_host = "h";
	must_come_from(&opts, "u8", "from --creds");
}

TEST(directories_of_the_user_can_be_moved)
{
	put_source("other/run/containers/auth.json", 1);
	put_source("other/config/containers/auth.json", 2);
	put_source("run/containers/1234/auth.json", 3);
	machine_set("XDG_CONFIG_HOME", machine_path("other/config"));
	must_come_from_file("u3", "run/containers/1234/auth.json");
	machine_set("XDG_RUNTIME_DIR", machine_path("other/none"));
	must_come_from_file("u2", "other/config/containers/auth.json");
	machine_reset(NULL);
	put_source("other/run/containers/auth.json", 1);
	machine_set("XDG_RUNTIME_DIR", machine_path("other/run"));
	must_come_from_file("u1", "other/run/containers/auth.json");
}

TEST(a_file_that_is_named_is_the_only_one)
{
	struct credentials_opts opts = { .authfile = machine_path("other/none") };
	AUTO(credential) struct credential found = { 0 };

	put_source("home/.docker/config.json", 1);
	machine_set("REGISTRY_AUTH_FILE", machine_path("other/none"));
	must_find("h", "a", "none");
	assert_fails(get_with(&opts, "h", "a", &found), ERR_NOT_FOUND);
}

TEST(creds_are_for_their_registry_alone)
{
	struct credentials_opts opts = { .creds = "u:p", .creds_host = "docker.io" };
	AUTO(credential) struct credential hub = { 0 };
	AUTO(credential) struct credential mirror = { 0 };

	assert_ok(get_with(&opts, "registry-1.docker.io", "a", &hub));
	assert_string_equal(hub.secret, "p");
	assert_ok(get_with(&opts, "mirror.example.com", "a", &mirror));
	assert_int_equal(mirror.kind, CREDENTIAL_NONE);
	opts.creds = ":p";
	assert_fails(get_with(&opts, "h", "a", &mirror), ERR_USAGE);
}

TEST(a_broken_file_is_an_error_that_names_it_and_shows_nothing)
{
	static const char *const cases[] = {
		"{\"auths\":{\"h\":{\"auth\":\"c2VjcmV0",              /* cut off */
		"{\"auths\":{\"h\":{\"auth\":c2VjcmV0}}}",             /* no string */
		"{\"auths\":{\"h\":{\"auth\":\"c2VjcmV0\"}}}",         /* no colon */
		"{\"auths\":{\"h\":{\"auth\":\"OnNlY3JldA==\"}}}",     /* no user */
		"{\"auths\":{\"h\":{\"auth\":\"c2VjcmV0!\"}}}",        /* no base64 */
		"{\"auths\":{\"h\":{\"auth\":\"YQBiOnNlY3JldA==\"}}}", /* a NUL in the user */
		"{\"auths\":{\"h\":{\"auth\":7}}}",
		"{\"auths\":{\"h\":[]}}",
		"{\"auths\":[]}",
		"{\"credHelpers\":[]}",
		"{\"credHelpers\":{\"h\":7}}",
		"{\"credsStore\":7}",
		"[",
		"[]",
		"x",
	};

	put_source("home/.dockercfg", 1);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(credential) struct credential found = { 0 };
		AUTO(err) struct err *err = NULL;

		machine_put("home/.docker/config.json", cases[i]);
		err = get("h", "a", &found);
		if (err_kind(err) != ERR_INVALID)
			fail_msg("%s: %s", cases[i], err ? err_text(err) : "accepted");
		assert_non_null(strstr(err_text(err), machine_path("home/.docker/config.json")));
		assert_null(strstr(err_text(err), "c2Vj"));
		assert_null(strstr(err_text(err), "secret"));
		assert_null(found.secret);
	}
}

TEST(a_broken_file_does_no_harm_before_it_is_reached)
{
	machine_put("home/.docker/config.json", "x");
	put_source("run/containers/1234/auth.json", 1);
	must_find("h", "a", "basic u1 p");
	machine_put("home/.docker/config.json", " \n");
	must_find("i", "a", "none");
}

TEST(headers_come_from_dockers_file)
{
	AUTO(strings) struct strings headers = { 0 };
	struct credentials_opts opts = { .paths = &machine };
	AUTO(credentials) struct credentials *c = NULL;
	AUTO(credentials) struct credentials *bad = NULL;

	machine_put("home/.docker/config.json",
		    "{\"HttpHeaders\":{\"X-Meta-Auth\":\"a b\",\"User-Agent\":\"x\"}}");
	assert_ok(credentials_new(&opts, &c));
	assert_ok(credentials_headers(c, &headers));
	assert_int_equal(headers.len, 2);
	assert_string_equal(headers.at[0], "X-Meta-Auth: a b");
	assert_string_equal(headers.at[1], "User-Agent: x");
	machine_put("home/.docker/config.json", "{\"HttpHeaders\":{\"X\":\"a\\r\\nHost: evil\"}}");
	assert_ok(credentials_new(&opts, &bad));
	assert_fails(credentials_headers(bad, &headers), ERR_INVALID);
}

/* ---- helpers ---- */

/* A helper that knows "h" and docker.io's name, notes each call in other/log, and fails for "broken". */
static const char script[] =
	"#!/bin/sh\n"
	"read -r server\n"
	"echo \"$1 $server\" >>%s\n"
	"case $server in\n"
	"h|https://index.docker.io/v1/) echo '{\"ServerURL\":\"x\",\"Username\":\"hu\",\"Secret\":\"hs\"}';;\n"
	"token) echo '{\"Username\":\"<token>\",\"Secret\":\"tok\"}';;\n"
	"empty) echo '{\"Username\":\"\",\"Secret\":\"\"}';;\n"
	"junk) echo 'secret junk';;\n"
	"broken) echo secret; exit 1;;\n"
	"*) echo credentials not found in native keychain; exit 1;;\n"
	"esac\n";

static void put_helper(void)
{
	AUTO(mem) char *text = xasprintf(script, machine_path("other/log"));
	AUTO(mem) char *path = xasprintf("relative:%s:/usr/bin:/bin", machine_path("other"));

	machine_put("other/docker-credential-fake", text);
	vec_foreach (&machine_variables, variable)
		if (strncmp(*variable, "PATH=", 5) == 0) {
			free(*variable);
			*variable = xasprintf("PATH=%s", path);
		}
}

static void must_have_run(const char *want)
{
	AUTO(buf) struct buf log = BUF_INIT(4096);

	assert_ok(file_read(tmp_fd, "other/log", 4096, &log));
	assert_string_equal(buf_str(&log).at, want);
}

TEST(the_helper_of_a_registry_is_asked_before_its_entry)
{
	AUTO(credential) struct credential found = { 0 };

	put_helper();
	machine_put("home/.docker/config.json",
		    "{\"auths\":{\"h\":{\"auth\":\"" USER_PASS "\"},\"i\":{\"auth\":\"" U2_P2
		    "\"}},\"credHelpers\":{\"h\":\"fake\"}}");
	assert_ok(get("h", "a", &found));
	assert_string_equal(found.user, "hu");
	assert_string_equal(found.secret, "hs");
	assert_string_equal(found.source, "from the helper docker-credential-fake");
	must_find("i", "a", "basic u2 p2");
	must_have_run("get h\n");
}

TEST(what_its_helper_does_not_know_is_not_taken_from_the_entry)
{
	put_helper();
	machine_put("home/.docker/config.json", "{\"auths\":{\"unknown\":{\"auth\":\"" USER_PASS
						"\"}},\"credHelpers\":{\"unknown\":\"fake\"}}");
	must_find("unknown", "a", "none");
}

TEST(a_store_for_all_is_asked_and_entries_come_behind_it)
{
	put_helper();
	machine_put("home/.docker/config.json",
		    "{\"auths\":{\"h\":{},\"i\":{\"auth\":\"" U2_P2
		    "\"}},\"credsStore\":\"fake\",\"credHelpers\":{\"j\":\"fake\"}}");
	must_find("h", "a", "basic hu hs");
	must_find("i", "a", "basic u2 p2");
	must_find("docker.io", "a", "basic hu hs");
	must_find("token", "a", "identity - tok");
	must_find("empty", "a", "none");
	must_have_run("get h\nget i\nget https://index.docker.io/v1/\nget token\nget empty\n");
}

TEST(a_helper_that_fails_is_an_error_and_shows_nothing)
{
	static const char *const hosts[] = { "broken", "junk", "missing" };

	put_helper();
	put_source("home/.config/containers/auth.json", 1);
	machine_put(
		"home/.docker/config.json",
		"{\"auths\":{\"broken\":{\"auth\":\"" USER_PASS
		"\"}},\"credHelpers\":{\"broken\":\"fake\",\"junk\":\"fake\",\"missing\":\"none\"}}");
	for (size_t i = 0; i < ARRAY_SIZE(hosts); i++) {
		AUTO(credential) struct credential found = { 0 };
		AUTO(err) struct err *err = get(hosts[i], "a", &found);

		assert_int_equal(err_kind(err), ERR_DENIED);
		assert_null(strstr(err_text(err), "secret"));
		assert_null(found.secret);
	}
	must_find("h", "a", "basic u1 p"); /* others are not harmed */
}

TEST(the_name_of_a_helper_is_no_path)
{
	static const char *const names[] = { "../x", "a b", "x;y", "a/b", "\\u00e9" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		AUTO(mem) char *text = xasprintf("{\"credsStore\":\"%s\"}", names[i]);
		AUTO(credential) struct credential found = { 0 };

		machine_put("home/.docker/config.json", text);
		assert_fails(get("h", "a", &found), ERR_INVALID);
	}
}

TEST(a_helper_is_asked_once)
{
	struct credentials_opts opts = { .paths = &machine };
	AUTO(credentials) struct credentials *c = NULL;

	put_helper();
	machine_put("home/.docker/config.json", "{\"credsStore\":\"fake\"}");
	assert_ok(credentials_new(&opts, &c));
	for (int i = 0; i < 3; i++) {
		AUTO(credential) struct credential found = { 0 };
		AUTO(credential) struct credential broken = { 0 };

		assert_ok(credentials_get(c, "h", "a", &found));
		assert_string_equal(found.secret, "hs");
		assert_fails(credentials_get(c, "broken", "a", &broken), ERR_DENIED);
	}
	must_have_run("get h\nget broken\n");
}

struct asker {
	struct credentials *c;
	bool good;
};

static void *ask_h(void *arg)
{
	struct asker *asker = arg;
	AUTO(credential) struct credential found = { 0 };
	AUTO(err) struct err *err = credentials_get(asker->c, "h", "a", &found);

	asker->good = !err && found.secret && strcmp(found.secret, "hs") == 0;
	return NULL;
}

TEST(threads_that_want_the_same_share_one_answer)
{
	struct credentials_opts opts = { .paths = &machine };
	AUTO(credentials) struct credentials *c = NULL;
	struct asker askers[8];
	pthread_t threads[ARRAY_SIZE(askers)];

	put_helper();
	machine_put("home/.docker/config.json", "{\"credsStore\":\"fake\"}");
	assert_ok(credentials_new(&opts, &c));
	for (size_t i = 0; i < ARRAY_SIZE(askers); i++) {
		askers[i] = (struct asker){ .c = c };
		assert_int_equal(pthread_create(&threads[i], NULL, ask_h, &askers[i]), 0);
	}
	for (size_t i = 0; i < ARRAY_SIZE(askers); i++) {
		pthread_join(threads[i], NULL);
		assert_true(askers[i].good);
	}
	must_have_run("get h\n");
}

TEST(helpers_of_registries_conf_take_the_place_of_the_files)
{
	AUTO(strings) struct strings helpers = { 0 };
	struct credentials_opts opts = { .helpers = &helpers };
	AUTO(credential) struct credential first = { 0 };
	AUTO(credential) struct credential second = { 0 };
	AUTO(credential) struct credential third = { 0 };

	put_helper();
	put_source("home/.docker/config.json", 1);
	strings_push(&helpers, "fake");
	assert_ok(get_with(&opts, "h", "a", &first));
	assert_string_equal(first.user, "hu");
	machine_put("home/.docker/config.json", "{\"auths\":{\"i\":{\"auth\":\"" U2_P2 "\"}}}");
	assert_ok(get_with(&opts, "i", "a", &second));
	assert_int_equal(second.kind, CREDENTIAL_NONE);
	strings_push(&helpers, "containers-auth.json");
	assert_ok(get_with(&opts, "i", "a", &third));
	assert_string_equal(third.user, "u2");
}

#define CASE(name) cmocka_unit_test_setup(name, machine_reset)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(nobody_is_known_without_files),
		CASE(reads_every_kind_of_entry),
		CASE(the_longest_key_wins),
		CASE(a_key_for_a_part_is_not_for_the_whole),
		CASE(keys_may_be_urls_as_docker_writes_them),
		CASE(the_hub_has_many_names),
		CASE(sources_are_asked_in_their_order),
		CASE(directories_of_the_user_can_be_moved),
		CASE(a_file_that_is_named_is_the_only_one),
		CASE(creds_are_for_their_registry_alone),
		CASE(a_broken_file_is_an_error_that_names_it_and_shows_nothing),
		CASE(a_broken_file_does_no_harm_before_it_is_reached),
		CASE(headers_come_from_dockers_file),
		CASE(the_helper_of_a_registry_is_asked_before_its_entry),
		CASE(what_its_helper_does_not_know_is_not_taken_from_the_entry),
		CASE(a_store_for_all_is_asked_and_entries_come_behind_it),
		CASE(a_helper_that_fails_is_an_error_and_shows_nothing),
		CASE(the_name_of_a_helper_is_no_path),
		CASE(a_helper_is_asked_once),
		CASE(threads_that_want_the_same_share_one_answer),
		CASE(helpers_of_registries_conf_take_the_place_of_the_files),
	};

	return cmocka_run_group_tests(tests, tmp_setup, tmp_teardown);
}
