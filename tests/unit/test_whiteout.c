/* tests/unit/test_whiteout.c - OCI's and overlayfs's spellings of "deleted". */

#include "tests/unit/unit.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/mem.h"
#include "overlay/whiteout.h"

static int scratch_fd; /* an empty directory of the whole group */
static char scratch[] = "/tmp/cairn-test-whiteout-XXXXXX";

static int make_scratch(__attribute__((unused)) void **state)
{
	if (!mkdtemp(scratch))
		return -1;
	scratch_fd = open(scratch, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return scratch_fd < 0;
}

static int drop_scratch(__attribute__((unused)) void **state)
{
	unlinkat(scratch_fd, "gone", 0);
	unlinkat(scratch_fd, "dir", AT_REMOVEDIR);
	close(scratch_fd);
	return rmdir(scratch);
}

TEST(the_last_component_says_what_it_hides)
{
	static const struct {
		const char *name;
		enum whiteout_kind kind;
		const char *hides;
	} cases[] = {
		{ "etc", WHITEOUT_NONE, NULL },
		{ ".wh", WHITEOUT_NONE, NULL },
		{ ".who", WHITEOUT_NONE, NULL },
		{ "a.wh.b", WHITEOUT_NONE, NULL },
		{ ".WH.a", WHITEOUT_NONE, NULL },
		{ ".wh.etc", WHITEOUT_FILE, "etc" },
		{ ".wh..hidden", WHITEOUT_FILE, ".hidden" },
		{ ".wh....", WHITEOUT_FILE, "..." },
		{ ".wh..wh", WHITEOUT_FILE, ".wh" },
		{ ".wh.\n\xff", WHITEOUT_FILE, "\n\xff" },
		{ ".wh..wh..opq", WHITEOUT_OPAQUE, NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		enum whiteout_kind kind = WHITEOUT_NONE;
		const char *hides = NULL;

		assert_ok(whiteout_parse(cases[i].name, &kind, &hides));
		assert_int_equal(kind, cases[i].kind);
		if (cases[i].hides)
			assert_string_equal(hides, cases[i].hides);
		assert_int_equal(whiteout_reserved(cases[i].name), cases[i].kind != WHITEOUT_NONE);
	}
}

TEST(a_whiteout_of_something_impossible_is_refused)
{
	static const char *const names[] = {
		".wh.",        ".wh..",        ".wh...",        ".wh..wh.",         ".wh..wh.x",
		".wh..wh..op", ".wh..wh.plnk", ".wh..wh..opqs", ".wh..wh..wh..opq",
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		enum whiteout_kind kind;
		const char *hides;

		assert_fails(whiteout_parse(names[i], &kind, &hides), ERR_INVALID);
		assert_true(whiteout_reserved(names[i]));
	}
}

TEST(a_whiteout_is_a_character_device_with_number_zero)
{
	struct stat st = { 0 };

	assert_ok(whiteout_make(scratch_fd, "gone"));
	assert_int_equal(fstatat(scratch_fd, "gone", &st, AT_SYMLINK_NOFOLLOW), 0);
	assert_true(whiteout_is(&st));
	assert_fails(whiteout_make(scratch_fd, "gone"), ERR_SYSTEM);

	st.st_rdev = makedev(1, 3);
	assert_false(whiteout_is(&st));
	st = (struct stat){ .st_mode = S_IFBLK };
	assert_false(whiteout_is(&st));
	st = (struct stat){ .st_mode = S_IFREG };
	assert_false(whiteout_is(&st));
}

TEST(opaque_means_the_value_y_and_nothing_else)
{
	AUTO(fd) int dir = -1;
	bool opaque = true;
	char value[2];

	assert_int_equal(mkdirat(scratch_fd, "dir", 0755), 0);
	dir = openat(scratch_fd, "dir", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_ok(whiteout_is_opaque(dir, &opaque));
	assert_false(opaque);

	assert_ok(whiteout_set_opaque(dir));
	assert_ok(whiteout_is_opaque(dir, &opaque));
	assert_true(opaque);
	assert_int_equal(fgetxattr(dir, "user.overlay.opaque", value, sizeof(value)), 1);
	assert_int_equal(value[0], 'y');

	/* Linux 6.7 writes "x" where xattr whiteouts may lie; the directory hides nothing. */
	assert_int_equal(fsetxattr(dir, "user.overlay.opaque", "x", 1, 0), 0);
	assert_ok(whiteout_is_opaque(dir, &opaque));
	assert_false(opaque);
	assert_int_equal(fsetxattr(dir, "user.overlay.opaque", "yy", 2, 0), 0);
	assert_ok(whiteout_is_opaque(dir, &opaque));
	assert_false(opaque);
}

TEST(xattrs_of_overlayfs_stay_in_the_store)
{
	static const struct {
		const char *stored, *outside; /* NULL: private */
	} cases[] = {
		{ "user.mime", "user.mime" },
		{ "security.capability", "security.capability" },
		{ "user.overlay", "user.overlay" },
		{ "user.overlays.x", "user.overlays.x" },
		{ "user.overlay.", NULL },
		{ "user.overlay.opaque", NULL },
		{ "user.overlay.origin", NULL },
		{ "user.overlay.overlay", NULL },
		{ "trusted.overlay.redirect", NULL },
		{ "user.overlay.overlay.opaque", "user.overlay.opaque" },
		{ "user.overlay.overlay.", "user.overlay." },
		{ "user.overlay.overlay.overlay.x", "user.overlay.overlay.x" },
		{ "trusted.overlay.overlay.opaque", "trusted.overlay.opaque" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char buf[64];
		const char *outside = whiteout_xattr_unescape(cases[i].stored, buf);
		AUTO(mem) char *stored = NULL;

		assert_int_equal(whiteout_xattr_is_private(cases[i].stored), !cases[i].outside);
		if (!cases[i].outside) {
			assert_null(outside);
			continue;
		}
		assert_string_equal(outside, cases[i].outside);
		stored = whiteout_xattr_escape(cases[i].outside);
		assert_string_equal(stored, cases[i].stored);
		assert_false(whiteout_xattr_is_private(stored));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_last_component_says_what_it_hides),
		cmocka_unit_test(a_whiteout_of_something_impossible_is_refused),
		cmocka_unit_test(a_whiteout_is_a_character_device_with_number_zero),
		cmocka_unit_test(opaque_means_the_value_y_and_nothing_else),
		cmocka_unit_test(xattrs_of_overlayfs_stay_in_the_store),
	};

	return cmocka_run_group_tests(tests, make_scratch, drop_scratch);
}
