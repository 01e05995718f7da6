/* tests/unit/test_mem.c - memory comes zeroed or not at all; ownership ends with the scope. */

#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/wait.h>

#include "base/mem.h"
#include "base/str.h"

TEST(memory_comes_zeroed_even_none_of_it)
{
	static const char zeros[64];
	AUTO(mem) char *p = xcalloc(4, 16);
	AUTO(mem) char *none = xcalloc(0, 16);
	AUTO(mem) char *nothing = xcalloc(16, 0);

	assert_memory_equal(p, zeros, sizeof(zeros));
	assert_non_null(none);
	assert_non_null(nothing);
}

TEST(text_is_printed_into_memory_of_its_size)
{
	AUTO(mem) char *empty = xasprintf("%s", "");
	AUTO(mem) char *text = xasprintf("%s:%d", "layer", 42);
	AUTO(mem) char *wide = xasprintf("%5000d", 1);

	assert_string_equal(empty, "");
	assert_string_equal(text, "layer:42");
	assert_int_equal(strlen(wide), 5000);
}

#ifdef __SANITIZE_ADDRESS__
/* As libc does it, instead of ending the program itself. */
const char *__asan_default_options(void);

const char *__asan_default_options(void)
{
	return "allocator_may_return_null=1";
}
#endif

/* How a child ends that asks `ask` for more than there is. */
static int end_of_child(void (*ask)(void))
{
	int status = 0;
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0) {
		int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

		dup2(null, STDERR_FILENO); /* its last words */
		ask();
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	return status;
}

static size_t huge(void)
{
	volatile size_t half = SIZE_MAX / 2; /* unseen by the compiler */

	return half;
}

static void ask_calloc(void)
{
	free(xcalloc(huge(), 4));
}

static void ask_realloc(void)
{
	free(xrealloc(NULL, huge(), 4));
}

TEST(running_out_of_memory_ends_the_program)
{
	int status = end_of_child(ask_calloc);

	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 1);
	mem_exhausted_code(125);
	status = end_of_child(ask_realloc);
	mem_exhausted_code(1);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 125);
}

TEST(a_descriptor_is_closed_at_the_end_of_its_scope)
{
	int seen;

	{
		AUTO(fd) int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
		AUTO(fd) int none = -1;

		seen = fd;
		assert_true(fcntl(seen, F_GETFD) >= 0);
		assert_int_equal(none, -1);
	}
	assert_int_equal(fcntl(seen, F_GETFD), -1);
	assert_int_equal(errno, EBADF);
}

static int open_and_keep(void)
{
	AUTO(fd) int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	return STEAL_FD(fd);
}

static char *print_and_keep(void)
{
	AUTO(mem) char *text = xasprintf("kept");

	return STEAL(text);
}

TEST(what_is_stolen_leaves_its_scope)
{
	AUTO(fd) int fd = open_and_keep();
	AUTO(mem) char *text = print_and_keep();
	char *again;

	assert_true(fcntl(fd, F_GETFD) >= 0);
	assert_string_equal(text, "kept");
	again = STEAL(text);
	assert_null(text);
	free(again);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(memory_comes_zeroed_even_none_of_it),
		cmocka_unit_test(text_is_printed_into_memory_of_its_size),
		cmocka_unit_test(running_out_of_memory_ends_the_program),
		cmocka_unit_test(a_descriptor_is_closed_at_the_end_of_its_scope),
		cmocka_unit_test(what_is_stolen_leaves_its_scope),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
