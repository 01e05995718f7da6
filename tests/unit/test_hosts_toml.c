/* tests/unit/test_hosts_toml.c - containerd's hosts.toml, by its documentation. */

#include "tests/unit/machine.h"

#include <assert.h>

#include "registry/reference.h"
#include "registry/registries.h"

#define DIR "etc/containerd/certs.d/"

static struct err *places_of(const char *text, enum registries_purpose purpose, struct places *ret)
{
	AUTO(registries) struct registries *r = NULL;
	struct reference ref;

	TRY(reference_parse(text, &ref));
	TRY(registries_open(&machine, &r));
	return registries_places(r, &ref, purpose, ret);
}

/* "http(s)://server/api/path?ns" of each, with "~" behind a mirror and "-" where certificates are not
 * checked. */
static void must_be(const char *text, enum registries_purpose purpose, const char *want)
{
	AUTO(places) struct places places = { 0 };
	AUTO(buf) struct buf got = BUF_INIT(4096);

	assert_ok(places_of(text, purpose, &places));
	vec_foreach (&places, p)
		buf_addf(&got, "%shttp%s://%s%s/%s%s%s%s%s", got.len ? " " : "",
			 p->plain_http ? "" : "s", p->server, p->api, p->path, p->ns ? "?" : "",
			 p->ns ? p->ns : "", p->is_mirror ? "~" : "", p->skip_verify ? "-" : "");
	if (strcmp(buf_str(&got).at, want) != 0)
		fail_msg("%s: '%s', not '%s'", text, buf_str(&got).at, want);
}

TEST(hosts_are_asked_before_the_server)
{
	machine_put(DIR "docker.io/hosts.toml", "server = \"https://registry-1.docker.io\"\n"
						"[host.\"https://public.example.com\"]\n"
						"  capabilities = [\"pull\"]\n"
						"[host.\"http://mirror.internal:5000\"]\n"
						"  capabilities = [\"pull\", \"resolve\"]\n"
						"  skip_verify = true\n");
	must_be("app", PULL_BY_TAG,
		"http://mirror.internal:5000/v2/library/app?docker.io~- "
		"https://registry-1.docker.io/v2/library/app");
	must_be("app", PULL_BY_DIGEST,
		"https://public.example.com/v2/library/app?docker.io~ "
		"http://mirror.internal:5000/v2/library/app?docker.io~- "
		"https://registry-1.docker.io/v2/library/app");
	must_be("app", PUSH, "https://registry-1.docker.io/v2/library/app");
}

TEST(without_a_server_the_registry_itself_is_last)
{
	machine_put(DIR "h.com/hosts.toml", "[host.\"m.com\"]\n");
	must_be("h.com/a", PULL_BY_TAG, "https://m.com/v2/a?h.com~ https://h.com/v2/a");
	must_be("h.com/a", PUSH, "https://m.com/v2/a?h.com https://h.com/v2/a");
	machine_put(DIR "h.com/hosts.toml", "server = 'https://only.com'\n");
	must_be("h.com/a", PULL_BY_TAG, "https://only.com/v2/a?h.com");
}

TEST(a_path_stands_before_or_in_place_of_the_api)
{
	machine_put(DIR "h.com/hosts.toml",
		    "[host.\"https://a.com/prefix/\"]\n"
		    "[host.\"https://b.com/prefix/v2\"]\n"
		    "[host.\"https://c.com/whole\"]\noverride_path = true\n");
	must_be("h.com/a", PULL_BY_TAG,
		"https://a.com/prefix/v2/a?h.com~ https://b.com/prefix/v2/a?h.com~ "
		"https://c.com/whole/a?h.com~ https://h.com/v2/a");
}

TEST(directories_are_tried_in_their_order)
{
	machine_put(DIR "_default/hosts.toml", "server = 'd.com'\n");
	must_be("h.com:5000/a", PULL_BY_TAG, "https://d.com/v2/a?h.com:5000");
	machine_put(DIR "h.com:5000/hosts.toml", "server = 'p.com'\n");
	must_be("h.com:5000/a", PULL_BY_TAG, "https://p.com/v2/a?h.com:5000");
	machine_put(DIR "h.com_5000_/hosts.toml", "server = 'u.com'\n");
	must_be("h.com:5000/a", PULL_BY_TAG, "https://u.com/v2/a?h.com:5000");
	machine_put(DIR "i.com/ca.crt", "");
	must_be("i.com/a", PULL_BY_TAG, "https://i.com/v2/a"); /* its own directory, no file */
}

