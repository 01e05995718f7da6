/* tests/unit/test_step.c - a step is found again while its record and its layer are whole. */

#include "tests/unit/unit.h"

#include <errno.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "store/layer.h"
#include "store/step-private.h"
#include "store/step.h"
#include "tests/unit/room.h"

static const struct digest some_key = { .bytes = { 0xab, 0xcd } };
#define KEY_HEX "abcd000000000000000000000000000000000000000000000000000000000000"
#define KEY_PATH "steps/ab/" KEY_HEX

static void seal(char ret_lid[static LAYER_ID_SIZE])
{
	AUTO(layer_stage) struct layer_stage *stage = NULL;
	struct layer_meta meta = { .entries = 12 };

	assert_ok(layer_begin(store, &stage));
	assert_ok(layer_seal(stage, NULL, &meta));
	memcpy(ret_lid, meta.lid, LAYER_ID_SIZE);
}

/* Record a step with a layer and two inputs. */
static void put(struct step_record *record)
{
	*record = (struct step_record){
		.key = some_key,
		.created = { .tv_sec = 1700000000, .tv_nsec = 5 },
		.duration = 1234567,
	};
	seal(record->lid);
	step_add_input(record, "command", "echo 'a\tb' \\\n\t&& true");
	step_add_input(record, "file a\nb", "sha256:00");
	assert_ok(step_put(store, record));
}

static bool find(const struct digest *key, bool with_inputs)
{
	AUTO(step_record) struct step_record record = { 0 };
	struct layer_meta layer;
	bool found = false;

	assert_ok(step_find(store, key, with_inputs, &found, &record, &layer));
	return found;
}

/* ---- finding ---- */

TEST(a_step_is_found_with_its_layer)
{
	AUTO(step_record) struct step_record put_record = { 0 };
	AUTO(step_record) struct step_record record = { 0 };
	struct layer_meta layer;
	bool found = false;

	put(&put_record);
	assert_ok(step_find(store, &some_key, false, &found, &record, &layer));
	assert_true(found);
	assert_true(digest_equal(&record.key, &some_key));
	assert_string_equal(record.lid, put_record.lid);
	assert_int_equal(record.created.tv_sec, 1700000000);
	assert_int_equal(record.created.tv_nsec, 5);
	assert_int_equal(record.duration, 1234567);
	assert_int_equal(record.len, 0);
	assert_string_equal(layer.lid, put_record.lid);
	assert_int_equal(layer.entries, 12);
}

TEST(inputs_come_back_as_they_were)
{
	AUTO(step_record) struct step_record put_record = { 0 };
	AUTO(step_record) struct step_record record = { 0 };
	bool found = false;

	put(&put_record);
	assert_ok(step_find(store, &some_key, true, &found, &record, NULL));
	assert_true(found);
	assert_int_equal(record.len, 2);
	assert_string_equal(record.at[0].name, "command");
	assert_string_equal(record.at[0].value, "echo 'a\tb' \\\n\t&& true");
	assert_string_equal(record.at[1].name, "file a\nb");
	assert_string_equal(record.at[1].value, "sha256:00");
}

TEST(a_step_may_change_no_file)
{
	const struct step_record none = { .key = some_key };
	AUTO(step_record) struct step_record record = { 0 };
	struct layer_meta layer = { .lid = "x" };
	bool found = false;

	assert_ok(step_put(store, &none));
	assert_ok(step_find(store, &some_key, true, &found, &record, &layer));
	assert_true(found);
	assert_string_equal(record.lid, "");
	assert_string_equal(layer.lid, "");
}

TEST(an_unknown_key_is_a_miss)
{
	struct digest other = some_key;

	assert_false(find(&some_key, false));
	assert_ok(step_put(store, &(struct step_record){ .key = some_key }));
	other.bytes[31] = 1;
	assert_false(find(&other, false));
	assert_true(find(&some_key, false));
}

TEST(the_newer_record_of_a_key_counts)
{
	struct step_record record = { .key = some_key, .duration = 1 };
	AUTO(step_record) struct step_record back = { 0 };
	bool found = false;

	assert_ok(step_put(store, &record));
	record.duration = 2;
	assert_ok(step_put(store, &record));
	assert_ok(step_find(store, &some_key, false, &found, &back, NULL));
	assert_int_equal(back.duration, 2);
}

TEST(finding_pins_the_record_and_its_layer)
{
	AUTO(step_record) struct step_record record = { 0 };
	AUTO(mem) char *layer_line = NULL;

	put(&record);
	layer_line = xasprintf("L %s", record.lid);
	room_reopen();
	assert_true(find(&some_key, false));
	assert_true(map_has(&store->pinned, str_of("S " KEY_HEX)));
	assert_true(map_has(&store->pinned, str_of(layer_line)));
}

/* ---- trust ---- */

