/* tests/unit/test_git_progress.c - what git says of a fetch. */

#include "tests/unit/unit.h"

#include <string.h>

#include "base/progress.h"
#include "builder/git_progress.h"

TEST(the_last_line_about_bytes_counts)
{
	static const struct {
		const char *text;
		uint64_t bytes;
	} cases[] = {
		{ "", 0 },
		{ "remote: Counting objects: 100% (3/3), done.\n", 0 },
		{ "Receiving objects:  33% (1/3)\r", 0 },
		{ "Receiving objects: 100% (3/3), done.\n", 0 },
		{ "Receiving objects:  33% (1/3), 12 bytes | 1.00 KiB/s\r", 12 },
		{ "Receiving objects:  45% (9/20), 1.50 MiB | 700.00 KiB/s\r", 1572864 },
		{ "Receiving objects: 100% (20/20), 2.25 GiB | 7.00 MiB/s, done.\n", 2415919104 },
		{ "Receiving objects:  45% (9/20), 1.00 KiB | 1 KiB/s\rReceiving objects:  50% (10/20), "
		  "2.00 KiB | 1 KiB/s\r",
		  2048 },
		{ "Receiving objects:  45% (9/20), 2.00 KiB | 1 KiB/s\rReceiving obj", 2048 },
		{ "Receiving objects:  45% (9/20), 99999999999 GiB | x\r", 0 },
		{ "Receiving objects:  45% (9/20), -1.00 KiB | x\r", 0 },
		{ "remote: Receiving objects:  45% (9/20), 1.00 KiB | x\r", 0 },
		{ "Receiving objects: ,,,|||\r\r\r", 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint64_t got = git_progress_read(str_of(cases[i].text));

		if (got != cases[i].bytes)
			fail_msg("%s: %ju", cases[i].text, (uintmax_t)got);
	}
}

static uint64_t sum;

static void begin(void *self, uint64_t id, const char *what, uint64_t total)
{
	(void)self, (void)id, (void)what, (void)total;
}

static void advance(void *self, uint64_t id, uint64_t n)
{
	(void)self, (void)id;
	sum += n;
}

static void end(void *self, uint64_t id, bool ok)
{
	(void)self, (void)id, (void)ok;
}

TEST(it_never_goes_back)
{
	static const struct progress_ops ops = { begin, advance, end };
	struct progress progress = { .ops = &ops };
	struct git_progress git = { .progress = &progress, .id = 1 };

	sum = 0;
	git_progress_hear(&git, str_of("Receiving objects:  1% (1/99), 2.00 KiB | x\r"));
	assert_int_equal(sum, 2048);
	git_progress_hear(&git, str_of("Receiving objects:  2% (2/99), 1.00 KiB | x\r"));
	assert_int_equal(sum, 2048);
	git_progress_settle(&git, 2000);
	assert_int_equal(sum, 2048);
	git_progress_settle(&git, 2049);
	assert_int_equal(sum, 2049);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_last_line_about_bytes_counts),
		cmocka_unit_test(it_never_goes_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
