/* base/process.c - see base/process.h. */

#include "base/process.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/str.h"

#define BORROWER_STACK ((size_t)64 * 1024)

#ifdef __SANITIZE_THREAD__
/* Its clone() takes every child for a fork, which this one is not. */
int __clone(int (*run)(void *arg), void *stack, int flags, void *arg, ...);
#define clone __clone
#endif

struct err *process_borrow(int (*run)(void *arg), void *arg, int flags, pid_t *ret_pid,
			   int *ret_pidfd)
{
	char *stack = mmap(NULL, BORROWER_STACK, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
	sigset_t all, before;
	pid_t pid;
	int saved;

	if (stack == MAP_FAILED)
		return err_sys("get a stack for a child");
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before); /* no handler of ours may run in the child */
	pid = clone(run, stack + BORROWER_STACK, flags | CLONE_VM | CLONE_VFORK, arg, ret_pidfd);
	saved = errno;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	munmap(stack, BORROWER_STACK);
	errno = saved;
	if (pid < 0)
		return err_sys("clone a process");
	*ret_pid = pid;
	return NULL;
}

char *program_find(const char *name, const char *path)
{
	struct str rest = str_of(path);

	while (rest.at) {
		struct str dir = str_cut(&rest, ':');
		AUTO(mem) char *file = xasprintf("%.*s/%s", STR_ARG(dir), name);
		struct stat st;

		if (str_starts(dir, "/") && stat(file, &st) == 0 && S_ISREG(st.st_mode) &&
		    access(file, X_OK) == 0)
			return STEAL(file);
	}
	return NULL;
}

/* ---- nobody's children ---- */

struct orphan {
	int (*run)(void *arg);
	void *arg;
	char *stack;
	int pidfd; /* in the table that its parent shares with us */
	int error; /* errno; 0: it runs, or has */
};

/* The parent that is gone as soon as the child has its own memory. */
SYSTEM_CALLS_ONLY static int run_parent(void *arg)
{
	struct orphan *orphan = arg;
	const pid_t pid =
		clone(orphan->run, orphan->stack + BORROWER_STACK,
		      CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD, orphan->arg, &orphan->pidfd);

	orphan->error = pid < 0 ? errno : 0;
	return 0;
}

struct err *process_borrow_orphan(int (*run)(void *arg), void *arg, int *ret_pidfd)
{
	struct orphan orphan = { .run = run, .arg = arg, .pidfd = -1, .error = ECHILD };
	struct err *err;
	pid_t pid;

	orphan.stack = mmap(NULL, BORROWER_STACK, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
	if (orphan.stack == MAP_FAILED)
		return err_sys("get a stack for a child");
	/* no exit signal: the program's own waiting must not see this child */
	err = process_borrow(run_parent, &orphan, CLONE_FILES, &pid, NULL);
	while (!err && waitpid(pid, NULL, __WCLONE) < 0 && errno == EINTR)
		;
	munmap(orphan.stack, BORROWER_STACK);
	TRY(err);
	errno = orphan.error;
	if (errno)
		return err_sys("clone a process");
	*ret_pidfd = orphan.pidfd;
	return NULL;
}

struct process_end process_decode(int wait_status)
{
	if (WIFSIGNALED(wait_status))
		return (struct process_end){ .code = 128 + WTERMSIG(wait_status),
					     .signal = WTERMSIG(wait_status) };
	return (struct process_end){ .code = WEXITSTATUS(wait_status) };
}

const char *signal_name(int number, char buf[static SIGNAL_NAME_SIZE])
{
	const char *abbreviation = sigabbrev_np(number);

	if (abbreviation)
		snprintf(buf, SIGNAL_NAME_SIZE, "SIG%s", abbreviation);
	else
		snprintf(buf, SIGNAL_NAME_SIZE, "signal %d", number);
	return buf;
}

struct err *process_wait(int pidfd, struct process_end *ret)
{
	siginfo_t info = { 0 };

	while (waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED) < 0)
		if (errno != EINTR)
			return err_sys("wait for a process");
	if (info.si_code == CLD_EXITED)
		*ret = (struct process_end){ .code = info.si_status };
	else
		*ret = (struct process_end){ .code = 128 + info.si_status,
					     .signal = info.si_status };
	return NULL;
}

struct err *process_signal(int pidfd, int number)
{
	if (syscall(SYS_pidfd_send_signal, pidfd, number, NULL, 0) < 0 && errno != ESRCH)
		return err_sys("send signal %d", number);
	return NULL;
}
