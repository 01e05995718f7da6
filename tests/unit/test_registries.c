/* tests/unit/test_registries.c - where images are fetched from, by registries.conf and daemon.json. */

#include "tests/unit/machine.h"

#include <assert.h>

#include "registry/reference.h"
#include "registry/registries.h"

#define MAIN "etc/containers/registries.conf"
#define HEX64 "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"

static struct err *places_of(const char *text, enum registries_purpose purpose, struct places *ret)
{
	AUTO(registries) struct registries *r = NULL;
	struct reference ref;

	TRY(reference_parse(text, &ref));
	TRY(registries_open(&machine, &r));
	return registries_places(r, &ref, purpose, ret);
}

/* "host/path" of each place, with "!" behind an insecure one, "~" behind a mirror, ":tag" for
 * another tag. */
static char *shown(const struct places *places)
{
	struct buf out = BUF_INIT(4096);

	vec_foreach (places, place)
		buf_addf(&out, "%s%s/%s%s%s%s%s", out.len ? " " : "", place->host, place->path,
			 place->tag ? ":" : "", place->tag ? place->tag : "",
			 place->insecure ? "!" : "", place->is_mirror ? "~" : "");
	return buf_steal(&out);
}

static void must_be(const char *text, enum registries_purpose purpose, const char *want)
{
	AUTO(places) struct places places = { 0 };
	AUTO(mem) char *got = NULL;
	AUTO(err) struct err *err = places_of(text, purpose, &places);

	if (err)
		fail_msg("%s: %s", text, err_text(err));
	got = shown(&places);
	if (strcmp(got, want) != 0)
		fail_msg("%s: '%s', not '%s'", text, got, want);
}

/* The error's text holds `says`. */
static void must_fail(const char *text, enum err_kind kind, const char *says)
{
	AUTO(places) struct places places = { 0 };
	AUTO(err) struct err *err = places_of(text, PULL_BY_TAG, &places);

	if (err_kind(err) != kind || !strstr(err_text(err), says))
		fail_msg("%s: %s", text, err ? err_text(err) : "accepted");
	assert_int_equal(places.len, 0);
}

TEST(without_configuration_a_name_is_its_place)
{
	AUTO(places) struct places hub = { 0 };

	must_be("example.com:5000/a/b:1", PULL_BY_TAG, "example.com:5000/a/b");
	must_be("app", PUSH, "docker.io/library/app");
	assert_ok(places_of("app", PULL_BY_TAG, &hub));
	assert_int_equal(hub.len, 1);
	assert(hub.at);
	assert_string_equal(hub.at[0].host, "docker.io");
	assert_string_equal(hub.at[0].server, "registry-1.docker.io");
	assert_string_equal(hub.at[0].api, "/v2");
	assert_null(hub.at[0].ns);
	assert_null(hub.at[0].tag);
	assert_false(hub.at[0].has_certs);
}

TEST(mirrors_come_first_and_only_for_pulls)
{
	machine_put(MAIN, "[[registry]]\n"
			  "prefix = 'example.com/foo'\n"
			  "location = 'internal.example.net/bar/'\n"
			  "[[registry.mirror]]\n"
			  "location = 'mirror-0.local/mirror-for-foo'\n"
			  "[[registry.mirror]]\n"
			  "location = 'mirror-1.local:5000/mirrors/foo'\n"
			  "insecure = true\n"
			  "[[registry]]\n"
			  "location = 'registry.com'\n"
			  "[[registry.mirror]]\n"
			  "location = 'mirror.registry.com'\n");
	must_be("example.com/foo/image", PULL_BY_TAG,
		"mirror-0.local/mirror-for-foo/image~ mirror-1.local:5000/mirrors/foo/image!~ "
		"internal.example.net/bar/image");
	must_be("example.com/foo/image", PUSH, "example.com/foo/image");
	must_be("registry.com/image", PULL_BY_DIGEST,
		"mirror.registry.com/image~ registry.com/image");
	must_be("example.com/foo", PULL_BY_TAG,
		"mirror-0.local/mirror-for-foo~ mirror-1.local:5000/mirrors/foo!~ "
		"internal.example.net/bar");
	must_be("example.com/foobar/image", PULL_BY_TAG, "example.com/foobar/image");
	must_be("example.com/other", PULL_BY_TAG, "example.com/other");
}

