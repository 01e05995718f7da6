/* tests/unit/test_base64.c - by the vectors of RFC 4648, section 10. */

#include "tests/unit/unit.h"

#include <string.h>

#include "base/base64.h"

TEST(encodes_and_decodes_the_vectors_of_the_standard)
{
	const struct {
		struct str raw;
		const char *text;
	} cases[] = {
		{ STR(""), "" },
		{ STR("f"), "Zg==" },
		{ STR("fo"), "Zm8=" },
		{ STR("foo"), "Zm9v" },
		{ STR("foob"), "Zm9vYg==" },
		{ STR("fooba"), "Zm9vYmE=" },
		{ STR("foobar"), "Zm9vYmFy" },
		{ STR("\xfb\xff\xfe\0"), "+//+AA==" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(mem) char *text = base64_encode(cases[i].raw);
		AUTO(mem) char *raw = NULL;
		size_t len = 99;

		assert_string_equal(text, cases[i].text);
		assert_ok(base64_decode(str_of(text), &raw, &len));
		assert_int_equal(len, cases[i].raw.len);
		assert_memory_equal(raw, cases[i].raw.at, len + 1);
	}
}

TEST(skips_line_ends)
{
	AUTO(mem) char *raw = NULL;
	size_t len = 0;

	assert_ok(base64_decode(STR("Zm9v\r\nYg=\n=\n"), &raw, &len));
	assert_string_equal(raw, "foob");
	assert_int_equal(len, 4);
}

TEST(refuses_what_is_not_base64)
{
	const struct str cases[] = {
		STR("Z"),    STR("Zg"),     STR("Zg="),      STR("Zg==="),    STR("Zg==Zg=="),
		STR("Zh=="), STR("Zm9="),   STR("===="),     STR("Z==="),     STR("Zm 9"),
		STR("Zm-_"), STR("Zm9v\0"), STR("Zm9v\xff"), STR("Zm=v"),     STR("Zg==\tZ"),
		STR("="),    STR("\0\0\0"), STR("Zm9vY"),    STR("Zm9vYg=a"),
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char *raw = NULL;
		size_t len = 7;

		assert_fails(base64_decode(cases[i], &raw, &len), ERR_INVALID);
		assert_null(raw);
		assert_int_equal(len, 7);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(encodes_and_decodes_the_vectors_of_the_standard),
		cmocka_unit_test(skips_line_ends),
		cmocka_unit_test(refuses_what_is_not_base64),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
