/* tests/unit/test_blob.c - a blob has its name only with its bytes, and keeps them. */

#include "tests/unit/unit.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/stream.h"
#include "store/blob.h"
#include "tests/unit/room.h"

/* From published vectors of SHA-256. */
#define ABC_HEX "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define ABC_PATH "blobs/sha256/" ABC_HEX
#define EMPTY_HEX "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

static struct digest digest_of(const char *hex)
{
	AUTO(mem) char *text = xasprintf("sha256:%s", hex);
	struct digest d;

	assert_ok(digest_parse(text, &d));
	return d;
}

static struct err *commit(const char *text, const struct digest *want)
{
	AUTO(blob_writer) struct blob_writer *writer = NULL;
	struct digest got;
	uint64_t size = 0;

	TRY(blob_begin(store, &writer));
	for (; *text; text++)
		sink_write(blob_sink(writer), text, 1);
	return blob_commit(writer, want, &got, &size);
}

TEST(a_blob_is_a_read_only_file_named_by_its_digest)
{
	struct digest abc = digest_of(ABC_HEX);
	AUTO(mem) char *text = NULL;
	struct digest got;
	struct stat st;

	assert_ok(blob_put(store, STR("abc"), &got));
	assert_true(digest_equal(&got, &abc));
	text = room_text(ABC_PATH);
	assert_string_equal(text, "abc");
	assert_return_code(fstatat(store_fd(store), ABC_PATH, &st, 0), errno);
	assert_int_equal(st.st_mode, S_IFREG | 0444);
	assert_ok(blob_put(store, STR(""), &got));
	assert_true(room_has("blobs/sha256/" EMPTY_HEX));
}

TEST(a_blob_is_opened_found_and_read)
{
	struct digest abc = digest_of(ABC_HEX);
	AUTO(buf) struct buf text = BUF_INIT(100);
	AUTO(fd) int fd = -1;
	uint64_t size = 0;
	bool found = false;
	struct digest got;
	char bytes[8];

	assert_ok(blob_put(store, STR("abc"), &got));
	assert_ok(blob_find(store, &abc, &found, &size));
	assert_true(found);
	assert_int_equal(size, 3);
	size = 0;
	assert_ok(blob_open(store, &abc, &fd, &size));
	assert_int_equal(size, 3);
	assert_int_equal(read(fd, bytes, sizeof(bytes)), 3);
	assert_ok(blob_read(store, &abc, 3, &text));
	assert_string_equal(text.at, "abc");
	assert_fails(blob_read(store, &abc, 2, &text), ERR_INVALID);
}

TEST(an_absent_blob_is_not_found)
{
	struct digest abc = digest_of(ABC_HEX);
	AUTO(buf) struct buf text = BUF_INIT(100);
	AUTO(err) struct err *err = NULL;
	bool found = true;
	uint64_t size;
	int fd = -1;

	assert_ok(blob_find(store, &abc, &found, NULL));
	assert_false(found);
	err = blob_open(store, &abc, &fd, &size);
	assert_int_equal(err_kind(err), ERR_NOT_FOUND);
	assert_string_equal(err_text(err), "blob sha256:" ABC_HEX " is not in the store");
	assert_fails(blob_read(store, &abc, 100, &text), ERR_NOT_FOUND);
	assert_int_equal(room_count("leases"), 0);
}

TEST(looking_and_writing_pins)
{
	struct digest abc = digest_of(ABC_HEX);
	struct digest got;
	bool found = false;

	assert_ok(blob_put(store, STR("abc"), &got));
	assert_true(map_has(&store->pinned, str_of("B " ABC_HEX)));
	room_reopen();
	assert_ok(blob_find(store, &abc, &found, NULL));
	assert_true(map_has(&store->pinned, str_of("B " ABC_HEX)));
}

TEST(bytes_that_are_not_the_wanted_ones_get_no_name)
{
	struct digest abc = digest_of(ABC_HEX);
	AUTO(err) struct err *err = commit("abd", &abc);

	assert_int_equal(err_kind(err), ERR_CORRUPT);
	assert_non_null(strstr(err_text(err), ABC_HEX));
	assert_int_equal(room_count("blobs/sha256"), 0);
	assert_ok(commit("abc", &abc));
	assert_int_equal(room_count("blobs/sha256"), 1);
}

TEST(without_a_commit_nothing_remains)
{
	AUTO(blob_writer) struct blob_writer *writer = NULL;
	AUTO(mem) char *staging = NULL;

	assert_ok(blob_begin(store, &writer));
	sink_write(blob_sink(writer), "abc", 3);
	staging = xasprintf("tmp/%s", store->lease_id);
	assert_int_equal(room_count(staging), 1);
	blob_writer_free(STEAL(writer));
	assert_int_equal(room_count(staging), 0);
	assert_int_equal(room_count("blobs/sha256"), 0);
	blob_writer_free(NULL);
}

