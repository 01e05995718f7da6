/* tests/unit/test_header.c - single headers, as servers send them. */

#include "tests/unit/unit.h"

#include <string.h>

#include "registry/header.h"

TEST(a_content_range_must_be_exact)
{
	static const struct {
		const char *text;
		bool ok;
		struct byte_range want;
	} cases[] = {
		{ "bytes 0-0/1", true, { 0, 0, true, 1 } },
		{ "bytes 200-1023/146515", true, { 200, 1023, true, 146515 } },
		{ "Bytes 5-9/*", true, { 5, 9, false, 0 } },
		{ " bytes 5-9/10 ", true, { 5, 9, true, 10 } },
		{ "bytes 5-9/9223372036854775807", true, { 5, 9, true, INT64_MAX } },
		{ "", false, { 0 } },
		{ "bytes", false, { 0 } },
		{ "bytes ", false, { 0 } },
		{ "bytes */10", false, { 0 } },
		{ "bytes 5-9", false, { 0 } },
		{ "bytes 9-5/10", false, { 0 } },
		{ "bytes 5-10/10", false, { 0 } },
		{ "bytes -5/10", false, { 0 } },
		{ "bytes 5-/10", false, { 0 } },
		{ "bytes 5-9/", false, { 0 } },
		{ "bytes +5-9/10", false, { 0 } },
		{ "bytes 5-9/10/10", false, { 0 } },
		{ "bytes=5-9/10", false, { 0 } },
		{ "items 5-9/10", false, { 0 } },
		{ "bytes 5-9/9223372036854775808", false, { 0 } },
		{ "bytes 18446744073709551621-18446744073709551625/99", false, { 0 } },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct byte_range got = { 0 };
		const struct byte_range *want = &cases[i].want;

		if (header_content_range(cases[i].text, &got) != cases[i].ok ||
		    got.first != want->first || got.last != want->last ||
		    got.has_total != want->has_total || got.total != want->total)
			fail_msg("'%s'", cases[i].text);
	}
}

