/* tests/unit/test_log.c - remarks go where the front end wants them, from any thread. */

#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/str.h"

/* What a handler was given last. */
struct heard {
	int count;
	enum log_level level;
	char line[100];
};

static void hear(enum log_level level, const char *line, void *arg)
{
	struct heard *heard = arg;

	heard->count++;
	heard->level = level;
	snprintf(heard->line, sizeof(heard->line), "%s", line);
	errno = EDOM; /* a handler may fail at something */
}

TEST(lines_go_to_the_handler_as_they_are)
{
	struct heard heard = { 0 };

	log_set_handler(hear, &heard);
	log_warn("disk %d%% \x1b[31m full", 99);
	assert_int_equal(heard.count, 1);
	assert_int_equal(heard.level, LOG_WARN);
	assert_string_equal(heard.line, "disk 99% \x1b[31m full");
	log_info("hello");
	assert_int_equal(heard.level, LOG_INFO);
	log_set_handler(NULL, NULL);
}

TEST(only_the_levels_asked_for_are_shown)
{
	static const struct {
		enum log_level lowest;
		int want;
	} cases[] = { { LOG_DEBUG, 3 }, { LOG_INFO, 2 }, { LOG_WARN, 1 } };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct heard heard = { 0 };

		log_set_handler(hear, &heard);
		log_set_level(cases[i].lowest);
		log_debug("d");
		log_info("i");
		log_warn("w");
		assert_int_equal(heard.count, cases[i].want);
	}
	log_set_level(LOG_INFO);
	log_set_handler(NULL, NULL);
}

TEST(errno_stays)
{
	struct heard heard = { 0 };

	log_set_handler(hear, &heard);
	errno = ENOENT;
	log_info("about to report");
	assert_int_equal(errno, ENOENT);
	log_set_handler(NULL, NULL);
}

/* Everything that `say` writes to stderr. */
static char *stderr_of(void (*say)(void))
{
	AUTO(buf) struct buf text = BUF_INIT(65536);
	char piece[4096];
	ssize_t len;
	int ends[2];
	int before = dup(STDERR_FILENO);

	assert_true(before >= 0);
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_int_equal(dup2(ends[1], STDERR_FILENO), STDERR_FILENO);
	close(ends[1]);
	say();
	dup2(before, STDERR_FILENO); /* the last writing end: the pipe ends */
	close(before);
	while ((len = read(ends[0], piece, sizeof(piece))) > 0)
		buf_add(&text, piece, (size_t)len);
	close(ends[0]);
	return buf_steal(&text);
}

static void say_all(void)
{
	log_debug("not by default");
	log_info("pulled %s", "a\tb");
	log_warn("odd name: %s", "x\ny\x1b[2J");
	log_info("%s", "");
}

TEST(by_default_escaped_lines_go_to_stderr)
{
	AUTO(mem) char *text = stderr_of(say_all);

	assert_string_equal(text, "pulled a\tb\n"
				  "warning: odd name: x\\x0ay\\x1b[2J\n"
				  "\n");
}

static void say_debug(void)
{
	log_set_level(LOG_DEBUG);
	log_debug("inner workings");
	log_set_level(LOG_INFO);
}

TEST(debug_lines_say_so)
{
	AUTO(mem) char *text = stderr_of(say_debug);

	assert_string_equal(text, "debug: inner workings\n");
}

static void say_long(void)
{
	char line[10001];

	memset(line, 0x1b, sizeof(line));
	line[10000] = '\0';
	log_info("%s", line);
}

TEST(long_lines_are_whole)
{
	AUTO(mem) char *text = stderr_of(say_long);

	assert_int_equal(strlen(text), 40001);
	assert_int_equal(text[40000], '\n');
}

static void count_line(__attribute__((unused)) enum log_level level, const char *line, void *arg)
{
	if (strcmp(line, "line 7") == 0)
		__atomic_fetch_add((int *)arg, 1, __ATOMIC_RELAXED);
}

static void *log_much(__attribute__((unused)) void *arg)
{
	for (int i = 0; i < 1000; i++)
		log_info("line %d", 7);
	return NULL;
}

TEST(any_thread_may_log)
{
	pthread_t threads[4];
	int count = 0;

	log_set_handler(count_line, &count);
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, log_much, NULL), 0);
	for (int i = 0; i < 100; i++)
		log_set_handler(count_line, &count);
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(count, 4000);
	log_set_handler(NULL, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_go_to_the_handler_as_they_are),
		cmocka_unit_test(only_the_levels_asked_for_are_shown),
		cmocka_unit_test(errno_stays),
		cmocka_unit_test(by_default_escaped_lines_go_to_stderr),
		cmocka_unit_test(debug_lines_say_so),
		cmocka_unit_test(long_lines_are_whole),
		cmocka_unit_test(any_thread_may_log),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