static ino_t inode_of(const char *path)
{
	struct stat st;

	assert_return_code(fstatat(store_fd(store), path, &st, 0), errno);
	return st.st_ino;
}

TEST(a_blob_that_is_there_keeps_its_file)
{
	struct digest got;
	ino_t before;

	assert_ok(blob_put(store, STR("abc"), &got));
	before = inode_of(ABC_PATH);
	assert_ok(blob_put(store, STR("abc"), &got));
	assert_int_equal(inode_of(ABC_PATH), before);
}

TEST(a_damaged_blob_is_noticed_and_mended_by_writing_it_again)
{
	static const char *const damages[] = { "", "ab", "abd", "abcd" };
	struct digest abc = digest_of(ABC_HEX);

	for (size_t i = 0; i < ARRAY_SIZE(damages); i++) {
		AUTO(buf) struct buf text = BUF_INIT(100);
		struct digest got;

		room_put(ABC_PATH, damages[i], strlen(damages[i]));
		assert_fails(blob_read(store, &abc, 100, &text), ERR_CORRUPT);
		assert_int_equal(text.len, 0);
		assert_ok(blob_put(store, STR("abc"), &got));
		assert_ok(blob_read(store, &abc, 100, &text));
		assert_string_equal(text.at, "abc");
	}
}

/* What no file is has no bytes: it is neither waited for nor kept. */
TEST(a_pipe_or_a_directory_in_place_of_a_blob_is_damage)
{
	struct digest abc = digest_of(ABC_HEX);

	for (int as_dir = 0; as_dir <= 1; as_dir++) {
		AUTO(buf) struct buf text = BUF_INIT(100);
		struct digest got;
		bool good = true;

		if (as_dir)
			assert_int_equal(mkdirat(store_fd(store), ABC_PATH, 0700), 0);
		else
			assert_int_equal(mkfifoat(store_fd(store), ABC_PATH, 0600), 0);
		assert_fails(blob_read(store, &abc, 100, &text), ERR_CORRUPT);
		assert_ok(blob_verify(store, &abc, false, &good));
		assert_false(good);
		assert_int_equal(room_count("blobs/sha256"), 1);
		assert_ok(blob_verify(store, &abc, true, &good));
		assert_int_equal(room_count("blobs/sha256"), 0);
		assert_ok(blob_put(store, STR("abc"), &got));
		assert_ok(blob_read(store, &abc, 100, &text));
		assert_int_equal(unlinkat(store_fd(store), ABC_PATH, 0), 0);
	}
}

TEST(a_blob_in_doubt_goes_only_if_it_is_damaged)
{
	struct descriptor abc = { .digest = digest_of(ABC_HEX), .size = 3 };
	struct digest got;
	bool has = false;

	assert_ok(blob_put(store, STR("abc"), &got));
	assert_null(blob_doubt(store, &abc.digest, NULL));
	assert_fails(blob_doubt(store, &abc.digest, err_new(ERR_SYSTEM, "read")), ERR_SYSTEM);
	assert_fails(blob_doubt(store, &abc.digest, err_new(ERR_CORRUPT, "no tar")), ERR_CORRUPT);
	assert_ok(blob_has(store, &abc, &has));
	assert_true(has); /* whatever was wrong, it was not the blob */

	room_put(ABC_PATH, "ab", 2);
	assert_ok(blob_has(store, &abc, &has));
	assert_false(has);
	room_put(ABC_PATH, "abd", 3);
	assert_ok(blob_has(store, &abc, &has));
	assert_true(has); /* nobody has looked yet */
	assert_fails(blob_doubt(store, &abc.digest, err_new(ERR_SYSTEM, "read")), ERR_SYSTEM);
	assert_ok(blob_has(store, &abc, &has));
	assert_true(has);
	{
		AUTO(err)
		struct err *err = blob_doubt(store, &abc.digest, err_new(ERR_CORRUPT, "no tar"));

		assert_int_equal(err_kind(err), ERR_CORRUPT);
		assert_non_null(strstr(err_text(err), ABC_HEX));
		assert_non_null(strstr(err_notes(err), "again"));
	}
	assert_ok(blob_has(store, &abc, &has));
	assert_false(has);
	assert_ok(blob_put(store, STR("abc"), &got));
	assert_ok(blob_has(store, &abc, &has));
	assert_true(has);
}

