/* tests/unit/test_overseer.c - a chown that is answered for the kernel fails as the kernel lets it fail. */

#include "tests/unit/unit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/str.h"
#include "overlay/overseer.h"
#include "tests/unit/tmp.h"

#define NOBODYS_FD 99
#define HERE AT_FDCWD

/* What the calls are given, at these numbers. */
enum { DIR_FD = 60, PATH_FD, FILE_FD, PIPE_FD };

struct call {
	const char *what;
	long number;
	long fd; /* fchown, fchownat */
	const char *path;
	int flags;
};

static char long_name[300], long_path[5000], absolute_loop[4200], absolute_file[4200];

static const struct call calls[] = {
	{ "a file", SYS_fchownat, HERE, "f", 0 },
	{ "a link", SYS_fchownat, HERE, "link", 0 },
	{ "a link itself", SYS_fchownat, HERE, "link", AT_SYMLINK_NOFOLLOW },
	{ "an unknown flag", SYS_fchownat, HERE, "f", 1 << 23 },
	{ "a flag of another call", SYS_fchownat, HERE, "f", AT_SYMLINK_FOLLOW },
	{ "an unknown flag before no path", SYS_fchownat, HERE, NULL, 1 << 23 },
	{ "links in a ring", SYS_fchownat, HERE, "loop", 0 },
	{ "through links in a ring", SYS_fchownat, HERE, "loop/x", 0 },
	{ "one of a ring itself", SYS_fchownat, HERE, "loop", AT_SYMLINK_NOFOLLOW },
	{ "a ring from the root", SYS_fchownat, HERE, absolute_loop, 0 },
	{ "a file from the root", SYS_fchownat, HERE, absolute_file, 0 },
	{ "a link to nothing", SYS_fchownat, HERE, "dangling", 0 },
	{ "a link to nothing itself", SYS_fchownat, HERE, "dangling", AT_SYMLINK_NOFOLLOW },
	{ "nothing", SYS_fchownat, HERE, "none", 0 },
	{ "an empty path", SYS_fchownat, FILE_FD, "", 0 },
	{ "a descriptor", SYS_fchownat, FILE_FD, "", AT_EMPTY_PATH },
	{ "a descriptor of a path", SYS_fchownat, PATH_FD, "", AT_EMPTY_PATH },
	{ "the working directory", SYS_fchownat, HERE, "", AT_EMPTY_PATH },
	{ "a descriptor that is none", SYS_fchownat, NOBODYS_FD, "", AT_EMPTY_PATH },
	{ "no path", SYS_fchownat, HERE, NULL, 0 },
	{ "a path that cannot be read", SYS_fchownat, HERE, (const char *)8, 0 },
	{ "below a descriptor", SYS_fchownat, DIR_FD, "g", 0 },
	{ "below no directory", SYS_fchownat, FILE_FD, "g", 0 },
	{ "below no descriptor", SYS_fchownat, NOBODYS_FD, "g", 0 },
	{ "below a file", SYS_fchownat, HERE, "f/g", 0 },
	{ "up and down", SYS_fchownat, DIR_FD, "../dir/./g", 0 },
	{ "a long name", SYS_fchownat, HERE, long_name, 0 },
	{ "a long path", SYS_fchownat, HERE, long_path, 0 },
	{ "an open file by /proc", SYS_fchownat, HERE, "/proc/self/fd/62", 0 },
	{ "fchown", SYS_fchown, FILE_FD, NULL, 0 },
	{ "fchown of a path", SYS_fchown, PATH_FD, NULL, 0 },
	{ "fchown of a pipe", SYS_fchown, PIPE_FD, NULL, 0 },
	{ "fchown of nothing", SYS_fchown, NOBODYS_FD, NULL, 0 },
	{ "fchown of -1", SYS_fchown, -1, NULL, 0 },
#ifdef SYS_chown
	{ "chown", SYS_chown, 0, "f", 0 },
	{ "chown of no path", SYS_chown, 0, NULL, 0 },
	{ "chown of an empty path", SYS_chown, 0, "", 0 },
	{ "chown of a ring", SYS_chown, 0, "loop", 0 },
	{ "lchown of a ring", SYS_lchown, 0, "loop", 0 },
	{ "lchown of no path", SYS_lchown, 0, NULL, 0 },
#endif
};

