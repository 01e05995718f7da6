/* tests/unit/test_clock.c - RFC 3339 in UTC. */

#include "tests/unit/unit.h"

#include "base/clock.h"

/* Seconds as Python's datetime and GNU date have them. */
static const struct {
	const char *text;
	int64_t seconds;
	long nano;
} times[] = {
	{ "1970-01-01T00:00:00Z", 0, 0 },
	{ "1969-12-31T23:59:59Z", -1, 0 },
	{ "2000-02-29T12:00:00Z", 951825600, 0 },
	{ "2000-03-01T00:00:00Z", 951868800, 0 },
	{ "1900-03-01T00:00:00Z", -2203891200, 0 },
	{ "1900-02-28T23:59:59Z", -2203891201, 0 },
	{ "1600-02-29T00:00:00Z", -11670998400, 0 },
	{ "2024-12-31T23:59:59Z", 1735689599, 0 },
	{ "2026-11-23T06:20:02.123456789Z", 1795414802, 123456789 },
	{ "2026-11-23T06:20:02.5Z", 1795414802, 500000000 },
	{ "2026-11-23T06:20:02.00000001Z", 1795414802, 10 },
	{ "1969-12-31T23:59:58.75Z", -2, 750000000 },
	{ "0001-01-01T00:00:00Z", -62135596800, 0 },
	{ "0000-02-29T23:59:59Z", -62162035201, 0 },
	{ "0000-03-01T00:00:00Z", -62162035200, 0 },
	{ "0000-01-01T00:00:00Z", -62167219200, 0 },
	{ "9999-12-31T23:59:59.999999999Z", 253402300799, 999999999 },
};

static void assert_parses(const char *text, int64_t seconds, long nano)
{
	struct timespec t = { 0 };

	assert_ok(clock_parse(str_of(text), &t));
	assert_int_equal(t.tv_sec, seconds);
	assert_int_equal(t.tv_nsec, nano);
}

TEST(a_time_has_one_text_and_survives_the_round_trip)
{
	char buf[CLOCK_TEXT_SIZE];

	for (size_t i = 0; i < ARRAY_SIZE(times); i++) {
		struct timespec t = { times[i].seconds, times[i].nano };

		assert_string_equal(clock_format(t, buf), times[i].text);
		assert_parses(times[i].text, times[i].seconds, times[i].nano);
	}
}

/* Every day of 800 years, against the calendar of the C library. */
TEST(every_day_has_its_date)
{
	for (int64_t day = -200000; day < 100000; day++) {
		struct timespec t = { day * 86400 + 43200, 0 };
		char want[CLOCK_TEXT_SIZE];
		char buf[CLOCK_TEXT_SIZE];
		struct timespec again;
		struct tm tm;

		assert_non_null(gmtime_r(&t.tv_sec, &tm));
		assert_true(strftime(want, sizeof(want), "%Y-%m-%dT%H:%M:%SZ", &tm) > 0);
		assert_string_equal(clock_format(t, buf), want);
		assert_ok(clock_parse(str_of(buf), &again));
		assert_int_equal(again.tv_sec, t.tv_sec);
	}
}

TEST(outside_of_four_digit_years_the_nearest_end_is_given)
{
	char buf[CLOCK_TEXT_SIZE];

	assert_string_equal(clock_format((struct timespec){ INT64_MIN, 5 }, buf),
			    "0000-01-01T00:00:00Z");
	assert_string_equal(clock_format((struct timespec){ -62167219201, 5 }, buf),
			    "0000-01-01T00:00:00Z");
	assert_string_equal(clock_format((struct timespec){ 253402300800, 0 }, buf),
			    "9999-12-31T23:59:59.999999999Z");
	assert_string_equal(clock_format((struct timespec){ INT64_MAX, 0 }, buf),
			    "9999-12-31T23:59:59.999999999Z");
}