TEST(a_large_blob_is_hashed_on_its_way)
{
	AUTO(blob_writer) struct blob_writer *writer = NULL;
	AUTO(mem) char *zeros = xcalloc(1 << 20, 1);
	struct digest got;
	uint64_t size = 0;
	/* dd if=/dev/zero bs=1M count=40 | sha256sum */
	struct digest want =
		digest_of("80a3721188e40218b08b26776bc53bdae81e4784fff71d71450a197319cba113");

	assert_ok(blob_begin(store, &writer));
	for (int i = 0; i < 40; i++)
		sink_write(blob_sink(writer), zeros, 1 << 20);
	assert_ok(blob_commit(writer, &want, &got, &size));
	assert_int_equal(size, 40 << 20);
}

TEST(a_large_blob_that_was_cut_is_replaced)
{
	AUTO(mem) char *zeros = xcalloc(2 << 20, 1);
	const struct str whole = { zeros, 2 << 20 };
	char path[STORE_PATH_SIZE];
	struct digest got;
	uint64_t size = 0;
	bool found = false;

	assert_ok(blob_put(store, whole, &got));
	room_put(store_hex_path("blobs/sha256/", &got, path), zeros, (1 << 20) + 1);
	assert_ok(blob_put(store, whole, &got));
	assert_ok(blob_find(store, &got, &found, &size));
	assert_int_equal(size, 2 << 20);
}

TEST(names_are_flushed_once)
{
	struct digest got;

	assert_false(store->blobs_dirty);
	assert_ok(blob_sync(store));
	assert_ok(blob_put(store, STR("abc"), &got));
	assert_true(store->blobs_dirty);
	assert_ok(blob_sync(store));
	assert_false(store->blobs_dirty);
	/* One that was there may be the unflushed work of another process. */
	assert_ok(blob_put(store, STR("abc"), &got));
	assert_true(store->blobs_dirty);
}

TEST(a_link_in_place_of_a_blob_is_not_followed)
{
	struct digest abc = digest_of(ABC_HEX);
	struct digest got;
	bool found = true;
	uint64_t size;
	int fd = -1;

	room_put("secret", "abc", 3);
	assert_return_code(symlinkat("../../secret", store_fd(store), ABC_PATH), errno);
	assert_ok(blob_find(store, &abc, &found, NULL));
	assert_false(found);
	assert_fails(blob_open(store, &abc, &fd, &size), ERR_SYSTEM);
	assert_ok(blob_put(store, STR("abc"), &got));
	assert_ok(blob_find(store, &abc, &found, NULL));
	assert_true(found);
}

/* ---- many at once ---- */

static bool put_and_maybe_die(void *arg)
{
	struct blob_writer *writer = NULL;
	struct digest got;
	CHILD_STORE(mine);

	CHECK_OK(blob_put(mine, STR("abc"), &got));
	CHECK_OK(blob_begin(mine, &writer));
	sink_write(blob_sink(writer), "half", 4);
	if (*(bool *)arg)
		raise(SIGKILL);
	blob_writer_free(writer);
	store_close(mine);
	return true;
}

TEST(the_half_written_blob_of_a_killed_process_goes)
{
	static bool die = true, live = false;
	pid_t other = child_start(put_and_maybe_die, &live);
	int tmp_dir = -1;

	room_child(put_and_maybe_die, &die, true);
	assert_int_equal(child_wait(other), 0);
	assert_int_equal(room_count("blobs/sha256"), 1);
	assert_ok(store_lease(store, &tmp_dir));
	assert_int_equal(room_count("tmp"), 1);
}

/* Go on with the blob of ABC_HEX: what is there must be `have`; then write `more`. */
static void go_on(const char *have, const char *more, struct blob_writer **ret)
{
	struct digest abc = digest_of(ABC_HEX);
	char back[16] = "";
	uint64_t there;
	size_t n;

	assert_ok(blob_resume(store, &abc, ret, &there));
	assert_int_equal(there, strlen(have));
	assert_ok(blob_read_back(*ret, 0, back, sizeof(back) - 1, &n));
	assert_int_equal(n, strlen(have));
	assert_string_equal(back, have);
	sink_write(blob_sink(*ret), back, n);
	sink_write(blob_sink(*ret), more, strlen(more));
}

TEST(a_partial_blob_is_kept_and_continued)
{
	struct digest abc = digest_of(ABC_HEX);
	struct digest got;
	uint64_t size = 0;

	for (int i = 0; i < 3; i++) {
		static const char *const have[] = { "", "a", "ab" };
		static const char *const more[] = { "a", "b", "c" };
		AUTO(blob_writer) struct blob_writer *writer = NULL;

		go_on(have[i], more[i], &writer);
		assert_true(room_has("partial/" ABC_HEX));
		assert_false(room_has(ABC_PATH));
		if (i == 2)
			assert_ok(blob_commit(writer, &abc, &got, &size));
	}
	assert_int_equal(size, 3);
	assert_true(digest_equal(&got, &abc));
	assert_true(room_has(ABC_PATH));
	assert_false(room_has("partial/" ABC_HEX));
}

