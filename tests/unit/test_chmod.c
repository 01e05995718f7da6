/* tests/unit/test_chmod.c - the table is what GNU chmod(1) makes of the same modes, umask 0. */

#include "tests/unit/unit.h"

#include <sys/stat.h>

#include "base/str.h"
#include "builder/chmod.h"

TEST(changes_modes_as_chmod_does)
{
	static const struct {
		const char *spec;
		mode_t before, after;
	} cases[] = {
		{ "u=rwX,go=rX", S_IFREG | 0644, 0644 },
		{ "u=rwX,go=rX", S_IFREG | 0755, 0755 },
		{ "u=rwX,go=rX", S_IFDIR | 0700, 0755 },
		{ "u=rwX,go=rX", S_IFREG | 04711, 0755 },
		{ "a+x", S_IFREG | 0644, 0755 },
		{ "a+x", S_IFREG | 0755, 0755 },
		{ "a+x", S_IFDIR | 0700, 0711 },
		{ "a+x", S_IFREG | 04711, 04711 },
		{ "go-w", S_IFREG | 0644, 0644 },
		{ "go-w", S_IFREG | 0755, 0755 },
		{ "go-w", S_IFDIR | 0700, 0700 },
		{ "go-w", S_IFREG | 04711, 04711 },
		{ "u+s", S_IFREG | 0644, 04644 },
		{ "u+s", S_IFREG | 0755, 04755 },
		{ "u+s", S_IFDIR | 0700, 04700 },
		{ "u+s", S_IFREG | 04711, 04711 },
		{ "g+s", S_IFREG | 0644, 02644 },
		{ "g+s", S_IFREG | 0755, 02755 },
		{ "g+s", S_IFDIR | 0700, 02700 },
		{ "g+s", S_IFREG | 04711, 06711 },
		{ "+t", S_IFREG | 0644, 01644 },
		{ "+t", S_IFREG | 0755, 01755 },
		{ "+t", S_IFDIR | 0700, 01700 },
		{ "+t", S_IFREG | 04711, 05711 },
		{ "o=u", S_IFREG | 0644, 0646 },
		{ "o=u", S_IFREG | 0755, 0757 },
		{ "o=u", S_IFDIR | 0700, 0707 },
		{ "o=u", S_IFREG | 04711, 04717 },
		{ "g=o", S_IFREG | 0644, 0644 },
		{ "g=o", S_IFREG | 0755, 0755 },
		{ "g=o", S_IFDIR | 0700, 0700 },
		{ "g=o", S_IFREG | 04711, 04711 },
		{ "u-x,g+w", S_IFREG | 0644, 0664 },
		{ "u-x,g+w", S_IFREG | 0755, 0675 },
		{ "u-x,g+w", S_IFDIR | 0700, 0620 },
		{ "u-x,g+w", S_IFREG | 04711, 04631 },
		{ "=r", S_IFREG | 0644, 0444 },
		{ "=r", S_IFREG | 0755, 0444 },
		{ "=r", S_IFDIR | 0700, 0444 },
		{ "=r", S_IFREG | 04711, 0444 },
		{ "a=X", S_IFREG | 0644, 00 },
		{ "a=X", S_IFREG | 0755, 0111 },
		{ "a=X", S_IFDIR | 0700, 0111 },
		{ "a=X", S_IFREG | 04711, 0111 },
		{ "u=rw,g=r,o=", S_IFREG | 0644, 0640 },
		{ "u=rw,g=r,o=", S_IFREG | 0755, 0640 },
		{ "u=rw,g=r,o=", S_IFDIR | 0700, 0640 },
		{ "u=rw,g=r,o=", S_IFREG | 04711, 0640 },
		{ "ug+rwx,o-rwx", S_IFREG | 0644, 0770 },
		{ "ug+rwx,o-rwx", S_IFREG | 0755, 0770 },
		{ "ug+rwx,o-rwx", S_IFDIR | 0700, 0770 },
		{ "ug+rwx,o-rwx", S_IFREG | 04711, 04770 },
		{ "u+X", S_IFREG | 0644, 0644 },
		{ "u+X", S_IFREG | 0755, 0755 },
		{ "u+X", S_IFDIR | 0700, 0700 },
		{ "u+X", S_IFREG | 04711, 04711 },
		{ "o+t", S_IFREG | 0644, 01644 },
		{ "o+t", S_IFREG | 0755, 01755 },
		{ "o+t", S_IFDIR | 0700, 01700 },
		{ "o+t", S_IFREG | 04711, 05711 },
		{ "u=s", S_IFREG | 0644, 04044 },
		{ "u=s", S_IFREG | 0755, 04055 },
		{ "u=s", S_IFDIR | 0700, 04000 },
		{ "u=s", S_IFREG | 04711, 04011 },
		{ "-x+w", S_IFREG | 0644, 0666 },
		{ "-x+w", S_IFREG | 0755, 0666 },
		{ "-x+w", S_IFDIR | 0700, 0622 },
		{ "-x+w", S_IFREG | 04711, 04622 },
		{ "0", S_IFREG | 0644, 00 },
		{ "0", S_IFREG | 0755, 00 },
		{ "0", S_IFDIR | 0700, 00 },
		{ "0", S_IFREG | 04711, 00 },
		{ "7777", S_IFREG | 0644, 07777 },
		{ "7777", S_IFREG | 0755, 07777 },
		{ "7777", S_IFDIR | 0700, 07777 },
		{ "7777", S_IFREG | 04711, 07777 },
		{ "4755", S_IFREG | 0644, 04755 },
		{ "4755", S_IFREG | 0755, 04755 },
		{ "4755", S_IFDIR | 0700, 04755 },
		{ "4755", S_IFREG | 04711, 04755 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct chmod_spec spec;
		mode_t after;

		assert_ok(chmod_parse(str_of(cases[i].spec), &spec));
		after = chmod_apply(&spec, cases[i].before);
		if (after != cases[i].after)
			fail_msg("%s on %o: %o, not %o", cases[i].spec, cases[i].before, after,
				 cases[i].after);
	}
}

TEST(refuses_what_is_no_mode)
{
	static const char *const wrong[] = { "",    "8",   "644x", "17777", "u",      "rw",
					     "u=q", "u*x", ",",    "u+x,",  "u=rw g", "-5" };

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		struct chmod_spec spec = { .count = 99 };
		AUTO(err) struct err *err = chmod_parse(str_of(wrong[i]), &spec);

		if (err_kind(err) != ERR_INVALID)
			fail_msg("'%s' was taken for a mode", wrong[i]);
		assert_int_equal(spec.count, 99);
	}
}

TEST(without_a_mode_nothing_changes)
{
	const struct chmod_spec none = { 0 };

	assert_int_equal(chmod_apply(&none, S_IFREG | 04751), 04751);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(changes_modes_as_chmod_does),
		cmocka_unit_test(refuses_what_is_no_mode),
		cmocka_unit_test(without_a_mode_nothing_changes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
