/* tests/unit/test_volume.c - what -v says. */

#include "tests/unit/unit.h"

#include "base/vec.h"
#include "builder/volume.h"
#include "overlay/sandbox.h"

TEST(a_volume_is_read_and_its_target_is_clean)
{
	static const struct {
		const char *text, *source, *target;
		bool read_only;
	} cases[] = {
		{ "/etc:/a", "/etc", "/a", false },
		{ "/etc:/a:ro", "/etc", "/a", true },
		{ "/etc:/a:rw,z", "/etc", "/a", false },
		{ "/etc:/a:Z,ro", "/etc", "/a", true },
		{ "/etc://a/./b/../c/", "/etc", "/a/c", false },
		{ "/:/...", "/", "/...", false },
		{ "/etc:/../a", "/etc", "/a", false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(volumes) struct volumes volumes = { 0 };

		assert_ok(volumes_add(&volumes, cases[i].text));
		assert_int_equal(volumes.len, 1);
		assert_string_equal(volumes.at[0].source, cases[i].source);
		assert_string_equal(volumes.at[0].target, cases[i].target);
		assert_int_equal(volumes.at[0].read_only, cases[i].read_only);
	}
}

TEST(two_spellings_of_a_source_are_one)
{
	static const char *const texts[] = { "/etc:/a", "/etc/:/a", "//etc/../etc/.:/a", "etc:/a",
					     "./etc:/a" };

	assert_int_equal(chdir("/"), 0);
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		AUTO(volumes) struct volumes volumes = { 0 };

		assert_ok(volumes_add(&volumes, texts[i]));
		assert_string_equal(volumes.at[0].source, "/etc");
	}
}

TEST(what_is_no_volume_is_refused)
{
	static const struct {
		const char *text;
		enum err_kind kind;
	} cases[] = {
		{ "", ERR_INVALID },
		{ "/etc", ERR_INVALID },
		{ ":/a", ERR_INVALID },
		{ "/etc:", ERR_INVALID },
		{ "/etc:a", ERR_INVALID },
		{ "/etc:/", ERR_INVALID },
		{ "/etc:/a/..", ERR_INVALID },
		{ "/etc:/../.", ERR_INVALID },
		{ "/etc:/a:x", ERR_INVALID },
		{ "/etc:/a:", ERR_INVALID },
		{ "/no such:/a", ERR_NOT_FOUND },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(volumes) struct volumes volumes = { 0 };

		assert_fails(volumes_add(&volumes, cases[i].text), cases[i].kind);
		assert_int_equal(volumes.len, 0);
	}
}

TEST(there_is_room_for_the_mounts_of_a_run_besides)
{
	AUTO(volumes) struct volumes volumes = { 0 };

	for (size_t i = 0; i < VOLUMES_MAX; i++)
		assert_ok(volumes_add(&volumes, "/etc:/a"));
	assert_fails(volumes_add(&volumes, "/etc:/a"), ERR_INVALID);
	/* half of them for --mount, and a heredoc that is a program */
	assert_true(volumes.len + SANDBOX_MOUNTS_MAX / 2 + 1 <= SANDBOX_MOUNTS_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_volume_is_read_and_its_target_is_clean),
		cmocka_unit_test(two_spellings_of_a_source_are_one),
		cmocka_unit_test(what_is_no_volume_is_refused),
		cmocka_unit_test(there_is_room_for_the_mounts_of_a_run_besides),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