TEST(the_longest_prefix_wins)
{
	machine_put(MAIN,
		    "[[registry]]\nlocation = 'h.com'\ninsecure = true\n"
		    "[[registry]]\nprefix = 'h.com/a'\nlocation = 'a.com'\n"
		    "[[registry]]\nprefix = 'h.com/a/b:1'\nlocation = 'one.com/x:2'\n"
		    "[[registry]]\nprefix = 'h.com/a/b@sha256:" HEX64 "'\nlocation = 'd.com/x'\n"
		    "[[registry]]\nprefix = 'h.com/a/b'\nlocation = 'b.com/b'\n");
	must_be("h.com/x", PULL_BY_TAG, "h.com/x!");
	must_be("h.com/a/x", PULL_BY_TAG, "a.com/x");
	must_be("h.com/a/b", PULL_BY_TAG, "b.com/b");
	must_be("h.com/a/b/c", PULL_BY_TAG, "b.com/b/c");
	must_be("h.com/a/b:1", PULL_BY_TAG, "one.com/x:2");
	must_be("h.com/a/b@sha256:" HEX64, PULL_BY_DIGEST, "d.com/x");
	must_be("h.com:5000/x", PULL_BY_TAG, "h.com:5000/x!"); /* as Podman has it */
	must_be("hh.com/x", PULL_BY_TAG, "hh.com/x");
	must_be("h.comx/x", PULL_BY_TAG, "h.comx/x");
}

TEST(a_wildcard_stands_for_subdomains)
{
	machine_put(MAIN, "[[registry]]\nprefix = '*.example.com'\ninsecure = true\n"
			  "[[registry.mirror]]\nlocation = 'mirror.com/m'\n"
			  "[[registry]]\nprefix = '*.b.example.com'\nlocation = 'b.com/there'\n"
			  "[[registry]]\nprefix = 'c.b.example.com/long/name'\nblocked = true\n"
			  "location = 'x.com'\n");
	must_be("a.example.com/x", PULL_BY_TAG, "mirror.com/m/x~ a.example.com/x!");
	must_be("a.a.example.com:5000/x", PUSH, "a.a.example.com:5000/x!");
	must_be("a.b.example.com/x:1", PULL_BY_TAG, "b.com/there/x");
	must_be("example.com/x", PULL_BY_TAG, "example.com/x");
	must_be("aexample.com/x", PULL_BY_TAG, "aexample.com/x");
	must_be("h.com/a.example.com/x", PULL_BY_TAG, "h.com/a.example.com/x");
	must_be("a.example.com.org/x", PULL_BY_TAG, "a.example.com.org/x");
	must_fail("c.b.example.com/long/name:1", ERR_DENIED, "blocked by");
}

TEST(mirrors_may_serve_one_kind_of_pull)
{
	machine_put(MAIN,
		    "[[registry]]\nlocation = 'a.com'\nmirror-by-digest-only = true\n"
		    "[[registry.mirror]]\nlocation = 'm.com'\n"
		    "[[registry]]\nlocation = 'b.com'\n"
		    "[[registry.mirror]]\nlocation = 'd.com'\npull-from-mirror = 'digest-only'\n"
		    "[[registry.mirror]]\nlocation = 't.com'\npull-from-mirror = 'tag-only'\n"
		    "[[registry.mirror]]\nlocation = 'all.com'\npull-from-mirror = 'all'\n"
		    "[[registry.mirror]]\nlocation = 'any.com'\npull-from-mirror = ''\n");
	must_be("a.com/x", PULL_BY_TAG, "a.com/x");
	must_be("a.com/x", PULL_BY_DIGEST, "m.com/x~ a.com/x");
	must_be("b.com/x", PULL_BY_TAG, "t.com/x~ all.com/x~ any.com/x~ b.com/x");
	must_be("b.com/x", PULL_BY_DIGEST, "d.com/x~ all.com/x~ any.com/x~ b.com/x");
}

