/*
 * tests/kills/stepper.c - kill -9 a command when it enters its n-th call that changes something.
 *
 *	stepper [-a] [-k N] [-u UID:GID] [-t SECONDS] REPORT COMMAND [ARGUMENT...]
 *
 * COMMAND, all of its threads and all processes that come of it, whatever namespaces they are in,
 * run under ptrace and with a seccomp filter that stops them at the calls of the table below: those
 * that change files, names, mounts, locks, namespaces or processes, or that send. They are counted
 * over all of them. As the n-th is entered the first process is killed, or with -a every one at
 * once. What is left after the first one's end has so many seconds (60) to end by itself.
 *
 * REPORT gets one line: the calls that were counted; `killed` or `ended`; the exit code of the
 * command (128 and the signal, if one ended it); how many processes were left and had to be killed;
 * the call and the process that made it.
 *
 * With -u the command is that user's; this program is root's, as who may set a filter without
 * forbidding set-id programs, and may trace those.
 */

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/filter.h>
#include <linux/fs.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof(*(array)))
#define TASKS_MAX 4096

/* When a call counts. */
enum when {
	ALWAYS,
	OPEN, /* if it may make or change a file; the argument with the flags is the second ... */
	OPEN_AT,   /* ... the third ... */
	OPEN_HOW,  /* ... or where the third points to */
	FILE_ONLY, /* if the first is a file or a socket; pipes and counters hold nothing */
	CLONING,   /* if it makes a process, not a thread */
	CLONE_HOW,
	REFLINK,
	LOCKING,
};

struct call {
	unsigned nr;
	enum when when;
	const char *name;
};

#define CALL(name, when)                \
	{                               \
		SYS_##name, when, #name \
	}

static const struct call calls[] = {
#ifdef SYS_open
	CALL(open, OPEN),
	CALL(creat, ALWAYS),
	CALL(rename, ALWAYS),
	CALL(link, ALWAYS),
	CALL(unlink, ALWAYS),
	CALL(rmdir, ALWAYS),
	CALL(mkdir, ALWAYS),
	CALL(symlink, ALWAYS),
	CALL(mknod, ALWAYS),
	CALL(chmod, ALWAYS),
	CALL(chown, ALWAYS),
	CALL(lchown, ALWAYS),
	CALL(fork, ALWAYS),
	CALL(vfork, ALWAYS),
#endif
	CALL(openat, OPEN_AT),
	CALL(openat2, OPEN_HOW),
	CALL(renameat, ALWAYS),
	CALL(renameat2, ALWAYS),
	CALL(linkat, ALWAYS),
	CALL(unlinkat, ALWAYS),
	CALL(mkdirat, ALWAYS),
	CALL(symlinkat, ALWAYS),
	CALL(mknodat, ALWAYS),
	CALL(fchmod, ALWAYS),
	CALL(fchmodat, ALWAYS),
	CALL(fchown, ALWAYS),
	CALL(fchownat, ALWAYS),
	CALL(utimensat, ALWAYS),
	CALL(setxattr, ALWAYS),
	CALL(lsetxattr, ALWAYS),
	CALL(fsetxattr, ALWAYS),
	CALL(removexattr, ALWAYS),
	CALL(lremovexattr, ALWAYS),
	CALL(fremovexattr, ALWAYS),
	CALL(truncate, ALWAYS),
	CALL(ftruncate, ALWAYS),
	CALL(fallocate, ALWAYS),
	CALL(write, FILE_ONLY),
	CALL(writev, FILE_ONLY),
	CALL(pwrite64, FILE_ONLY),
	CALL(pwritev, FILE_ONLY),
	CALL(pwritev2, FILE_ONLY),
	CALL(sendfile, FILE_ONLY),
	CALL(splice, ALWAYS),
	CALL(copy_file_range, ALWAYS),
	CALL(ioctl, REFLINK),
	CALL(sendto, ALWAYS),
	CALL(sendmsg, ALWAYS),
	CALL(sendmmsg, ALWAYS),
	CALL(connect, ALWAYS),
	CALL(fsync, ALWAYS),
	CALL(fdatasync, ALWAYS),
	CALL(syncfs, ALWAYS),
	CALL(sync, ALWAYS),
	CALL(sync_file_range, ALWAYS),
	CALL(flock, ALWAYS),
	CALL(fcntl, LOCKING),
	CALL(mount, ALWAYS),
	CALL(umount2, ALWAYS),
	CALL(pivot_root, ALWAYS),
	CALL(move_mount, ALWAYS),
	CALL(fsmount, ALWAYS),
	CALL(open_tree, ALWAYS),
	CALL(mount_setattr, ALWAYS),
	CALL(unshare, ALWAYS),
	CALL(setns, ALWAYS),
	CALL(clone, CLONING),
	CALL(clone3, CLONE_HOW),
	CALL(execve, ALWAYS),
	CALL(execveat, ALWAYS),
	CALL(kill, ALWAYS),
};