TEST(a_partial_blob_that_is_wrong_is_not_kept)
{
	struct digest abc = digest_of(ABC_HEX);

	for (int i = 0; i < 2; i++) {
		AUTO(blob_writer) struct blob_writer *writer = NULL;

		go_on("", "abx", &writer);
		if (i)
			assert_fails(blob_commit(writer, &abc, NULL, NULL), ERR_CORRUPT);
		else
			blob_forget(writer);
		blob_writer_free(STEAL(writer));
		assert_false(room_has("partial/" ABC_HEX));
	}
	assert_false(room_has(ABC_PATH));
}

TEST(of_a_partial_blob_that_has_come_otherwise_nothing_remains)
{
	AUTO(blob_writer) struct blob_writer *writer = NULL;
	struct digest abc = digest_of(ABC_HEX);

	assert_ok(blob_put(store, STR("abc"), &abc));
	go_on("", "abc", &writer);
	assert_ok(blob_commit(writer, &abc, NULL, NULL));
	blob_writer_free(STEAL(writer));
	assert_false(room_has("partial/" ABC_HEX));
}

TEST(a_partial_blob_that_nobody_continues_goes_after_a_week)
{
	AUTO(blob_writer) struct blob_writer *old = NULL;
	AUTO(blob_writer) struct blob_writer *writer = NULL;
	struct timespec times[2] = { { .tv_nsec = UTIME_NOW }, { .tv_sec = time(NULL) - 604900 } };
	struct digest other = digest_of(EMPTY_HEX);
	uint64_t have;

	go_on("", "ab", &old);
	blob_writer_free(STEAL(old));
	assert_return_code(utimensat(store_fd(store), "partial/" ABC_HEX, times, 0), errno);
	assert_ok(blob_resume(store, &other, &writer, &have));
	assert_false(room_has("partial/" ABC_HEX));
}

static void *put_some(void *arg)
{
	struct err **err = arg;

	for (unsigned i = 0; i < 50 && !*err; i++) {
		char text[16];
		struct digest got;

		snprintf(text, sizeof(text), "blob %u", i);
		*err = blob_put(store, str_of(text), &got);
		if (!*err && i % 10 == 0)
			*err = blob_sync(store);
	}
	return NULL;
}

TEST(threads_may_write_the_same_blobs)
{
	struct err *errors[4] = { NULL };
	pthread_t threads[ARRAY_SIZE(errors)];

	for (size_t i = 0; i < ARRAY_SIZE(errors); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, put_some, &errors[i]), 0);
	for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
		assert_int_equal(pthread_join(threads[i], NULL), 0);
		assert_ok(errors[i]);
	}
	assert_int_equal(room_count("blobs/sha256"), 50);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ROOM_TEST(a_blob_is_a_read_only_file_named_by_its_digest),
		ROOM_TEST(a_blob_is_opened_found_and_read),
		ROOM_TEST(an_absent_blob_is_not_found),
		ROOM_TEST(looking_and_writing_pins),
		ROOM_TEST(bytes_that_are_not_the_wanted_ones_get_no_name),
		ROOM_TEST(without_a_commit_nothing_remains),
		ROOM_TEST(a_blob_that_is_there_keeps_its_file),
		ROOM_TEST(a_damaged_blob_is_noticed_and_mended_by_writing_it_again),
		ROOM_TEST(a_pipe_or_a_directory_in_place_of_a_blob_is_damage),
		ROOM_TEST(a_blob_in_doubt_goes_only_if_it_is_damaged),
		ROOM_TEST(a_large_blob_is_hashed_on_its_way),
		ROOM_TEST(a_large_blob_that_was_cut_is_replaced),
		ROOM_TEST(names_are_flushed_once),
		ROOM_TEST(a_link_in_place_of_a_blob_is_not_followed),
		ROOM_TEST(the_half_written_blob_of_a_killed_process_goes),
		ROOM_TEST(a_partial_blob_is_kept_and_continued),
		ROOM_TEST(a_partial_blob_that_is_wrong_is_not_kept),
		ROOM_TEST(of_a_partial_blob_that_has_come_otherwise_nothing_remains),
		ROOM_TEST(a_partial_blob_that_nobody_continues_goes_after_a_week),
		ROOM_TEST(threads_may_write_the_same_blobs),
	};

	return cmocka_run_group_tests(tests, tmp_setup, tmp_teardown);
}
