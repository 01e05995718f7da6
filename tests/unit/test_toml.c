/* tests/unit/test_toml.c - TOML by the examples and prohibitions of its specification, version 1.0. */

#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "registry/toml.h"

static void must_give(const char *text, const char *want)
{
	AUTO(json) json_t *doc = NULL;
	AUTO(mem) char *json = NULL;
	AUTO(err) struct err *err = toml_parse(str_of(text), "test", &doc);

	if (err)
		fail_msg("%s\n%s", text, err_text(err));
	json = json_format(doc);
	assert_string_equal(json, want);
}

TEST(reads_values_of_every_kind)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{ "", "{}" },
		{ "# nothing\n\n\t \r\n", "{}" },
		{ "\xef\xbb\xbf"
		  "a=1",
		  "{\"a\":1}" },
		{ "a = 'x' # why\r\nb = \"y\"", "{\"a\":\"x\",\"b\":\"y\"}" },
		{ "a = true\nb = false", "{\"a\":true,\"b\":false}" },
		{ "a = +99\nb = 0\nc = -17\nd = +0\ne = -0",
		  "{\"a\":99,\"b\":0,\"c\":-17,\"d\":0,\"e\":0}" },
		{ "a = 1_000\nb = 5_349_221\nc = 1_2_3", "{\"a\":1000,\"b\":5349221,\"c\":123}" },
		{ "a = 0xDEADBEEF\nb = 0xdead_beef\nc = 0o755\nd = 0b1101",
		  "{\"a\":3735928559,\"b\":3735928559,\"c\":493,\"d\":13}" },
		{ "a = 9223372036854775807\nb = -9223372036854775808",
		  "{\"a\":9223372036854775807,\"b\":-9223372036854775808}" },
		{ "a = 0.5\nb = -2e2\nc = +1_0.2_5\nd = 2.5E+1",
		  "{\"a\":0.5,\"b\":-200.0,\"c\":10.25,\"d\":25.0}" },
		{ "a = 1979-05-27T07:32:00Z", "{\"a\":\"1979-05-27T07:32:00Z\"}" },
		{ "a = 1979-05-27 00:32:00.999999-07:00 # x",
		  "{\"a\":\"1979-05-27 00:32:00.999999-07:00\"}" },
		{ "a = [1979-05-27, 2000-02-29 , 07:32:00.5]",
		  "{\"a\":[\"1979-05-27\",\"2000-02-29\",\"07:32:00.5\"]}" },
		{ "a = []\nb = [1,]\nc = [ [1, 2], ['a'] ]\nd = [ # x\n 1 # y\n , # z\n 2\n]",
		  "{\"a\":[],\"b\":[1],\"c\":[[1,2],[\"a\"]],\"d\":[1,2]}" },
		{ "a = {}\nb = { }\nc = { x = 1, y.z = 2, y.w = [\n1,\n] }",
		  "{\"a\":{},\"b\":{},\"c\":{\"x\":1,\"y\":{\"z\":2,\"w\":[1]}}}" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		must_give(cases[i].text, cases[i].want);
}

TEST(reads_strings_with_their_escapes)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{ "a = \"\"\nb = ''", "{\"a\":\"\",\"b\":\"\"}" },
		{ "a = \"\\b\\t\\n\\f\\r\\\"\\\\\"", "{\"a\":\"\\b\\t\\n\\f\\r\\\"\\\\\"}" },
		{ "a = \"\\u00E9\\U0001F600\"", "{\"a\":\"\xc3\xa9\xf0\x9f\x98\x80\"}" },
		{ "a = 'C:\\n\\u0041 \"q\"'", "{\"a\":\"C:\\\\n\\\\u0041 \\\"q\\\"\"}" },
		{ "a = \"\"\"\nRoses\r\nare \"\"red\"\"\"", "{\"a\":\"Roses\\nare \\\"\\\"red\"}" },
		{ "a = \"\"\"\\\n  \t\r\n  x \\  \n   y\"\"\"", "{\"a\":\"x y\"}" },
		{ "a = \"\"\"x\"\"\"\"\"", "{\"a\":\"x\\\"\\\"\"}" },
		{ "a = \"\"\"\"\"\"", "{\"a\":\"\"}" },
		{ "a = '''\n\nx\\\ny'''", "{\"a\":\"\\nx\\\\\\ny\"}" },
		{ "a = ''''x''''", "{\"a\":\"'x'\"}" },
		{ "a = \"tab\there\"", "{\"a\":\"tab\\there\"}" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		must_give(cases[i].text, cases[i].want);
}