#define ID 7

static int make(const struct call *call)
{
	long result;

	if (call->number == SYS_fchownat)
		result = syscall(call->number, call->fd, call->path, ID, ID, call->flags);
	else if (call->number == SYS_fchown)
		result = syscall(call->number, call->fd, ID, ID);
	else
		result = syscall(call->number, call->path, ID, ID);
	return result < 0 ? errno : 0;
}

/* ---- a step ---- */

/* What is in the working directory. */
static bool make_files(void)
{
	char here[4096];
	int ends[2];

	if (!getcwd(here, sizeof(here)))
		return false;
	snprintf(absolute_loop, sizeof(absolute_loop), "%s/loop", here);
	snprintf(absolute_file, sizeof(absolute_file), "%s/f", here);
	memset(long_name, 'n', sizeof(long_name) - 1);
	for (size_t i = 0; i + 1 < sizeof(long_path); i++)
		long_path[i] = i % 2 ? '/' : '.';
	return mkdir("dir", 0755) == 0 && close(open("dir/g", O_CREAT | O_WRONLY, 0644)) == 0 &&
	       close(open("f", O_CREAT | O_WRONLY, 0644)) == 0 && symlink("f", "link") == 0 &&
	       symlink("loop", "loop") == 0 && symlink("none", "dangling") == 0 &&
	       dup2(open("dir", O_RDONLY), DIR_FD) == DIR_FD &&
	       dup2(open("f", O_PATH), PATH_FD) == PATH_FD &&
	       dup2(open("f", O_RDONLY), FILE_FD) == FILE_FD && pipe(ends) == 0 &&
	       dup2(ends[0], PIPE_FD) == PIPE_FD;
}

/* Our filter on this process; the descriptor that answers for it. */
static int listen_to_self(void)
{
	const struct seccomp_part part = overseer_filter();
	struct sock_filter program[256];
	struct sock_fprog prog = { .len = (unsigned short)(part.len + 1), .filter = program };

	memcpy(program, part.at, part.len * sizeof(program[0]));
	program[part.len] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER,
			    &prog);
}

static bool send_fds(int socket_fd, const int fds[static 2])
{
	char space[CMSG_SPACE(2 * sizeof(int))] = { 0 };
	struct iovec byte = { .iov_base = (char[]){ 0 }, .iov_len = 1 };
	struct msghdr msg = { .msg_iov = &byte,
			      .msg_iovlen = 1,
			      .msg_control = space,
			      .msg_controllen = sizeof(space) };
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(2 * sizeof(int));
	memcpy(CMSG_DATA(cmsg), fds, 2 * sizeof(int));
	return sendmsg(socket_fd, &msg, 0) == 1;
}

static bool receive_fds(int socket_fd, int fds[static 2])
{
	char space[CMSG_SPACE(2 * sizeof(int))];
	struct iovec byte = { .iov_base = (char[]){ 0 }, .iov_len = 1 };
	struct msghdr msg = { .msg_iov = &byte,
			      .msg_iovlen = 1,
			      .msg_control = space,
			      .msg_controllen = sizeof(space) };

	if (recvmsg(socket_fd, &msg, MSG_CMSG_CLOEXEC) != 1 || !CMSG_FIRSTHDR(&msg))
		return false;
	memcpy(fds, CMSG_DATA(CMSG_FIRSTHDR(&msg)), 2 * sizeof(int));
	return true;
}

/* A process with a mount namespace, which has `body` done before and behind the filter, each in a directory of
 * its own. */
struct step {
	bool (*body)(int socket_fd, bool asks);
	int socket_fd;
	pid_t pid;
	int fds[2]; /* the listener, the root */
};

static bool be_step(const struct step *step)
{
	int fds[2];

	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    chdir(tmp_path) < 0 || !step->body(step->socket_fd, false))
		return false;
	fds[1] = open(".", O_PATH | O_CLOEXEC);
	fds[0] = listen_to_self();
	if (fds[0] < 0 || !send_fds(step->socket_fd, fds))
		return false;
	close(fds[0]);
	return step->body(step->socket_fd, true);
}

