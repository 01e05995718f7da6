/*
 * inject ERROR once|on FIRST LOG SECONDS PROGRAM COMMAND...: let one system call of a command fail.
 *
 * Of all calls that may fail with ERROR (a name such as ENOSPC), made by any thread or child of
 * COMMAND, the one of number FIRST does, without being made; with `on`, all later ones do, too. 0
 * lets none fail. Only processes that run PROGRAM (a file) or what it carries within itself (a
 * memfd) are counted: what the command of a step meets is that command's affair. So are the calls
 * of the dynamic loader: what it cannot load it says itself.
 *
 * A seccomp filter stops those calls alone for the tracer, which goes with every child to its end.
 * $INJECT_ONLY, texts with commas between them: a call counts only if its path, or that of its
 * descriptor, holds one of them.
 *
 * LOG gets a line for each call that failed, and what became of the command:
 *
 *	hit openat 4711 /dev/shm/store/tmp
 *	calls 512
 *	exit 1			or: signal 6
 *	left 4712 cairn		alive SECONDS after the beginning, and killed then
 */

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/fs.h>
#include <linux/openat2.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define LOADER_SIZE 0x40000 /* at least the text of ld.so */
#define AUXV_BASE 7
#define PATH_SIZE 256

/* ---- what may fail how ---- */

enum {
	SPACE = 1 << 0,   /* ENOSPC, EDQUOT */
	LOCKED = 1 << 1,  /* EROFS */
	DEVICE = 1 << 2,  /* EIO */
	FILES = 1 << 3,   /* EMFILE, ENFILE */
	MEMORY = 1 << 4,  /* ENOMEM */
	TASKS = 1 << 5,   /* EAGAIN: no more processes */
	BREAK = 1 << 6,   /* EINTR */
	RECORDS = 1 << 7, /* ENOLCK */
	CHANGES = SPACE | LOCKED | DEVICE,
};

static const struct {
	const char *name;
	int number;
	unsigned kind;
} errors[] = {
	{ "ENOSPC", ENOSPC, SPACE },   { "EDQUOT", EDQUOT, SPACE }, { "EROFS", EROFS, LOCKED },
	{ "EIO", EIO, DEVICE },        { "EMFILE", EMFILE, FILES }, { "ENFILE", ENFILE, FILES },
	{ "ENOMEM", ENOMEM, MEMORY },  { "EAGAIN", EAGAIN, TASKS }, { "EINTR", EINTR, BREAK },
	{ "ENOLCK", ENOLCK, RECORDS },
};

enum condition {
	ALWAYS,
	OPENS,   /* flags in the third argument */
	OPENS_2, /* flags where the third argument points to */
	FILE_0,  /* the first argument is a regular file or a directory */
	FILE_2,  /* the third is */
	WAITS,   /* the flock that may wait */
	CLONES,  /* the ioctl or fcntl that takes room */
	CONTROLS,
};

