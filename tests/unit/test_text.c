/* tests/unit/test_text.c - nothing reaches a terminal that it would obey; figures for people. */

#include "tests/unit/unit.h"

#include "base/text.h"

TEST(what_can_be_shown_passes)
{
	static const char *const cases[] = {
		"",
		"plain, with \\ and ~",
		"gr\xc3\xbc\xc3\x9f",              /* umlauts */
		"\xe2\x82\xac \xe6\x97\xa5",       /* euro, a kanji */
		"\xf0\x9f\x98\x80 \xef\xb8\x8f",   /* an emoji, a variation selector */
		"\xd7\xa9\xd7\x9c \xd8\xb3",       /* Hebrew, Arabic */
		"\xc2\xa0\xe2\x80\x8d\xe2\x80\x90" /* no-break space, joiner, hyphen */
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(mem) char *shown = text_escaped(str_of(cases[i]));

		assert_string_equal(shown, cases[i]);
	}
}

TEST(what_a_terminal_obeys_is_spelled_out)
{
	const struct {
		struct str text;
		const char *want;
	} cases[] = {
		{ STR("a\x1b[2Jb"), "a\\x1b[2Jb" },
		{ STR("\0\x1f\x7f"), "\\x00\\x1f\\x7f" },
		{ STR("a\nb\tc\rd"), "a\\x0ab\\x09c\\x0dd" },
		{ STR("\xc2\x80\xc2\x9b"
		      "31m\xc2\x9f"),
		  "\\u{0080}\\u{009b}31m\\u{009f}" },
		{ STR("\xd8\x9c\xe2\x80\x8e\xe2\x80\x8f"), "\\u{061c}\\u{200e}\\u{200f}" },
		{ STR("\xe2\x80\xaa\xe2\x80\xab\xe2\x80\xac\xe2\x80\xad\xe2\x80\xae"),
		  "\\u{202a}\\u{202b}\\u{202c}\\u{202d}\\u{202e}" },
		{ STR("\xe2\x81\xa6\xe2\x81\xa7\xe2\x81\xa8\xe2\x81\xa9"),
		  "\\u{2066}\\u{2067}\\u{2068}\\u{2069}" },
		{ STR("\x9b"
		      "31m"),
		  "\\x9b31m" }, /* C1 as one byte */
		{ STR("\xc0\x80 \xed\xa0\x80 \xff"), "\\xc0\\x80 \\xed\\xa0\\x80 \\xff" },
		{ STR("cut \xe2\x82"), "cut \\xe2\\x82" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(mem) char *shown = text_escaped(cases[i].text);

		assert_string_equal(shown, cases[i].want);
	}
}

TEST(what_is_to_be_kept_is_kept)
{
	AUTO(buf) struct buf out = BUF_INIT(100);

	text_escape(&out, STR("a\nb\tc\0\x1b"), "\n\t");
	assert_string_equal(out.at, "a\nb\tc\\x00\\x1b");
}

TEST(escaping_stops_at_the_ceiling)
{
	AUTO(buf) struct buf out = BUF_INIT(6);

	text_escape(&out, STR("abc\x1b\x1b"), NULL);
	assert_true(out.over);
	assert_true(out.len <= 6);
}

TEST(output_of_steps_is_shown_as_the_terminal_would_leave_it)
{
	const struct {
		struct str line;
		const char *plain;
		const char *coloured; /* NULL: as plain */
	} cases[] = {
		{ STR(""), "", NULL },
		{ STR("a\tb"), "a\tb", NULL },
		/* colours, closed where the step forgot */
		{ STR("\x1b[32mok\x1b[0m done"), "ok done", "\x1b[32mok\x1b[0m done" },
		{ STR("\x1b[1;38;5;9mred"), "red", "\x1b[1;38;5;9mred\x1b[0m" },
		{ STR("\x1b[38:2::1:2:3mx\x1b[m"), "x", "\x1b[38:2::1:2:3mx\x1b[m" },
		{ STR("\x1b[0mx\x1b[4m"), "x", "\x1b[0mx\x1b[4m\x1b[0m" },
		/* these end like a colour, and are none */
		{ STR("\x1b[>4;1mx"), "x", NULL },
		{ STR("\x1b[?4mx"), "x", NULL },
		{ STR("\x1b[1 mx"), "x", NULL },
		/* everything else that is well formed is left out */
		{ STR("\x1b[2J\x1b[1;1H\x1b[Kx\x1b[?25l"), "x", NULL },
		{ STR("\x1b]0;title\ax\x1b]52;c;cm0gLXJm\x1b\\y"), "xy", NULL },
		{ STR("\x1b]8;;http://a.example\x1b\\link\x1b]8;;\x1b\\"), "link", NULL },
		{ STR("\x1bP1$r0m\x1b\\x\x1b_a\x1b\\\x1b^b\x1b\\\x1bXc\x1b\\"), "x", NULL },
		{ STR("\x1b(B\x1b"
		      "7\x1b=\x1b"
		      "cx"),
		  "x", NULL },
		/* cut off or malformed: shown, so that nothing is lost */
		{ STR("x\x1b"), "x\\x1b", NULL },
		{ STR("x\x1b["), "x\\x1b[", NULL },
		{ STR("x\x1b[31"), "x\\x1b[31", NULL },
		{ STR("x\x1b]0;title"), "x\\x1b]0;title", NULL },
		{ STR("\x1b[3\x01mx"), "\\x1b[3\\x01mx", NULL },
		{ STR("\x1bPa\ax\x1b\\"), "\\x1bPa\\x07x", NULL },
		{ STR("\x1b]a\x1b[31mx\x1b[0m"), "\\x1b]ax", "\\x1b]a\x1b[31mx\x1b[0m" },
		/* one byte or two of C1 start no sequence */
		{ STR("\x9b"
		      "31m\xc2\x9b"
		      "31m"),
		  "\\x9b31m\\u{009b}31m", NULL },
		{ STR("a\bb\0c"), "a\\x08b\\x00c", NULL },
		/* carriage returns */
		{ STR("10%\r50%\r100%"), "100%", NULL },
		{ STR("10%\r100%\r"), "100%", NULL },
		{ STR("line\r\r"), "line", NULL },
		{ STR("\r"), "", NULL },
		{ STR("\x1b[31m1\r\x1b[32m2"), "2", "\x1b[32m2\x1b[0m" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(buf) struct buf plain = BUF_INIT(1000);
		AUTO(buf) struct buf coloured = BUF_INIT(1000);
		const char *want = cases[i].coloured ? cases[i].coloured : cases[i].plain;

		text_escape_output(&plain, cases[i].line, false);
		text_escape_output(&coloured, cases[i].line, true);
		assert_string_equal(buf_str(&plain).at, cases[i].plain);
		assert_string_equal(buf_str(&coloured).at, want);
	}
}

TEST(sizes_have_two_or_three_digits)
{
	static const struct {
		uint64_t bytes;
		const char *want;
	} cases[] = {
		{ 0, "0 B" },
		{ 999, "999 B" },
		{ 1000, "1.0 kB" },
		{ 4249, "4.2 kB" },
		{ 4250, "4.3 kB" },
		{ 9949, "9.9 kB" },
		{ 9950, "10 kB" },
		{ 999499, "999 kB" },
		{ 999500, "1.0 MB" },
		{ 1500000, "1.5 MB" },
		{ 17179869184, "17 GB" }, /* 16 GiB */
		{ 1000000000000, "1.0 TB" },
		{ 1000000000000000, "1.0 PB" },
		{ UINT64_MAX, "18 EB" },
	};
	char buf[TEXT_SIZE_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_string_equal(text_size(cases[i].bytes, buf), cases[i].want);
}

TEST(durations_change_their_unit_where_digits_stop_to_matter)
{
	static const struct {
		uint64_t nanoseconds;
		const char *want;
	} cases[] = {
		{ 0, "0.0ms" },
		{ 49999, "0.0ms" },
		{ 50000, "0.1ms" },
		{ 3200000, "3.2ms" },
		{ 99949999, "99.9ms" },
		{ 99950000, "0.1s" },
		{ 800000000, "0.8s" },
		{ 12345678901, "12.3s" },
		{ 59949999999, "59.9s" },
		{ 59950000000, "1m00s" },
		{ 247000000000, "4m07s" },
		{ 3599499999999, "59m59s" },
		{ 3599500000000, "1h00m" },
		{ 3720000000000, "1h02m" },
		{ UINT64_MAX, "5124095h35m" },
	};
	char buf[TEXT_DURATION_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_string_equal(text_duration(cases[i].nanoseconds, buf), cases[i].want);
}

static const char *const instructions[] = { "ADD",  "ARG",   "CMD",  "COPY",    "ENTRYPOINT",
					    "ENV",  "FROM",  "RUN",  "WORKDIR", "HEALTHCHECK",
					    "USER", "LABEL", "SHELL" };

TEST(the_nearest_name_is_suggested)
{
	static const struct {
		const char *wrong;
		const char *want; /* NULL: none is near */
	} cases[] = {
		{ "FORM", "FROM" },      /* neighbours swapped: one edit */
		{ "COPPY", "COPY" },     /* one too many */
		{ "WORKDR", "WORKDIR" }, /* one missing */
		{ "LABLE", "LABEL" },    /* swapped */
		{ "run", "RUN" },        /* case is no distance */
		{ "entrypiont", "ENTRYPOINT" },
		{ "HELTHCHEK", "HEALTHCHECK" }, /* two of nine */
		{ "WRKDIRR", "WORKDIR" },       /* two of seven */
		{ "SHLLE", NULL },              /* two of five */
		{ "ENTRY", NULL },              /* five away */
		{ "RAM", NULL },                /* two away, one is allowed */
		{ "ARV", "ARG" },               /* the first of two that are as near */
		{ "", NULL },
		{ "X", NULL },
		{ "EXPORT_EVERYTHING", NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const char *found = text_nearest(str_of(cases[i].wrong), instructions,
						 ARRAY_SIZE(instructions));

		if (!cases[i].want || !found)
			assert_ptr_equal(found, cases[i].want);
		else
			assert_string_equal(found, cases[i].want);
	}
}

TEST(one_letter_is_not_near_every_other_letter)
{
	static const char *const names[] = { "a", "bc", "def" };

	assert_null(text_nearest(STR("z"), names, 3));
	assert_string_equal(text_nearest(STR("A"), names, 3), "a");
	assert_null(text_nearest(STR("b"), names, 3));
	assert_null(text_nearest(STR("bd"), names, 3));
	assert_null(text_nearest(STR("de"), names, 3));
	assert_null(text_nearest(STR("bcd"), names, 3));
	assert_string_equal(text_nearest(STR("cb"), names, 3), "bc");
	assert_string_equal(text_nearest(STR("BC"), names, 3), "bc");
	assert_string_equal(text_nearest(STR("dee"), names, 3), "def");
}

TEST(long_names_are_near_nothing)
{
	char name[66];
	const char *const names[] = { name };

	memset(name, 'x', sizeof(name));
	name[64] = '\0';
	assert_ptr_equal(text_nearest(str_of(name), names, 1), name);
	assert_ptr_equal(text_nearest(STR("x"), names, 0), NULL);
	name[64] = 'x';
	name[65] = '\0';
	assert_null(text_nearest(str_of(name), names, 1));
	assert_null(text_nearest((struct str){ name, 64 }, names, 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_can_be_shown_passes),
		cmocka_unit_test(what_a_terminal_obeys_is_spelled_out),
		cmocka_unit_test(what_is_to_be_kept_is_kept),
		cmocka_unit_test(escaping_stops_at_the_ceiling),
		cmocka_unit_test(output_of_steps_is_shown_as_the_terminal_would_leave_it),
		cmocka_unit_test(sizes_have_two_or_three_digits),
		cmocka_unit_test(durations_change_their_unit_where_digits_stop_to_matter),
		cmocka_unit_test(the_nearest_name_is_suggested),
		cmocka_unit_test(one_letter_is_not_near_every_other_letter),
		cmocka_unit_test(long_names_are_near_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
