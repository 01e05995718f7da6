/* tests/unit/test_platform.c - one machine has many spellings, and old variants run on new ones. */

#include "tests/unit/unit.h"

#include <string.h>

#include "store/platform.h"

TEST(platforms_are_read_in_every_usual_spelling)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{ "linux/amd64", "linux/amd64" },
		{ "amd64", "linux/amd64" },
		{ "x86_64", "linux/amd64" },
		{ "linux/x86-64", "linux/amd64" },
		{ "linux/amd64/v1", "linux/amd64" },
		{ "linux/amd64/v3", "linux/amd64/v3" },
		{ "Linux/ARM64", "linux/arm64" },
		{ "linux/arm64/v8", "linux/arm64" },
		{ "linux/aarch64", "linux/arm64" },
		{ "arm", "linux/arm/v7" },
		{ "linux/arm/7", "linux/arm/v7" },
		{ "linux/armhf", "linux/arm/v7" },
		{ "linux/armel", "linux/arm/v6" },
		{ "linux/arm/v6", "linux/arm/v6" },
		{ "i386", "linux/386" },
		{ "windows/amd64", "windows/amd64" },
		{ "macos/arm64", "darwin/arm64" },
		{ "linux/riscv64", "linux/riscv64" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(mem) char *text = NULL;
		struct platform p;

		assert_ok(platform_parse(cases[i].text, &p));
		text = platform_format(&p);
		assert_string_equal(text, cases[i].want);
	}
}

TEST(what_is_no_platform_is_refused_with_an_example)
{
	static const char *const cases[] = {
		"",
		"/",
		"linux/",
		"/amd64",
		"linux//v7",
		"linux/arm/v7/",
		"linux/arm/v7/x",
		"linux/am d64",
		"linux/amd64\n",
		"foo",
		"v7",
		"linux/this-architecture-has-a-name-that-is-too-long",
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct platform p;
		AUTO(err) struct err *err = platform_parse(cases[i], &p);

		assert_int_equal(err_kind(err), ERR_INVALID);
		assert_non_null(strstr(err_text(err), "linux/amd64"));
	}
}

TEST(the_host_has_a_name_and_an_os_alone_means_it)
{
	struct platform host, p;

	platform_host(&host);
	assert_string_equal(host.os, "linux");
	assert_true(host.arch[0]);
	assert_ok(platform_parse("linux", &p));
	assert_true(platform_equal(&host, &p));
#if defined(__x86_64__)
	assert_string_equal(host.arch, "amd64");
#elif defined(__aarch64__)
	assert_string_equal(host.arch, "arm64");
#endif
}

TEST(equal_platforms_compare_equal_however_they_are_written)
{
	static const struct {
		struct platform a, b;
		bool want;
	} cases[] = {
		{ { "linux", "arm64", "v8" }, { "linux", "arm64", "" }, true },
		{ { "linux", "arm", "v7" }, { "linux", "arm", "" }, true },
		{ { "linux", "amd64", "v1" }, { "linux", "amd64", "" }, true },
		{ { "linux", "amd64", "v2" }, { "linux", "amd64", "" }, false },
		{ { "linux", "arm", "v6" }, { "linux", "arm", "v7" }, false },
		{ { "linux", "amd64", "" }, { "windows", "amd64", "" }, false },
		{ { "linux", "amd64", "" }, { "linux", "386", "" }, false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(platform_equal(&cases[i].a, &cases[i].b), cases[i].want);
}

TEST(older_variants_run_and_the_nearest_is_the_best)
{
	const struct platform v7 = { "linux", "arm", "v7" }, v6 = { "linux", "arm", "v6" },
			      v5 = { "linux", "arm", "v5" }, plain = { "linux", "arm", "" };
	const struct platform a64 = { "linux", "amd64", "" }, a64v2 = { "linux", "amd64", "v2" };
	const struct platform odd = { "linux", "arm", "softfp" };

	assert_true(platform_match(&v7, &v7) > platform_match(&v7, &v6));
	assert_int_equal(platform_match(&v7, &plain), platform_match(&v7, &v7));
	assert_true(platform_match(&v7, &v6) > platform_match(&v7, &v5));
	assert_true(platform_match(&v7, &v5) > 0);
	assert_int_equal(platform_match(&v6, &v7), 0);
	assert_true(platform_match(&a64v2, &a64) > 0);
	assert_int_equal(platform_match(&a64, &a64v2), 0);
	assert_int_equal(platform_match(&v7, &odd), 0);
	assert_int_equal(platform_match(&a64, &v7), 0);
}

TEST(parts_that_are_missing_are_empty_and_long_ones_are_cut)
{
	char longest[100];
	struct platform p;

	platform_from_parts(NULL, NULL, NULL, &p);
	assert_string_equal(p.os, "");
	assert_string_equal(p.arch, "");
	memset(longest, 'x', sizeof(longest));
	longest[sizeof(longest) - 1] = '\0';
	platform_from_parts(longest, longest, longest, &p);
	assert_int_equal(strlen(p.os), sizeof(p.os) - 1);
	assert_int_equal(strlen(p.variant), sizeof(p.variant) - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(platforms_are_read_in_every_usual_spelling),
		cmocka_unit_test(what_is_no_platform_is_refused_with_an_example),
		cmocka_unit_test(the_host_has_a_name_and_an_os_alone_means_it),
		cmocka_unit_test(equal_platforms_compare_equal_however_they_are_written),
		cmocka_unit_test(older_variants_run_and_the_nearest_is_the_best),
		cmocka_unit_test(parts_that_are_missing_are_empty_and_long_ones_are_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
