/* tests/unit/test_source_lock.c - Recipe.lock, read and written. */

#include "tests/unit/unit.h"

#include <string.h>

#include "base/str.h"
#include "builder/source_lock.h"

#define SUM "sha256:00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define OTHER "sha256:ff112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define COMMIT "0123456789abcdef0123456789abcdef01234567"

TEST(lines_are_sorted_whatever_order_they_came_in)
{
	AUTO(source_lock) struct source_lock *lock = source_lock_new("Recipe.lock");
	AUTO(buf) struct buf text = BUF_INIT(4096);

	assert_ok(source_lock_add(lock, LOCKED_URL, "https://a/b c", SUM));
	assert_ok(source_lock_add(lock, LOCKED_IMAGE, "docker.io/library/b:1", SUM));
	assert_ok(source_lock_add(lock, LOCKED_IMAGE, "docker.io/library/a:1", OTHER));
	assert_ok(source_lock_add(lock, LOCKED_GIT, "https://a/r.git#main", COMMIT));
	assert_ok(source_lock_add(lock, LOCKED_IMAGE, "docker.io/library/b:1", SUM));
	source_lock_format(lock, &text);
	assert_string_equal(text.at, "cairn-lock 1\n"
				     "git " COMMIT " https://a/r.git#main\n"
				     "image " OTHER " docker.io/library/a:1\n"
				     "image " SUM " docker.io/library/b:1\n"
				     "url " SUM " https://a/b c\n");
}

TEST(what_was_written_is_read_as_it_was)
{
	static const char written[] = "cairn-lock 1\n"
				      "git " COMMIT " https://a/r.git#main\n"
				      "image " SUM " docker.io/library/b:1\n"
				      "url " OTHER " https://a/b c\n";
	AUTO(source_lock) struct source_lock *lock = NULL;
	AUTO(buf) struct buf text = BUF_INIT(4096);
	const char *value = NULL;

	assert_ok(source_lock_parse("Recipe.lock", str_of(written), &lock));
	assert_ok(source_lock_find(lock, LOCKED_URL, "https://a/b c", &value));
	assert_string_equal(value, OTHER);
	source_lock_format(lock, &text);
	assert_string_equal(text.at, written);
}

TEST(what_is_damaged_is_refused_by_its_line)
{
	static const struct {
		const char *text, *want;
		enum err_kind kind;
	} cases[] = {
		{ "", "not whole", ERR_INVALID },
		{ "cairn-lock 1", "not whole", ERR_INVALID },
		{ "cairn-lock 2\n", "version '2'", ERR_UNSUPPORTED },
		{ "cairn-lock\n", "line 1", ERR_INVALID },
		{ "FROM x\n", "line 1", ERR_INVALID },
		{ "cairn-lock 1\n\n", "line 2", ERR_INVALID },
		{ "cairn-lock 1\nimage\n", "line 2", ERR_INVALID },
		{ "cairn-lock 1\nimage " SUM "\n", "line 2", ERR_INVALID },
		{ "cairn-lock 1\nimage " SUM " \n", "line 2", ERR_INVALID },
		{ "cairn-lock 1\nimage " SUM " a\tb\n", "line 2", ERR_INVALID },
		{ "cairn-lock 1\nimage " COMMIT " a\n", "is no digest", ERR_INVALID },
		{ "cairn-lock 1\ngit " SUM " a\n", "is no commit", ERR_INVALID },
		{ "cairn-lock 1\ntar " SUM " a\n", "'tar' is none of", ERR_INVALID },
		{ "cairn-lock 1\nurl " SUM " a\nurl " SUM " a\n", "line 3: 'a' is there twice",
		  ERR_INVALID },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(source_lock) struct source_lock *lock = NULL;
		AUTO(err)
		struct err *err = source_lock_parse("Recipe.lock", str_of(cases[i].text), &lock);

		assert_int_equal(err_kind(err), cases[i].kind);
		assert_non_null(strstr(err_text(err), cases[i].want));
		assert_null(lock);
	}
}

TEST(a_source_that_is_two_things_cannot_be_locked)
{
	AUTO(source_lock) struct source_lock *lock = source_lock_new("Recipe.lock");

	assert_ok(source_lock_add(lock, LOCKED_IMAGE, "a", SUM));
	assert_fails(source_lock_add(lock, LOCKED_IMAGE, "a", OTHER), ERR_INVALID);
	assert_fails(source_lock_add(lock, LOCKED_IMAGE, "a\nb", SUM), ERR_INVALID);
	assert_fails(source_lock_add(lock, LOCKED_GIT, "a", SUM), ERR_INVALID);
}

TEST(what_is_not_there_is_an_error_only_if_it_has_to_be)
{
	AUTO(source_lock) struct source_lock *lock = source_lock_new("Recipe.lock");
	const char *value = "";

	assert_ok(source_lock_find(NULL, LOCKED_URL, "a", &value));
	assert_null(value);
	assert_ok(source_lock_find(lock, LOCKED_URL, "a", &value));
	assert_null(value);
	source_lock_require(lock);
	assert_fails(source_lock_find(lock, LOCKED_URL, "a", &value), ERR_NOT_FOUND);
}

TEST(an_image_with_a_digest_needs_no_lock)
{
	AUTO(mem) char *plain = source_lock_image("debian");
	AUTO(mem) char *with = source_lock_image("debian@" SUM);

	assert_string_equal(plain, "docker.io/library/debian:latest");
	assert_null(with);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_are_sorted_whatever_order_they_came_in),
		cmocka_unit_test(what_was_written_is_read_as_it_was),
		cmocka_unit_test(what_is_damaged_is_refused_by_its_line),
		cmocka_unit_test(a_source_that_is_two_things_cannot_be_locked),
		cmocka_unit_test(what_is_not_there_is_an_error_only_if_it_has_to_be),
		cmocka_unit_test(an_image_with_a_digest_needs_no_lock),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
