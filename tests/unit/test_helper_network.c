/* tests/unit/test_helper_network.c - the spawner makes networks for as long as a build takes. */

#include "tests/unit/unit.h"

#include <dirent.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/vec.h"

/* It is no part of the library: the spawner is a program of its own. */
#include "overlay/helper/network.c"

#define FAILURES 3

static size_t count_descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	size_t count = 0;

	while (dir && readdir(dir))
		count++;
	if (dir)
		closedir(dir);
	return count;
}

/* From here on this process and its children cannot do what `request` of ioctl(2) asks for. */
static bool forbid(uint32_t request)
{
	const struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_ioctl, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[1])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, request, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EIO),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog program = { ARRAY_SIZE(code),
					    (struct sock_filter *)(uintptr_t)code };

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
	       prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

/* The user namespace of a process that waits to be killed; -1: there can be none here. */
static int open_userns(pid_t *ret_pid)
{
	char path[64];
	int ready[2], fd = -1;
	char word;

	if (pipe2(ready, O_CLOEXEC) < 0)
		return -1;
	*ret_pid = fork();
	if (*ret_pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		word = unshare(CLONE_NEWUSER) == 0 ? 'y' : 'n';
		(void)!write(ready[1], &word, 1);
		for (;;)
			pause();
	}
	snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)*ret_pid);
	if (read(ready[0], &word, 1) == 1 && word == 'y')
		fd = open(path, O_RDONLY | O_CLOEXEC);
	close(ready[0]);
	close(ready[1]);
	return fd;
}

/* The exit code: 0, or what is wrong. */
static int fail_often(int userns_fd)
{
	size_t before;

	own_proc(); /* which stays open */
	if (!forbid(SIOCSIFFLAGS))
		return 2;
	before = count_descriptors();
	for (int i = 0; i < FAILURES; i++)
		if (network_make(userns_fd) >= 0 || errno != EIO)
			return 3;
	return count_descriptors() == before ? 0 : 4;
}

TEST(a_network_that_cannot_be_made_leaves_no_descriptor)
{
	pid_t holder = -1, child;
	AUTO(fd) int fd = open_userns(&holder);
	int status = 0;

	if (fd < 0) {
		if (holder > 0)
			kill(holder, SIGKILL);
		skip();
	}
	child = fork();
	if (child == 0)
		_exit(fail_often(fd));
	waitpid(child, &status, 0);
	kill(holder, SIGKILL);
	waitpid(holder, NULL, 0);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_network_that_cannot_be_made_leaves_no_descriptor),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
