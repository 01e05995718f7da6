/* tests/unit/test_owner.c - owners and devices that a user cannot set are kept beside the file. */

#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/err.h"
#include "base/userns.h"
#include "overlay/owner.h"
#include "tests/unit/tmp.h"

#define NOBODY 65534
#define NO_USERNS 77

/* In the child: a failure is the number of its line. */
#define MUST(condition)                                                             \
	do {                                                                        \
		if (!(condition)) {                                                 \
			fprintf(stderr, "line %d: %s (%s)\n", __LINE__, #condition, \
				strerror(errno));                                   \
			_exit(1);                                                   \
		}                                                                   \
	} while (0)

static bool is_ok(struct err *err)
{
	if (err)
		fprintf(stderr, "%s\n", err_text(err));
	err_free(err);
	return !err;
}

/* What `name` is to be in a layer. */
static struct stat seen(const char *name)
{
	struct stat st;

	MUST(fstatat(tmp_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0);
	MUST(is_ok(owner_stat_at(tmp_fd, name, &st)));
	return st;
}

static void give(const char *name, uid_t uid, gid_t gid)
{
	struct stat st;

	MUST(is_ok(owner_set_at(tmp_fd, name, uid, gid)));
	st = seen(name);
	MUST(st.st_uid == uid && st.st_gid == gid);
}

static void every_kind_has_its_owner(void)
{
	static const char *const names[] = { "file", "dir", "link", "fifo" };
	struct stat st;
	int fd;

	MUST((fd = openat(tmp_fd, "file", O_RDWR | O_CREAT | O_EXCL, 0400)) >= 0);
	MUST(mkdirat(tmp_fd, "dir", 01555) == 0 && symlinkat("file", tmp_fd, "link") == 0 &&
	     mknodat(tmp_fd, "fifo", S_IFIFO | 0600, 0) == 0);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		give(names[i], 33, 44);
		give(names[i], 4294967294U, 0);
		give(names[i], 0, 7);
		MUST(renameat(tmp_fd, names[i], tmp_fd, "other") == 0);
		st = seen("other");
		MUST(st.st_uid == 0 && st.st_gid == 7);
		give("other", 0, 0); /* and back to what is true: no record */
		MUST(renameat(tmp_fd, "other", tmp_fd, names[i]) == 0);
	}
	MUST(flistxattr(fd, NULL, 0) == 0);
	MUST(is_ok(owner_set(fd, 1, 2)) && fstat(fd, &st) == 0 && st.st_uid == 0);
	MUST(is_ok(owner_stat(fd, &st)) && st.st_uid == 1 && st.st_gid == 2);
}

static void a_device_is_a_file_that_stands_for_it(void)
{
	struct stat st;
	int fd;

	MUST(is_ok(owner_make_device(tmp_fd, "null", S_IFCHR | 0620, makedev(1, 3))));
	MUST(is_ok(owner_make_device(tmp_fd, "disk", S_IFBLK | 0600, makedev(254, 70000))));
	MUST(fstatat(tmp_fd, "null", &st, 0) == 0 && S_ISREG(st.st_mode));
	give("null", 5, 6);
	st = seen("null");
	MUST(st.st_mode == (S_IFCHR | 0620) && st.st_rdev == makedev(1, 3) && st.st_uid == 5);
	st = seen("disk");
	MUST(st.st_mode == (S_IFBLK | 0600) && st.st_rdev == makedev(254, 70000));
	MUST(err_errno(owner_make_device(tmp_fd, "disk", S_IFBLK | 0600, 1)) == EEXIST);
	/* what has been written to it is not lost */
	MUST((fd = openat(tmp_fd, "disk", O_RDWR)) >= 0 && write(fd, "x", 1) == 1);
	st = seen("disk");
	MUST(S_ISREG(st.st_mode) && st.st_size == 1);
	MUST(fstat(fd, &st) == 0 && is_ok(owner_stat(fd, &st)) && S_ISREG(st.st_mode));
}

/* A step can write what it likes there. */
static void what_is_no_record_says_nothing(void)
{
	static const char *const owners[] = {
		"", ":", "1", "1:", ":1", "-1:0", "4294967295:0", "1:2:3", "1:2 ", "0x1:2", "01:2"
	};
	static const char *const devices[] = { "c 0:0",    "c", "c 1",    "x 1:3",       "c1:3",
					       "c 4096:0", "",  "c -1:3", "b 1:1048576", "b 1:03" };
	struct stat st;
	int fd;

	MUST((fd = openat(tmp_fd, "odd", O_RDWR | O_CREAT | O_EXCL, 0600)) >= 0);
	for (size_t i = 0; i < ARRAY_SIZE(owners); i++) {
		MUST(fsetxattr(fd, "user.cairn.owner", owners[i], strlen(owners[i]), 0) == 0);
		st = seen("odd");
		MUST(st.st_uid == 0 && st.st_gid == 0);
	}
	for (size_t i = 0; i < ARRAY_SIZE(devices); i++) {
		MUST(fsetxattr(fd, "user.cairn.device", devices[i], strlen(devices[i]), 0) == 0);
		MUST(S_ISREG(seen("odd").st_mode));
	}
}

TEST(with_one_id_alone_owners_and_devices_are_recorded)
{
	int status;
	pid_t child;

	if (geteuid() != 0)
		skip();
	assert_int_equal(fchmod(tmp_fd, 0777), 0);
	assert_int_equal(fchown(tmp_fd, NOBODY, NOBODY), 0);
	child = fork();
	if (child == 0) {
		MUST(setgroups(0, NULL) == 0 && setresgid(NOBODY, NOBODY, NOBODY) == 0 &&
		     setresuid(NOBODY, NOBODY, NOBODY) == 0);
		MUST(prctl(PR_SET_DUMPABLE, 1) == 0); /* for /proc/self; an exec would do it */
		umask(0);
		if (!is_ok(userns_enter()) || userns_mode() != USERNS_SINGLE)
			_exit(NO_USERNS);
		every_kind_has_its_owner();
		a_device_is_a_file_that_stands_for_it();
		what_is_no_record_says_nothing();
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	if (WIFEXITED(status) && WEXITSTATUS(status) == NO_USERNS)
		skip();
	assert_int_equal(status, 0);
}

/* Root of the machine has true owners; an attribute of anybody's says nothing to it. */
TEST(root_reads_no_records)
{
	struct stat st;
	AUTO(fd) int fd = openat(tmp_fd, "roots", O_RDWR | O_CREAT | O_EXCL, 0600);

	if (geteuid() != 0 || owner_recorded())
		skip();
	assert_int_equal(fsetxattr(fd, "user.cairn.owner", "1:2", 3, 0), 0);
	assert_int_equal(fsetxattr(fd, "user.cairn.device", "c 1:3", 5, 0), 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_ok(owner_stat(fd, &st));
	assert_ok(owner_stat_at(tmp_fd, "roots", &st));
	assert_true(S_ISREG(st.st_mode) && st.st_uid == 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(with_one_id_alone_owners_and_devices_are_recorded),
		cmocka_unit_test(root_reads_no_records),
	};

	return cmocka_run_group_tests(tests, tmp_setup, tmp_teardown);
}
