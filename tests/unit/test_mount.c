/* tests/unit/test_mount.c - layers are stacked, detached, and leave nothing behind. */

#include "tests/unit/unit.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "base/str.h"
#include "base/vec.h"
#include "tests/unit/rootfs.h"

static const enum overlay_way every_way[] = { OVERLAY_BEST, OVERLAY_BY_FD, OVERLAY_BY_PATH,
					      OVERLAY_BY_STRING };

/* A mount table of our own, or what others mount meanwhile would seem to be ours. */
static int leave_mounts(void **state)
{
	(void)state;
	if (unshare(CLONE_NEWNS) <
	    0) /* without the right to it there are no mounts to see, either */
		return 0;
	return mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
}

/* The mount table. Lines may go, even from one of our own: a mount ends when somebody deletes the
 * directory that it lies on. */
static char *mount_table(void)
{
	AUTO(buf) struct buf text = BUF_INIT((size_t)1024 * 1024);
	int fd = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
	char piece[4096];
	ssize_t got;

	assert_true(fd >= 0);
	while ((got = read(fd, piece, sizeof(piece))) > 0)
		buf_add(&text, piece, (size_t)got);
	close(fd);
	return buf_steal(&text);
}

static void assert_nothing_attached(const char *before)
{
	AUTO(mem) char *now = mount_table();
	struct str rest = str_of(now);

	while (rest.len > 0) {
		AUTO(mem) char *line = str_dup(str_cut(&rest, '\n'));

		if (!strstr(before, line))
			fail_msg("this was attached: %s", line);
	}
}

