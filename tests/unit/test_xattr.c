/* tests/unit/test_xattr.c - which attributes belong to an image, and how they are stored. */

#include "tests/unit/unit.h"

#include <fcntl.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "overlay/xattr.h"
#include "tests/unit/tmp.h"

static int make_file(const char *name)
{
	int fd = openat(tmp_fd, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	return fd;
}

static void set(int fd, const char *name, const char *value)
{
	assert_int_equal(fsetxattr(fd, name, value, strlen(value), 0), 0);
}

TEST(attributes_of_images_are_told_from_those_of_machines)
{
	static const char *const kept[] = {
		"user.x",       "user.overlay.opaque",     "security.capability",
		"security.ima", "system.posix_acl_access", "system.posix_acl_default"
	};
	static const char *const dropped[] = { "user.",
					       "user",
					       "security.selinux",
					       "security.evm",
					       "trusted.x",
					       "trusted.overlay.opaque",
					       "system.nfs4_acl",
					       "",
					       "security.capability2",
					       "user.cairn.owner",
					       "user.cairn.device",
					       "user.fuseoverlayfs.opaque" };

	for (size_t i = 0; i < ARRAY_SIZE(kept); i++)
		assert_true(xattr_kept(kept[i]));
	for (size_t i = 0; i < ARRAY_SIZE(dropped); i++)
		assert_false(xattr_kept(dropped[i]));
}

TEST(a_layer_and_a_view_spell_them_differently)
{
	AUTO(xattrs) struct xattrs layer = { 0 }, view = { 0 };
	AUTO(fd) int fd = make_file("spelling");

	set(fd, "user.overlay.origin", "private");
	set(fd, "user.overlay.overlay.opaque", "y");
	set(fd, "user.z", "");
	set(fd, "user.a", "1");
	set(fd, "trusted.t", "no");

	assert_ok(xattrs_read(fd, XATTR_LAYER, &layer));
	assert_int_equal(layer.len, 3);
	assert_string_equal(layer.at[0].name, "user.a");
	assert_true(str_is(layer.at[0].value, "1"));
	assert_string_equal(layer.at[1].name, "user.overlay.opaque");
	assert_true(str_is(layer.at[1].value, "y"));
	assert_string_equal(layer.at[2].name, "user.z");
	assert_int_equal(layer.at[2].value.len, 0);

	assert_ok(xattrs_read(fd, XATTR_VIEW, &view));
	assert_int_equal(view.len, 4);
	assert_string_equal(view.at[1].name, "user.overlay.origin");
	assert_string_equal(view.at[2].name, "user.overlay.overlay.opaque");
	assert_false(xattrs_equal(&layer, &view));
}

TEST(what_is_applied_can_be_read_again_and_cleared)
{
	static const struct tar_xattr given[] = { { "trusted.t", { "dropped", 7 } },
						  { "user.a", { "x\0\n", 3 } },
						  { "user.b", { "", 0 } },
						  { "user.overlay.opaque", { "y", 1 } } };
	AUTO(xattrs) struct xattrs got = { 0 }, again = { 0 };
	AUTO(fd) int fd = make_file("apply"), other = make_file("apply-other");
	char value[8];

	assert_ok(xattrs_apply(fd, XATTR_LAYER, given, ARRAY_SIZE(given), "user.b"));
	assert_int_equal(fgetxattr(fd, "user.overlay.overlay.opaque", value, sizeof(value)), 1);
	assert_true(fgetxattr(fd, "user.overlay.opaque", value, sizeof(value)) < 0);
	assert_true(fgetxattr(fd, "trusted.t", value, sizeof(value)) < 0);
	assert_ok(xattrs_read(fd, XATTR_LAYER, &got));
	assert_int_equal(got.len, 2);
	assert_int_equal(got.at[0].value.len, 3);
	assert_memory_equal(got.at[0].value.at, "x\0\n", 3);

	assert_ok(xattrs_apply(other, XATTR_LAYER, got.at, got.len, NULL));
	assert_ok(xattrs_read(other, XATTR_LAYER, &again));
	assert_true(xattrs_equal(&got, &again));
	set(other, "user.a", "y");
	assert_ok(xattrs_read(other, XATTR_LAYER, &again));
	assert_false(xattrs_equal(&got, &again));

	set(other, "user.overlay.opaque", "y");
	assert_ok(xattrs_clear(other, XATTR_LAYER));
	assert_ok(xattrs_read(other, XATTR_LAYER, &again));
	assert_int_equal(again.len, 0);
	/* What is overlayfs's own is not ours to clear. */
	assert_int_equal(fgetxattr(other, "user.overlay.opaque", value, sizeof(value)), 1);
}

TEST(a_set_serves_many_files)
{
	AUTO(xattrs) struct xattrs xattrs = { 0 };
	AUTO(fd) int with = make_file("with"), without = make_file("without");

	set(with, "user.a", "1");
	for (int i = 0; i < 1000; i++) { /* whose memory does not grow with their number */
		assert_ok(xattrs_read(with, XATTR_LAYER, &xattrs));
		assert_int_equal(xattrs.len, 1);
		assert_non_null(xattrs_find(xattrs.at, xattrs.len, "user.a"));
		assert_null(xattrs_find(xattrs.at, xattrs.len, "user.b"));
		assert_ok(xattrs_read(without, XATTR_LAYER, &xattrs));
		assert_int_equal(xattrs.len, 0);
	}
	assert_true(xattrs.text_cap < (size_t)4 * 64 * 1024);
	assert_fails(xattrs_read(-1, XATTR_LAYER, &xattrs), ERR_SYSTEM);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(attributes_of_images_are_told_from_those_of_machines),
		cmocka_unit_test(a_layer_and_a_view_spell_them_differently),
		cmocka_unit_test(what_is_applied_can_be_read_again_and_cleared),
		cmocka_unit_test(a_set_serves_many_files),
	};

	return cmocka_run_group_tests(tests, tmp_setup, tmp_teardown);
}
