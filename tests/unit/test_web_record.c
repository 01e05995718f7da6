/* tests/unit/test_web_record.c - records of fetched files. */

#include "tests/unit/unit.h"

#include <stdlib.h>
#include <string.h>

#include "store/blob.h"
#include "store/record-private.h"
#include "store/web_record.h"
#include "tests/unit/room.h"

static struct web_record put_body(const char *text)
{
	struct web_record record = { .size = strlen(text) };

	assert_ok(blob_put(store, str_of(text), &record.digest));
	return record;
}

TEST(what_is_written_is_found_by_its_url_alone)
{
	struct web_record record = put_body("body");
	AUTO(web_record) struct web_record found = { 0 };
	AUTO(web_record) struct web_record other = { 0 };
	bool is_found;

	record.etag = (char *)"W/\"a\\b\"";
	record.modified = (char *)"";
	record.asks_time = true;
	assert_ok(web_record_put(store, "http://a/?key=hidden", &record));
	assert_ok(web_record_find(store, "http://a/?key=hidden", &is_found, &found));
	assert_true(is_found);
	assert_string_equal(found.etag, record.etag);
	assert_string_equal(found.modified, "");
	assert_true(found.asks_time);
	assert_true(digest_equal(&found.digest, &record.digest));
	assert_int_equal(found.size, 4);
	assert_ok(web_record_find(store, "http://a/?key=hidde", &is_found, &other));
	assert_false(is_found);
}

TEST(a_record_is_no_better_than_its_blob)
{
	struct web_record record = put_body("body");
	AUTO(web_record) struct web_record found = { 0 };
	bool is_found;

	record.size = 5;
	assert_ok(web_record_put(store, "http://a/", &record));
	assert_ok(web_record_find(store, "http://a/", &is_found, &found));
	assert_false(is_found);
	record.digest.bytes[0] ^= 1;
	record.size = 4;
	assert_ok(web_record_put(store, "http://a/", &record));
	assert_ok(web_record_find(store, "http://a/", &is_found, &found));
	assert_false(is_found);
}

TEST(has_one_spelling_and_quotes_no_url)
{
	struct web_record record = { .etag = (char *)"\"x\"", .size = 7 };
	AUTO(buf) struct buf text = BUF_INIT(4096);

	assert_ok(web_record_format(&record, &text));
	assert_true(str_starts(
		buf_str(&text),
		"cairn-web 1\netag =\"x\"\nmodified -\nasks-time 0\ndigest "
		"sha256:0000000000000000000000000000000000000000000000000000000000000000\n"
		"size 7\nsum "));
}

TEST(refuses_what_it_would_not_write)
{
	static const char *const bodies[] = {
		"cairn-web 2\netag -\nmodified -\nasks-time 0\ndigest "
		"sha256:0000000000000000000000000000000000000000000000000000000000000000\nsize 7\n",
		"cairn-web 1\netag x\nmodified -\nasks-time 0\ndigest "
		"sha256:0000000000000000000000000000000000000000000000000000000000000000\nsize 7\n",
		"cairn-web 1\netag -\nmodified -\nasks-time 2\ndigest "
		"sha256:0000000000000000000000000000000000000000000000000000000000000000\nsize 7\n",
		"cairn-web 1\netag -\nmodified -\nasks-time 0\ndigest "
		"sha256:0000000000000000000000000000000000000000000000000000000000000000\nsize 7\nmore x\n",
		"cairn-web 1\netag -\nmodified -\n",
	};

	for (size_t i = 0; i < ARRAY_SIZE(bodies); i++) {
		AUTO(buf) struct buf text = BUF_INIT(4096);
		AUTO(web_record) struct web_record record = { 0 };

		buf_adds(&text, bodies[i]);
		assert_ok(record_seal(&text));
		assert_fails(web_record_parse(buf_str(&text), &record), ERR_CORRUPT);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ROOM_TEST(what_is_written_is_found_by_its_url_alone),
		ROOM_TEST(a_record_is_no_better_than_its_blob),
		cmocka_unit_test(has_one_spelling_and_quotes_no_url),
		cmocka_unit_test(refuses_what_it_would_not_write),
	};

	return cmocka_run_group_tests(tests, tmp_setup, tmp_teardown);
}