TEST(puts_keys_into_the_tables_that_they_name)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{ "1234 = 1\na-b_c = 2\n\"a b\" = 3\n'' = 4\n\"\xc3\xa9\" = 5",
		  "{\"1234\":1,\"a-b_c\":2,\"a b\":3,\"\":4,\"\xc3\xa9\":5}" },
		{ "a.b = 1\na . \"c\" = 2\n3.14 = 'pi'",
		  "{\"a\":{\"b\":1,\"c\":2},\"3\":{\"14\":\"pi\"}}" },
		{ "[a]\nx=1\n[ b . 'c' ]\ny=2\n[b]\nz=3",
		  "{\"a\":{\"x\":1},\"b\":{\"c\":{\"y\":2},\"z\":3}}" },
		{ "[a]\n[a.b]\n[a.b.c]", "{\"a\":{\"b\":{\"c\":{}}}}" },
		{ "[fruit]\napple.taste.sweet = true\n[fruit.apple.texture]\nsmooth = true",
		  "{\"fruit\":{\"apple\":{\"taste\":{\"sweet\":true},\"texture\":{\"smooth\":true}}"
		  "}}" },
		{ "[[r]]\nn=1\n[[r]]\n[[r]]\nn=3", "{\"r\":[{\"n\":1},{},{\"n\":3}]}" },
		{ "[[f]]\n[f.p]\nx=1\n[[f.v]]\nn=1\n[[f.v]]\nn=2\n[[f]]\n[[f.v]]\nn=3",
		  "{\"f\":[{\"p\":{\"x\":1},\"v\":[{\"n\":1},{\"n\":2}]},{\"v\":[{\"n\":3}]}]}" },
		{ "[[registry]]\nprefix = \"example.com/foo\"\n[[registry.mirror]]\nlocation = 'm'\n",
		  "{\"registry\":[{\"prefix\":\"example.com/foo\",\"mirror\":[{\"location\":\"m\"}]}]"
		  "}" },
		{ "[a]\nb.c = 1\nb.d = 2\n[[x]]\nb.c = 1\n[[x]]\nb.c = 2",
		  "{\"a\":{\"b\":{\"c\":1,\"d\":2}},\"x\":[{\"b\":{\"c\":1}},{\"b\":{\"c\":2}}]}" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		must_give(cases[i].text, cases[i].want);
}