TEST(a_step_whose_layer_is_gone_or_not_trusted_is_a_miss)
{
	AUTO(step_record) struct step_record record = { 0 };

	put(&record);
	store_set_boot_id(store, "another-boot");
	assert_false(find(&some_key, false));
	room_reopen();
	assert_true(find(&some_key, false));
	assert_ok(store_sync(store));
	store_set_boot_id(store, "another-boot");
	assert_true(find(&some_key, false));
	assert_ok(layer_discard(store, record.lid));
	assert_false(find(&some_key, false));
	/* And nothing of a miss is kept from prune. */
	room_reopen();
	assert_false(find(&some_key, false));
	assert_int_equal(room_count("leases"), 0);
}

TEST(a_record_that_is_cut_or_altered_is_a_miss)
{
	AUTO(step_record) struct step_record record = { 0 };
	AUTO(mem) char *text = NULL;
	const char *inputs;
	size_t len;

	put(&record);
	text = room_text(KEY_PATH);
	len = strlen(text);
	inputs = strstr(text, "\ninput ") + 1;
	for (size_t cut = 0; cut < len; cut++) {
		room_put(KEY_PATH, text, cut);
		assert_false(find(&some_key, false));
		assert_false(find(&some_key, true));
	}
	for (size_t i = 0; i < len; i++) {
		text[i] ^= 4;
		room_put(KEY_PATH, text, len);
		assert_false(find(&some_key, true));
		if (text + i < inputs) /* without inputs their part is not looked at */
			assert_false(find(&some_key, false));
		text[i] ^= 4;
	}
	room_put(KEY_PATH, text, len);
	assert_true(find(&some_key, true));
}

TEST(a_record_under_another_key_is_a_miss)
{
	AUTO(step_record) struct step_record record = { 0 };
	struct digest other = some_key;
	AUTO(mem) char *text = NULL;
	char path[STORE_PATH_SIZE];

	put(&record);
	text = room_text(KEY_PATH);
	other.bytes[31] = 1;
	snprintf(path, sizeof(path), "%s", KEY_PATH);
	path[strlen(path) - 1] = '1';
	room_put(path, text, strlen(text));
	assert_false(find(&other, true));
}

TEST(things_that_are_no_files_are_misses)
{
	assert_ok(step_put(store, &(struct step_record){ .key = some_key }));
	assert_return_code(unlinkat(store_fd(store), KEY_PATH, 0), errno);
	assert_return_code(mkdirat(store_fd(store), KEY_PATH, 0700), errno);
	assert_false(find(&some_key, false));
	assert_return_code(unlinkat(store_fd(store), KEY_PATH, AT_REMOVEDIR), errno);
	assert_return_code(symlinkat("/etc/passwd", store_fd(store), KEY_PATH), errno);
	assert_false(find(&some_key, false));
	assert_return_code(unlinkat(store_fd(store), KEY_PATH, 0), errno);
	assert_return_code(mkfifoat(store_fd(store), KEY_PATH, 0600), errno);
	assert_false(find(&some_key, false));
}

/* ---- last use ---- */

static time_t used(void)
{
	struct stat st;

	assert_return_code(fstatat(store_fd(store), KEY_PATH, &st, 0), errno);
	return st.st_mtime;
}

static void set_used(time_t when)
{
	const struct timespec times[] = { { .tv_sec = when }, { .tv_sec = when } };

	assert_return_code(utimensat(store_fd(store), KEY_PATH, times, 0), errno);
}

TEST(the_last_use_is_noted_once_an_hour)
{
	time_t now = clock_now().tv_sec;

	assert_ok(step_put(store, &(struct step_record){ .key = some_key }));
	set_used(now - 3000);
	assert_true(find(&some_key, false));
	assert_int_equal(used(), now - 3000);
	set_used(now - 4000);
	assert_true(find(&some_key, false));
	assert_in_range(used(), now, now + 60);
	set_used(now + 100000); /* a clock that was wrong once */
	assert_true(find(&some_key, false));
	assert_in_range(used(), now, now + 60);
}

/* ---- the text ---- */

TEST(the_text_is_as_documented)
{
	AUTO(step_record)
	struct step_record record = {
		.key = some_key,
		.lid = "abcdefghijklmnopqrstuvwx23",
		.created = { .tv_sec = 1, .tv_nsec = 2 },
		.duration = 3,
	};
	AUTO(buf) struct buf text = BUF_INIT(STEP_MAX);

	step_add_input(&record, "env A", "1");
	assert_ok(step_format(&record, &text));
	/* Sums from sha256sum over what stands before them. */
	assert_string_equal(text.at, "cairn-step 1\n"
				     "key sha256:" KEY_HEX "\n"
				     "layer abcdefghijklmnopqrstuvwx23\n"
				     "created 1 2\n"
				     "duration 3\n"
				     "inputs 1 35\n"
				     "sum b80de4aafcbf75ea\n"
				     "input env A\t1\n"
				     "sum a5da4900ea5e18db\n");
}