static const struct rule {
	const char *name;
	unsigned number;
	enum condition when;
	unsigned kinds;
} rules[] = {
#define CALL(name, when, kinds)                \
	{                                      \
#name, SYS_##name, when, kinds \
	}
	CALL(openat, OPENS, CHANGES | FILES | MEMORY),
	CALL(openat2, OPENS_2, CHANGES | FILES | MEMORY),
	CALL(mkdirat, ALWAYS, CHANGES | MEMORY),
	CALL(mknodat, ALWAYS, CHANGES | MEMORY),
	CALL(symlinkat, ALWAYS, CHANGES | MEMORY),
	CALL(linkat, ALWAYS, CHANGES | MEMORY),
	CALL(renameat, ALWAYS, CHANGES | MEMORY),
	CALL(renameat2, ALWAYS, CHANGES | MEMORY),
	CALL(rename, ALWAYS, CHANGES | MEMORY),
	CALL(mkdir, ALWAYS, CHANGES | MEMORY),
	CALL(unlinkat, ALWAYS, LOCKED | DEVICE | MEMORY),
	CALL(unlink, ALWAYS, LOCKED | DEVICE | MEMORY),
	CALL(rmdir, ALWAYS, LOCKED | DEVICE | MEMORY),
	CALL(write, FILE_0, CHANGES),
	CALL(writev, FILE_0, CHANGES),
	CALL(pwrite64, FILE_0, CHANGES),
	CALL(pwritev, FILE_0, CHANGES),
	CALL(ftruncate, FILE_0, CHANGES),
	CALL(fallocate, FILE_0, CHANGES),
	CALL(copy_file_range, FILE_2, CHANGES | MEMORY),
	CALL(sendfile, FILE_0, CHANGES | MEMORY),
	CALL(splice, FILE_2, CHANGES | MEMORY),
	CALL(ioctl, CLONES, CHANGES),
	CALL(fsync, ALWAYS, CHANGES),
	CALL(fdatasync, ALWAYS, CHANGES),
	CALL(syncfs, ALWAYS, CHANGES),
	CALL(sync_file_range, ALWAYS, CHANGES),
	CALL(fchmod, ALWAYS, LOCKED | DEVICE),
	CALL(fchmodat, ALWAYS, LOCKED | DEVICE),
	CALL(fchown, ALWAYS, CHANGES),
	CALL(fchownat, ALWAYS, CHANGES),
	CALL(utimensat, ALWAYS, LOCKED | DEVICE),
	CALL(setxattr, ALWAYS, CHANGES),
	CALL(lsetxattr, ALWAYS, CHANGES),
	CALL(fsetxattr, ALWAYS, CHANGES),
	CALL(fremovexattr, ALWAYS, CHANGES),
	CALL(read, FILE_0, DEVICE),
	CALL(pread64, FILE_0, DEVICE),
	CALL(getdents64, ALWAYS, DEVICE | MEMORY),
	CALL(newfstatat, ALWAYS, DEVICE | MEMORY),
	CALL(statx, ALWAYS, DEVICE | MEMORY),
	CALL(readlinkat, ALWAYS, DEVICE | MEMORY),
	CALL(mmap, ALWAYS, MEMORY),
	CALL(mremap, ALWAYS, MEMORY),
	CALL(mprotect, ALWAYS, MEMORY),
	CALL(clone, ALWAYS, MEMORY | TASKS),
	CALL(clone3, ALWAYS, MEMORY | TASKS),
	CALL(fork, ALWAYS, MEMORY | TASKS),
	CALL(vfork, ALWAYS, MEMORY | TASKS),
	CALL(execve, ALWAYS, DEVICE | MEMORY),
	CALL(execveat, ALWAYS, DEVICE | MEMORY),
	CALL(unshare, ALWAYS, MEMORY | SPACE),
	CALL(setns, ALWAYS, MEMORY),
	CALL(seccomp, ALWAYS, MEMORY),
	CALL(mount, ALWAYS, MEMORY | DEVICE | SPACE),
	CALL(fsopen, ALWAYS, MEMORY | FILES),
	CALL(fsconfig, ALWAYS, MEMORY | DEVICE),
	CALL(fsmount, ALWAYS, MEMORY | FILES | SPACE),
	CALL(open_tree, ALWAYS, MEMORY | FILES | SPACE),
	CALL(move_mount, ALWAYS, MEMORY | SPACE),
	CALL(mount_setattr, ALWAYS, MEMORY),
	CALL(pivot_root, ALWAYS, MEMORY),
	CALL(umount2, ALWAYS, MEMORY),
	CALL(pipe2, ALWAYS, FILES | MEMORY),
	CALL(socket, ALWAYS, FILES | MEMORY),
	CALL(socketpair, ALWAYS, FILES | MEMORY),
	CALL(epoll_create1, ALWAYS, FILES | MEMORY),
	CALL(eventfd2, ALWAYS, FILES | MEMORY),
	CALL(memfd_create, ALWAYS, FILES | MEMORY),
	CALL(timerfd_create, ALWAYS, FILES | MEMORY),
	CALL(dup, ALWAYS, FILES),
	CALL(accept4, ALWAYS, FILES | MEMORY | BREAK),
	CALL(pidfd_open, ALWAYS, FILES | MEMORY),
	CALL(fcntl, CONTROLS, FILES | BREAK | RECORDS),
	CALL(flock, WAITS, BREAK | RECORDS),
	CALL(poll, ALWAYS, BREAK | MEMORY),
	CALL(ppoll, ALWAYS, BREAK | MEMORY),
	CALL(epoll_wait, ALWAYS, BREAK),
	CALL(epoll_pwait, ALWAYS, BREAK),
	CALL(wait4, ALWAYS, BREAK),
	CALL(waitid, ALWAYS, BREAK),
	CALL(nanosleep, ALWAYS, BREAK),
	CALL(clock_nanosleep, ALWAYS, BREAK),
	CALL(recvmsg, ALWAYS, BREAK | MEMORY),
	CALL(sendmsg, ALWAYS, MEMORY),
#undef CALL
};

