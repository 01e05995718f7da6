/* tests/unit/test_emulation.c - which programs can be executed, by what the kernel is told. */

#include "tests/unit/unit.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "builder/emulation.h"
#include "store/platform.h"
#include "tests/unit/tmp.h"

/* As the packages of qemu register them. */
#define AARCH64 "7f454c460201010000000000000000000200b700"
#define S390X "7f454c4602020100000000000000000000020016"
#define ARM "7f454c4601010100000000000000000002002800"

static void put(const char *name, const char *text)
{
	AUTO(mem) char *path = xasprintf("handlers/%s", name);

	AUTO(fd) int fd = openat(tmp_fd, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_ok(file_write_all(fd, text, strlen(text), path));
}

static bool runs(const char *platform)
{
	AUTO(mem) char *dir = xasprintf("%s/handlers", tmp_path);
	struct platform p;

	assert_ok(platform_parse(platform, &p));
	return emulation_runs(dir, &p);
}

TEST(an_emulator_counts_if_it_is_enabled_and_fixed)
{
	static const struct {
		const char *text;
		bool runs;
	} cases[] = {
		{ "enabled\ninterpreter /q\nflags: OCF\noffset 0\nmagic " AARCH64 "\nmask ff\n",
		  true },
		{ "enabled\ninterpreter /q\nflags: F\noffset 0\nmagic " AARCH64 "\n", true },
		{ "enabled\ninterpreter /q\nflags: OC\noffset 0\nmagic " AARCH64 "\n", false },
		{ "disabled\ninterpreter /q\nflags: F\noffset 0\nmagic " AARCH64 "\n", false },
		{ "enabled\ninterpreter /q\nflags: F\noffset 0\nmagic " ARM "\n", false },
		{ "enabled\ninterpreter /q\nflags: F\nextension .x\n", false },
		{ "enabled\ninterpreter /q\nflags: F\noffset 0\nmagic 7f454c46\n", false },
		{ "enabled\nflags: F\nmagic 7f454c46zz01010000000000000000000200b700\n", false },
		{ "", false },
	};
	struct platform host;

	platform_host(&host);
	if (strcmp(host.arch, "arm64") == 0)
		skip();
	assert_false(runs("linux/arm64")); /* no such directory */
	assert_int_equal(mkdirat(tmp_fd, "handlers", 0755), 0);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		put("qemu-aarch64", cases[i].text);
		if (runs("linux/arm64") != cases[i].runs)
			fail_msg("%s", cases[i].text);
	}
	put("qemu-s390x", "enabled\nflags: F\nmagic " S390X "\n");
	assert_true(runs("linux/s390x"));
	assert_false(runs("linux/ppc64le"));
	assert_false(runs("windows/s390x"));
	assert_ok(file_remove_tree(tmp_fd, "handlers"));
}

TEST(what_is_for_this_machine_needs_none)
{
	struct platform host;

	platform_host(&host);
	assert_true(emulation_runs("/nonexistent", &host));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_emulator_counts_if_it_is_enabled_and_fixed),
		cmocka_unit_test(what_is_for_this_machine_needs_none),
	};

	return cmocka_run_group_tests(tests, tmp_setup, tmp_teardown);
}
