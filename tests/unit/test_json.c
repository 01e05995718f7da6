/* tests/unit/test_json.c - strict reading, errors with a path, bytes that depend on the tree. */

#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/vec.h"

/* `expr` must be ERR_INVALID with exactly this text. */
#define assert_says(expr, want)                                 \
	do {                                                    \
		AUTO(err) struct err *says_ = (expr);           \
		assert_int_equal(err_kind(says_), ERR_INVALID); \
		assert_string_equal(err_text(says_), (want));   \
	} while (0)

static json_t *parse(const char *text)
{
	json_t *doc = NULL;

	assert_ok(json_parse(str_of(text), JSON_MAX, "test", &doc));
	return doc;
}

TEST(values_are_found_by_member_and_index)
{
	AUTO(json)
	json_t *doc = parse(" { \"layers\" : [ {\"size\": 1}, {\"size\": 23} ], "
			    "\"name\": \"gr\\u00fc\xc3\x9f\", \"none\": null,\r\n\t"
			    "\"empty\": [], \"yes\": true, \"no\": false } ");
	struct json_at root = json_root(doc, "test");
	struct json_at layers = json_member(&root, "layers");
	struct json_at second = json_element(&layers, 1);
	struct json_at size = json_member(&second, "size");
	struct json_at name = json_member(&root, "name");
	struct json_at yes = json_member(&root, "yes");
	struct json_at no = json_member(&root, "no");
	const char *text = NULL;
	uint64_t number = 0;
	bool flag = false;

	assert_ok(json_expect_object(&root));
	assert_ok(json_expect_array(&layers));
	assert_int_equal(json_length(&layers), 2);
	assert_ok(json_get_size(&size, &number));
	assert_int_equal(number, 23);
	assert_ok(json_get_text(&name, &text));
	assert_string_equal(text, "gr\xc3\xbc\xc3\x9f");
	assert_ok(json_get_optional_flag(&yes, &flag));
	assert_true(flag);
	assert_ok(json_get_optional_flag(&no, &flag));
	assert_false(flag);
	assert_null(json_member(&root, "none").value);
	assert_int_equal(json_length(&root), 0);
	assert_int_equal(json_length(&name), 0);
}

TEST(sizes_go_as_far_as_63_bits)
{
	AUTO(json) json_t *doc = parse("[0, 9223372036854775807, -1, 1.0, 1e3, \"1\", -0]");
	struct json_at root = json_root(doc, "sizes");
	uint64_t n = 7;

#define GET(i) json_get_size(&(struct json_at){ json_array_get(doc, i), &root, NULL, i, NULL }, &n)
	assert_says(GET(2), "sizes: [2]: negative");
	assert_says(GET(3), "sizes: [3]: not a whole number");
	assert_says(GET(4), "sizes: [4]: not a whole number");
	assert_says(GET(5), "sizes: [5]: not a number");
	assert_int_equal(n, 7);
	assert_ok(GET(1));
	assert_int_equal(n, INT64_MAX);
	assert_ok(GET(0));
	assert_int_equal(n, 0);
	assert_ok(GET(6));
	assert_int_equal(n, 0);
#undef GET
}

TEST(absent_optionals_are_left_alone)
{
	AUTO(json) json_t *doc = parse("{\"a\": null}");
	struct json_at root = json_root(doc, "test");
	struct json_at a = json_member(&root, "a");
	struct json_at deep = json_member(&a, "b");
	struct strings list = { 0 };
	const char *text = "before";
	uint64_t number = 7;
	bool flag = true;

	assert_ok(json_get_optional_text(&a, &text));
	assert_ok(json_get_optional_text(&deep, &text));
	assert_ok(json_get_optional_size(&deep, &number));
	assert_ok(json_get_optional_flag(&deep, &flag));
	assert_ok(json_get_optional_texts(&deep, &list));
	assert_string_equal(text, "before");
	assert_int_equal(number, 7);
	assert_true(flag);
	assert_int_equal(list.len, 0);
}

