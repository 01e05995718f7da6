/* tests/unit/test_failed.c - records of steps that failed: their text, and which of them are kept. */

#include "tests/unit/unit.h"

#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "store/failed-private.h"
#include "store/layer.h"
#include "store/record-private.h"
#include "tests/unit/room.h"

/* A step of this stage, which has written a layer. */
static struct failed_step make(const char *stage)
{
	AUTO(layer_stage) struct layer_stage *layer = NULL;
	struct failed_step step = { .created = clock_now(), .number = 3, .index = 2, .count = 4 };
	struct layer_meta meta = { 0 };

	assert_ok(layer_begin(store, &layer));
	assert_ok(file_replace(layer->fs_fd, "left", STR("x"), 0644, FILE_QUICK));
	assert_ok(layer_seal(layer, NULL, &meta));
	memcpy(step.lid, meta.lid, sizeof(meta.lid));
	step.stage = xstrdup(stage);
	step.title = xstrdup("RUN a\tb\n\\ \x1b");
	step.code = 255;
	strings_push(&step.below, meta.lid);
	strings_push(&step.argv, "/bin/sh");
	strings_push(&step.argv, "");
	strings_push(&step.env, "A=1\n2");
	step.shell = xstrdup("/bin/sh");
	step.network = xstrdup("none");
	step.host_root = true;
	vec_push(&step.mounts, (struct failed_mount){ .type = xstrdup("cache"),
						      .target = xstrdup("/c"),
						      .id = xstrdup("a\tb"),
						      .cache = { .bytes = { 7 } },
						      .read_only = true,
						      .size = UINT64_MAX,
						      .uid = 1 });
	return step;
}

static void put(const char *stage)
{
	AUTO(failed_step) struct failed_step step = make(stage);
	bool kept = false;

	assert_ok(failed_put(store, &step, &kept));
	assert_true(kept);
	assert_true(step.bytes > 0);
}

static bool is_of_stage(void *self, const struct failed_step *step)
{
	return strcmp(step->stage, self) == 0;
}

TEST(what_is_put_is_found_as_it_was)
{
	AUTO(failed_step) struct failed_step step = make("app"), found = { 0 };
	AUTO(buf) struct buf before = BUF_INIT(FAILED_MAX), after = BUF_INIT(FAILED_MAX);
	AUTO(fd) int lock_fd = -1;
	bool kept = false;

	assert_ok(failed_put(store, &step, &kept));
	assert_ok(failed_find(store, NULL, NULL, &found, &lock_fd));
	assert_string_equal(found.id, step.id);
	assert_string_equal(found.title, step.title);
	assert_string_equal(found.mounts.at[0].id, "a\tb");
	assert_ok(failed_format(&step, &before));
	assert_ok(failed_format(&found, &after));
	assert_string_equal(before.at, after.at);
}

TEST(has_one_spelling)
{
	static const char *const wrong[][2] = {
		{ "step 3 2 4", "step 3 2" },     { "step 3 2 4", "step 3 2 4 5" },
		{ "code 255", "code 256" },       { "code 255", "code 0255" },
		{ "flags 0 1 0", "flags 0 2 0" }, { "argv 2", "argv 3" },
		{ "mounts 1", "mounts 0" },       { "\t1\t184", "\t2\t184" },
		{ "- A=1\\n2", "- A=1\\x2" },     { "cairn-failed 1", "cairn-failed 2" },
	};
	AUTO(failed_step) struct failed_step step = make("app");
	AUTO(buf) struct buf text = BUF_INIT(FAILED_MAX);

	assert_ok(failed_format(&step, &text));
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		AUTO(failed_step) struct failed_step found = { 0 };
		AUTO(buf) struct buf other = BUF_INIT(FAILED_MAX);
		const char *at = strstr(text.at, wrong[i][0]);

		assert_non_null(at);
		buf_add(&other, text.at, (size_t)(at - text.at));
		buf_adds(&other, wrong[i][1]);
		buf_add(&other, at + strlen(wrong[i][0]),
			text.len - RECORD_SUM_SIZE - (size_t)(at - text.at) - strlen(wrong[i][0]));
		assert_ok(record_seal(&other));
		assert_fails(failed_parse(buf_str(&other), &found), ERR_CORRUPT);
	}
}

TEST(the_last_few_are_kept_with_their_layers)
{
	AUTO(failed_step) struct failed_step found = { 0 };
	AUTO(fd) int lock_fd = -1;
	char stage[] = "a";

	for (; stage[0] < 'g'; stage[0]++) {
		put(stage);
		usleep(2000); /* ids sort by the microsecond */
	}
	assert_int_equal(room_count("failed"), FAILED_KEEP);
	assert_int_equal(room_count("layers"), FAILED_KEEP);
	assert_fails(failed_find(store, is_of_stage, (char *)"b", &found, &lock_fd), ERR_NOT_FOUND);
	assert_ok(failed_find(store, is_of_stage, (char *)"c", &found, &lock_fd));
}

TEST(one_that_is_entered_stays)
{
	AUTO(failed_step) struct failed_step found = { 0 };
	AUTO(fd) int lock_fd = -1;
	bool gone = true;

	put("app");
	assert_ok(failed_find(store, NULL, NULL, &found, &lock_fd));
	assert_ok(failed_drop(store, found.id, &gone));
	assert_false(gone);
	close(STEAL_FD(lock_fd));
	assert_ok(failed_drop(store, found.id, &gone));
	assert_true(gone);
	assert_int_equal(room_count("failed"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ROOM_TEST(what_is_put_is_found_as_it_was),
		ROOM_TEST(has_one_spelling),
		ROOM_TEST(the_last_few_are_kept_with_their_layers),
		ROOM_TEST(one_that_is_entered_stays),
	};

	return cmocka_run_group_tests(tests, tmp_setup, tmp_teardown);
}
