/* tests/unit/test_path.c - paths are cleaned without looking at files. */

#include "tests/unit/unit.h"

#include <string.h>

#include "base/path.h"

/* What cleaning leaves of `path`, seen from `from`; NULL if it is refused. */
static char *add(const char *from, const char *path, enum path_above above)
{
	AUTO(buf) struct buf out = BUF_INIT(64);

	buf_adds(&out, from);
	return path_add(&out, str_of(path), above) ? buf_steal(&out) : NULL;
}

static void assert_added(const char *from, const char *path, enum path_above above,
			 const char *want)
{
	AUTO(mem) char *got = add(from, path, above);

	if (!got != !want || (got && strcmp(got, want) != 0))
		fail_msg("'%s' from '%s' (%d): '%s', not '%s'", path, from, above, got ? got : "-",
			 want ? want : "-");
}

TEST(a_path_becomes_a_list_of_names)
{
	static const struct {
		const char *from, *path;
		const char *stays, *kept, *refused;
	} cases[] = {
		{ "", "", "", "", "" },
		{ "", "/", "", "", "" },
		{ "", ".", "", "", "" },
		{ "", "a", "a", "a", "a" },
		{ "", "/a", "a", "a", "a" },
		{ "", "a/", "a", "a", "a" },
		{ "", "//a///b//", "a/b", "a/b", "a/b" },
		{ "", "./a/./b/.", "a/b", "a/b", "a/b" },
		{ "", "a/..", "", "", "" },
		{ "", "a/../b", "b", "b", "b" },
		{ "", "a/b/../../c", "c", "c", "c" },
		{ "", "a/b/..", "a", "a", "a" },
		{ "", "..", "", "..", NULL },
		{ "", "/..", "", "..", NULL },
		{ "", "../a", "a", "../a", NULL },
		{ "", "../../a", "a", "../../a", NULL },
		{ "", "a/../../b", "b", "../b", NULL },
		{ "", "../a/../..", "", "../..", NULL },
		/* what only looks like it */
		{ "", "...", "...", "...", "..." },
		{ "", "..a/.b/a..", "..a/.b/a..", "..a/.b/a..", "..a/.b/a.." },
		{ "", "..a/..", "", "", "" },
		{ "", "a../..", "", "", "" },
		{ "", "x/..a/..", "x", "x", "x" },
		{ "", " / ", " / ", " / ", " / " },
		/* seen from somewhere */
		{ "a/b", "", "a/b", "a/b", "a/b" },
		{ "a/b", "c", "a/b/c", "a/b/c", "a/b/c" },
		{ "a/b", "/c", "a/b/c", "a/b/c", "a/b/c" },
		{ "a/b", "../c", "a/c", "a/c", "a/c" },
		{ "a/b", "../../../c", "c", "../c", NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_added(cases[i].from, cases[i].path, PATH_STAYS, cases[i].stays);
		assert_added(cases[i].from, cases[i].path, PATH_KEPT, cases[i].kept);
		assert_added(cases[i].from, cases[i].path, PATH_REFUSED, cases[i].refused);
	}
}

/* All texts of up to seven of these characters: what is clean stays, and holds nothing unclean. */
TEST(a_clean_path_stays_as_it_is)
{
	static const char letters[] = "a./";
	unsigned count = 1;

	for (int len = 1; len <= 7; len++) {
		count *= 3;
		for (unsigned number = 0; number < count; number++) {
			char text[8] = "";
			unsigned rest = number;

			for (int i = 0; i < len; i++, rest /= 3)
				text[i] = letters[rest % 3];
			for (enum path_above above = PATH_STAYS; above <= PATH_REFUSED; above++) {
				AUTO(mem) char *once = add("", text, above);

				if (!once)
					continue;
				assert_added("", once, above, once);
				assert_null(strstr(once, "//"));
				assert_true(once[0] != '/');
				if (above != PATH_KEPT)
					assert_added("", once, PATH_REFUSED, once);
			}
		}
	}
}

TEST(what_does_not_fit_is_told)
{
	AUTO(buf) struct buf out = BUF_INIT(8);

	assert_true(path_add(&out, STR("abc/../abcdefgh"), PATH_STAYS));
	assert_false(path_add(&out, STR("x"), PATH_STAYS));
	assert_false(path_add(&out, STR(".."), PATH_STAYS)); /* for good */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_path_becomes_a_list_of_names),
		cmocka_unit_test(a_clean_path_stays_as_it_is),
		cmocka_unit_test(what_does_not_fit_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
