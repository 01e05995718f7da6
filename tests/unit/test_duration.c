/* tests/unit/test_duration.c - the durations that Go's time.ParseDuration takes. */

#include "tests/unit/unit.h"

#include "builder/duration.h"

#define SECOND INT64_C(1000000000)

TEST(reads_every_unit_and_their_sums)
{
	static const struct {
		const char *text;
		int64_t want;
	} cases[] = {
		{ "0", 0 },
		{ "+0", 0 },
		{ "0s", 0 },
		{ "5s", 5 * SECOND },
		{ "30s", 30 * SECOND },
		{ "1478s", 1478 * SECOND },
		{ "-5s", -5 * SECOND },
		{ "+5s", 5 * SECOND },
		{ "5.0s", 5 * SECOND },
		{ "5.6s", 5600 * SECOND / 1000 },
		{ "5.s", 5 * SECOND },
		{ ".5s", SECOND / 2 },
		{ "1.004s", SECOND + 4 * SECOND / 1000 },
		{ "100.00100s", 100 * SECOND + SECOND / 1000 },
		{ "10ns", 10 },
		{ "11us", 11000 },
		{ "12\xc2\xb5s", 12000 },
		{ "12\xce\xbcs", 12000 },
		{ "13ms", 13000000 },
		{ "15m", 900 * SECOND },
		{ "16h", 57600 * SECOND },
		{ "3h30m", 12600 * SECOND },
		{ "10.5s4m", 250 * SECOND + SECOND / 2 },
		{ "-2m3.4s", -(123 * SECOND + 4 * SECOND / 10) },
		{ "1h2m3s4ms5us6ns", 3723 * SECOND + 4005006 },
		{ "0.3333333333333333333h", 1200 * SECOND },
		{ "9223372036854775807ns", INT64_MAX },
		{ "-9223372036854775808ns", INT64_MIN },
		{ "9223372036.854775807s", INT64_MAX },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int64_t got = 1;

		assert_ok(duration_parse(str_of(cases[i].text), &got));
		if (got != cases[i].want)
			fail_msg("%s is %jd", cases[i].text, (intmax_t)got);
	}
}

TEST(refuses_what_is_no_duration)
{
	static const char *const cases[] = {
		"",
		"3",
		"-",
		"s",
		".",
		"-.",
		".s",
		"+.s",
		"1d",
		"30 s",
		" 30s",
		"30S",
		"1h-1m",
		"++1s",
		"00",
		"1e3s",
		"9223372036854775808ns",
		"-9223372036854775809ns",
		"3000000h",
		"9999999999999999999999ns",
		"-0x1s",
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int64_t got = 7;

		assert_fails(duration_parse(str_of(cases[i]), &got), ERR_INVALID);
		assert_int_equal(got, 7);
	}
}

TEST(writes_them_as_go_does)
{
	/* time.Duration.String() */
	static const struct {
		int64_t nanoseconds;
		const char *want;
	} cases[] = {
		{ 0, "0s" },
		{ 1, "1ns" },
		{ 1100, "1.1\u00b5s" },
		{ 100000, "100\u00b5s" },
		{ 2200000, "2.2ms" },
		{ 500000000, "500ms" },
		{ SECOND, "1s" },
		{ 3 * SECOND + SECOND / 2, "3.5s" },
		{ 90 * SECOND, "1m30s" },
		{ 3600 * SECOND, "1h0m0s" },
		{ 300 * SECOND + 1000000, "5m0.001s" },
		{ -1, "-1ns" },
		{ INT64_MAX, "2562047h47m16.854775807s" },
		{ INT64_MIN, "-2562047h47m16.854775808s" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char text[DURATION_TEXT_SIZE];

		assert_string_equal(duration_format(cases[i].nanoseconds, text), cases[i].want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_every_unit_and_their_sums),
		cmocka_unit_test(refuses_what_is_no_duration),
		cmocka_unit_test(writes_them_as_go_does),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
