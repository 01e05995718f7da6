/* tests/unit/test_idmap.c - which ids a step gets, and what layers look like with them. */

#include "tests/unit/unit.h"

#include <errno.h>

#include "base/err.h"
#include "overlay/idmap.h"
#include "tests/unit/rootfs.h"

TEST(ids_come_from_a_range_of_the_machine_and_from_above_it)
{
	static const struct {
		const char *rules;
		struct idmap_extent want[IDMAP_EXTENTS];
		size_t len;
	} cases[] = {
		{ "", { { 0, 0x7f000000, 0x80000000 } }, 1 },
		{ "somebody:100000:65536\n", { { 0, 0x7f000000, 0x80000000 } }, 1 },
		{ "root:100000:65536\n",
		  { { 0, 100000, 65536 }, { 65536, 0x7f010000, 0x7fff0000 } },
		  2 },
		{ "root:100000:65536\ncontainers:1000000:131072\n",
		  { { 0, 1000000, 131072 }, { 131072, 0x7f020000, 0x7ffe0000 } },
		  2 },
		{ "0:200000:65536\n",
		  { { 0, 200000, 65536 }, { 65536, 0x7f010000, 0x7fff0000 } },
		  2 },
		/* too small, root's own, or in the way of what lies above */
		{ "root:100000:65535\n", { { 0, 0x7f000000, 0x80000000 } }, 1 },
		{ "root:0:65536\n", { { 0, 0x7f000000, 0x80000000 } }, 1 },
		{ "root:2130640897:65536\n", { { 0, 0x7f000000, 0x80000000 } }, 1 },
		{ "root:2130640896:65536\n",
		  { { 0, 2130640896, 65536 }, { 65536, 0x7f010000, 0x7fff0000 } },
		  2 },
		{ "root:100000:10\nroot:300000:70000\n",
		  { { 0, 300000, 70000 }, { 70000, 0x7f000000 + 70000, 0x80000000 - 70000 } },
		  2 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct idmap_extent got[IDMAP_EXTENTS];

		assert_int_equal(idmap_plan(str_of(cases[i].rules), got), cases[i].len);
		assert_memory_equal(got, cases[i].want, cases[i].len * sizeof(*got));
	}
}

/* An idmap, or the end of the test where there can be none. */
static struct idmap *need_idmap(void)
{
	struct idmap *idmap = NULL;
	AUTO(err) struct err *err = NULL;

	if (!idmap_is_useful())
		skip();
	err = idmap_open(&idmap);
	if (err) {
		print_message("%s\n", err_text(err));
		skip();
	}
	return idmap;
}

TEST(a_layer_shows_the_ids_of_the_namespace_and_keeps_those_of_the_disk)
{
	struct rootfs *rootfs = rootfs_need(state);
	AUTO(idmap) struct idmap *idmap = need_idmap();
	AUTO(fd) int pair_fd = rootfs_dir(rootfs, "pair");
	AUTO(fd) int root_fd = -1;
	AUTO(fd) int upper_fd = -1;
	AUTO(fd) int work_fd = -1;
	struct overlay_spec spec = { .lower_fds = &rootfs->layer_fd,
				     .lower_count = 1,
				     .skeleton = &rootfs->skeleton,
				     .idmap = idmap,
				     .pair_fd = pair_fd };
	struct err *err;
	struct stat st;

	rootfs_put(rootfs, "owned", "x", 0644);
	assert_int_equal(fchownat(rootfs->layer_fd, "owned", 1000, 5, 0), 0);
	assert_int_equal(mkdirat(pair_fd, "fs", 0755), 0);
	assert_int_equal(mkdirat(pair_fd, "work", 0700), 0);
	spec.upper_fd = upper_fd = openat(pair_fd, "fs", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	spec.work_fd = work_fd = openat(pair_fd, "work", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	err = overlay_mount(&spec, &root_fd);
	if (err) { /* before Linux 6.15, and on file systems that cannot */
		print_message("%s\n", err_text(err));
		err_free(err);
		skip();
	}
	assert_int_equal(fstatat(root_fd, "owned", &st, 0), 0);
	assert_int_equal(st.st_uid, idmap_uid(idmap, 1000));
	assert_int_equal(st.st_gid, idmap_gid(idmap, 5));

	/* what is written, and what is copied up */
	assert_int_equal(fchownat(root_fd, "owned", idmap_uid(idmap, 7), idmap_gid(idmap, 8), 0),
			 0);
	assert_ok(idmap_assume(idmap));
	assert_int_equal(mkdirat(root_fd, "made", 0755), 0);
	idmap_resume();
	assert_int_equal(fstatat(upper_fd, "owned", &st, 0), 0);
	assert_int_equal(st.st_uid, 7);
	assert_int_equal(st.st_gid, 8);
	assert_int_equal(fstatat(upper_fd, "made", &st, 0), 0);
	assert_int_equal(st.st_uid, 0);

	/* we are ourselves again, who is nobody there */
	assert_int_equal(mkdirat(root_fd, "ours", 0755), -1);
	assert_int_equal(errno, EOVERFLOW);
}

TEST(what_is_mapped_is_known_and_the_rest_is_nobody)
{
	struct rootfs *rootfs = rootfs_need(state);
	AUTO(idmap) struct idmap *idmap = need_idmap();

	(void)rootfs;
	assert_true(idmap_uid(idmap, 0) != 0);
	assert_int_equal(idmap_uid(idmap, 0x7fffffff), 0xfeffffff);
	assert_int_equal(idmap_uid(idmap, 0x80000000), (uid_t)-1);
	assert_int_equal(idmap_gid(idmap, (gid_t)-1), (gid_t)-1);
}

TEST(a_file_system_that_cannot_show_other_owners_is_refused)
{
	struct rootfs *rootfs = rootfs_need(state);
	AUTO(idmap) struct idmap *idmap = need_idmap();
	AUTO(fd) int proc_fd = open("/proc/sys", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int fd = -1;

	(void)rootfs;
	assert_fails(idmap_clone(idmap, proc_fd, &fd), ERR_UNSUPPORTED);
	assert_int_equal(fd, -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ids_come_from_a_range_of_the_machine_and_from_above_it),
		cmocka_unit_test_setup_teardown(
			a_layer_shows_the_ids_of_the_namespace_and_keeps_those_of_the_disk,
			rootfs_make, rootfs_remove),
		cmocka_unit_test_setup_teardown(what_is_mapped_is_known_and_the_rest_is_nobody,
						rootfs_make, rootfs_remove),
		cmocka_unit_test_setup_teardown(
			a_file_system_that_cannot_show_other_owners_is_refused, rootfs_make,
			rootfs_remove),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