/* ---- the call that stands still ---- */

struct call {
	pid_t pid;
	unsigned number;
	uint64_t args[6];
	uint64_t at; /* the instruction */
};

static bool call_read(pid_t pid, struct call *ret)
{
	struct __ptrace_syscall_info info;

	if (ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), &info) <= 0 ||
	    info.op != PTRACE_SYSCALL_INFO_SECCOMP)
		return false;
	*ret = (struct call){ .pid = pid,
			      .number = (unsigned)info.seccomp.nr,
			      .at = info.instruction_pointer };
	memcpy(ret->args, info.seccomp.args, sizeof(ret->args));
	return true;
}

static bool memory_read(pid_t pid, uint64_t from, void *to, size_t len, size_t *ret_len)
{
	struct iovec here = { to, len };
	struct iovec there = { (void *)(uintptr_t)from, len };
	ssize_t got = process_vm_readv(pid, &here, 1, &there, 1, 0);

	*ret_len = got < 0 ? 0 : (size_t)got;
	return got >= 0;
}

/* A file in memory is none: it has no disk to be full. */
static bool is_file(const struct call *call, unsigned arg)
{
	char path[64], target[16] = "";
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)call->pid, (int)call->args[arg]);
	return readlink(path, target, sizeof(target) - 1) > 0 &&
	       strncmp(target, "/memfd:", 7) != 0 && stat(path, &st) == 0 &&
	       (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode));
}

