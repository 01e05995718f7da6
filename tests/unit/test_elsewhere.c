/* tests/unit/test_elsewhere.c - hints about blobs in other places. */

#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/vec.h"
#include "store/elsewhere.h"
#include "tests/unit/room.h"

#define HEX "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

static struct digest a_digest(void)
{
	struct digest d;

	assert_ok(digest_parse("sha256:" HEX, &d));
	return d;
}

static void expect_list(const char *host, const char *want)
{
	AUTO(strings) struct strings list = { 0 };
	AUTO(buf) struct buf got = BUF_INIT(4096);
	struct digest d = a_digest();

	elsewhere_list(store, &d, host, &list);
	vec_foreach (&list, one)
		buf_addf(&got, "%s ", *one);
	assert_string_equal(got.len ? got.at : "", want);
}

static void expect_upload(const char *repository, const char *want)
{
	struct digest d = a_digest();
	AUTO(mem) char *got = elsewhere_upload(store, &d, repository);

	if (!got != !want || (got && strcmp(got, want) != 0))
		fail_msg("%s is at %s", repository, got ? got : "nowhere");
}

TEST(remembers_which_repositories_of_a_host_have_a_blob)
{
	struct digest d = a_digest();

	expect_list("reg:5000", "");
	elsewhere_add(store, &d, "reg:5000/a");
	elsewhere_add(store, &d, "reg:5000/b/c");
	elsewhere_add(store, &d, "reg:50/x");
	elsewhere_add(store, &d, "reg:5000/a");
	expect_list("reg:5000", "b/c a ");
	expect_list("reg:50", "x ");
	expect_list("reg", "");
}

TEST(forgets_the_oldest)
{
	struct digest d = a_digest();
	AUTO(strings) struct strings list = { 0 };

	for (int i = 0; i < ELSEWHERE_MAX + 5; i++) {
		char name[32];

		snprintf(name, sizeof(name), "reg/%d", i);
		elsewhere_add(store, &d, name);
	}
	elsewhere_list(store, &d, "reg", &list);
	assert_int_equal(list.len, ELSEWHERE_MAX);
	assert_string_equal(list.at[0], "20");
	assert_string_equal(list.at[ELSEWHERE_MAX - 1], "5");
}

TEST(remembers_an_upload_until_it_is_done)
{
	struct digest d = a_digest();

	expect_upload("reg/a", NULL);
	elsewhere_add(store, &d, "reg/z");
	elsewhere_set_upload(store, &d, "reg/a", "https://reg/v2/a/blobs/uploads/1?_state=x y");
	elsewhere_set_upload(store, &d, "reg/b", "https://reg/2");
	elsewhere_set_upload(store, &d, "reg/a", "https://reg/3");
	expect_upload("reg/a", "https://reg/3");
	expect_upload("reg/b", "https://reg/2");
	elsewhere_set_upload(store, &d, "reg/a", NULL);
	expect_upload("reg/a", NULL);
	expect_upload("reg/b", "https://reg/2");
	expect_list("reg", "z ");
}

TEST(an_old_upload_and_a_damaged_file_are_nothing)
{
	AUTO(buf) struct buf text = BUF_INIT(4096);
	intmax_t now = (intmax_t)clock_now().tv_sec;
	AUTO(fd) int dir_fd = -1;
	struct digest d = a_digest();

	buf_addf(&text, "upload reg/old %jd https://reg/1\n", now - ELSEWHERE_UPLOAD_AGE - 1);
	buf_addf(&text, "upload reg/future %jd https://reg/2\n", now + 1000);
	buf_addf(&text, "upload reg/odd x https://reg/3\nupload reg/short\n\nhas\n");
	buf_addf(&text, "upload reg/good %jd https://reg/4", now - 10);
	assert_ok(file_make_dirs(store_fd(store), "elsewhere", 0700, &dir_fd));
	assert_ok(file_replace(dir_fd, HEX, buf_str(&text), 0600, FILE_QUICK));
	expect_upload("reg/old", NULL);
	expect_upload("reg/future", NULL);
	expect_upload("reg/odd", NULL);
	expect_upload("reg/short", NULL);
	expect_upload("reg/good", "https://reg/4");
	elsewhere_set_upload(store, &d, "reg/x", "https://reg/5\nhas reg/evil");
	expect_list("reg", "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ROOM_TEST(remembers_which_repositories_of_a_host_have_a_blob),
		ROOM_TEST(forgets_the_oldest),
		ROOM_TEST(remembers_an_upload_until_it_is_done),
		ROOM_TEST(an_old_upload_and_a_damaged_file_are_nothing),
	};

	return cmocka_run_group_tests(tests, tmp_setup, tmp_teardown);
}