TEST(errors_say_where_the_value_stands)
{
	AUTO(json)
	json_t *doc = parse("{\"layers\": [[], {}, {\"size\": \"big\"}], \"config\": \"x\","
			    "\"nothing\": null}");
	struct json_at root = json_root(doc, "manifest sha256:9f86");
	struct json_at layers = json_member(&root, "layers");
	struct json_at third = json_element(&layers, 2);
	struct json_at size = json_member(&third, "size");
	struct json_at config = json_member(&root, "config");
	struct json_at user = json_member(&config, "User");
	struct json_at nothing = json_member(&root, "nothing");
	struct json_at below_nothing = json_member(&nothing, "below");
	struct json_at first = json_element(&layers, 0);
	struct json_at of_first = json_member(&first, "size");
	struct json_at fourth = json_element(&layers, 3);
	struct json_at of_config = json_element(&config, 0);
	const char *text = NULL;
	uint64_t number;
	bool flag;

	assert_says(json_get_size(&size, &number),
		    "manifest sha256:9f86: layers[2].size: not a number");
	assert_says(json_get_optional_size(&size, &number),
		    "manifest sha256:9f86: layers[2].size: not a number");
	assert_says(json_get_text(&layers, &text), "manifest sha256:9f86: layers: not a string");
	assert_says(json_get_optional_text(&layers, &text),
		    "manifest sha256:9f86: layers: not a string");
	assert_says(json_get_optional_flag(&config, &flag),
		    "manifest sha256:9f86: config: neither true nor false");
	assert_says(json_expect_array(&root), "manifest sha256:9f86: not an array");
	assert_says(json_expect_object(&layers), "manifest sha256:9f86: layers: not an object");
	assert_says(json_error(&third, "%s %d", "odd", 5),
		    "manifest sha256:9f86: layers[2]: odd 5");
	/* What is missing is named by its outermost missing part. */
	assert_says(json_get_text(&nothing, &text), "manifest sha256:9f86: nothing: missing");
	assert_says(json_get_text(&below_nothing, &text), "manifest sha256:9f86: nothing: missing");
	assert_says(json_expect_object(&nothing), "manifest sha256:9f86: nothing: missing");
	assert_says(json_expect_array(&fourth), "manifest sha256:9f86: layers[3]: missing");
	/* Or by the parent that cannot hold it. */
	assert_says(json_get_text(&user, &text), "manifest sha256:9f86: config: not an object");
	assert_says(json_get_size(&of_first, &number),
		    "manifest sha256:9f86: layers[0]: not an object");
	assert_says(json_get_text(&of_config, &text), "manifest sha256:9f86: config: not an array");
	assert_null(text);
}

TEST(lists_of_text_are_copied_whole_or_not_at_all)
{
	AUTO(json)
	json_t *doc = parse("{\"good\": [\"a\", \"\"], \"bad\": [\"c\", 1], \"no\": {},"
			    "\"hole\": [\"d\", null]}");
	struct json_at root = json_root(doc, "test");
	struct json_at good = json_member(&root, "good");
	struct json_at bad = json_member(&root, "bad");
	struct json_at no = json_member(&root, "no");
	struct json_at hole = json_member(&root, "hole");
	AUTO(strings) struct strings list = { 0 };

	assert_ok(json_get_optional_texts(&good, &list));
	assert_says(json_get_optional_texts(&bad, &list), "test: bad[1]: not a string");
	assert_says(json_get_optional_texts(&no, &list), "test: no: not an array");
	assert_says(json_get_optional_texts(&hole, &list), "test: hole[1]: missing");
	assert_int_equal(list.len, 2);
	assert_string_equal(list.at[0], "a");
	assert_string_equal(list.at[1], "");
}