TEST(the_hub_is_matched_by_its_full_name)
{
	AUTO(places) struct places places = { 0 };

	machine_put(MAIN, "[[registry]]\nprefix = 'docker.io/library'\nlocation = 'lib.com/l'\n"
			  "[[registry]]\nprefix = 'docker.io'\nlocation = 'docker.io'\n"
			  "[[registry.mirror]]\nlocation = 'm.com/hub'\n"
			  "[[registry]]\nprefix = 'back.com'\nlocation = 'docker.io/team'\n");
	must_be("app", PULL_BY_TAG, "lib.com/l/app");
	must_be("team/app", PULL_BY_TAG, "m.com/hub/team/app~ docker.io/team/app");
	must_be("back.com/x", PULL_BY_TAG, "docker.io/team/x");
	assert_ok(places_of("back.com/x", PULL_BY_TAG, &places));
	assert(places.at);
	assert_string_equal(places.at[0].server, "registry-1.docker.io");
}

TEST(what_is_blocked_is_denied_with_the_file)
{
	machine_put(MAIN, "[[registry]]\nlocation = 'bad.com'\nblocked = true\n"
			  "[[registry]]\nprefix = 'good.com'\nlocation = 'bad.com/x'\n"
			  "[[registry.mirror]]\nlocation = 'mirror.com'\n"
			  "[[registry]]\nprefix = 'all.com'\nlocation = 'bad.com/x'\n");
	must_fail("bad.com/x", ERR_DENIED, machine_path(MAIN));
	must_be("good.com/x", PULL_BY_TAG, "mirror.com/x~"); /* not through the back door */
	must_fail("all.com/x", ERR_DENIED, "blocked");
	{
		AUTO(places) struct places places = { 0 };

		assert_fails(places_of("bad.com/x", PUSH, &places), ERR_DENIED);
	}
}

TEST(files_are_read_in_their_order)
{
	must_be("h.com/a", PULL_BY_TAG, "h.com/a");
	machine_put(MAIN, "[[registry]]\nprefix='h.com'\nlocation='one.com'\n"
			  "[[registry]]\nprefix='i.com'\nlocation='i-one.com'\n");
	must_be("h.com/a", PULL_BY_TAG, "one.com/a");
	machine_put("home/.config/containers/registries.conf",
		    "[[registry]]\nprefix='h.com'\nlocation='two.com'\n");
	must_be("h.com/a", PULL_BY_TAG, "two.com/a");
	must_be("i.com/a", PULL_BY_TAG, "i.com/a"); /* the home's file instead of the system's */
	machine_put("other/conf", "[[registry]]\nprefix='h.com'\nlocation='three.com'\n");
	machine_set("CONTAINERS_REGISTRIES_CONF", machine_path("other/conf"));
	must_be("h.com/a", PULL_BY_TAG, "three.com/a");
	machine_put("etc/containers/registries.conf.d/b.conf",
		    "[[registry]]\nprefix='h.com'\nlocation='b.com'\n");
	machine_put("etc/containers/registries.conf.d/a.conf",
		    "[[registry]]\nprefix='h.com'\nlocation='a.com'\n"
		    "[[registry]]\nprefix='j.com'\nlocation='j-a.com'\n");
	machine_put("etc/containers/registries.conf.d/c.conf.bak", "no TOML");
	must_be("h.com/a", PULL_BY_TAG, "b.com/a");
	must_be("j.com/a", PULL_BY_TAG, "j-a.com/a");
	machine_put("home/.config/containers/registries.conf.d/a.conf",
		    "[[registry]]\nprefix='h.com'\nlocation='home.com'\n");
	must_be("h.com/a", PULL_BY_TAG, "home.com/a");
}

TEST(a_file_that_is_named_must_exist)
{
	struct registries *r = NULL;

	machine_set("CONTAINERS_REGISTRIES_CONF", machine_path("other/none"));
	assert_fails(registries_open(&machine, &r), ERR_NOT_FOUND);
}