static void put_at(int dir_fd, const char *path, const char *text)
{
	int fd = openat(dir_fd, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_ok(file_write_all(fd, text, strlen(text), path));
	close(fd);
}

static void assert_content(int dir_fd, const char *path, const char *want)
{
	AUTO(buf) struct buf text = BUF_INIT((size_t)4096);

	assert_ok(file_read(dir_fd, path, 4096, &text));
	buf_addc(&text, '\0');
	assert_string_equal(text.at, want);
}

/* Three layers, newest first: changed and deleted files, an opaque directory. */
static void make_layers(const struct rootfs *rootfs, int fds[3])
{
	fds[2] = rootfs_dir(rootfs, "bottom");
	fds[1] = rootfs_dir(rootfs, "middle");
	fds[0] = rootfs_dir(rootfs, "top");
	put_at(fds[2], "kept", "bottom");
	put_at(fds[2], "changed", "bottom");
	put_at(fds[2], "deleted", "bottom");
	mkdirat(fds[2], "dir", 0755);
	put_at(fds[2], "dir/old", "bottom");
	put_at(fds[1], "changed", "middle");
	assert_int_equal(mknodat(fds[1], "deleted", S_IFCHR, makedev(0, 0)), 0);
	put_at(fds[0], "changed", "top");
	mkdirat(fds[0], "dir", 0755);
	put_at(fds[0], "dir/new", "top");
	int dir = openat(fds[0], "dir", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_int_equal(fsetxattr(dir, "user.overlay.opaque", "y", 1, 0), 0);
	close(dir);
}

static void assert_merged(int root_fd)
{
	assert_content(root_fd, "kept", "bottom");
	assert_content(root_fd, "changed", "top");
	assert_content(root_fd, "dir/new", "top");
	assert_false(file_exists(root_fd, "deleted"));
	assert_false(file_exists(root_fd, "dir/old"));
}

TEST(every_way_gives_the_same_tree_and_attaches_nothing)
{
	struct rootfs *rootfs = rootfs_need(state);
	AUTO(mem) char *before = mount_table();
	int fds[3];

	make_layers(rootfs, fds);
	for (size_t i = 0; i < ARRAY_SIZE(every_way); i++) {
		struct overlay_spec spec = { .lower_fds = fds,
					     .lower_count = 3,
					     .upper_fd = -1,
					     .skeleton = &rootfs->skeleton,
					     .way = every_way[i] };
		char upper[32], work[32];
		int view = -1, writable = -1;

		assert_ok(overlay_mount(&spec, &view));
		assert_merged(view);
		assert_false(file_exists(view, "proc")); /* no skeleton in a view */
		assert_int_equal(openat(view, "new", O_WRONLY | O_CREAT, 0644), -1);
		assert_int_equal(errno, EROFS);

		snprintf(upper, sizeof(upper), "upper-%zu", i);
		snprintf(work, sizeof(work), "work-%zu", i);
		spec.upper_fd = rootfs_dir(rootfs, upper);
		spec.work_fd = rootfs_dir(rootfs, work);
		assert_ok(overlay_mount(&spec, &writable));
		assert_merged(writable);
		assert_true(file_exists(writable, "etc/resolv.conf"));
		put_at(writable, "written", "upper");
		assert_content(spec.upper_fd, "written", "upper");

		assert_nothing_attached(before);
		close(view);
		close(writable);
		close(spec.upper_fd);
		close(spec.work_fd);
	}
	for (size_t i = 0; i < 3; i++)
		close(fds[i]);
}

TEST(a_view_of_one_layer_knows_whiteouts)
{
	struct rootfs *rootfs = rootfs_need(state);
	struct overlay_spec spec = { .lower_fds = &rootfs->layer_fd,
				     .lower_count = 1,
				     .skeleton = &rootfs->skeleton };
	int view = -1;

	assert_int_equal(mknodat(rootfs->layer_fd, "gone", S_IFCHR, makedev(0, 0)), 0);
	assert_ok(overlay_mount(&spec, &view));
	assert_true(file_exists(view, "bin/busybox"));
	assert_false(file_exists(view, "gone"));
	assert_false(file_exists(view, "proc"));
	close(view);
}

TEST(a_view_of_nothing_is_empty)
{
	struct rootfs *rootfs = rootfs_need(state);
	struct overlay_spec spec = { .upper_fd = -1, .skeleton = &rootfs->skeleton };
	AUTO(strings) struct strings names = { 0 };
	int view = -1;

	assert_ok(overlay_mount(&spec, &view));
	assert_ok(file_list(view, ".", &names));
	assert_int_equal(names.len, 0);
	assert_int_equal(mkdirat(view, "x", 0755), -1);
	assert_int_equal(errno, EROFS);
	close(view);
}

TEST(stacks_as_many_layers_as_it_says_by_every_way)
{
	struct rootfs *rootfs = rootfs_need(state);
	static int fds[OVERLAY_LOWER_MAX + 1];
	struct overlay_spec spec = { .lower_fds = fds, .skeleton = &rootfs->skeleton };

	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		char name[32];

		snprintf(name, sizeof(name), "layer-%zu", i);
		fds[i] = rootfs_dir(rootfs, name);
		put_at(fds[i], name, "here");
	}
	for (size_t i = 0; i < ARRAY_SIZE(every_way); i++) {
		char upper[32], work[32];
		int fd = -1;

		snprintf(upper, sizeof(upper), "upper-%zu", i);
		snprintf(work, sizeof(work), "work-%zu", i);
		spec.lower_count = OVERLAY_LOWER_MAX;
		spec.way = every_way[i];
		spec.upper_fd = rootfs_dir(rootfs, upper);
		spec.work_fd = rootfs_dir(rootfs, work);
		assert_ok(overlay_mount(&spec, &fd));
		assert_true(file_exists(fd, "layer-0"));
		assert_true(file_exists(fd, "layer-497"));
		close(fd);
		spec.lower_count++;
		assert_fails(overlay_mount(&spec, &fd), ERR_INVALID);
		close(spec.upper_fd);
		close(spec.work_fd);
	}
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		close(fds[i]);
}

TEST(devices_can_be_made_and_not_opened)
{
	struct rootfs *rootfs = rootfs_need(state);
	int root = rootfs_mount(rootfs);

	assert_int_equal(mknodat(root, "null", S_IFCHR | 0666, makedev(1, 3)), 0);
	assert_int_equal(openat(root, "null", O_RDWR | O_CLOEXEC), -1);
	assert_int_equal(errno, EACCES);
	close(root);
}

TEST(is_volatile_with_an_upper_and_serves_a_work_directory_once)
{
	struct rootfs *rootfs = rootfs_need(state);
	struct overlay_spec spec = { .lower_fds = &rootfs->layer_fd,
				     .lower_count = 1,
				     .skeleton = &rootfs->skeleton };
	int fd = -1;

	spec.upper_fd = rootfs_dir(rootfs, "upper");
	spec.work_fd = rootfs_dir(rootfs, "work");
	assert_ok(overlay_mount(&spec, &fd));
	assert_true(file_exists(spec.work_fd, "work/incompat/volatile"));
	close(fd);
	assert_fails(overlay_mount(&spec, &fd), ERR_SYSTEM);
	close(spec.upper_fd);
	close(spec.work_fd);
}

TEST(tells_the_kernels_reason_and_the_file_system)
{
	struct rootfs *rootfs = rootfs_need(state);
	struct overlay_spec spec = { .lower_fds = &rootfs->layer_fd,
				     .lower_count = 1,
				     .skeleton = &rootfs->skeleton };
	int below = rootfs_mount(rootfs);
	int fd = -1;

	/* an overlay cannot be the upper of another */
	assert_int_equal(mkdirat(below, "upper", 0755), 0);
	assert_int_equal(mkdirat(below, "work", 0755), 0);
	spec.upper_fd = openat(below, "upper", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	spec.work_fd = openat(below, "work", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	AUTO(err) struct err *err = overlay_mount(&spec, &fd);

	assert_int_equal(err_kind(err), ERR_SYSTEM);
	assert_int_equal(err_errno(err), EINVAL);
	assert_non_null(strstr(err_text(err), "upper")); /* the kernel's own word */
	assert_non_null(strstr(err_notes(err), "file system of the store"));
	close(spec.upper_fd);
	close(spec.work_fd);
	close(below);
}

/* ---- from several threads ---- */

#define THREADS 8
#define ROUNDS 6

struct job {
	struct rootfs *rootfs;
	int upper_fds[ROUNDS], work_fds[ROUNDS];
	enum overlay_way way;
	int failures;
};

static void *mount_again_and_again(void *arg)
{
	struct job *job = arg;

	for (int i = 0; i < ROUNDS; i++) {
		struct overlay_spec spec = { .lower_fds = &job->rootfs->layer_fd,
					     .lower_count = 1,
					     .upper_fd = job->upper_fds[i],
					     .work_fd = job->work_fds[i],
					     .skeleton = &job->rootfs->skeleton,
					     .way = job->way };
		AUTO(fd) int fd = -1;
		AUTO(err) struct err *err = overlay_mount(&spec, &fd);

		if (err || faccessat(fd, "bin/busybox", F_OK, 0) != 0)
			job->failures++;
	}
	return NULL;
}

TEST(mounts_from_many_threads_at_once)
{
	struct rootfs *rootfs = rootfs_need(state);
	static struct job jobs[THREADS];
	pthread_t threads[THREADS];

	for (int i = 0; i < THREADS; i++) {
		jobs[i] = (struct job){ .rootfs = rootfs,
					.way = i % 2 ? OVERLAY_BY_STRING : OVERLAY_BEST };
		for (int k = 0; k < ROUNDS; k++) {
			char name[32];

			snprintf(name, sizeof(name), "upper-%d-%d", i, k);
			jobs[i].upper_fds[k] = rootfs_dir(rootfs, name);
			snprintf(name, sizeof(name), "work-%d-%d", i, k);
			jobs[i].work_fds[k] = rootfs_dir(rootfs, name);
		}
	}
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, mount_again_and_again, &jobs[i]),
				 0);
	for (int i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(jobs[i].failures, 0);
		for (int k = 0; k < ROUNDS; k++) {
			close(jobs[i].upper_fds[k]);
			close(jobs[i].work_fds[k]);
		}
	}
}

TEST(the_skeleton_is_the_same_on_every_machine)
{
	static const struct {
		const char *path;
		mode_t mode;
	} want[] = {
		{ ".", S_IFDIR | 0755 },
		{ "dev", S_IFDIR | 0755 },
		{ "proc", S_IFDIR | 0755 },
		{ "sys", S_IFDIR | 0755 },
		{ "etc", S_IFDIR | 0755 },
		{ "etc/hosts", S_IFREG | 0644 },
		{ "etc/resolv.conf", S_IFREG | 0644 },
	};
	struct rootfs *rootfs = rootfs_need(state);
	mode_t before = umask(077);
	int dir_fd = rootfs_dir(rootfs, "elsewhere");
	AUTO(skeleton) struct skeleton first = SKELETON_INIT;
	AUTO(skeleton) struct skeleton again = SKELETON_INIT;

	assert_ok(skeleton_open(dir_fd, &first));
	assert_ok(skeleton_open(dir_fd, &again)); /* what is there is used */
	umask(before);
	for (size_t i = 0; i < ARRAY_SIZE(want); i++) {
		struct stat st;

		assert_int_equal(fstatat(again.root_fd, want[i].path, &st, 0), 0);
		assert_int_equal(st.st_mode, want[i].mode);
		assert_int_equal(st.st_mtime, 0);
		assert_int_equal(st.st_uid, 0);
	}
	close(dir_fd);
}

int main(void)
{
#define ROOTFS_TEST(name) cmocka_unit_test_setup_teardown(name, rootfs_make, rootfs_remove)
	const struct CMUnitTest tests[] = {
		ROOTFS_TEST(every_way_gives_the_same_tree_and_attaches_nothing),
		ROOTFS_TEST(a_view_of_one_layer_knows_whiteouts),
		ROOTFS_TEST(a_view_of_nothing_is_empty),
		ROOTFS_TEST(stacks_as_many_layers_as_it_says_by_every_way),
		ROOTFS_TEST(devices_can_be_made_and_not_opened),
		ROOTFS_TEST(is_volatile_with_an_upper_and_serves_a_work_directory_once),
		ROOTFS_TEST(tells_the_kernels_reason_and_the_file_system),
		ROOTFS_TEST(mounts_from_many_threads_at_once),
		ROOTFS_TEST(the_skeleton_is_the_same_on_every_machine),
	};

	return cmocka_run_group_tests(tests, leave_mounts, NULL);
}