TEST(what_is_no_strict_json_is_refused)
{
	const struct str cases[] = {
		STR(""),
		STR(" "),
		STR("null"),
		STR("\"text\""),
		STR("1"),
		STR("{"),
		STR("[1"),
		STR("[1,]"),
		STR("{\"a\":1,}"),
		STR("{a:1}"),
		STR("['a']"),
		STR("[01]"),
		STR("[+1]"),
		STR("[.5]"),
		STR("[1.]"),
		STR("[0x1]"),
		STR("[NaN]"),
		STR("[Infinity]"),
		STR("[1e999]"),
		STR("[9223372036854775808]"),
		STR("[True]"),
		STR("[\"a\nb\"]"),
		STR("[\"\\x41\"]"),
		STR("[\"\\ud800\"]"),
		STR("[\"\xff\"]"),
		STR("[\"\xc0\x80\"]"),
		STR("[\"\xed\xa0\x80\"]"),
		STR("\xef\xbb\xbf[]"),
		STR("[] []"),
		STR("[]x"),
		STR("[]\0"),
		STR("[\"a\0b\"]"),
		STR("[\"a\\u0000b\"]"),
		STR("{\"a\\u0000b\":1}"),
		STR("{\"a\":1,\"b\":2,\"a\":3}"),
		STR("{\"a\":1,\"\\u0061\":1}"),
		STR("[{\"b\":{\"a\":1,\"a\":1}}]"),
		STR("/* */[]"),
		STR("]"),
		{ NULL, 0 },
	};
	json_t *doc = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_fails(json_parse(cases[i], JSON_MAX, "test", &doc), ERR_INVALID);
	assert_null(doc);
}

TEST(a_parse_error_names_document_line_and_column)
{
	AUTO(err) struct err *err = NULL;
	json_t *doc = NULL;

	err = json_parse(STR("{\n  \"a\": x\n}"), JSON_MAX, "index of web", &doc);
	assert_string_equal(err_text(err), "index of web: line 2 column 8: invalid token near 'x'");
	err_free(STEAL(err));
	err = json_parse(STR("[\"a\\u0000\"]"), JSON_MAX, "test", &doc);
	assert_non_null(strstr(err_text(err), ": a string holds the character \\u0000"));
}

TEST(size_and_depth_and_number_have_ceilings)
{
	char deep[4 * JSON_MAX_DEPTH];
	AUTO(buf) struct buf many = BUF_INIT(JSON_MAX);
	json_t *doc = NULL;

	assert_ok(json_parse(STR("[1]"), 3, "test", &doc));
	json_decref(doc);
	assert_says(json_parse(STR("[1] "), 3, "test", &doc), "test: larger than 3 bytes");

	memset(deep, '[', JSON_MAX_DEPTH);
	memset(deep + JSON_MAX_DEPTH, ']', JSON_MAX_DEPTH);
	assert_ok(json_parse((struct str){ deep, (size_t)2 * JSON_MAX_DEPTH }, JSON_MAX, "test",
			     &doc));
	json_decref(doc);
	memset(deep, '[', JSON_MAX_DEPTH + 1);
	memset(deep + JSON_MAX_DEPTH + 1, ']', JSON_MAX_DEPTH + 1);
	assert_says(
		json_parse((struct str){ deep, 2 * JSON_MAX_DEPTH + 2 }, JSON_MAX, "test", &doc),
		"test: nested more than 100 deep");
	assert_ok(json_parse(
		STR("[\"\\\\\\\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["
		    "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\"]"),
		JSON_MAX, "test", &doc));
	json_decref(doc);

	for (int i = 0; i < 2 * JSON_MAX_DEPTH; i++)
		buf_adds(&many, i ? ",[]" : "[{}");
	buf_addc(&many, ']');
	assert_ok(json_parse(buf_str(&many), JSON_MAX, "test", &doc));
	json_decref(doc);
	buf_reset(&many);
	for (int i = 0; i < JSON_MAX_VALUES; i++)
		buf_adds(&many, i ? ",1" : "[1");
	buf_addc(&many, ']');
	assert_ok(json_parse(buf_str(&many), JSON_MAX, "test", &doc));
	json_decref(doc);
	many.len--;
	buf_adds(&many, ",1]");
	assert_says(json_parse(buf_str(&many), JSON_MAX, "test", &doc),
		    "test: more than 500000 values");
}

