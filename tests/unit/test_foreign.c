/* tests/unit/test_foreign.c - what other programs' files announce. */

#include "tests/unit/unit.h"

#include "base/mem.h"
#include "base/str.h"
#include "registry/foreign.h"

TEST(a_file_that_is_no_tar_says_what_it_is)
{
	const struct {
		struct str head;
		const char *says;
	} rows[] = {
		/* the first bytes are from the formats' specifications */
		{ STR("\xfd"
		      "7zXZ\0"),
		  "it is compressed by xz" },
		{ STR("BZh91A"), "it is compressed by bzip2" },
		{ STR("LZIP\1\f"), "it is compressed by lzip" },
		{ STR("\x04\x22\x4d\x18\x64\x40"), "it is compressed by lz4" },
		{ STR("PK\x03\x04\x14\0"), "it is a zip archive" },
		{ STR("hsqs\0\0"), "it is a squashfs image" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO(err) struct err *err = foreign_kind(rows[i].head, "f", "load");

		assert_int_equal(err_kind(err), ERR_UNSUPPORTED);
		assert_true(str_starts(str_of(err_text(err)), rows[i].says));
	}
}

TEST(a_program_that_undoes_it_is_noted)
{
	AUTO(err) struct err *err = foreign_kind(STR("BZh91A"), "a.tar.bz2", "cairn load -");

	assert_non_null(err);
	assert_string_equal(err_notes(err), "bzip2 -dc a.tar.bz2 | cairn load -");
}

TEST(what_announces_nothing_is_not_guessed)
{
	const struct str heads[] = { STR(""), STR("B"), STR("bin/sh"), STR("\x1f\x8b\x08") };

	for (size_t i = 0; i < ARRAY_SIZE(heads); i++)
		assert_null(foreign_kind(heads[i], "f", "load"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_file_that_is_no_tar_says_what_it_is),
		cmocka_unit_test(a_program_that_undoes_it_is_noted),
		cmocka_unit_test(what_announces_nothing_is_not_guessed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