static void step_start(struct step *step)
{
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	step->pid = fork();
	if (step->pid == 0) {
		alarm(100);
		close(pair[0]);
		step->socket_fd = pair[1];
		_exit(be_step(step) ? 0 : 1);
	}
	close(pair[1]);
	step->socket_fd = pair[0];
	assert_true(receive_fds(step->socket_fd, step->fds));
}

static void step_end(struct step *step)
{
	int status;

	assert_int_equal(waitpid(step->pid, &status, 0), step->pid);
	assert_int_equal(status, 0);
	close(step->fds[1]);
	close(step->socket_fd);
}

/* ---- the tests ---- */

/* The results are compared in the process itself. */
static bool make_calls(int socket_fd, bool asks)
{
	static int wanted[ARRAY_SIZE(calls)];
	char value[16] = "";
	bool ok = true;

	(void)socket_fd;
	if (!asks && (mkdir("before", 0755) < 0 || chdir("before") < 0))
		return false;
	if (asks && (mkdir("../behind", 0755) < 0 || chdir("../behind") < 0))
		return false;
	if (!make_files())
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		const int got = make(&calls[i]);

		if (!asks)
			wanted[i] = got;
		if (got == wanted[i])
			continue;
		fprintf(stderr, "%s: %s, not %s\n", calls[i].what, strerror(got),
			strerror(wanted[i]));
		ok = false;
	}
	if (asks && (getxattr("dir/g", "user.cairn.owner", value, sizeof(value)) != 3 ||
		     strcmp(value, "7:7") != 0))
		ok = false;
	return ok;
}

static void start(struct step *step, struct overseer **ret)
{
	step_start(step);
	assert_ok(overseer_start(step->fds[0], step->fds[1], NULL, 0, ret));
}

TEST(a_change_of_owner_fails_as_the_kernel_lets_it_fail)
{
	struct step step = { .body = make_calls };
	AUTO(overseer) struct overseer *overseer = NULL;

	if (geteuid() != 0)
		skip();
	start(&step, &overseer);
	step_end(&step);
}