TEST(refuses_what_the_specification_forbids)
{
	static const char *const cases[] = {
		/* lines */
		"a",
		"a =",
		"= 1",
		"a = 1 b = 2",
		"a = 1\rb = 2",
		"a == 1",
		"a = 1 ; x",
		"[a] b = 1",
		"# \x01",
		"# \x7f",
		"# x\ry",
		"a = 1 # \x0c",
		/* keys */
		"a b = 1",
		"a. = 1",
		".a = 1",
		"a..b = 1",
		"\xc3\xa9 = 1",
		"\"a = 1",
		"a\n= 1",
		"\"\"\"a\"\"\" = 1",
		"'''a''' = 1",
		"[]",
		"[a",
		"[a\n]",
		"[a.]",
		"[.a]",
		"[[a]",
		"[[a] ]",
		"[a]]",
		"[ [a]]",
		"a! = 1",
		/* twice */
		"a = 1\na = 2",
		"a = 1\n\"a\" = 2",
		"[a]\n[a]",
		"[a]\nb=1\n[a.b]",
		"a = 1\n[a]",
		"a = 1\n[a.b]",
		"a = 1\na.b = 2",
		"a.b = 1\na = 2",
		"[a]\n[a.b]\n[a]",
		"[a]\n[[a]]",
		"[[a]]\n[a]",
		"a = []\n[[a]]",
		"a = [{}]\n[a.b]",
		"a = {}\n[a]",
		"a = {}\na.b = 1",
		"a = {x=1}\n[a.b]",
		"a = {x=1, x=2}",
		"a = {b={}, b.c=1}",
		"a = {b.c=1, b={}}",
		"[fruit]\napple.color=1\n[fruit.apple]",
		"[f]\na.b.c=1\n[f.a.b]",
		"[a.b.c]\nz=9\n[a]\nb.c.t=9",
		"[a.b.c.d]\nz=9\n[a]\nb.c.d.k.t=1",
		"[[a.b]]\n[a]\nb.y=2",
		"[fruit.p]\n[[fruit]]",
		"[[f.v]]\n[f.v]",
		"a.b = 0\na.b.c = 1",
		"[a]\nb=1\n[[a.b]]",
		/* values */
		"a = x",
		"a = True",
		"a = 01",
		"a = +01",
		"a = 1__0",
		"a = _1",
		"a = 1_",
		"a = 0x",
		"a = +0x1",
		"a = 0xg",
		"a = 0X1",
		"a = 0b2",
		"a = 0o8",
		"a = 1.",
		"a = .5",
		"a = 1.e5",
		"a = 1._5",
		"a = 1e",
		"a = 1e_5",
		"a = 00.5",
		"a = inf",
		"a = -nan",
		"a = +inf",
		"a = 9223372036854775808",
		"a = -9223372036854775809",
		"a = 1e999",
		"a = 1 2",
		"a = --1",
		"a = 1979-13-01",
		"a = 1979-00-01",
		"a = 1979-02-29",
		"a = 1900-02-29",
		"a = 1979-04-31",
		"a = 24:00:00",
		"a = 07:60:00",
		"a = 07:32",
		"a = 07:32:00.",
		"a = 07:32:00Z",
		"a = 1979-05-27T07:32",
		"a = 1979-05-27T07:32:00+24:00",
		"a = 1979-05-27 x",
		"a = 1979-5-27",
		"a = 79-05-27",
		/* strings */
		"a = \"x",
		"a = 'x",
		"a = \"x\ny\"",
		"a = 'x\ny'",
		"a = \"\\x41\"",
		"a = \"\\e\"",
		"a = \"\\u12\"",
		"a = \"\\ud800\"",
		"a = \"\\U00110000\"",
		"a = \"\\u0000\"",
		"a = \"\x01\"",
		"a = \"\x7f\"",
		"a = '\x1f'",
		"a = \"\"\"x",
		"a = '''x''",
		"a = \"\\ \"",
		"a = \"\"\"\\ x\"\"\"",
		"a = \"\"\"x\ry\"\"\"",
		"a = \"x\" \"y\"",
		"a = \"\"\"x\"\"\"\"\"\"",
		"a = \"\xff\"",
		"a = '\xed\xa0\x80'",
		"# \xc0\x80",
		"\xff = 1",
		/* containers */
		"a = [",
		"a = [1",
		"a = [1 2]",
		"a = [,]",
		"a = [1,,2]",
		"a = {",
		"a = {x}",
		"a = {x=1,}",
		"a = {,}",
		"a = {x=1 y=2}",
		"a = {x=1\n}",
		"a = {\n}",
		"a = {x=1, # c\ny=2}",
		"a = ]",
		"a = }",
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		json_t *doc = NULL;
		AUTO(err) struct err *err = toml_parse(str_of(cases[i]), "test", &doc);

		if (err_kind(err) != ERR_INVALID)
			fail_msg("accepted: %s", cases[i]);
		assert_null(doc);
	}
	assert_fails(toml_parse(STR("a = \"\0\""), "test", &(json_t *){ NULL }), ERR_INVALID);
	assert_fails(toml_parse(STR("#\0"), "test", &(json_t *){ NULL }), ERR_INVALID);
}

