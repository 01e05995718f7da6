/*
 * base/process.h - where programs are, how processes end, and handles that cannot mean another one.
 */
#ifndef BASE_PROCESS_H
#define BASE_PROCESS_H

#include <sys/types.h>

#include "base/mem.h"

struct err;

/* For what runs in a borrowed address space: a sanitizer would take it for one of our threads. */
#define SYSTEM_CALLS_ONLY __attribute__((no_sanitize("address", "thread", "undefined")))

/*
 * Run `run(arg)` in a child that borrows our memory while this thread waits for its exec or exit:
 * quick however large the process is, and safe from any thread. `run` makes system calls through
 * syscall(2) only, and execs or returns its exit code; errno is this thread's. `flags` are those
 * of clone(2) to add: namespaces, CLONE_PIDFD (for `ret_pidfd`, else NULL), the exit signal.
 */
struct err *process_borrow(int (*run)(void *arg), void *arg, int flags, pid_t *ret_pid,
			   int *ret_pidfd) MUST_USE;

/* The same for one that is the child of process 1 of the process namespace that it is born in, which reaps it, and not
 * ours. Its pidfd is readable when it has ended. */
struct err *process_borrow_orphan(int (*run)(void *arg), void *arg, int *ret_pidfd) MUST_USE;

struct process_end {
	int code;   /* as a shell says it: 0 to 255, 128 + signal */
	int signal; /* the signal that killed it, or 0 */
};

/* What a status of waitpid(2) says about a process that has ended. */
struct process_end process_decode(int wait_status);

/* "SIGKILL"; "signal 77" for one without a name. Static or in `buf`. */
#define SIGNAL_NAME_SIZE 16
const char *signal_name(int number, char buf[static SIGNAL_NAME_SIZE]);

/* Where distributions put programs, as a PATH. */
#define PROGRAM_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* The file of a program in `path`, a list of directories as PATH is one (NULL: an empty one), owned by
 * the caller; NULL if it is in none of them. Parts that are no absolute paths are passed over. */
char *program_find(const char *name, const char *path) MUST_USE;

/* Wait for a child by its pidfd and reap it. */
struct err *process_wait(int pidfd, struct process_end *ret) MUST_USE;
/* Signal the process of a pidfd; one that is gone is no error. */
struct err *process_signal(int pidfd, int number) MUST_USE;

#endif
