/*
 * overlay/helper/main.c - the spawner: steps are its children.
 *
 * Started by overlay/spawner.c with the control socket as descriptor 0, as
 * process 1 of a process namespace. Its mount namespace holds one empty,
 * read-only tmpfs, so a step's namespace is a copy of one mount instead of all
 * of the host's. Ends when the control socket does; the kernel then kills
 * everything in the namespace.
 */

#include "overlay/helper/helper.h"

#include <errno.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>

#include "overlay/kernel-private.h"

#define CONTROL_FD 0
#define STEPS_MAX 256
#define POLL_TRIES 100 /* a second */

/* A running step. Only the first `live_count` of `live` are in use. */
struct live {
	pid_t pid; /* in the spawner's namespace */
	int pidfd;
	int report_fd; /* -1 once the builder has closed its side */
	uint64_t started_ns;
};

static struct live live[STEPS_MAX];
static size_t live_count;

static uint64_t monotonic_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000U + (uint64_t)t.tv_nsec;
}

/* A report that cannot be delivered has no reader: the builder is gone or has lost interest. */
static void send_report(int fd, const struct report *report)
{
	(void)!send(fd, report, sizeof(*report), MSG_NOSIGNAL);
}

static void report_failure(int fd, enum step_stage stage, const char *what)
{
	struct report report = { .kind = REPORT_FAILED, .stage = stage, .error = errno };

	for (size_t i = 0; what[i] && i < REPORT_WHAT_SIZE - 1; i++)
		report.what[i] = what[i];
	send_report(fd, &report);
}

noreturn static void give_up(const char *what)
{
	report_failure(CONTROL_FD, STAGE_SPAWNER, what);
	_exit(1);
}

/* ---- the spawner's own isolation ---- */

/* exec keeps what was ignored, and so would every step. The C library hides two signals from its
 * own sigaction(). */
static void reset_signals(void)
{
	static const uint64_t ordinary[8]; /* the kernel's struct: SIG_DFL, no flags, empty mask */

	for (int i = 1; i < NSIG; i++)
		syscall(SYS_rt_sigaction, i, ordinary, NULL, sizeof(uint64_t));
	syscall(SYS_rt_sigprocmask, SIG_SETMASK, ordinary, NULL, sizeof(uint64_t));
}