static bool is_in_call(pid_t pid, long number)
{
	char path[32], text[256];
	AUTO(fd) int fd = -1;
	ssize_t len;

	snprintf(path, sizeof(path), "/proc/%d/syscall", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	len = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	text[len > 0 ? len : 0] = '\0';
	return strtol(text, NULL, 10) == number; /* or "running" */
}

/* A file system whose server never says a word. */
static bool make_hung(const char *name)
{
	static int fuse_fd;
	char options[64];

	fuse_fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=0,group_id=0", fuse_fd);
	return mkdir(name, 0755) == 0 && chdir(name) == 0 && mkdir("hung", 0755) == 0 &&
	       mount("hung", "hung", "fuse", MS_NODEV | MS_NOSUID, options) == 0 &&
	       close(open("beside", O_CREAT | O_WRONLY, 0644)) == 0;
}

static bool hang(int socket_fd, bool asks)
{
	pid_t stuck;
	bool ok;

	(void)socket_fd;
	if (!asks)
		return make_hung("one");
	stuck = fork();
	if (stuck == 0) {
		(void)!fchownat(AT_FDCWD, "hung/x", ID, ID, 0);
		_exit(0);
	}
	while (!is_in_call(stuck, SYS_fchownat))
		usleep(1000);
	ok = chown("beside", ID, ID) == 0 && getuid() == 0;
	kill(stuck, SIGKILL);
	return waitpid(stuck, NULL, 0) == stuck && ok;
}

TEST(a_mount_that_hangs_stops_nobody_else)
{
	struct step step = { .body = hang };
	struct overseer *overseer;

	if (geteuid() != 0 || close(open("/dev/fuse", O_RDWR | O_CLOEXEC)) < 0)
		skip();
	start(&step, &overseer);
	step_end(&step);
	overseer_free(overseer);
}

static unsigned count_threads(pid_t pid)
{
	char path[32];
	unsigned count = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	dir = opendir(path);
	while (dir && readdir(dir))
		count++;
	closedir(dir);
	return count - 2;
}

#define STUCK 60

/* Each question is taken in its turn: when one is answered, those before it have their threads or wait for one. Of
 * many only a few have one; and who comes after they all have gone is served. */
static bool hang_often(int socket_fd, bool asks)
{
	pid_t stuck[STUCK];
	bool ok;

	(void)socket_fd;
	if (!asks)
		return make_hung("often");
	for (int i = 0; i < STUCK; i++) {
		stuck[i] = fork();
		if (stuck[i] == 0) {
			alarm(100);
			(void)!fchownat(AT_FDCWD, "hung/x", ID, ID, 0);
			_exit(0);
		}
		while (!is_in_call(stuck[i], SYS_fchownat))
			usleep(1000);
	}
	ok = chown("beside", ID, ID) == 0 && count_threads(getppid()) <= 24;
	for (int i = 0; i < STUCK; i++)
		kill(stuck[i], SIGKILL);
	for (int i = 0; i < STUCK; i++)
		ok = waitpid(stuck[i], NULL, 0) == stuck[i] && ok;
	return umount2("hung", MNT_FORCE | MNT_DETACH) == 0 &&
	       fchownat(AT_FDCWD, "/proc/self/environ", ID, ID, 0) == 0 && ok;
}

TEST(few_threads_look_up_what_is_far)
{
	struct step step = { .body = hang_often };
	struct overseer *overseer;

	if (geteuid() != 0 || close(open("/dev/fuse", O_RDWR | O_CLOEXEC)) < 0)
		skip();
	start(&step, &overseer);
	step_end(&step);
	overseer_free(overseer);
}

/* Links of /proc, by way of it and of others. */
static const struct {
	const char *path;
	int dir_fd;
	int failure;
	const char *target; /* whose owner is recorded */
} links[] = {
	{ "/proc/self/fd/62", HERE, 0, "f" },
	{ "/proc/self/fd/61", HERE, 0, "f" },
	{ "/proc/thread-self/fd/62", HERE, 0, "f" },
	{ "/proc/self/task/1/fd/62", HERE, 0, "f" },
	{ "/proc/1/fd/62", HERE, 0, "f" },
	{ "/proc/self/fd/60/g", HERE, 0, "dir/g" },
	{ "/proc/self/fd/60/", HERE, 0, "dir" },
	{ "/proc/self/fd/60/../f", HERE, 0, "f" },
	{ "/proc/self/cwd/f", HERE, 0, "f" },
	{ "/proc//thread-self/./cwd/dir/../link", HERE, 0, "f" },
	{ "by-root", HERE, 0, "f" },
	{ "log", HERE, 0, "f" },
	{ "log2", HERE, 0, "f" },
	{ "fds/62", HERE, 0, "f" },
	{ "self/fd/62", DIR_FD + 10, 0, "f" },
	{ "62", DIR_FD + 11, 0, "f" },
	{ "/proc/self/fd/63", HERE, 0, NULL },
	{ "/proc/self/environ", HERE, 0, NULL },
	{ "/proc/self/fd/62/", HERE, ENOTDIR, NULL },
	{ "/proc/self/fd/62/x", HERE, ENOTDIR, NULL },
	{ "/proc/self/fd/99", HERE, ENOENT, NULL },
	{ "/proc/self/cwd/none", HERE, ENOENT, NULL },
	{ "/proc/self/none", HERE, ENOENT, NULL },
	{ "/proc/none/fd/62", HERE, ENOENT, NULL },
	{ "/proc/self/cwd/loop", HERE, ELOOP, NULL },
	{ "ring", HERE, ELOOP, NULL },
	{ "other/fd/62", HERE, EPERM, NULL },
	{ "other/cwd/f", HERE, EPERM, NULL },
	{ "other/root/etc", HERE, EPERM, NULL },
	{ "other/exe", HERE, EPERM, NULL },
	{ "/proc/self/ns/mnt", HERE, EPERM, NULL },
};

static bool make_links(void)
{
	char by_root[sizeof(absolute_file) + 16];

	snprintf(by_root, sizeof(by_root), "/proc/self/root%s", absolute_file);
	return symlink(by_root, "by-root") == 0 && symlink("/proc/self/fd/62", "log") == 0 &&
	       symlink("log", "log2") == 0 && symlink("/proc/self/fd", "fds") == 0 &&
	       symlink("/proc/self/cwd/ring", "ring") == 0 &&
	       dup2(open("/proc", O_PATH), DIR_FD + 10) == DIR_FD + 10 &&
	       dup2(open("/proc/self/fd", O_PATH), DIR_FD + 11) == DIR_FD + 11;
}

/* The one of these that has an owner now, and has it no more then. */
static const char *take_record(void)
{
	static const char *const names[] = { "f", "dir", "dir/g", "log", "." };
	const char *found = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (removexattr(names[i], "user.cairn.owner") == 0)
			found = names[i];
	return found;
}

/* In a process namespace of its own. */
static bool ask_by_links(void)
{
	char path[64];
	const pid_t other = fork();
	bool ok = true;

	if (other == 0) {
		pause();
		_exit(0);
	}
	snprintf(path, sizeof(path), "/proc/%d", (int)other);
	if (symlink(path, "other") < 0)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(links); i++) {
		const char *found;
		int failure;

		failure = fchownat(links[i].dir_fd, links[i].path, ID, ID, 0) < 0 ? errno : 0;
		found = take_record();

		if (failure == links[i].failure && !found == !links[i].target &&
		    (!found || strcmp(found, links[i].target) == 0))
			continue;
		fprintf(stderr, "%s: %s, of %s\n", links[i].path, strerror(failure),
			found ? found : "nothing");
		ok = false;
	}
	kill(other, SIGKILL);
	return ok;
}

