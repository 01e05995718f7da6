/* tests/unit/test_flags.c - which words are flags, and what they may say. */

#include "tests/unit/unit.h"

#include <string.h>

#include "base/arena.h"
#include "builder/flags.h"

TEST(flags_end_at_the_first_other_word)
{
	static const struct {
		const char *text, *flags, *rest; /* flags joined by '|' */
	} cases[] = {
		{ "", "", "" },
		{ "a b", "", "a b" },
		{ "--link a b", "--link", "a b" },
		{ "--a=1   --b=2 \t c --d ", "--a=1|--b=2", "c --d" },
		{ "--a=\"x y\" c", "--a=x y", "c" },
		{ "--a='x y' c", "--a=x y", "c" },
		{ "--\"a\"=1 c", "--a=1", "c" },
		{ "\"--a\" c", "", "\"--a\" c" },
		{ "--a=x\\ y c", "--a=x y", "c" },
		{ "--a=\"x\\\" y\" c", "--a=x\" y", "c" },
		{ "--a='x\\' y' c", "--a=x' y", "c" }, /* escapes count in both quotes */
		{ "--a=x\\", "--a=x", "" },
		{ "--a=\"x y", "--a=x y", "" },
		{ "-- --a b", "", "--a b" },
		{ "--a -- --b", "--a", "--b" },
		{ "--", "", "" },
		{ "--\"\" x", "", "x" },
		{ "- a", "", "- a" },
		{ "-a", "", "-a" },
		{ "--a=caf\xc3\xa9\xc2\xa0x", "--a=caf\xc3\xa9", "x" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(arena) struct arena arena = { 0 };
		AUTO(buf) struct buf joined = BUF_INIT(1000);
		struct str rest = str_of(cases[i].text);
		struct words flags = flags_split(&arena, &rest, '\\');

		for (size_t k = 0; k < flags.len; k++)
			buf_addf(&joined, "%s%s", k ? "|" : "", flags.at[k]);
		assert_string_equal(buf_str(&joined).at, cases[i].flags);
		assert_true(str_is(rest, cases[i].rest));
	}
}

TEST(the_escape_character_is_the_recipes)
{
	AUTO(arena) struct arena arena = { 0 };
	struct str rest = STR("--a=x` y\\z b");
	struct words flags = flags_split(&arena, &rest, '`');

	assert_int_equal(flags.len, 1);
	assert_string_equal(flags.at[0], "--a=x y\\z");
	assert_true(str_is(rest, "b"));
}

enum { FROM, LINK, MOUNT, COUNT };

static struct err *read_flags(struct arena *arena, const char *text,
			      struct flag flags[static COUNT])
{
	struct str rest = str_of(text);
	struct words given = flags_split(arena, &rest, '\\');

	flags[FROM] = (struct flag){ .name = "from", .type = FLAG_TEXT };
	flags[LINK] = (struct flag){ .name = "link", .type = FLAG_SWITCH };
	flags[MOUNT] = (struct flag){ .name = "mount", .type = FLAG_LIST };
	return flags_read(arena, &given, flags, COUNT);
}

TEST(values_are_taken_by_type)
{
	AUTO(arena) struct arena arena = { 0 };
	struct flag flags[COUNT];

	assert_ok(read_flags(&arena, "--mount=a --from=x=y --mount=b --link --mount=", flags));
	assert_string_equal(flags[FROM].text, "x=y");
	assert_int_equal(flags[LINK].state, TRISTATE_TRUE);
	assert_int_equal(flags[MOUNT].list.len, 3);
	assert_string_equal(flags[MOUNT].list.at[1], "b");
	assert_string_equal(flags[MOUNT].list.at[2], "");
	assert_null(flags[MOUNT].list.at[3]);
	assert_ok(read_flags(&arena, "", flags));
	assert_null(flags[FROM].text);
	assert_int_equal(flags[LINK].state, TRISTATE_UNSET);
	assert_int_equal(flags[MOUNT].list.len, 0);
	assert_ok(read_flags(&arena, "--link=FALSE", flags));
	assert_int_equal(flags[LINK].state, TRISTATE_FALSE);
	assert_ok(read_flags(&arena, "--link=True --from=", flags));
	assert_int_equal(flags[LINK].state, TRISTATE_TRUE);
	assert_string_equal(flags[FROM].text, "");
}

TEST(what_is_wrong_is_said)
{
	static const char *const cases[][2] = {
		{ "--form=x", "unknown flag: --form (did you mean --from?)" },
		{ "--zzz", "unknown flag: --zzz" },
		{ "--From=x", "unknown flag: --From (did you mean --from?)" },
		{ "--from=a --from=b", "duplicate flag: --from" },
		{ "--link --link=false", "duplicate flag: --link" },
		{ "--from x", "--from needs a value: --from=VALUE" },
		{ "--mount", "--mount needs a value: --mount=VALUE" },
		{ "--link=", "--link= without a value" },
		{ "--link=1", "--link is either true or false, not 1" },
		{ "--=x", "unknown flag: --" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(arena) struct arena arena = { 0 };
		struct flag flags[COUNT];
		AUTO(err) struct err *err = read_flags(&arena, cases[i][0], flags);

		assert_int_equal(err_kind(err), ERR_INVALID);
		assert_string_equal(err_text(err), cases[i][1]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(flags_end_at_the_first_other_word),
		cmocka_unit_test(the_escape_character_is_the_recipes),
		cmocka_unit_test(values_are_taken_by_type),
		cmocka_unit_test(what_is_wrong_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