TEST(an_upload_goes_on_where_the_registry_says)
{
	static const struct {
		const char *text;
		bool ok;
		uint64_t next;
	} cases[] = {
		{ "0-1023", true, 1024 }, { "bytes=0-9", true, 10 }, { " 0-5 ", true, 6 },
		{ "0-0", false, 0 },      { "0", false, 0 },         { "5-9", false, 0 },
		{ "0-", false, 0 },       { "0--1", false, 0 },      { "", false, 0 },
		{ "0-5,7-9", false, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint64_t next = 77;

		if (header_upload_range(cases[i].text, &next) != cases[i].ok ||
		    next != cases[i].next)
			fail_msg("'%s' gives %ju", cases[i].text, (uintmax_t)next);
	}
}

TEST(retry_after_is_seconds_or_a_date)
{
	/* 1994-11-06 08:49:37 UTC is the example of RFC 9110, 5.6.7. */
	const time_t now = 784111777;
	static const struct {
		const char *text;
		bool ok;
		uint64_t want;
	} cases[] = {
		{ "0", true, 0 },
		{ "120", true, 120 },
		{ " 7 ", true, 7 },
		{ "Sun, 06 Nov 1994 08:50:00 GMT", true, 23 },
		{ "Sun, 06 Nov 1994 08:49:37 GMT", true, 0 },
		{ "Sun, 06 Nov 1984 08:49:37 GMT", true, 0 },
		{ "Fri, 31 Dec 9999 23:59:59 GMT", true, 604800 },
		{ "604801", true, 604800 },
		{ "99999999999999999999999999", true, 604800 },
		{ "", false, 0 },
		{ "-1", false, 0 },
		{ "1.5", false, 0 },
		{ "soon", false, 0 },
		{ "Sun, 06 Nov 1994 08:49:37 CET", false, 0 },
		{ "1994-11-06T08:49:37Z", false, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint64_t got = 0;

		if (header_retry_after(cases[i].text, now, &got) != cases[i].ok ||
		    got != cases[i].want)
			fail_msg("'%s' gives %ju", cases[i].text, (uintmax_t)got);
	}
}

TEST(a_date_has_three_forms)
{
	/* The examples of RFC 9110, 5.6.7: all are the same instant. */
	static const struct {
		const char *text;
		bool valid;
	} cases[] = {
		{ "Sun, 06 Nov 1994 08:49:37 GMT", true },
		{ "Sunday, 06-Nov-94 08:49:37 GMT", true },
		{ "Sun Nov  6 08:49:37 1994", true },
		{ " Sun, 06 Nov 1994 08:49:37 GMT ", true },
		{ "Sun, 06 Nov 1994 08:49:37", false },
		{ "Sun, 06 Nov 1994 08:49:37 GMT+1", false },
		{ "1994-11-06T08:49:37Z", false },
		{ "784111777", false },
		{ "", false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		time_t got = 784111777;

		assert_int_equal(header_date(cases[i].text, &got), cases[i].valid);
		assert_int_equal(got, 784111777);
	}
}

TEST(finds_the_next_page_among_links)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{ "</v2/a/tags/list?n=2&last=b>; rel=\"next\"", "/v2/a/tags/list?n=2&last=b" },
		{ "<https://x/y>; rel=next", "https://x/y" },
		{ "<a>; rel=\"prev\", <b,c>; title=\"x, <y>; rel=next\"; rel=\"next\"", "b,c" },
		{ "<a>; REL=\"last NEXT\"", "a" },
		{ "<a>;rel = \"next\"", "a" },
		{ "<a>; rel=\"nextish\"", NULL },
		{ "<a>; rel", NULL },
		{ "<a>; rev=\"next\"", NULL },
		{ "<a", NULL },
		{ "a; rel=next", NULL },
		{ "", NULL },
		{ "<>; rel=next", "" },
		{ "<a>; rel=\"next", "a" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(mem) char *got = header_link_next(cases[i].text);

		if (!got != !cases[i].want || (got && strcmp(got, cases[i].want) != 0))
			fail_msg("'%s' gives %s", cases[i].text, got ? got : "nothing");
	}
}

TEST(only_a_299_warning_is_one)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{ "299 - \"gone in June\"", "gone in June" },
		{ "299 host \"say \\\"x\\\"\" \"date\"", "say \"x\"" },
		{ "299 - \"\"", "" },
		{ "199 - \"x\"", NULL },
		{ "299 - x", NULL },
		{ "299 - \"", NULL },
		{ "299 - \"x", NULL },
		{ "299", NULL },
		{ "", NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(mem) char *got = header_warning(cases[i].text);

		if (!got != !cases[i].want || (got && strcmp(got, cases[i].want) != 0))
			fail_msg("'%s' gives %s", cases[i].text, got ? got : "nothing");
	}
}

TEST(only_a_token_and_plain_text_can_be_sent)
{
	static const struct {
		const char *name, *value;
		bool valid;
	} cases[] = {
		{ "X-A", "b c", true },
		{ "!#$%&'*+-.^_`|~9aZ", "", true },
		{ "A", "\xc3\xa9\tx", true },
		{ "", "x", false },
		{ "A B", "x", false },
		{ "A:", "x", false },
		{ "A\r", "x", false },
		{ "\xc3\xa9", "x", false },
		{ "A", "x\r\nHost: evil", false },
		{ "A", "x\n", false },
		{ "A", "\x7f", false },
		{ "A", "\x01", false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(header_is_valid(cases[i].name, cases[i].value), cases[i].valid);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_content_range_must_be_exact),
		cmocka_unit_test(an_upload_goes_on_where_the_registry_says),
		cmocka_unit_test(retry_after_is_seconds_or_a_date),
		cmocka_unit_test(a_date_has_three_forms),
		cmocka_unit_test(finds_the_next_page_among_links),
		cmocka_unit_test(only_a_299_warning_is_one),
		cmocka_unit_test(only_a_token_and_plain_text_can_be_sent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