/* Who creates may find no room, who writes a medium that cannot be written. */
static bool opening_may(uint64_t flags, unsigned kind)
{
	bool creates = (flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE;

	if (kind == SPACE)
		return creates;
	if (kind == LOCKED)
		return creates || (flags & O_ACCMODE) != O_RDONLY || (flags & O_TRUNC);
	return true;
}

static bool holds(const struct rule *rule, const struct call *call, unsigned kind)
{
	struct open_how how = { 0 };
	size_t len;
	int command = (int)call->args[1];

	switch (rule->when) {
	case OPENS:
		return opening_may(call->args[2], kind);
	case OPENS_2:
		return memory_read(call->pid, call->args[2], &how, sizeof(how.flags), &len) &&
		       opening_may(how.flags, kind);
	case FILE_0:
		return is_file(call, 0);
	case FILE_2:
		return is_file(call, 2);
	case WAITS:
		return kind == RECORDS || !(command & LOCK_NB);
	case CLONES:
		return call->args[1] == FICLONE || call->args[1] == FICLONERANGE;
	case CONTROLS:
		if (kind == FILES)
			return command == F_DUPFD || command == F_DUPFD_CLOEXEC;
		return command == F_OFD_SETLKW || command == F_SETLKW ||
		       (kind == RECORDS && (command == F_OFD_SETLK || command == F_SETLK));
	case ALWAYS:
		break;
	}
	return true;
}

static struct stat program;

/* Whether it runs the program, or a file in memory, which is what that carries. */
static bool is_ours(pid_t pid)
{
	char path[64], target[64];
	struct stat st;
	ssize_t len;

	snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
	if (stat(path, &st) < 0)
		return false;
	if (st.st_dev == program.st_dev && st.st_ino == program.st_ino)
		return true;
	len = readlink(path, target, sizeof(target));
	return len > 7 && memcmp(target, "/memfd:", 7) == 0;
}

static bool by_loader(const struct call *call)
{
	uint64_t entry[2], base = 0;
	char path[64];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/auxv", (int)call->pid);
	file = fopen(path, "re");
	if (!file)
		return false;
	while (!base && fread(entry, sizeof(entry), 1, file) == 1)
		base = entry[0] == AUXV_BASE ? entry[1] : 0;
	fclose(file);
	return base && call->at >= base && call->at < base + LOADER_SIZE;
}

/* The rule by which the call may fail so; NULL if it may not. */
static const struct rule *rule_of(const struct call *call, unsigned kind)
{
	for (size_t i = 0; i < ARRAY_SIZE(rules); i++)
		if (rules[i].number == call->number && (rules[i].kinds & kind) &&
		    holds(&rules[i], call, kind))
			return is_ours(call->pid) && !by_loader(call) ? &rules[i] : NULL;
	return NULL;
}

/* ---- the tracer ---- */

static unsigned kind, first, count;
static int error_number;
static bool goes_on;
static FILE *out;
static volatile sig_atomic_t is_late;

/* The call is not made, and returns the error. */
static void fail(const struct call *call)
{
#ifdef __x86_64__
	struct user_regs_struct regs;

	if (ptrace(PTRACE_GETREGS, call->pid, NULL, &regs) < 0)
		return;
	regs.orig_rax = (unsigned long long)-1;
	regs.rax = (unsigned long long)-error_number;
	ptrace(PTRACE_SETREGS, call->pid, NULL, &regs);
#else
	(void)call;
	fprintf(stderr, "inject: how a call fails on this kind of machine is not known\n");
	_exit(2);
#endif
}

/* What a human looks for: the path, or the file that the descriptor is. */
static void describe(const struct call *call, const struct rule *rule, char text[static PATH_SIZE])
{
	char link[64];
	bool by_path = rule->when == OPENS || rule->when == OPENS_2 || strstr(rule->name, "at");
	size_t len = 0;

	memset(text, 0, PATH_SIZE);
	if (by_path)
		memory_read(call->pid, call->args[1], text, PATH_SIZE - 1, &len);
	if (!text[0]) { /* of an empty path the descriptor counts */
		memset(text, 0, PATH_SIZE);
		by_path = false;
	}
	snprintf(link, sizeof(link), "/proc/%d/fd/%d", (int)call->pid, (int)call->args[0]);
	if (!by_path && readlink(link, text, PATH_SIZE - 1) < 0)
		text[0] = '\0';
	for (char *at = text; *at; at++)
		if (*at == '\n')
			*at = ' ';
}

static bool is_wanted(const char *text)
{
	const char *only = getenv("INJECT_ONLY");

	if (!only || !only[0])
		return true;
	for (size_t len; *only; only += len + (only[len] == ',')) {
		len = strcspn(only, ",");
		if (memmem(text, strlen(text), only, len))
			return true;
	}
	return false;
}

static void look_at(pid_t pid)
{
	const struct rule *rule;
	struct call call;
	char text[PATH_SIZE];

	if (!call_read(pid, &call))
		return;
	rule = rule_of(&call, kind);
	if (!rule)
		return;
	describe(&call, rule, text);
	if (!is_wanted(text))
		return;
	count++;
	if (first == 0 || count < first || (count > first && !goes_on))
		return;
	fprintf(out, "hit %s %d %s\n", rule->name, (int)call.pid, text);
	fail(&call);
}

/* Let a stopped thread go on; what its stop meant is in the upper bits. */
static void resume(pid_t pid, int status)
{
	int event = status >> 16, signal = WSTOPSIG(status);

	if (event == PTRACE_EVENT_SECCOMP)
		look_at(pid);
	if (event == PTRACE_EVENT_STOP && signal != SIGTRAP)
		ptrace(PTRACE_LISTEN, pid, NULL, NULL);
	else
		ptrace(PTRACE_CONT, pid, NULL, event ? 0 : signal);
}

static void tell_end(int status)
{
	if (WIFEXITED(status))
		fprintf(out, "exit %d\n", WEXITSTATUS(status));
	else
		fprintf(out, "signal %d\n", WTERMSIG(status));
}

/* Until nobody is left, or time is up. */
static void follow(pid_t command)
{
	int status;

	while (!is_late) {
		pid_t pid = waitpid(-1, &status, __WALL);

		if (pid < 0 && errno == ECHILD)
			break;
		if (pid < 0)
			continue;
		if (WIFSTOPPED(status))
			resume(pid, status);
		else if (pid == command)
			tell_end(status);
	}
}

/* Whoever is traced by us still. */
static void tell_left(void)
{
	DIR *dir = opendir("/proc");
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		char path[300], name[64] = "", line[256];
		int tracer = 0;
		FILE *file;

		snprintf(path, sizeof(path), "/proc/%s/status", entry->d_name);
		file = entry->d_name[0] >= '1' && entry->d_name[0] <= '9' ? fopen(path, "re") :
									    NULL;
		while (file && fgets(line, sizeof(line), file)) {
			sscanf(line, "Name: %63s", name);
			sscanf(line, "TracerPid: %d", &tracer);
		}
		if (file)
			fclose(file);
		if (tracer == (int)getpid())
			fprintf(out, "left %s %s\n", entry->d_name, name);
	}
	if (dir)
		closedir(dir);
}