static unsigned long kill_at, seen;
static bool kill_all;
static bool dying; /* whoever appears from now on is killed, too */
static pid_t tasks[TASKS_MAX];
static size_t task_count;
static char what[128] = "- -"; /* the call at which it was killed, and whose */

static void die(const char *text)
{
	perror(text);
	exit(125);
}

/* ---- the command ---- */

static void set_filter(void)
{
	struct sock_filter code[2 * COUNT(calls) + 2];
	struct sock_fprog program = { .filter = code };

	code[program.len++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
							   offsetof(struct seccomp_data, nr));
	for (size_t i = 0; i < COUNT(calls); i++) {
		code[program.len++] =
			(struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, calls[i].nr, 0, 1);
		code[program.len++] = (struct sock_filter)BPF_STMT(BPF_RET, SECCOMP_RET_TRACE);
	}
	code[program.len++] = (struct sock_filter)BPF_STMT(BPF_RET, SECCOMP_RET_ALLOW);
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0)
		die("set the filter (which needs root)");
}

static void become(const char *user)
{
	char *end;
	uid_t uid = (uid_t)strtoul(user, &end, 10);
	gid_t gid = (gid_t)strtoul(end + 1, NULL, 10);

	if (setgroups(0, NULL) < 0 || setgid(gid) < 0 || setuid(uid) < 0)
		die("become the user");
}

static void run(int go, const char *user, char **argv)
{
	char byte;

	if (read(go, &byte, 1) != 1) /* until the tracer is there */
		_exit(125);
	close(go);
	set_filter();
	if (user)
		become(user);
	execvp(argv[0], argv);
	die(argv[0]);
}

/* ---- what counts ---- */

static const struct call *find_call(uint64_t nr)
{
	for (size_t i = 0; i < COUNT(calls); i++)
		if (calls[i].nr == nr)
			return &calls[i];
	return NULL;
}

static uint64_t word_at(pid_t pid, uint64_t address)
{
	uint64_t word = 0;
	struct iovec here = { &word, sizeof(word) };
	struct iovec there = { (void *)(uintptr_t)address, sizeof(word) };

	return process_vm_readv(pid, &here, 1, &there, 1, 0) == sizeof(word) ? word : 0;
}

static bool may_write(uint64_t flags)
{
	return flags & (O_WRONLY | O_RDWR | O_CREAT | O_TRUNC);
}

static bool holds_data(pid_t pid, uint64_t fd)
{
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)pid, (int)fd);
	return stat(path, &st) == 0 && (S_ISREG(st.st_mode) || S_ISSOCK(st.st_mode));
}

static bool is_lock(uint64_t command)
{
	return command == F_SETLK || command == F_SETLKW || command == F_OFD_SETLK ||
	       command == F_OFD_SETLKW;
}

static bool counts(pid_t pid, const struct call *call, const uint64_t *args)
{
	switch (call->when) {
	case OPEN:
		return may_write(args[1]);
	case OPEN_AT:
		return may_write(args[2]);
	case OPEN_HOW:
		return may_write(word_at(pid, args[2]));
	case FILE_ONLY:
		return holds_data(pid, args[0]);
	case CLONING:
		return !(args[0] & CLONE_THREAD);
	case CLONE_HOW:
		return !(word_at(pid, args[0]) & CLONE_THREAD);
	case REFLINK:
		return args[1] == FICLONE || args[1] == FICLONERANGE;
	case LOCKING:
		return is_lock(args[1]);
	default:
		return true;
	}
}

/* ---- killing ---- */

static void add_task(pid_t pid)
{
	for (size_t i = 0; i < task_count; i++)
		if (tasks[i] == pid)
			return;
	if (task_count == TASKS_MAX)
		die("too many processes");
	tasks[task_count++] = pid;
}

static void remove_task(pid_t pid)
{
	for (size_t i = 0; i < task_count; i++)
		if (tasks[i] == pid)
			tasks[i] = tasks[--task_count];
}