TEST(long_paths_are_cut)
{
	AUTO(mem) char *key = xcalloc(10001, 1);
	AUTO(json) json_t *doc = json_object();
	struct json_at root = json_root(doc, "test");
	struct json_at member;

	memset(key, 'k', 10000);
	member = json_member(&root, key);
	assert_fails(json_expect_array(&member), ERR_INVALID);
}

TEST(documents_have_their_members_in_the_order_in_which_they_were_set)
{
	AUTO(strings) struct strings list = { 0 };
	AUTO(json) json_t *doc = json_object();
	AUTO(mem) char *compact = NULL;
	AUTO(mem) char *pretty = NULL;
	json_t *array = json_array();

	strings_push(&list, "x=<&>");
	strings_push(&list, "/");
	json_push(array, json_integer(INT64_MAX));
	json_push(array, json_true());
	json_set_text(doc, "zebra", "\xe2\x82\xac \"\\\n\x01\x7f");
	json_set(doc, "apple", array);
	json_set(doc, "none", json_object());
	json_set(doc, "env", json_texts(&list));
	json_set(doc, "zebra", json_text(STR("last")));
	compact = json_format(doc);
	pretty = json_format_pretty(doc);
	assert_string_equal(compact, "{\"zebra\":\"last\",\"apple\":[9223372036854775807,true],"
				     "\"none\":{},\"env\":[\"x=<&>\",\"/\"]}");
	assert_string_equal(pretty, "{\n  \"zebra\": \"last\",\n  \"apple\": [\n"
				    "    9223372036854775807,\n    true\n  ],\n  \"none\": {},\n"
				    "  \"env\": [\n    \"x=<&>\",\n    \"/\"\n  ]\n}");
}

/* RFC 8259, section 7: only the quotation mark, the backslash and controls need escaping. */
TEST(only_what_must_be_escaped_is)
{
	AUTO(json)
	json_t *text = json_text(STR("\"\\/\b\f\n\r\t\x01\x1f\x7f<>&'\xe2\x80\xa8\xc3\xbc"));
	AUTO(mem) char *out = json_format(text);

	assert_string_equal(
		out, "\"\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\\u001F\x7f<>&'\xe2\x80\xa8\xc3\xbc\"");
}

/* U+FFFD for each byte, as Go's encoding/json has it. */
TEST(what_is_no_text_is_replaced)
{
	static const struct {
		const char *raw;
		const char *want;
	} cases[] = {
		{ "", "" },
		{ "\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80" },
		{ "a\xff"
		  "b",
		  "a\xef\xbf\xbd"
		  "b" },
		{ "\xc3", "\xef\xbf\xbd" },
		{ "\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" },
	};
	AUTO(json) json_t *nul = json_text(STR("a\0b"));

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(json) json_t *doc = json_object();
		AUTO(json) json_t *again = NULL;
		AUTO(mem) char *out = NULL;

		json_set_text(doc, cases[i].raw, cases[i].raw);
		assert_string_equal(json_string_value(json_object_get(doc, cases[i].want)),
				    cases[i].want);
		out = json_format(doc);
		assert_ok(json_parse(str_of(out), JSON_MAX, "again", &again));
		assert_true(json_equal(doc, again));
	}
	assert_string_equal(json_string_value(nul), "a\xef\xbf\xbd"
						    "b");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_are_found_by_member_and_index),
		cmocka_unit_test(sizes_go_as_far_as_63_bits),
		cmocka_unit_test(absent_optionals_are_left_alone),
		cmocka_unit_test(errors_say_where_the_value_stands),
		cmocka_unit_test(lists_of_text_are_copied_whole_or_not_at_all),
		cmocka_unit_test(what_is_no_strict_json_is_refused),
		cmocka_unit_test(a_parse_error_names_document_line_and_column),
		cmocka_unit_test(size_and_depth_and_number_have_ceilings),
		cmocka_unit_test(long_paths_are_cut),
		cmocka_unit_test(documents_have_their_members_in_the_order_in_which_they_were_set),
		cmocka_unit_test(only_what_must_be_escaped_is),
		cmocka_unit_test(what_is_no_text_is_replaced),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
