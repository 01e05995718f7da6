/* tests/unit/test_reference.c - the grammar of image names, by the vectors that trip parsers. */

#include "tests/unit/unit.h"

#include <string.h>

#include "base/str.h"
#include "registry/reference.h"

#define HEX64 "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
#define HEX128 HEX64 HEX64
#define CHARS8 "aaaaaaaa"
#define CHARS64 CHARS8 CHARS8 CHARS8 CHARS8 CHARS8 CHARS8 CHARS8 CHARS8
#define CHARS128 CHARS64 CHARS64

TEST(splits_what_people_write)
{
	static const struct {
		const char *text, *domain, *path, *tag, *digest;
	} cases[] = {
		{ "app", "docker.io", "library/app", "", "" },
		{ "user/app:1.0", "docker.io", "user/app", "1.0", "" },
		{ "docker.io/app", "docker.io", "library/app", "", "" },
		{ "index.docker.io/app", "docker.io", "library/app", "", "" },
		{ "docker.io/library/app", "docker.io", "library/app", "", "" },
		{ "test.com:5000", "docker.io", "library/test.com", "5000", "" },
		{ "192.168.1.1:80", "docker.io", "library/192.168.1.1", "80", "" },
		{ "192.168.1.1:80/a", "192.168.1.1:80", "a", "", "" },
		{ "localhost/a", "localhost", "a", "", "" },
		{ "localhost:5000/a", "localhost:5000", "a", "", "" },
		{ "localhost:5000/a:b", "localhost:5000", "a", "b", "" },
		{ "localhost", "docker.io", "library/localhost", "", "" },
		{ "foo/foo_bar.com:8080", "docker.io", "foo/foo_bar.com", "8080", "" },
		{ "foo.com/a__b/c--d", "foo.com", "a__b/c--d", "", "" },
		{ "a__b", "docker.io", "library/a__b", "", "" },
		{ "a--b", "docker.io", "library/a--b", "", "" },
		{ "docker---rules/docker", "docker.io", "docker---rules/docker", "", "" },
		{ "test_com/foo", "docker.io", "test_com/foo", "", "" },
		{ "foo_bar.com:8080", "docker.io", "library/foo_bar.com", "8080", "" },
		{ "test-com:8080/foo", "test-com:8080", "foo", "", "" },
		{ "test:5000/repo:tag@sha256:" HEX64, "test:5000", "repo", "tag", "sha256:" HEX64 },
		{ "b.gcr.io/test.example.com/my-app:test.example.com", "b.gcr.io",
		  "test.example.com/my-app", "test.example.com", "" },
		{ "docker.io/library/foo/bar", "docker.io", "library/foo/bar", "", "" },
		{ "index.docker.io/a/b:1", "docker.io", "a/b", "1", "" },
		{ "registry-1.docker.io/a/b", "registry-1.docker.io", "a/b", "", "" },
		{ "EXAMPLE.com/a", "EXAMPLE.com", "a", "", "" },
		{ "a1.b2-c3/x", "a1.b2-c3", "x", "", "" },
		{ "dbcc1c35ac38df41fd2f5e4130b32ffdb93ebae8b3dbe638c23575912276fc9", "docker.io",
		  "library/dbcc1c35ac38df41fd2f5e4130b32ffdb93ebae8b3dbe638c23575912276fc9", "",
		  "" },
		{ "Docker/docker", "Docker", "docker", "", "" },
		{ "LOCALDOMAIN/x", "LOCALDOMAIN", "x", "", "" },
		{ "lower:UPPER", "docker.io", "library/lower", "UPPER", "" },
		{ "xn--n3h.com/myimage:xn--n3h.com", "xn--n3h.com", "myimage", "xn--n3h.com", "" },
		{ "[2001:db8::1]:5000/repo:tag@sha256:" HEX64, "[2001:db8::1]:5000", "repo", "tag",
		  "sha256:" HEX64 },
		{ "[2001:db8::1]/repo", "[2001:db8::1]", "repo", "", "" },
		{ "host:65535/repo", "host:65535", "repo", "", "" },
		{ "[::]:5000/repo", "[::]:5000", "repo", "", "" },
		{ "a@sha512:" HEX128, "docker.io", "library/a", "", "sha512:" HEX128 },
		{ "docker.io/" HEX64, "docker.io", "library/" HEX64, "", "" },
		{ HEX64 ":tag", "docker.io", "library/" HEX64, "tag", "" },
		{ "a:" CHARS128, "docker.io", "library/a", CHARS128, "" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct reference ref;

		assert_ok(reference_parse(cases[i].text, &ref));
		assert_string_equal(ref.domain, cases[i].domain);
		assert_string_equal(ref.path, cases[i].path);
		assert_string_equal(ref.tag, cases[i].tag);
		assert_string_equal(ref.digest, cases[i].digest);
	}
}

TEST(refuses_what_is_no_name)
{
	static const struct {
		const char *text;
		enum err_kind kind;
		const char *says;
	} cases[] = {
		{ "", ERR_INVALID, "no name" },
		{ ":justtag", ERR_INVALID, "no name" },
		{ "@sha256:" HEX64, ERR_INVALID, "no name" },
		{ "/a", ERR_INVALID, "bad name" },
		{ "a/", ERR_INVALID, "bad name" },
		{ "a//b", ERR_INVALID, "bad name" },
		{ "-a", ERR_INVALID, "bad name" },
		{ "a-", ERR_INVALID, "bad name" },
		{ "a..b", ERR_INVALID, "bad name" },
		{ "a___b", ERR_INVALID, "bad name" },
		{ "a._b", ERR_INVALID, "bad name" },
		{ "a b", ERR_INVALID, "bad name" },
		{ "dock_.er/docker", ERR_INVALID, "bad registry" },
		{ "x/dock_.er", ERR_INVALID, "bad name" },
		{ "x/dock-.er", ERR_INVALID, "bad name" },
		{ "docker-/docker", ERR_INVALID, "bad name" },
		{ "_docker/_docker", ERR_INVALID, "bad name" },
		{ "____/____", ERR_INVALID, "bad name" },
		{ "-docker.io/docker/docker", ERR_INVALID, "bad registry" },
		{ "docker.io/docker/Docker", ERR_INVALID, "must be lowercase" },
		{ "docker.io/docker///docker", ERR_INVALID, "bad name" },
		{ "aa/asdf$$^/aa", ERR_INVALID, "bad name" },
		{ "docker.io/", ERR_INVALID, "no name" },
		{ "\xc3\xa9", ERR_INVALID, "bad name" },
		{ "../a", ERR_INVALID, "bad registry" },
		{ "a/../b", ERR_INVALID, "bad name" },
		{ "Uppercase:tag", ERR_INVALID, "must be lowercase" },
		{ "test:5000/Uppercase/lower", ERR_INVALID, "must be lowercase" },
		{ "a:", ERR_INVALID, "bad tag" },
		{ "a:b:c", ERR_INVALID, "bad tag" },
		{ "a:.b", ERR_INVALID, "bad tag" },
		{ "a:-b", ERR_INVALID, "bad tag" },
		{ "a:" CHARS128 "a", ERR_INVALID, "bad tag" },
		{ "a@", ERR_INVALID, "no digest" },
		{ "me:secret@h.com/a", ERR_INVALID, "cairn login" },
		{ "a@sha256", ERR_INVALID, "hex digits" },
		{ "a@sha256:ffffffffffffffffffffffffffffffffff", ERR_INVALID, "34 hex digits" },
		{ "a@sha256:" HEX64 "0", ERR_INVALID, "65 hex digits" },
		{ "a@sha256:" HEX64 "@b", ERR_INVALID, "hex digits" },
		{ "a@sha256:A4136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
		  ERR_INVALID, "lower-case" },
		{ "a@md5:ffffffffffffffffffffffffffffffff", ERR_UNSUPPORTED, "sha256" },
		{ "[2001:db8::1]", ERR_INVALID, "bad name" },
		{ "[fe80::1%eth0]:5000/repo", ERR_INVALID, "bad registry" },
		{ "host:99999/repo", ERR_INVALID, "bad registry" },
		{ "host:65536/repo", ERR_INVALID, "bad registry" },
		{ "[::1]:4294967297/repo", ERR_INVALID, "bad registry" },
		{ "[fe80::1%25eth0]:5000/repo", ERR_INVALID, "bad registry" },
		{ "[2001:db8::1]x/repo", ERR_INVALID, "bad registry" },
		{ "[2001:db8::1]:/repo", ERR_INVALID, "bad registry" },
		{ "[:/repo", ERR_INVALID, "bad registry" },
		{ "a.-b.com/repo", ERR_INVALID, "bad registry" },
		{ "a..com/repo", ERR_INVALID, "bad registry" },
		{ "a.com:/repo", ERR_INVALID, "bad registry" },
		{ "a.com:http/repo", ERR_INVALID, "bad registry" },
		{ "https://github.com/docker/docker", ERR_INVALID, "URL" },
		{ HEX64, ERR_INVALID, "image id" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct reference ref = { .domain = "untouched" };
		AUTO(err) struct err *err = reference_parse(cases[i].text, &ref);

		if (err_kind(err) != cases[i].kind || !strstr(err_text(err), cases[i].says))
			fail_msg("'%s': %s", cases[i].text, err_text(err));
		assert_string_equal(ref.domain, "untouched");
	}
}

TEST(a_short_name_has_no_registry)
{
	static const char *const shorts[] = { "app", "team/app:1", "test.com:5000", "a/b/c@x", "" };
	static const char *const longs[] = { "docker.io/app", "index.docker.io/a",
					     "localhost/a",   "h:1/a",
					     "Host/a",        "[::1]/a" };

	for (size_t i = 0; i < ARRAY_SIZE(shorts); i++)
		assert_true(reference_is_short(shorts[i]));
	for (size_t i = 0; i < ARRAY_SIZE(longs); i++)
		assert_false(reference_is_short(longs[i]));
}

TEST(a_domain_is_a_host_and_perhaps_a_port)
{
	static const char *const good[] = { "docker.io", "localhost", "h:1", "[::1]:5000",
					    "A-b.c" };
	static const char *const bad[] = { "",     "h:",  "h:x",   "a/b", "-a",  "a..b",
					   "a.b-", "u@h", "[::1",  "a b", "a_b", "https://h",
					   ".",    "..",  "a:1:2", "[x]", "h#",  "[fe80::1%e]" };

	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		assert_true(reference_is_domain(str_of(good[i])));
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_false(reference_is_domain(str_of(bad[i])));
}

TEST(counts_domain_and_path_but_no_tag)
{
	struct reference ref;

	/* "docker.io/" + 245 = 255; a path of its own, so that no prefix is added */
	AUTO(mem) char *fits = xasprintf("a/%0243d:%s", 0, CHARS128);
	AUTO(mem) char *over = xasprintf("a/%0244d", 0);
	AUTO(mem) char *prefixed = xasprintf("%0238d", 0); /* "library/" takes 8 */

	assert_ok(reference_parse(fits, &ref));
	assert_fails(reference_parse(over, &ref), ERR_INVALID);
	assert_fails(reference_parse(prefixed, &ref), ERR_INVALID);
	assert_ok(reference_parse(prefixed + 1, &ref));
}

TEST(formats_canonically_and_familiarly)
{
	static const struct {
		const char *text, *canonical, *familiar;
	} cases[] = {
		{ "app", "docker.io/library/app:latest", "app:latest" },
		{ "docker.io/library/app:1", "docker.io/library/app:1", "app:1" },
		{ "user/app", "docker.io/user/app:latest", "user/app:latest" },
		{ "library/a/b", "docker.io/library/a/b:latest", "library/a/b:latest" },
		{ "localhost:5000/a:1", "localhost:5000/a:1", "localhost:5000/a:1" },
		{ "a@sha256:" HEX64, "docker.io/library/a@sha256:" HEX64, "a@sha256:" HEX64 },
		{ "a:1@sha256:" HEX64, "docker.io/library/a:1@sha256:" HEX64, "a:1@sha256:" HEX64 },
		/* shortening these would change what they mean */
		{ "docker.io/foo.com/bar", "docker.io/foo.com/bar:latest",
		  "docker.io/foo.com/bar:latest" },
		{ "docker.io/localhost/bar", "docker.io/localhost/bar:latest",
		  "docker.io/localhost/bar:latest" },
		{ "docker.io/" HEX64, "docker.io/library/" HEX64 ":latest",
		  "docker.io/library/" HEX64 ":latest" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct reference ref;
		AUTO(mem) char *canonical = NULL;
		AUTO(mem) char *familiar = NULL;

		assert_ok(reference_parse(cases[i].text, &ref));
		canonical = reference_canonical(&ref);
		familiar = reference_familiar(&ref);
		assert_string_equal(canonical, cases[i].canonical);
		assert_string_equal(familiar, cases[i].familiar);
	}
}

TEST(a_name_to_keep_has_no_digest)
{
	AUTO(mem) char *name = NULL;
	AUTO(mem) char *refused = NULL;
	AUTO(mem) char *short_name = NULL;
	AUTO(mem) char *foreign = reference_shorten("not a reference");

	assert_ok(reference_normalize("app:1", &name));
	assert_string_equal(name, "docker.io/library/app:1");
	short_name = reference_shorten(name);
	assert_string_equal(short_name, "app:1");
	assert_string_equal(foreign, "not a reference");
	assert_fails(reference_normalize("app@sha256:" HEX64, &refused), ERR_INVALID);
	assert_fails(reference_normalize("sha256:" HEX64, &refused), ERR_INVALID);
	assert_fails(reference_normalize("sha512:x", &refused), ERR_INVALID);
	assert_null(refused);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(splits_what_people_write),
		cmocka_unit_test(refuses_what_is_no_name),
		cmocka_unit_test(a_short_name_has_no_registry),
		cmocka_unit_test(a_domain_is_a_host_and_perhaps_a_port),
		cmocka_unit_test(counts_domain_and_path_but_no_tag),
		cmocka_unit_test(formats_canonically_and_familiarly),
		cmocka_unit_test(a_name_to_keep_has_no_digest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
