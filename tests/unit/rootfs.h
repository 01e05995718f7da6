/*
 * tests/unit/rootfs.h - a small image on disk, for tests that mount and run.
 *
 * One layer with a static busybox and its links below bin, an empty tmp, and
 * nothing else. Needs root: without, tests are skipped.
 */
#ifndef TESTS_ROOTFS_H
#define TESTS_ROOTFS_H

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "overlay/mount.h"
#include "overlay/skeleton.h"

#define BUSYBOX "/bin/busybox"

struct rootfs {
	char path[128];
	int dir_fd;
	int layer_fd;
	int upper_fd; /* of the last rootfs_mount() */
	int count;
	struct skeleton skeleton;
};

static inline void rootfs_put(const struct rootfs *rootfs, const char *path, const char *text,
			      mode_t mode)
{
	int fd = openat(rootfs->layer_fd, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);

	assert_true(fd >= 0);
	assert_ok(file_write_all(fd, text, strlen(text), path));
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

/* A new directory below the test's own; also its descriptor. */
static inline int rootfs_dir(const struct rootfs *rootfs, const char *name)
{
	int fd;

	assert_int_equal(mkdirat(rootfs->dir_fd, name, 0755), 0);
	fd = openat(rootfs->dir_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

static inline void rootfs_fill(const struct rootfs *rootfs)
{
	static const char *const applets[] = {
		"sh",    "true",     "cat",  "ls",     "id",    "mount",   "hostname", "ps",
		"sleep", "grep",     "stat", "kill",   "env",   "pwd",     "ip",       "mknod",
		"su",    "readlink", "find", "touch",  "chmod", "unshare", "mkdir",    "rm",
		"tty",   "chown",    "echo", "umount", "wc",    "test",    "dd",       "setsid",
	};
	int from = open(BUSYBOX, O_RDONLY | O_CLOEXEC);
	struct stat st = { 0 };
	int to;

	assert_int_equal(mkdirat(rootfs->layer_fd, "bin", 0755), 0);
	assert_int_equal(mkdirat(rootfs->layer_fd, "tmp", 01777), 0);
	assert_int_equal(fchmodat(rootfs->layer_fd, "tmp", 01777, 0), 0);
	to = openat(rootfs->layer_fd, "bin/busybox", O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
	assert_true(from >= 0 && to >= 0 && fstat(from, &st) == 0);
	assert_int_equal(sendfile(to, from, NULL, (size_t)st.st_size), st.st_size);
	close(from);
	close(to);
	for (size_t i = 0; i < ARRAY_SIZE(applets); i++) {
		char path[64];

		snprintf(path, sizeof(path), "bin/%s", applets[i]);
		assert_int_equal(symlinkat("busybox", rootfs->layer_fd, path), 0);
	}
}

static inline const char *tmp_dir(void)
{
	const char *tmp = getenv("TMPDIR");

	return tmp ? tmp : "/tmp";
}

static inline int rootfs_make(void **state)
{
	static struct rootfs rootfs;
	*state = NULL;
	if (geteuid() != 0 || access(BUSYBOX, X_OK) != 0)
		return 0;
	rootfs = (struct rootfs){ .upper_fd = -1, .skeleton = SKELETON_INIT };
	snprintf(rootfs.path, sizeof(rootfs.path), "%s/cairn-test.XXXXXX", tmp_dir());
	if (!mkdtemp(rootfs.path))
		return -1;
	rootfs.dir_fd = open(rootfs.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_ok(skeleton_open(rootfs.dir_fd, &rootfs.skeleton));
	rootfs.layer_fd = rootfs_dir(&rootfs, "layer");
	rootfs_fill(&rootfs);
	*state = &rootfs;
	return 0;
}

static inline int rootfs_remove(void **state)
{
	struct rootfs *rootfs = *state;
	int parent_fd;

	if (!rootfs)
		return 0;
	skeleton_close(&rootfs->skeleton);
	if (rootfs->upper_fd >= 0)
		close(rootfs->upper_fd);
	close(rootfs->layer_fd);
	close(rootfs->dir_fd);
	parent_fd = open(tmp_dir(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_ok(file_remove_tree(parent_fd, strrchr(rootfs->path, '/') + 1));
	close(parent_fd);
	return 0;
}

/* The state of a test, or the end of it. */
static inline struct rootfs *rootfs_need(void **state)
{
	if (*state)
		return *state;
	print_message("needs root and a static " BUSYBOX "\n");
	skip();
	return NULL;
}

/* A fresh upper over the layer. The mount is the caller's. */
static inline int rootfs_mount(struct rootfs *rootfs)
{
	struct overlay_spec spec = { .lower_fds = &rootfs->layer_fd,
				     .lower_count = 1,
				     .skeleton = &rootfs->skeleton };
	char upper[32], work[32];
	int fd = -1;

	snprintf(upper, sizeof(upper), "upper%d", rootfs->count);
	snprintf(work, sizeof(work), "work%d", rootfs->count++);
	if (rootfs->upper_fd >= 0)
		close(rootfs->upper_fd);
	rootfs->upper_fd = spec.upper_fd = rootfs_dir(rootfs, upper);
	spec.work_fd = rootfs_dir(rootfs, work);
	assert_ok(overlay_mount(&spec, &fd));
	close(spec.work_fd);
	return fd;
}

#endif