static bool go_by_links(int socket_fd, bool asks)
{
	int status;
	pid_t child;

	(void)socket_fd;
	if (!asks)
		return unshare(CLONE_NEWPID) == 0 && mkdir("links", 0755) == 0 &&
		       chdir("links") == 0;
	child = fork();
	if (child == 0) {
		alarm(100);
		_exit(mount("proc", "/proc", "proc", 0, NULL) == 0 && make_files() &&
				      make_links() && ask_by_links() ?
			      0 :
			      1);
	}
	return waitpid(child, &status, 0) == child && status == 0;
}

TEST(links_of_proc_lead_to_what_is_ones_own_and_to_nothing_of_others)
{
	struct step step = { .body = go_by_links };
	AUTO(overseer) struct overseer *overseer = NULL;

	if (geteuid() != 0)
		skip();
	start(&step, &overseer);
	step_end(&step);
}

#define KEEP UINT32_MAX

/* Who asks the kernel takes the owner in truth; who asks us finds it recorded. */
static const struct {
	uint32_t uid, gid; /* the file's */
	uint32_t new_uid, new_gid;
} gifts[] = {
	{ 33, 44, 33, 44 },   { 33, 44, KEEP, KEEP }, { 33, 44, 33, 46 },   { 33, 44, KEEP, 45 },
	{ 33, 44, KEEP, 99 }, { 33, 44, 34, KEEP },   { 33, 99, KEEP, 99 }, { 33, 44, 0, 0 },
	{ 0, 0, KEEP, KEEP }, { 0, 0, 33, 44 },       { 0, 0, KEEP, 45 },   { 5, 44, KEEP, 44 },
	{ 5, 44, 33, KEEP },  { 5, 6, 5, 6 },         { 1000, 33, 33, 33 },
};

#define RANKS 3

/* Root, a user, and one who kept the right to give. */
static bool become(int rank)
{
	static const gid_t groups[] = { 45, 46 };
	const struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	const uint32_t may = 1U << CAP_CHOWN;
	const struct __user_cap_data_struct sets[2] = { { .effective = may, .permitted = may } };

	if (rank == 0)
		return true;
	return prctl(PR_SET_KEEPCAPS, rank == 2) == 0 && setgroups(2, groups) == 0 &&
	       setresgid(44, 44, 44) == 0 && setresuid(33, 33, 33) == 0 &&
	       (rank == 1 || syscall(SYS_capset, &header, sets) == 0);
}