static void on_alarm(int number)
{
	(void)number;
	is_late = 1;
}

/* The calls that may fail so stop for the tracer, all others go on unseen. */
static void filter_install(void)
{
	struct sock_filter code[2 * ARRAY_SIZE(rules) + 8];
	struct sock_fprog filter = { .filter = code };

	code[filter.len++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
							  offsetof(struct seccomp_data, arch));
	code[filter.len++] =
		(struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0);
	code[filter.len++] = (struct sock_filter)BPF_STMT(BPF_RET, SECCOMP_RET_ALLOW);
	code[filter.len++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
							  offsetof(struct seccomp_data, nr));
	for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
		if (!(rules[i].kinds & kind))
			continue;
		code[filter.len++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
								  rules[i].number, 0, 1);
		code[filter.len++] = (struct sock_filter)BPF_STMT(BPF_RET, SECCOMP_RET_TRACE);
	}
	code[filter.len++] = (struct sock_filter)BPF_STMT(BPF_RET, SECCOMP_RET_ALLOW);
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) < 0) {
		perror("inject: seccomp");
		_exit(2);
	}
}

static void run(char **argv, int go_fd)
{
	char byte;

	if (read(go_fd, &byte, 1) != 1)
		_exit(2);
	close(go_fd);
	filter_install();
	execvp(argv[0], argv);
	perror(argv[0]);
	_exit(2);
}

static bool error_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(errors); i++)
		if (strcmp(errors[i].name, name) == 0) {
			kind = errors[i].kind;
			error_number = errors[i].number;
			return true;
		}
	return false;
}

int main(int argc, char **argv)
{
	static const struct sigaction alarmed = { .sa_handler = on_alarm };
	const unsigned long options = PTRACE_O_TRACESECCOMP | PTRACE_O_TRACECLONE |
				      PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |
				      PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL;
	pid_t pid;
	int go[2];

	if (argc < 8 || !error_find(argv[1]) || stat(argv[6], &program) < 0 ||
	    !(out = fopen(argv[4], "we")) || pipe2(go, O_CLOEXEC) < 0) {
		fprintf(stderr,
			"usage: inject ERROR once|on FIRST LOG SECONDS PROGRAM COMMAND...\n");
		return 2;
	}
	goes_on = strcmp(argv[2], "on") == 0;
	first = (unsigned)atol(argv[3]);
	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	pid = fork();
	if (pid == 0)
		run(argv + 7, go[0]);
	if (pid < 0 || ptrace(PTRACE_SEIZE, pid, NULL, options) < 0 || write(go[1], "", 1) != 1) {
		perror("inject");
		return 2;
	}
	sigaction(SIGALRM, &alarmed, NULL);
	alarm((unsigned)atol(argv[5]));
	follow(pid);
	if (is_late)
		tell_left();
	fprintf(out, "calls %u\n", count);
	return fclose(out) == 0 ? 0 : 2;
}