static void kill_tasks(void)
{
	dying = true;
	for (size_t i = 0; i < task_count; i++)
		kill(tasks[i], SIGKILL);
}

static void note(pid_t pid, const struct call *call)
{
	char path[64], name[32] = "?";
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
	file = fopen(path, "r");
	if (file) {
		if (fscanf(file, "%31s", name) != 1)
			strcpy(name, "?");
		fclose(file);
	}
	snprintf(what, sizeof(what), "%s %s", call->name, name);
}

/* A task entered a call that the filter has stopped; whether it must not go on. */
static bool enter(pid_t first, pid_t pid)
{
	struct __ptrace_syscall_info info;
	const struct call *call;

	if (ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), &info) <= 0 ||
	    info.op != PTRACE_SYSCALL_INFO_SECCOMP)
		return false;
	call = find_call(info.seccomp.nr);
	if (!call || !counts(pid, call, info.seccomp.args) || ++seen != kill_at)
		return false;
	note(pid, call);
	if (kill_all)
		kill_tasks();
	else
		kill(first, SIGKILL);
	return kill_all;
}

/* ---- the tracer ---- */

static volatile sig_atomic_t late;

static void on_alarm(int number)
{
	(void)number;
	late = 1;
}

/* A task has stopped, for us or by a signal: let it go on. */
static void handle(pid_t first, pid_t pid, int status)
{
	int event = status >> 16, number = WSTOPSIG(status);

	add_task(pid);
	if (dying) {
		kill(pid, SIGKILL);
		return;
	}
	if (event == PTRACE_EVENT_SECCOMP && enter(first, pid))
		return;
	if (event == PTRACE_EVENT_STOP && number != SIGTRAP)
		ptrace(PTRACE_LISTEN, pid, NULL, NULL); /* stopped as by ^Z */
	else
		ptrace(PTRACE_CONT, pid, NULL, event ? 0L : (long)number);
}

/* Until nobody is left; the status of the first. `*ret_left` is how many did not end themselves. */
static int follow(pid_t first, unsigned patience, size_t *ret_left)
{
	int status, result = 0;
	pid_t pid;

	*ret_left = 0;
	for (;;) {
		pid = waitpid(-1, &status, __WALL);
		if (pid < 0 && errno == ECHILD)
			return result;
		if (pid < 0 && late) {
			late = 0;
			*ret_left += task_count;
			kill_tasks();
			alarm(1);
		}
		if (pid < 0)
			continue;
		if (WIFSTOPPED(status)) {
			handle(first, pid, status);
			continue;
		}
		remove_task(pid);
		if (pid == first) {
			result = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
			alarm(patience);
		}
	}
}

static pid_t start(const char *user, char **argv)
{
	int ends[2];
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) < 0)
		die("pipe");
	pid = fork();
	if (pid == 0)
		run(ends[0], user, argv);
	if (pid < 0 ||
	    ptrace(PTRACE_SEIZE, pid, NULL,
		   PTRACE_O_TRACESECCOMP | PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK |
			   PTRACE_O_TRACEVFORK | PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL) < 0)
		die("trace");
	add_task(pid);
	if (write(ends[1], "", 1) != 1)
		die("start");
	close(ends[0]);
	close(ends[1]);
	return pid;
}

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_handler = on_alarm }; /* and waitpid(2) is cut short */
	const char *user = NULL;
	unsigned patience = 60;
	size_t left;
	FILE *report;
	pid_t first;
	int option, code;

	while ((option = getopt(argc, argv, "+ak:u:t:")) != -1) {
		if (option == 'a')
			kill_all = true;
		else if (option == 'k')
			kill_at = strtoul(optarg, NULL, 10);
		else if (option == 'u')
			user = optarg;
		else if (option == 't')
			patience = (unsigned)strtoul(optarg, NULL, 10);
		else
			return 125;
	}
	if (argc - optind < 2)
		return 125;
	report = fopen(argv[optind], "we");
	if (!report)
		die(argv[optind]);
	sigaction(SIGALRM, &action, NULL);
	/* Orphans come to us: a process that nobody traces would be seen, too. */
	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	first = start(user, argv + optind + 1);
	code = follow(first, patience, &left);
	fprintf(report, "%lu %s %d %zu %s\n", seen, kill_at && seen >= kill_at ? "killed" : "ended",
		code, left, what);
	return fclose(report) ? 125 : 0;
}
