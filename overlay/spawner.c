/* overlay/spawner.c - see overlay/spawner-private.h. */

#include "overlay/spawner-private.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/err.h"
#include "base/process.h"
#include "overlay/report-private.h"
#include "overlay/request-private.h"

#ifndef MFD_EXEC
#define MFD_EXEC 0x10U
#endif

/* The helper program, put into the archive by the Makefile. */
extern const char _binary_spawner_start[];
extern const char _binary_spawner_end[];

struct spawner {
	int control_fd; /* never read but after the end; messages to it are whole */
	int pidfd;
	pid_t pid;
};

/* `fd` or a copy of it above the standard descriptors, which the child gives a new meaning. */
static struct err *move_up(int fd, int *ret_fd)
{
	int higher = fd > 2 ? fd : fcntl(fd, F_DUPFD_CLOEXEC, 3);

	if (higher < 0)
		return err_sys("spawner: move a descriptor");
	if (higher != fd)
		close(fd);
	*ret_fd = higher;
	return NULL;
}

/* The helper in a memory file that nobody can change: a step can get hold of the file of the
 * process that executed it, and this is all it gets. */
static struct err *make_image(int *ret_fd)
{
	const size_t size = (size_t)(_binary_spawner_end - _binary_spawner_start);
	const unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
	AUTO(fd) int fd = memfd_create("cairn-spawner", flags | MFD_EXEC);

	if (fd < 0 && errno == EINVAL) /* before Linux 6.3 */
		fd = memfd_create("cairn-spawner", flags);
	if (fd < 0)
		return err_sys("spawner: make a memory file");
	for (size_t done = 0; done < size;) {
		ssize_t put = write(fd, _binary_spawner_start + done, size - done);

		if (put < 0 && errno != EINTR)
			return err_sys("spawner: write its memory file");
		done += put > 0 ? (size_t)put : 0;
	}
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
		return err_sys("spawner: seal its memory file");
	return move_up(STEAL_FD(fd), ret_fd);
}

/* What the child needs before its exec, and its answer. It lives in the parent's memory. */
struct start {
	int image_fd;
	int control_fd;
	int error; /* errno of a failed exec; 0 otherwise */
};

/* Runs in the child, in the memory of the parent, which waits. */
SYSTEM_CALLS_ONLY static int run_image(void *arg)
{
	static char *const argv[] = { (char *)"cairn-spawner", NULL };
	static char *const envp[] = { NULL };
	struct start *start = arg;

	syscall(SYS_dup3, start->control_fd, 0, 0);
	syscall(SYS_execveat, start->image_fd, "", argv, envp, AT_EMPTY_PATH);
	start->error = errno;
	return 127;
}

static struct err *clone_image(struct start *start, struct spawner *spawner)
{
	const int flags = CLONE_NEWPID | CLONE_PIDFD | SIGCHLD;
	struct err *err = process_borrow(run_image, start, flags, &spawner->pid, &spawner->pidfd);

	if (err_errno(err) != EPERM)
		return err_wrap(err, "spawner");
	err_free(err);
	return err_note(
		err_new(ERR_DENIED, "steps need root: cannot make a process namespace"),
		"Run as root, with CAP_SYS_ADMIN. Building without root is not supported yet.");
}

struct err *spawner_start(struct spawner **ret)
{
	AUTO(spawner) struct spawner *spawner = xcalloc(1, sizeof(*spawner));
	AUTO(fd) int image_fd = -1;
	AUTO(fd) int theirs = -1;
	struct start start = { 0 };
	int pair[2];

	spawner->control_fd = spawner->pidfd = -1;
	TRY(make_image(&image_fd));
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys("spawner: make a socket");
	spawner->control_fd = pair[0];
	TRY(move_up(pair[1], &theirs));
	start = (struct start){ .image_fd = image_fd, .control_fd = theirs };
	TRY(clone_image(&start, spawner));
	if (start.error) {
		errno = start.error;
		return err_note(err_sys("spawner: execute a memory file"),
				"The sysctl vm.memfd_noexec must not be 2.");
	}
	*ret = STEAL(spawner);
	return NULL;
}

struct err *spawner_send(struct spawner *spawner, const struct request_head *head, const int *fds,
			 size_t fd_count)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int) * REQUEST_FD_MAX)] = { 0 };
	struct iovec iov = { .iov_base = (void *)(uintptr_t)head, .iov_len = sizeof(*head) };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = CMSG_SPACE(sizeof(int) * fd_count),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int) * fd_count);
	memcpy(CMSG_DATA(cmsg), fds, sizeof(int) * fd_count);
	while (sendmsg(spawner->control_fd, &msg, MSG_NOSIGNAL) < 0) {
		if (errno == EINTR)
			continue;
		if (errno == EPIPE || errno == ECONNRESET)
			return spawner_fault(spawner);
		return err_sys("spawner: send a request");
	}
	return NULL;
}

struct err *spawner_fault(struct spawner *spawner)
{
	struct report report;
	ssize_t got = recv(spawner->control_fd, &report, sizeof(report), MSG_DONTWAIT);

	/* Told once where a request was not read any more; what it said before is behind that. */
	if (got < 0 && errno == ECONNRESET)
		got = recv(spawner->control_fd, &report, sizeof(report), MSG_DONTWAIT);
	if (got == sizeof(report))
		return report_error(&report);
	return err_new(ERR_INTERNAL, "spawner: ended without a word, killed by somebody?");
}

pid_t spawner_pid(const struct spawner *spawner)
{
	return spawner->pid;
}

int spawner_pidfd(const struct spawner *spawner)
{
	return spawner->pidfd;
}

void spawner_free(struct spawner *spawner)
{
	struct process_end end;

	if (!spawner)
		return;
	if (spawner->control_fd >= 0)
		close(spawner->control_fd);
	if (spawner->pidfd >= 0) {
		/* It ends by itself; the signal is for one that is stopped or stuck. */
		err_free(process_signal(spawner->pidfd, SIGKILL));
		err_free(process_wait(spawner->pidfd, &end));
		close(spawner->pidfd);
	}
	free(spawner);
}