/* The tmpfs that takes the place of the host's tree. */
static int make_base(void)
{
	int fs_fd = kernel_fsopen("tmpfs");
	int base_fd;

	if (fs_fd < 0 || kernel_fsconfig(fs_fd, FSCONFIG_SET_STRING, "mode", "0755", 0) < 0 ||
	    kernel_fsconfig(fs_fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		give_up("tmpfs");
	base_fd = kernel_fsmount(fs_fd, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
	close(fs_fd);
	if (base_fd < 0 || mkdirat(base_fd, BASE_ROOT, 0700) < 0 ||
	    mkdirat(base_fd, BASE_PRIVATE, 0700) < 0 || mkdirat(base_fd, BASE_SOURCE, 0700) < 0)
		give_up("tmpfs");
	return base_fd;
}

/* ---- in a user namespace ---- */

/* Device nodes cannot be made there, /sys and /proc be mounted only where they are to be seen. So the
 * host's lie in the spawner's root, from which the steps clone what they need. */
static bool can_make_devices(int base_fd)
{
	const bool can = mknodat(base_fd, "probe", S_IFCHR | 0600, makedev(1, 3)) == 0;

	unlinkat(base_fd, "probe", 0);
	return can;
}

static void keep_device(int dev_fd, const char *name)
{
	static const char host_dev[] = "/dev/";
	char path[16];
	struct stat st;
	int fd, place_fd;

	memcpy(path, host_dev, sizeof(host_dev) - 1);
	memcpy(path + sizeof(host_dev) - 1, name, strlen(name) + 1);
	fd = kernel_clone_mount(AT_FDCWD, path);
	if (fd < 0 || fstat(fd, &st) < 0)
		give_up(path);
	if (!S_ISCHR(st.st_mode)) {
		errno = ENODEV; /* somebody's file in the place of the device */
		give_up(path);
	}
	place_fd = openat(dev_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	if (place_fd < 0 || kernel_attach(fd, dev_fd, name) < 0)
		give_up(path);
	close(place_fd);
	close(fd);
}

/* The host's tree at `path`, with all that is mounted in it: what a step gets of it is made read-only there. */
static void keep_tree(int base_fd, const char *path, const char *name)
{
	int fd = kernel_clone_tree(AT_FDCWD, path);

	if (fd < 0 || mkdirat(base_fd, name, 0755) < 0 || kernel_attach(fd, base_fd, name) < 0)
		give_up(path);
	close(fd);
}

static void keep_host_parts(int base_fd)
{
	static const char *const names[] = { "null", "zero", "full", "random", "urandom", "tty" };
	int dev_fd;

	if (mkdirat(base_fd, BASE_DEV, 0755) < 0)
		give_up("dev");
	dev_fd = openat(base_fd, BASE_DEV, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dev_fd < 0)
		give_up("dev");
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		keep_device(dev_fd, names[i]);
	close(dev_fd);
	keep_tree(base_fd, "/sys", BASE_SYS);
	keep_tree(base_fd, "/proc", BASE_PROC);
}

static void leave_host(void)
{
	int base_fd;

	if (unshare(CLONE_NEWNS) < 0)
		give_up("mount namespace");
	if (kernel_make_private(-1, "/", AT_RECURSIVE) < 0)
		give_up("mount propagation");
	base_fd = make_base();
	if (kernel_attach(base_fd, AT_FDCWD, "/") < 0)
		give_up("root");
	if (!can_make_devices(base_fd))
		keep_host_parts(base_fd);
	if (kernel_mount_setattr(base_fd, "", AT_EMPTY_PATH, MOUNT_ATTR_RDONLY) < 0 ||
	    fchdir(base_fd) < 0 || kernel_pivot_root(".", ".") < 0 ||
	    kernel_umount(".", KERNEL_UMOUNT_DETACH) < 0 || chdir("/") < 0)
		give_up("root");
	close(base_fd);
}

static void isolate(void)
{
	int type = 0;
	socklen_t len = sizeof(type);

	/* Started by anybody else, for instance as the interpreter of an image's script. */
	if (getsockopt(CONTROL_FD, SOL_SOCKET, SO_TYPE, &type, &len) < 0 ||
	    type != SOCK_SEQPACKET || getpid() != 1)
		_exit(125);

	/* 1 and 2 stay taken, so that no descriptor of a step gets these numbers by chance. */
	dup2(CONTROL_FD, 1);
	dup2(CONTROL_FD, 2);
	close_range(3, ~0U, 0);
	reset_signals();
	setsid(); /* the terminal's signals are for the builder */
	prctl(PR_SET_DUMPABLE, 0);
	prctl(PR_SET_NAME, "cairn-spawner");
	leave_host();
}

/* ---- requests ---- */

/* A request as received. */
struct arrival {
	struct request_head head;
	int fds[REQUEST_FD_MAX];
	size_t fd_count;
};

static void close_arrival(const struct arrival *arrival, size_t from)
{
	for (size_t i = from; i < arrival->fd_count; i++)
		close(arrival->fds[i]);
}

/* False when the builder has closed the socket. */
static bool receive(struct arrival *arrival)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(arrival->fds))];
	struct iovec iov = { .iov_base = &arrival->head, .iov_len = sizeof(arrival->head) };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	const struct cmsghdr *cmsg;
	ssize_t got;

	do
		got = recvmsg(CONTROL_FD, &msg, MSG_CMSG_CLOEXEC);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		give_up("request");
	if (got == 0)
		return false;

	cmsg = CMSG_FIRSTHDR(&msg);
	arrival->fd_count = 0;
	if (cmsg && cmsg->cmsg_type == SCM_RIGHTS) {
		arrival->fd_count = (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		memcpy(arrival->fds, CMSG_DATA(cmsg), arrival->fd_count * sizeof(int));
	}
	return true;
}

/* `network_fd` was made for it; -1: none. */
noreturn static void become_step(struct arrival *arrival, int network_fd)
{
	struct step step = {
		.report_fd = arrival->fds[REQUEST_FD_REPORT],
		.file_fd = arrival->fds[REQUEST_FD_FILE],
		.root_fd = arrival->fds[REQUEST_FD_ROOT],
		.stdio = { -1, -1, -1 },
		.network_fd = network_fd,
		.userns_fd = -1,
	};
	size_t next = REQUEST_FD_STDIO;

	for (unsigned i = 0; i < 3; i++)
		if (arrival->head.flags & (REQUEST_STDIN << i) && next < arrival->fd_count)
			step.stdio[i] = arrival->fds[next++];
	if (arrival->head.flags & REQUEST_CGROUP)
		next++; /* the step was born in it */
	if (arrival->head.flags & REQUEST_JOIN_NETWORK && next < arrival->fd_count)
		step.network_fd = arrival->fds[next++];
	if (arrival->head.flags & REQUEST_USERNS)
		step.userns_fd = arrival->fds[next++];
	step.cgroup_fds = arrival->fds + next;
	step.cgroup_count = arrival->head.cgroups;
	next += step.cgroup_count;
	step.mount_fds = arrival->fds + next;
	step.mount_count = (uint32_t)(arrival->fd_count - next);
	step_main(&step);
}

/* The directory of the control group that the step is born in, and what follows. */
static const int *cgroup_of(const struct arrival *arrival)
{
	size_t at = REQUEST_FD_STDIO;

	for (unsigned i = 0; i < 3; i++)
		at += arrival->head.flags & (REQUEST_STDIN << i) ? 1 : 0;
	return &arrival->fds[at];
}

/* An empty network for a step of a user namespace, -1 for any other; false and errno if there can be none. */
static bool make_network(const struct arrival *arrival, int *ret_fd)
{
	const uint32_t flags = arrival->head.flags;

	*ret_fd = -1;
	if (!(flags & REQUEST_NEW_NETWORK) || !(flags & REQUEST_USERNS))
		return true;
	*ret_fd = network_make(cgroup_of(arrival)[flags & REQUEST_CGROUP ? 1 : 0]);
	return *ret_fd >= 0;
}

static void start_step(struct arrival *arrival)
{
	struct live *new = &live[live_count];
	int report_fd = arrival->fds[REQUEST_FD_REPORT];
	struct clone_args args = {
		.flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_PIDFD,
		.pidfd = (uint64_t)(uintptr_t) & new->pidfd,
		.exit_signal = SIGCHLD,
	};
	int network_fd;
	long pid;

	new->started_ns = monotonic_ns();
	if (!make_network(arrival, &network_fd)) {
		report_failure(report_fd, STAGE_NETWORK, "");
		close_arrival(arrival, REQUEST_FD_REPORT);
		return;
	}
	if (arrival->head.flags & REQUEST_NEW_NETWORK && network_fd < 0)
		args.flags |= CLONE_NEWNET;
	if (arrival->head.flags & REQUEST_CGROUP) {
		args.flags |= CLONE_INTO_CGROUP;
		args.cgroup = (uint64_t)cgroup_of(arrival)[0];
	}
	errno = EAGAIN;
	pid = live_count < STEPS_MAX ? syscall(SYS_clone3, &args, sizeof(args)) : -1;
	if (pid == 0)
		become_step(arrival, network_fd);
	close_arrival(arrival, REQUEST_FD_REPORT + 1);
	if (network_fd >= 0)
		close(network_fd);
	if (pid < 0) {
		report_failure(report_fd, STAGE_CLONE, "");
		close(report_fd);
		return;
	}
	new->pid = (pid_t)pid;
	new->report_fd = report_fd;
	live_count++;
}

static void take_request(void)
{
	struct arrival arrival;

	if (!receive(&arrival))
		_exit(0);
	if (arrival.fd_count < REQUEST_FD_STDIO + (size_t)arrival.head.cgroups +
				       !!(arrival.head.flags & REQUEST_CGROUP) +
				       !!(arrival.head.flags & REQUEST_JOIN_NETWORK) +
				       !!(arrival.head.flags & REQUEST_USERNS))
		close_arrival(&arrival, 0);
	else
		start_step(&arrival);
}

/* ---- running steps ---- */

/* Pass on a signal, or the end of the builder's interest. */
static void hear(struct live *step)
{
	int number = 0;
	ssize_t got = recv(step->report_fd, &number, sizeof(number), MSG_DONTWAIT);

	if (got < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (got <= 0) {
		close(step->report_fd);
		step->report_fd = -1;
		number = SIGKILL;
	}
	kill(step->pid, number); /* SIGKILL: with everything else in its namespace */
}

static void reap(struct live *step)
{
	struct report report = { .kind = REPORT_ENDED };
	struct rusage usage = { 0 };

	if (wait4(step->pid, &report.status, 0, &usage) != step->pid)
		return;
	report.wall_ns = monotonic_ns() - step->started_ns;
	report.user_us =
		(uint64_t)usage.ru_utime.tv_sec * 1000000U + (uint64_t)usage.ru_utime.tv_usec;
	report.system_us =
		(uint64_t)usage.ru_stime.tv_sec * 1000000U + (uint64_t)usage.ru_stime.tv_usec;
	report.max_rss = (uint64_t)usage.ru_maxrss * 1024U;
	if (step->report_fd >= 0) {
		send_report(step->report_fd, &report);
		close(step->report_fd);
	}
	close(step->pidfd);
	*step = live[--live_count];
}

/* A poll that failed: whether it is worth another try. Whoever waits for us must not wait for ever. */
static bool go_on(unsigned *failed)
{
	const struct timespec pause = { .tv_nsec = 10 * 1000 * 1000 };

	if (errno == EINTR)
		return true;
	nanosleep(&pause, NULL);
	return ++*failed < POLL_TRIES;
}

int main(void)
{
	unsigned failed = 0;
	static struct pollfd polled[1 + 2 * STEPS_MAX];

	isolate();
	for (;;) {
		size_t count = live_count;

		polled[0] = (struct pollfd){ .fd = CONTROL_FD, .events = POLLIN };
		for (size_t i = 0; i < count; i++) {
			polled[1 + 2 * i] =
				(struct pollfd){ .fd = live[i].report_fd, .events = POLLIN };
			polled[2 + 2 * i] =
				(struct pollfd){ .fd = live[i].pidfd, .events = POLLIN };
		}
		if (poll(polled, 1 + 2 * count, -1) < 0) {
			if (go_on(&failed))
				continue;
			return 1;
		}
		failed = 0;
		/* From the last to the first: reaping moves the last into the gap. */
		for (size_t i = count; i-- > 0;) {
			if (polled[1 + 2 * i].revents)
				hear(&live[i]);
			if (polled[2 + 2 * i].revents)
				reap(&live[i]);
		}
		if (polled[0].revents)
			take_request();
	}
}