/* Of ten tries the fastest, in nanoseconds. */
static uint64_t time_of_find(bool inputs, size_t want)
{
	uint64_t best = UINT64_MAX;

	for (int i = 0; i < 10; i++) {
		AUTO(step_record) struct step_record back = { 0 };
		const uint64_t begun = clock_monotonic();
		uint64_t took;
		bool found = false;

		assert_ok(step_find(store, &some_key, inputs, &found, &back, NULL));
		took = clock_monotonic() - begun;
		best = took < best ? took : best;
		assert_true(found);
		assert_int_equal(back.len, want);
	}
	return best;
}

TEST(an_input_list_of_twenty_thousand_files_does_not_slow_the_look_up)
{
	AUTO(step_record) struct step_record record = { .key = some_key };

	for (unsigned i = 0; i < 20000; i++) {
		AUTO(mem) char *name = xasprintf("file src/some/where/file-%u.c", i);

		step_add_input(&record, name, "sha256:" KEY_HEX);
	}
	assert_ok(step_put(store, &record));
	assert_true(time_of_find(false, 0) * 5 < time_of_find(true, 20000));
}

/* ---- one worker per key ---- */

/* Make the step unless it is there; the exit code says who made it. */
static bool make_once(void *arg)
{
	AUTO(step_record) struct step_record record = { .key = some_key };
	AUTO(lock) struct lock single = LOCK_INIT;
	bool found = false;
	CHILD_STORE(mine);

	CHECK_OK(store_single(mine, &some_key, NULL, &single));
	CHECK_OK(step_find(mine, &some_key, false, &found, &record, NULL));
	if (!found) {
		CHECK(write(*(int *)arg, "!", 1) == 1);
		usleep(20000);
		CHECK_OK(step_put(mine, &record));
	}
	lock_release(&single);
	store_close(mine);
	return true;
}

TEST(of_many_that_need_a_step_one_makes_it)
{
	pid_t children[6];
	int pipe_fds[2];
	char made[8];

	assert_return_code(pipe(pipe_fds), errno);
	for (size_t i = 0; i < ARRAY_SIZE(children); i++)
		children[i] = child_start(make_once, &pipe_fds[1]);
	for (size_t i = 0; i < ARRAY_SIZE(children); i++)
		assert_int_equal(child_wait(children[i]), 0);
	assert_int_equal(read(pipe_fds[0], made, sizeof(made)), 1);
	close(pipe_fds[0]);
	close(pipe_fds[1]);
}

static void note_wait(void *self)
{
	*(int *)self += 1;
}

static bool is_unwanted(void *self)
{
	return *(int *)self > 0; /* as soon as it has to be waited for */
}

static bool give_way(__attribute__((unused)) void *arg)
{
	AUTO(lock) struct lock single = LOCK_INIT;
	int waits = 0;
	const struct lock_wait wait = { note_wait, is_unwanted, &waits };
	AUTO(err) struct err *err = NULL;
	CHILD_STORE(mine);

	err = store_single(mine, &some_key, &wait, &single);
	CHECK(err_kind(err) == ERR_CANCELLED);
	CHECK(waits == 1);
	store_close(mine);
	return true;
}

TEST(a_wait_for_a_step_is_told_of_and_may_be_called_off)
{
	AUTO(lock) struct lock single = LOCK_INIT;
	int waits = 0;
	const struct lock_wait wait = { note_wait, is_unwanted, &waits };

	assert_ok(store_single(store, &some_key, &wait, &single));
	assert_int_equal(waits, 0);
	child_run(give_way, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ROOM_TEST(a_step_is_found_with_its_layer),
		ROOM_TEST(inputs_come_back_as_they_were),
		ROOM_TEST(a_step_may_change_no_file),
		ROOM_TEST(an_unknown_key_is_a_miss),
		ROOM_TEST(the_newer_record_of_a_key_counts),
		ROOM_TEST(finding_pins_the_record_and_its_layer),
		ROOM_TEST(a_step_whose_layer_is_gone_or_not_trusted_is_a_miss),
		ROOM_TEST(a_record_that_is_cut_or_altered_is_a_miss),
		ROOM_TEST(a_record_under_another_key_is_a_miss),
		ROOM_TEST(things_that_are_no_files_are_misses),
		ROOM_TEST(the_last_use_is_noted_once_an_hour),
		ROOM_TEST(the_text_is_as_documented),
		ROOM_TEST(an_input_list_of_twenty_thousand_files_does_not_slow_the_look_up),
		ROOM_TEST(of_many_that_need_a_step_one_makes_it),
		ROOM_TEST(a_wait_for_a_step_is_told_of_and_may_be_called_off),
	};

	return cmocka_run_group_tests(tests, tmp_setup, tmp_teardown);
}