static bool give_away(int socket_fd, bool asks)
{
	static int(*wanted)[RANKS][ARRAY_SIZE(gifts)];
	bool ok = true;
	int status;
	pid_t child;

	(void)socket_fd;
	if (!asks) {
		wanted = mmap(NULL, sizeof(*wanted), PROT_READ | PROT_WRITE,
			      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
		umask(0);
		if (wanted == MAP_FAILED || mkdir("gifts", 0777) < 0 || chdir("gifts") < 0)
			return false;
	}
	for (int rank = 0; rank < RANKS; rank++) {
		for (size_t i = 0; i < ARRAY_SIZE(gifts); i++) {
			(void)unlink("f");
			if (close(open("f", O_CREAT | O_WRONLY, 0644)) < 0 ||
			    chown("f", gifts[i].uid, gifts[i].gid) < 0)
				return false;
			child = fork();
			if (child == 0)
				_exit(!become(rank)                                      ? 255 :
				      chown("f", gifts[i].new_uid, gifts[i].new_gid) < 0 ? errno :
											   0);
			if (waitpid(child, &status, 0) != child || WEXITSTATUS(status) == 255)
				return false;
			if (!asks)
				(*wanted)[rank][i] = status;
			if ((*wanted)[rank][i] == status)
				continue;
			fprintf(stderr, "rank %d, gift %zu: %d, not %d\n", rank, i,
				WEXITSTATUS(status), WEXITSTATUS((*wanted)[rank][i]));
			ok = false;
		}
	}
	return ok;
}

TEST(only_who_may_gives_files_away)
{
	struct step step = { .body = give_away };
	AUTO(overseer) struct overseer *overseer = NULL;

	if (geteuid() != 0)
		skip();
	start(&step, &overseer);
	step_end(&step);
}

/* Every way to read it, and none to set it. */
static bool read_limits(int socket_fd, bool asks)
{
	struct rlimit told = { 1, 1 }, none = { 0, 0 };

	(void)socket_fd;
	if (!asks)
		return true;
	if (setuid(33) < 0 || getrlimit(RLIMIT_LOCKS, &told) < 0 || told.rlim_cur != RLIM_INFINITY)
		return false;
	told.rlim_cur = 1;
	if (syscall(SYS_getrlimit, RLIMIT_LOCKS, &told) < 0 || told.rlim_cur != RLIM_INFINITY)
		return false;
	return syscall(SYS_setrlimit, RLIMIT_LOCKS, &none) == 0 && getuid() == 33;
}

TEST(no_call_shows_what_carries_the_belief_of_a_process)
{
	struct step step = { .body = read_limits };
	AUTO(overseer) struct overseer *overseer = NULL;

	if (geteuid() != 0)
		skip();
	start(&step, &overseer);
	step_end(&step);
}

static bool ask_for_nothing(int socket_fd, bool asks)
{
	(void)socket_fd;
	return !asks || (fchown(0, ID, ID) < 0 && errno == ENOSYS);
}

/* Where the thread cannot begin the step hears of it, and does not wait. */
static bool forbid_unshare(void)
{
	struct sock_filter program[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_unshare, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = { .len = ARRAY_SIZE(program), .filter = program };

	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog) == 0;
}

/* The last test: this process cannot unshare anything afterwards. */
TEST(who_cannot_be_overseen_is_told_so)
{
	struct step step = { .body = ask_for_nothing };
	struct overseer *overseer = NULL;

	if (geteuid() != 0)
		skip();
	step_start(&step);
	assert_true(forbid_unshare());
	assert_fails(overseer_start(step.fds[0], step.fds[1], NULL, 0, &overseer), ERR_SYSTEM);
	assert_null(overseer);
	step_end(&step);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_change_of_owner_fails_as_the_kernel_lets_it_fail),
		cmocka_unit_test(a_mount_that_hangs_stops_nobody_else),
		cmocka_unit_test(few_threads_look_up_what_is_far),
		cmocka_unit_test(links_of_proc_lead_to_what_is_ones_own_and_to_nothing_of_others),
		cmocka_unit_test(only_who_may_gives_files_away),
		cmocka_unit_test(no_call_shows_what_carries_the_belief_of_a_process),
		cmocka_unit_test(who_cannot_be_overseen_is_told_so),
	};

	return cmocka_run_group_tests(tests, tmp_setup, tmp_teardown);
}
