/* tests/unit/test_journal.c - events and logs of builds are kept, the newest hundred of them. */

#include "tests/unit/unit.h"

#include <errno.h>
#include <pthread.h>
#include <sys/resource.h>

#include "store/journal.h"
#include "tests/unit/room.h"

static char *text_of(const struct journal *journal, const char *file)
{
	AUTO(mem) char *path = xasprintf("builds/%s/%s", journal_id(journal), file);

	return room_text(path);
}

TEST(events_are_lines_and_logs_are_files)
{
	AUTO(journal) struct journal *journal = NULL;
	AUTO(mem) char *events = NULL;
	AUTO(mem) char *log = NULL;
	AUTO(mem) char *path = NULL;
	AUTO(mem) char *want = NULL;
	AUTO(fd) int again = -1;
	AUTO(fd) int fd = -1;

	assert_ok(journal_begin(store, &journal));
	journal_event(journal, STR("{\"a\":1}"));
	journal_event(journal, STR("{}"));
	assert_ok(journal_open_log(journal, 3, &fd));
	assert_ok(file_write_all(fd, "out\n", 4, "log"));
	assert_ok(journal_open_log(journal, 3, &again));
	assert_ok(file_write_all(again, "more\n", 5, "log"));
	events = text_of(journal, "events.jsonl");
	log = text_of(journal, "3.log");
	assert_string_equal(events, "{\"a\":1}\n{}\n");
	assert_string_equal(log, "out\nmore\n");
	path = journal_log_path(journal, 3);
	want = xasprintf("%s/builds/%s/3.log", room_path, journal_id(journal));
	assert_string_equal(path, want);
	assert_return_code(access(path, F_OK), errno);
	journal_free(NULL);
}

TEST(ids_sort_by_time)
{
	char before[64] = "";

	for (int i = 0; i < 50; i++) {
		AUTO(journal) struct journal *journal = NULL;

		assert_ok(journal_begin(store, &journal));
		assert_true(strcmp(before, journal_id(journal)) < 0);
		snprintf(before, sizeof(before), "%s", journal_id(journal));
	}
}

TEST(the_newest_are_kept_and_one_that_still_runs)
{
	AUTO(journal) struct journal *running = NULL;
	AUTO(mem) char *running_path = NULL;
	AUTO(mem) char *second_path = NULL;

	assert_ok(journal_begin(store, &running));
	for (int i = 0; i < JOURNAL_KEEP + 5; i++) {
		AUTO(journal) struct journal *journal = NULL;

		assert_ok(journal_begin(store, &journal));
		if (i == 0)
			second_path = xasprintf("builds/%s", journal_id(journal));
	}
	assert_in_range(room_count("builds"), JOURNAL_KEEP, JOURNAL_KEEP + 1);
	running_path = xasprintf("builds/%s", journal_id(running));
	assert_true(room_has(running_path));
	assert_false(room_has(second_path));
	journal_free(STEAL(running));
	assert_ok(journal_begin(store, &running));
	assert_false(room_has(running_path));
}

static void *write_events(void *arg)
{
	for (int i = 0; i < 500; i++)
		journal_event(arg, STR("{\"event\":\"a line that must stay in one piece\"}"));
	return NULL;
}

TEST(lines_of_threads_do_not_mix)
{
	AUTO(journal) struct journal *journal = NULL;
	AUTO(mem) char *events = NULL;
	pthread_t threads[4];
	struct str rest;
	size_t lines = 0;

	assert_ok(journal_begin(store, &journal));
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, write_events, journal), 0);
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	events = text_of(journal, "events.jsonl");
	rest = str_of(events);
	while (rest.len) {
		assert_true(str_is(str_cut(&rest, '\n'),
				   "{\"event\":\"a line that must stay in one piece\"}"));
		lines++;
	}
	assert_int_equal(lines, 2000);
}

static void limit_file_size(rlim_t limit)
{
	const struct rlimit r = { .rlim_cur = limit, .rlim_max = RLIM_INFINITY };

	assert_return_code(setrlimit(RLIMIT_FSIZE, &r), errno);
}

TEST(an_event_that_cannot_be_written_is_dropped)
{
	AUTO(journal) struct journal *journal = NULL;
	AUTO(mem) char *events = NULL;

	assert_ok(journal_begin(store, &journal));
	signal(SIGXFSZ, SIG_IGN);
	limit_file_size(0);
	journal_event(journal, STR("{}"));
	limit_file_size(RLIM_INFINITY);
	journal_event(journal, STR("{\"later\":1}"));
	events = text_of(journal, "events.jsonl");
	assert_string_equal(events, "{\"later\":1}\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ROOM_TEST(events_are_lines_and_logs_are_files),
		ROOM_TEST(ids_sort_by_time),
		ROOM_TEST(the_newest_are_kept_and_one_that_still_runs),
		ROOM_TEST(lines_of_threads_do_not_mix),
		ROOM_TEST(an_event_that_cannot_be_written_is_dropped),
	};

	return cmocka_run_group_tests(tests, tmp_setup, tmp_teardown);
}