TEST(other_spellings_of_rfc_3339_are_read)
{
	assert_parses("1985-04-12T23:20:50.52Z", 482196050, 520000000); /* RFC 3339, 5.8 */
	assert_parses("1996-12-19T16:39:57-08:00", 851042397, 0);
	assert_parses("1990-12-31T23:59:60Z", 662688000, 0); /* a leap second */
	assert_parses("1990-12-31T15:59:60-08:00", 662688000, 0);
	assert_parses("1937-01-01T12:00:27.87+00:20", -1041337173, 870000000);
	assert_parses("1970-01-01t00:00:00z", 0, 0);
	assert_parses("1970-01-01T00:00:00-00:00", 0, 0);
	assert_parses("1970-01-01T23:59:00+23:59", 0, 0);
	assert_parses("1970-01-01T00:00:00.1234567899Z", 0, 123456789);
	assert_parses("1970-01-01T00:00:00.000Z", 0, 0);
}

TEST(everything_else_is_refused)
{
	static const char *const cases[] = {
		"",
		"now",
		"1970-01-01",
		"1970-01-01T00:00:00",
		"1970-01-01 00:00:00Z",
		"1970-01-01T00:00Z",
		"1970-1-1T00:00:00Z",
		"1970-01-01T00:00:00ZZ",
		"1970-01-01T00:00:00Z ",
		" 1970-01-01T00:00:00Z",
		"1970-01-01T00:00:00.Z",
		"1970-01-01T00:00:00,5Z",
		"1970-01-01T00:00:00+0200",
		"1970-01-01T00:00:00+24:00",
		"1970-01-01T00:00:00+00:60",
		"1970-00-01T00:00:00Z",
		"1970-13-01T00:00:00Z",
		"1970-01-00T00:00:00Z",
		"1970-01-32T00:00:00Z",
		"1970-04-31T00:00:00Z",
		"1900-02-29T00:00:00Z",
		"2000-02-30T00:00:00Z",
		"2001-02-29T00:00:00Z",
		"1970-01-01T24:00:00Z",
		"1970-01-01T00:60:00Z",
		"1970-01-01T00:00:61Z",
		"1970-01-01T12:00:60Z",
		"-970-01-01T00:00:00Z",
		"+970-01-01T00:00:00Z",
		"19700-01-01T00:00:00Z",
		"0000-01-01T00:00:00+00:01",
		"9999-12-31T23:59:59-00:01",
		"1970-01-01T00:00:0\xd9\xa0Z",
	};
	struct timespec t = { 7, 8 };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_fails(clock_parse(str_of(cases[i]), &t), ERR_INVALID);
	assert_fails(clock_parse(STR("1970-01-01T00:00:00Z\0"), &t), ERR_INVALID);
	assert_fails(clock_parse(STR("1970-01-01T\00:00:00Z"), &t), ERR_INVALID);
	assert_int_equal(t.tv_sec, 7);
	assert_int_equal(t.tv_nsec, 8);
}

TEST(an_epoch_is_decimal_seconds_up_to_the_year_9999)
{
	int64_t epoch = -7;

	assert_fails(clock_parse_epoch(STR(""), &epoch), ERR_INVALID);
	assert_fails(clock_parse_epoch(STR("-1"), &epoch), ERR_INVALID);
	assert_fails(clock_parse_epoch(STR("1.5"), &epoch), ERR_INVALID);
	assert_fails(clock_parse_epoch(STR("253402300800"), &epoch), ERR_INVALID);
	assert_int_equal(epoch, -7);
	assert_ok(clock_parse_epoch(STR("0"), &epoch));
	assert_int_equal(epoch, 0);
	assert_ok(clock_parse_epoch(STR("253402300799"), &epoch));
	assert_int_equal(epoch, 253402300799);
}

TEST(clocks_go_forward)
{
	uint64_t first = clock_monotonic();
	struct timespec now = clock_now();
	struct timespec rest = { 0, 2000000 };

	nanosleep(&rest, NULL);
	assert_true(clock_monotonic() - first >= 2000000);
	assert_true(now.tv_sec > 1600000000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_time_has_one_text_and_survives_the_round_trip),
		cmocka_unit_test(every_day_has_its_date),
		cmocka_unit_test(outside_of_four_digit_years_the_nearest_end_is_given),
		cmocka_unit_test(other_spellings_of_rfc_3339_are_read),
		cmocka_unit_test(everything_else_is_refused),
		cmocka_unit_test(an_epoch_is_decimal_seconds_up_to_the_year_9999),
		cmocka_unit_test(clocks_go_forward),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
