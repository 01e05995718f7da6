/*
 * tests/unit/test_detached.c - what is mounted within a clone stays there.
 *
 * In children with a mount namespace of their own, whose mounts are shared as on most machines.
 */

#include "tests/unit/unit.h"

#include <sched.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "overlay/detached.h"
#include "overlay/kernel-private.h"
#include "overlay/mount.h"
#include "overlay/skeleton.h"
#include "tests/unit/tmp.h"

#define SHARED (1 << 20) /* MS_SHARED, whose header fights with what is included */

enum { STAYS, SHOWS, CANNOT, FAILED };

static int leave(void)
{
	struct mount_attr attr = { .propagation = SHARED };

	if (unshare(CLONE_NEWNS) < 0 || kernel_make_private(-1, "/", AT_RECURSIVE) < 0)
		return -1;
	return (int)syscall(SYS_mount_setattr, -1, "/", AT_RECURSIVE, &attr, sizeof(attr));
}

/* Whether what is mounted on a clone of "from" at "to<inner>" shows at "from<inner>". */
static int mount_within(int dir_fd, int clone_fd, const char *inner)
{
	AUTO(mem) char *to = xasprintf("to%s", inner);
	AUTO(mem) char *from = xasprintf("from%s", inner);
	AUTO(err) struct err *err = NULL;
	AUTO(fd) int tmpfs_fd = -1;
	struct stat before, after, mounted;

	err = detached_tmpfs(0755, 0, &tmpfs_fd);
	if (err || fstatat(dir_fd, from, &before, 0) < 0 ||
	    kernel_attach(clone_fd, dir_fd, "to") < 0 || kernel_attach(tmpfs_fd, dir_fd, to) < 0 ||
	    fstatat(dir_fd, to, &mounted, 0) < 0 || fstatat(dir_fd, from, &after, 0) < 0 ||
	    mounted.st_dev == before.st_dev)
		return FAILED;
	return before.st_dev == after.st_dev ? STAYS : SHOWS;
}

static int try_clone(struct err *(*clone)(int, int *), const char *inner)
{
	AUTO(err) struct err *err = NULL;
	AUTO(fd) int dir_fd = -1;
	AUTO(fd) int from_fd = -1;
	AUTO(fd) int clone_fd = -1;

	if (leave() < 0)
		return CANNOT;
	dir_fd = open(tmp_path, O_PATH | O_DIRECTORY | O_CLOEXEC); /* in this namespace */
	from_fd = openat(dir_fd, "from", O_PATH | O_DIRECTORY | O_CLOEXEC);
	err = clone(from_fd, &clone_fd);
	return err ? FAILED : mount_within(dir_fd, clone_fd, inner);
}

static void assert_stays(struct err *(*clone)(int, int *), const char *inner)
{
	pid_t pid = fork();
	int status;

	if (pid == 0)
		_exit(try_clone(clone, inner));
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == CANNOT)
		skip();
	assert_int_equal(WEXITSTATUS(status), STAYS);
}

static struct err *clone_one(int from_fd, int *ret_fd)
{
	return detached_clone(from_fd, false, ret_fd);
}

static struct err *clone_deep(int from_fd, int *ret_fd)
{
	return detached_clone_all(from_fd, false, ret_fd);
}

static struct err *view_nothing(int from_fd, int *ret_fd)
{
	const struct skeleton skeleton = { .root_fd = from_fd, .empty_fd = from_fd };
	const struct overlay_spec spec = { .upper_fd = -1, .skeleton = &skeleton };

	return overlay_mount(&spec, ret_fd);
}

TEST(what_is_mounted_within_a_clone_does_not_show_in_the_original)
{
	assert_stays(clone_one, "/in");
	assert_stays(clone_one, "");
	assert_stays(clone_deep, "/in");
}

TEST(what_is_mounted_on_a_view_of_nothing_stays_there)
{
	assert_stays(view_nothing, "");
}

static int setup(void **state)
{
	if (tmp_setup(state) < 0)
		return -1;
	return mkdirat(tmp_fd, "from", 0755) < 0 || mkdirat(tmp_fd, "from/in", 0755) < 0 ||
	       mkdirat(tmp_fd, "to", 0755);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_mounted_within_a_clone_does_not_show_in_the_original),
		cmocka_unit_test(what_is_mounted_on_a_view_of_nothing_stays_there),
	};

	return cmocka_run_group_tests(tests, setup, tmp_teardown);
}