TEST(certificates_and_headers_are_for_their_place)
{
	AUTO(places) struct places places = { 0 };

	machine_put(
		DIR "h.com/hosts.toml",
		"[host.'a.com']\nca = 'a.pem'\nclient = '/k/both.pem'\n"
		"header = { X-One = 'a b', X-Two = ['c', 'd'] }\n"
		"[host.'b.com']\nca = ['/k/1.pem', '2.pem']\nclient = [['c.pem', 'k.pem'], ['x', '']]\n"
		"[host.'c.com']\nclient = ['1.pem', '2.pem']\n"
		"[host.'d.com']\nclient = [['c.pem', '']]\n");
	assert_ok(places_of("h.com/a", PULL_BY_TAG, &places));
	assert_int_equal(places.len, 5);
	assert(places.at);
	assert_true(places.at[0].has_certs);
	assert_string_equal(places.at[0].certs.ca_files.at[0], machine_path(DIR "h.com/a.pem"));
	assert_string_equal(places.at[0].certs.cert, "/k/both.pem");
	assert_string_equal(places.at[0].certs.key, "/k/both.pem");
	assert_int_equal(places.at[0].headers.len, 3);
	assert_string_equal(places.at[0].headers.at[0], "X-One: a b");
	assert_string_equal(places.at[0].headers.at[2], "X-Two: d");
	assert_string_equal(places.at[1].certs.ca_files.at[0], "/k/1.pem");
	assert_string_equal(places.at[1].certs.ca_files.at[1], machine_path(DIR "h.com/2.pem"));
	assert_string_equal(places.at[1].certs.key, machine_path(DIR "h.com/k.pem"));
	assert_string_equal(places.at[2].certs.cert, machine_path(DIR "h.com/1.pem"));
	assert_string_equal(places.at[3].certs.key, machine_path(DIR "h.com/c.pem"));
	assert_false(places.at[4].has_certs);
	assert_int_equal(places.at[4].headers.len, 0);
}

TEST(registries_conf_decides_before_it)
{
	machine_put(DIR "h.com/hosts.toml", "server = 'x.com'\n");
	machine_put("etc/containers/registries.conf", "[[registry]]\nlocation = 'h.com/a'\n");
	must_be("h.com/a", PULL_BY_TAG, "https://h.com/v2/a");
	must_be("h.com/b", PULL_BY_TAG, "https://x.com/v2/b?h.com");
}

TEST(mistakes_are_told_with_their_file)
{
	static const struct {
		const char *text, *says;
	} cases[] = {
		{ "capabilities = ['fly']\n", "'fly' is not pull" },
		{ "server = 7\n", "server: not a string" },
		{ "server = 'ftp://x'\n", "is no URL" },
		{ "server = 'https://x.com/?q'\n", "is no URL" },
		{ "server = 'https://u:p@x.com'\n", "is no URL" },
		{ "[host.'']\n", "is no URL" },
		{ "host = 'x'\n", "host: not an object" },
		{ "client = [['a', 'b', 'c']]\n", "neither a file" },
		{ "client = 7\n", "not an array" },
		{ "ca = [7]\n", "not a string" },
		{ "header = { 'a b' = 'x' }\n", "not a header" },
		{ "header = { a = \"x\\r\\ny\" }\n", "not a header" },
		{ "[", "line 1" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(places) struct places places = { 0 };
		AUTO(err) struct err *err = NULL;

		machine_put(DIR "h.com/hosts.toml", cases[i].text);
		err = places_of("h.com/a", PULL_BY_TAG, &places);
		if (err_kind(err) != ERR_INVALID || !strstr(err_text(err), cases[i].says) ||
		    !strstr(err_text(err), machine_path(DIR "h.com/hosts.toml")))
			fail_msg("%s: %s", cases[i].text, err ? err_text(err) : "accepted");
	}
	machine_put(DIR "h.com/hosts.toml", "capabilities = ['push']\n");
	{
		AUTO(places) struct places places = { 0 };

		assert_fails(places_of("h.com/a", PULL_BY_TAG, &places), ERR_DENIED);
	}
}

#define CASE(name) cmocka_unit_test_setup(name, machine_reset)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(hosts_are_asked_before_the_server),
		CASE(without_a_server_the_registry_itself_is_last),
		CASE(a_path_stands_before_or_in_place_of_the_api),
		CASE(directories_are_tried_in_their_order),
		CASE(certificates_and_headers_are_for_their_place),
		CASE(registries_conf_decides_before_it),
		CASE(mistakes_are_told_with_their_file),
	};

	return cmocka_run_group_tests(tests, tmp_setup, tmp_teardown);
}