TEST(version_1_is_refused_by_name)
{
	AUTO(registries) struct registries *r = NULL;
	struct registries *refused = NULL;
	AUTO(err) struct err *err = NULL;

	machine_put(MAIN, "[registries.search]\nregistries = []\n[registries.block]\n");
	assert_ok(registries_open(&machine, &r));
	machine_put(MAIN, "[registries.search]\nregistries = ['docker.io']\n");
	err = registries_open(&machine, &refused);
	assert_int_equal(err_kind(err), ERR_UNSUPPORTED);
	assert_non_null(strstr(err_text(err), "version 1"));
	assert_non_null(strstr(err_notes(err), "[[registry]]"));
}

TEST(mistakes_in_a_file_are_told_with_their_place)
{
	static const struct {
		const char *text, *says;
	} cases[] = {
		{ "[[registry]]\n", "registry[0]: has neither prefix nor location" },
		{ "[[registry]]\nlocation = ''\n", "neither" },
		{ "[[registry]]\nlocation = '/'\n", "registry[0].location: empty" },
		{ "[[registry]]\nlocation = 'https://h.com'\n",
		  "registry[0].location: has no scheme" },
		{ "[[registry]]\nprefix = 'h.com'\n", "has no location" },
		{ "[[registry]]\nlocation = 1\n", "registry[0].location: not a string" },
		{ "[[registry]]\nlocation = 'h.com'\ninsecure = 'yes'\n",
		  "insecure: neither true" },
		{ "[[registry]]\nprefix = 'a.*.com'\nlocation = 'x.com'\n", "'*' stands only" },
		{ "[[registry]]\nprefix = '*.h.com/a'\nlocation = 'x.com'\n", "'*' stands only" },
		{ "[[registry]]\nprefix = '*.h.com:5000'\nlocation = 'x.com'\n",
		  "'*' stands only" },
		{ "[[registry]]\nprefix = '*.*.com'\nlocation = 'x.com'\n", "'*' stands only" },
		{ "[registry]\nlocation = 'h.com'\n", "[[registry]], with two brackets" },
		{ "registry = 1\n", "registry: not an array" },
		{ "[[registry]]\nlocation = 'h.com'\n[[registry]]\nprefix = 'h.com'\n"
		  "location = 'i.com'\nblocked = true\n",
		  "registry[1]: there is another one for 'h.com'" },
		{ "[[registry]]\nlocation = 'h.com'\ninsecure = true\n[[registry]]\n"
		  "location = 'h.com'\n",
		  "blocked or insecure" },
		{ "[[registry]]\nlocation = 'h.com'\n[[registry.mirror]]\n",
		  "registry[0].mirror[0].location: missing" },
		{ "[[registry]]\nlocation = 'h.com'\n[[registry.mirror]]\nlocation = 'm.com'\n"
		  "pull-from-mirror = 'x'\n",
		  "pull-from-mirror: 'x' is not" },
		{ "[[registry]]\nlocation = 'h.com'\nmirror-by-digest-only = true\n"
		  "[[registry.mirror]]\nlocation = 'm.com'\npull-from-mirror = 'all'\n",
		  "beside mirror-by-digest-only" },
		{ "unqualified-search-registries = ['a/b']\n", "'a/b' is no HOST" },
		{ "unqualified-search-registries = ['quay']\n", "'quay' is no HOST" },
		{ "unqualified-search-registries = 'a.com'\n", "not an array" },
		{ "short-name-mode = 'x'\n", "short-name-mode: 'x' is not" },
		{ "aliases = []\n", "aliases: not an object" },
		{ "[aliases]\na = 1\n", "aliases.a: not a string" },
		{ "credential-helpers = 'x'\n", "not an array" },
		{ "x = [\n", "line 2" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct registries *r = NULL;
		AUTO(err) struct err *err = NULL;

		machine_put(MAIN, cases[i].text);
		err = registries_open(&machine, &r);
		if (err_kind(err) != ERR_INVALID || !strstr(err_text(err), cases[i].says) ||
		    !strstr(err_text(err), machine_path(MAIN)))
			fail_msg("%s: %s", cases[i].text, err ? err_text(err) : "accepted");
	}
}

TEST(a_location_must_make_a_name)
{
	machine_put(MAIN, "[[registry]]\nprefix = 'h.com'\nlocation = 'mirror'\n"
			  "[[registry]]\nprefix = 'i.com'\nlocation = 'x.com/UPPER'\n");
	must_fail("h.com/a", ERR_INVALID, "location 'mirror'");
	must_fail("i.com/a", ERR_INVALID, "location 'x.com/UPPER'");
}

TEST(default_helpers_are_handed_on)
{
	AUTO(registries) struct registries *r = NULL;

	machine_put(MAIN, "credential-helpers = ['secretservice', 'containers-auth.json']\n");
	machine_put("etc/containers/registries.conf.d/a.conf", "credential-helpers = []\n");
	assert_ok(registries_open(&machine, &r));
	assert_int_equal(registries_helpers(r)->len, 2);
	assert_string_equal(registries_helpers(r)->at[0], "secretservice");
}

TEST(dockers_own_settings_count_without_registries_conf)
{
	machine_put("etc/docker/daemon.json",
		    "{\"registry-mirrors\":[\"https://m.com/\",\"http://10.0.0.9:5000\"],"
		    "\"insecure-registries\":[\"h.com:5000\",\"10.1.0.0/16\"],\"debug\":true}");
	must_be("app", PULL_BY_TAG,
		"m.com/library/app~ 10.0.0.9:5000/library/app!~ docker.io/library/app");
	must_be("app", PUSH, "docker.io/library/app");
	must_be("quay.io/app", PULL_BY_TAG, "quay.io/app");
	must_be("h.com:5000/a", PUSH, "h.com:5000/a!");
	must_be("h.com/a", PULL_BY_TAG, "h.com/a");
	must_be("10.1.2.3:5000/a", PULL_BY_TAG, "10.1.2.3:5000/a!");
	must_be("10.2.2.3:5000/a", PULL_BY_TAG, "10.2.2.3:5000/a");
	machine_put("etc/containers/registries.conf.d/x.conf", "");
	must_be("app", PULL_BY_TAG, "docker.io/library/app");
}

TEST(mistakes_in_dockers_settings_are_told)
{
	struct registries *r = NULL;

	machine_put("etc/docker/daemon.json", "{\"registry-mirrors\":[\"https://m.com/path\"]}");
	must_fail("app", ERR_INVALID, "a mirror has no path");
	machine_put("etc/docker/daemon.json", "{\"registry-mirrors\":[\"ftp://m.com\"]}");
	must_fail("app", ERR_INVALID, "daemon.json");
	machine_put("etc/docker/daemon.json", "{\"registry-mirrors\":7}");
	assert_fails(registries_open(&machine, &r), ERR_INVALID);
	machine_put("etc/docker/daemon.json", "{");
	assert_fails(registries_open(&machine, &r), ERR_INVALID);
	machine_put("etc/docker/daemon.json", "");
	must_be("app", PULL_BY_TAG, "docker.io/library/app");
}

#define CASE(name) cmocka_unit_test_setup(name, machine_reset)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(without_configuration_a_name_is_its_place),
		CASE(mirrors_come_first_and_only_for_pulls),
		CASE(the_longest_prefix_wins),
		CASE(a_wildcard_stands_for_subdomains),
		CASE(mirrors_may_serve_one_kind_of_pull),
		CASE(the_hub_is_matched_by_its_full_name),
		CASE(what_is_blocked_is_denied_with_the_file),
		CASE(files_are_read_in_their_order),
		CASE(a_file_that_is_named_must_exist),
		CASE(version_1_is_refused_by_name),
		CASE(mistakes_in_a_file_are_told_with_their_place),
		CASE(a_location_must_make_a_name),
		CASE(default_helpers_are_handed_on),
		CASE(dockers_own_settings_count_without_registries_conf),
		CASE(mistakes_in_dockers_settings_are_told),
	};

	return cmocka_run_group_tests(tests, tmp_setup, tmp_teardown);
}