TEST(an_error_names_document_line_and_column)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{ "a = 1\n  b = x",
		  "f.conf: line 2 column 7: 'x' is no value: text needs quotation "
		  "marks" },
		{ "\xc3\xa9", "f.conf: line 1 column 1: a key should stand here" },
		{ "a = '\xc3\xa9' b", "f.conf: line 1 column 9: the line should end here" },
		{ "[a]\n[b]\n[a]\n", "f.conf: line 3 column 3: 'a' is defined already" },
		{ "a=1\nb=1\na=2", "f.conf: line 3 column 1: 'a' is defined already" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		json_t *doc = NULL;
		AUTO(err) struct err *err = toml_parse(str_of(cases[i].text), "f.conf", &doc);

		assert_non_null(err);
		assert_string_equal(err_text(err), cases[i].want);
	}
}

/* `before` n times, `middle`, `after` n times. */
static struct err *parse_nested(const char *begin, const char *before, int n, const char *middle,
				const char *after)
{
	AUTO(buf) struct buf text = BUF_INIT(TOML_MAX);
	AUTO(json) json_t *doc = NULL;

	buf_adds(&text, begin);
	for (int i = 0; i < n; i++)
		buf_adds(&text, before);
	buf_adds(&text, middle);
	for (int i = 0; i < n; i++)
		buf_adds(&text, after);
	return toml_parse(buf_str(&text), "test", &doc);
}

TEST(size_and_depth_have_ceilings)
{
	AUTO(mem) char *large = xcalloc(TOML_MAX + 2, 1);
	json_t *doc = NULL;

	assert_ok(parse_nested("a=", "[", TOML_MAX_DEPTH - 1, "1", "]"));
	assert_fails(parse_nested("a=", "[", TOML_MAX_DEPTH, "1", "]"), ERR_INVALID);
	assert_ok(parse_nested("a=", "{b=", TOML_MAX_DEPTH - 1, "1", "}"));
	assert_fails(parse_nested("a=", "{b=", TOML_MAX_DEPTH, "1", "}"), ERR_INVALID);
	assert_ok(parse_nested("", "a.", TOML_MAX_DEPTH - 1, "a=1", ""));
	assert_fails(parse_nested("", "a.", TOML_MAX_DEPTH, "a=1", ""), ERR_INVALID);
	assert_ok(parse_nested("[", "a.", TOML_MAX_DEPTH - 2, "a]", ""));
	assert_fails(parse_nested("[", "a.", TOML_MAX_DEPTH - 1, "a]", ""), ERR_INVALID);
	assert_ok(parse_nested("[[", "a.", TOML_MAX_DEPTH - 3, "a]]", ""));
	assert_fails(parse_nested("[[", "a.", TOML_MAX_DEPTH - 2, "a]]", ""), ERR_INVALID);
	assert_fails(parse_nested("a=", "[", 100000, "", ""), ERR_INVALID);
	assert_fails(parse_nested("", "a.", 100000, "a=1", ""), ERR_INVALID);

	memset(large, '\n', TOML_MAX + 1);
	assert_ok(toml_parse((struct str){ large, TOML_MAX }, "test", &doc));
	json_decref(doc);
	assert_fails(toml_parse((struct str){ large, TOML_MAX + 1 }, "test", &doc), ERR_INVALID);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_values_of_every_kind),
		cmocka_unit_test(reads_strings_with_their_escapes),
		cmocka_unit_test(puts_keys_into_the_tables_that_they_name),
		cmocka_unit_test(refuses_what_the_specification_forbids),
		cmocka_unit_test(an_error_names_document_line_and_column),
		cmocka_unit_test(size_and_depth_have_ceilings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
