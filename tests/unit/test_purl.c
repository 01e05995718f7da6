/* tests/unit/test_purl.c - package URLs, as their specification and BuildKit write them. */

#include "tests/unit/unit.h"

#include "base/str.h"
#include "builder/purl.h"
#include "store/platform.h"

TEST(a_package_is_spelt_as_the_specification_has_it)
{
	static const struct {
		const char *type, *namespace, *name, *version, *want;
	} cases[] = {
		{ "npm", "@angular", "animation", "12.3.1", "pkg:npm/%40angular/animation@12.3.1" },
		{ "npm", NULL, "foobar", "12.3.1", "pkg:npm/foobar@12.3.1" },
		{ "deb", "debian", "attr", "1:2.4.47-2", "pkg:deb/debian/attr@1:2.4.47-2" },
		{ "deb", "debian", "libstdc++6", "12.2.0-14+deb12u1",
		  "pkg:deb/debian/libstdc%2B%2B6@12.2.0-14%2Bdeb12u1" },
		{ "golang", "google.golang.org", "genproto", "abcdedf",
		  "pkg:golang/google.golang.org/genproto@abcdedf" },
		{ "pypi", "", "django", "", "pkg:pypi/django" },
		{ "npm", NULL, "a/b c", "1@2", "pkg:npm/a%2Fb%20c@1%402" },
		{ "npm", NULL, "n\xc3\xa4me", NULL, "pkg:npm/n%C3%A4me" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(mem)
		char *got = purl_format(cases[i].type, cases[i].namespace, cases[i].name,
					cases[i].version);

		assert_string_equal(got, cases[i].want);
	}
}

TEST(an_image_is_spelt_as_buildkit_has_it)
{
	static const char digest[] =
		"sha256:244fd47e07d1004f0aed9c156aa09083c82bf8944eceb67c946ff7430510a77b";
	const struct platform amd64 = { .os = "linux", .arch = "amd64" };
	static const struct {
		const char *name, *want;
		bool plain; /* without a platform */
	} cases[] = {
		{ "alpine", "pkg:docker/alpine@latest?platform=linux%2Famd64", false },
		{ "alpine:3.17", "pkg:docker/alpine@3.17?platform=linux%2Famd64", false },
		{ "docker.io/library/alpine:3.17", "pkg:docker/alpine@3.17", true },
		{ "foo/bar", "pkg:docker/foo/bar@latest", true },
		{ "ghcr.io/foo/bar:v1", "pkg:docker/ghcr.io/foo/bar@v1", true },
		{ "localhost:5000/app:1", "pkg:docker/localhost:5000/app@1", true },
	};
	AUTO(mem) char *pinned = xasprintf("debian:12@%s", digest);
	AUTO(mem) char *purl = purl_of_image(pinned, &amd64);
	AUTO(mem)
	char *want = xasprintf("pkg:docker/debian@12?digest=%s&platform=linux%%2Famd64", digest);

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(mem)
		char *got = purl_of_image(cases[i].name, cases[i].plain ? NULL : &amd64);

		assert_string_equal(got, cases[i].want);
	}
	assert_string_equal(purl, want);
	assert_null(purl_of_image("Not A Name", NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_package_is_spelt_as_the_specification_has_it),
		cmocka_unit_test(an_image_is_spelt_as_buildkit_has_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
