/*
 * overlay/overseer.c - see overlay/overseer.h.
 *
 * The thread has a root and a working directory of its own. The latter is our
 * /proc; the former becomes the root of whoever asks, before each path, so that the
 * kernel looks it up as it would have for him: with its links, "..", mounts, and a
 * chroot(2) of his own. Both ends of a question may be gone at any time, and an id of
 * a process be given to another: what was opened counts only if the question still
 * stands afterwards.
 */

#include "overlay/overseer.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/err.h"
#include "overlay/kernel-private.h"
#include "overlay/owner.h"
#include "overlay/pretence.h"

/* ---- the filter ---- */

#if defined(__x86_64__)
#define NATIVE AUDIT_ARCH_X86_64
#define COMPAT AUDIT_ARCH_I386
#define COMPAT_FCHOWNAT 298
#define COMPAT_PRLIMIT 340
#elif defined(__aarch64__)
#define NATIVE AUDIT_ARCH_AARCH64
#define COMPAT AUDIT_ARCH_ARM
#define COMPAT_FCHOWNAT 325
#define COMPAT_PRLIMIT 369
#else
#error "the overseer has to learn this architecture"
#endif

/* What is asked for, beside the calls of overlay/pretence.h. */
enum { ASK_CHOWN = 100, ASK_LCHOWN, ASK_FCHOWN, ASK_FCHOWNAT };

struct asked {
	uint16_t number;
	uint8_t what; /* ASK_..., PRETENCE_... */
	bool narrow;  /* its ids have 16 bits */
};

static const struct asked native_calls[] = {
#ifdef SYS_chown
	{ SYS_chown, ASK_CHOWN, false },
	{ SYS_lchown, ASK_LCHOWN, false },
#endif
	{ SYS_fchown, ASK_FCHOWN, false },
	{ SYS_fchownat, ASK_FCHOWNAT, false },
	{ SYS_getuid, PRETENCE_GETUID, false },
	{ SYS_geteuid, PRETENCE_GETEUID, false },
	{ SYS_getgid, PRETENCE_GETGID, false },
	{ SYS_getegid, PRETENCE_GETEGID, false },
	{ SYS_getresuid, PRETENCE_GETRESUID, false },
	{ SYS_getresgid, PRETENCE_GETRESGID, false },
	{ SYS_getgroups, PRETENCE_GETGROUPS, false },
	{ SYS_setuid, PRETENCE_SETUID, false },
	{ SYS_setgid, PRETENCE_SETGID, false },
	{ SYS_setreuid, PRETENCE_SETREUID, false },
	{ SYS_setregid, PRETENCE_SETREGID, false },
	{ SYS_setresuid, PRETENCE_SETRESUID, false },
	{ SYS_setresgid, PRETENCE_SETRESGID, false },
	{ SYS_setgroups, PRETENCE_SETGROUPS, false },
	{ SYS_setfsuid, PRETENCE_SETFSUID, false },
	{ SYS_setfsgid, PRETENCE_SETFSGID, false },
	{ SYS_capset, PRETENCE_CAPSET, false },
	{ SYS_prctl, PRETENCE_PRCTL, false },
	{ SYS_setrlimit, PRETENCE_SETRLIMIT, false },
	{ SYS_prlimit64, PRETENCE_PRLIMIT, false },
};

/* Both older architectures number these alike, but for two. */
static const struct asked compat_calls[] = {
	{ 182, ASK_CHOWN, true },
	{ 16, ASK_LCHOWN, true },
	{ 95, ASK_FCHOWN, true },
	{ 212, ASK_CHOWN, false },
	{ 198, ASK_LCHOWN, false },
	{ 207, ASK_FCHOWN, false },
	{ COMPAT_FCHOWNAT, ASK_FCHOWNAT, false },
	{ 24, PRETENCE_GETUID, true },
	{ 49, PRETENCE_GETEUID, true },
	{ 47, PRETENCE_GETGID, true },
	{ 50, PRETENCE_GETEGID, true },
	{ 165, PRETENCE_GETRESUID, true },
	{ 171, PRETENCE_GETRESGID, true },
	{ 80, PRETENCE_GETGROUPS, true },
	{ 23, PRETENCE_SETUID, true },
	{ 46, PRETENCE_SETGID, true },
	{ 70, PRETENCE_SETREUID, true },
	{ 71, PRETENCE_SETREGID, true },
	{ 164, PRETENCE_SETRESUID, true },
	{ 170, PRETENCE_SETRESGID, true },
	{ 81, PRETENCE_SETGROUPS, true },
	{ 138, PRETENCE_SETFSUID, true },
	{ 139, PRETENCE_SETFSGID, true },
	{ 199, PRETENCE_GETUID, false },
	{ 201, PRETENCE_GETEUID, false },
	{ 200, PRETENCE_GETGID, false },
	{ 202, PRETENCE_GETEGID, false },
	{ 209, PRETENCE_GETRESUID, false },
	{ 211, PRETENCE_GETRESGID, false },
	{ 205, PRETENCE_GETGROUPS, false },
	{ 213, PRETENCE_SETUID, false },
	{ 214, PRETENCE_SETGID, false },
	{ 203, PRETENCE_SETREUID, false },
	{ 204, PRETENCE_SETREGID, false },
	{ 208, PRETENCE_SETRESUID, false },
	{ 210, PRETENCE_SETRESGID, false },
	{ 206, PRETENCE_SETGROUPS, false },
	{ 215, PRETENCE_SETFSUID, false },
	{ 216, PRETENCE_SETFSGID, false },
	{ 185, PRETENCE_CAPSET, false },
	{ 172, PRETENCE_PRCTL, false },
	{ 75, PRETENCE_SETRLIMIT, false },
	{ COMPAT_PRLIMIT, PRETENCE_PRLIMIT, false },
};

#define PROGRAM_MAX 128

struct program {
	struct sock_filter at[PROGRAM_MAX];
	size_t len;
};

static struct program program;
static pthread_once_t program_made = PTHREAD_ONCE_INIT;

static void add(struct sock_filter instruction)
{
	program.at[program.len++] = instruction;
}

static void load(size_t offset)
{
	add((struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset));
}

/* A jump of BPF reaches 255 instructions. */
static void jump_if(uint32_t value, size_t if_equal, size_t if_not)
{
	add((struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, (uint8_t)if_equal,
					 (uint8_t)if_not));
}

/* Calls that are asked for with two values of one argument alone. */
static const struct condition {
	uint8_t what, arg;
	uint32_t values[2];
} conditions[] = {
	{ PRETENCE_PRCTL, 0, { PR_SET_KEEPCAPS, PR_SET_SECUREBITS } },
	{ PRETENCE_SETRLIMIT, 0, { RLIMIT_LOCKS, RLIMIT_LOCKS } },
	{ PRETENCE_PRLIMIT, 1, { RLIMIT_LOCKS, RLIMIT_LOCKS } },
};

static const struct condition *condition_of(const struct asked *call)
{
	for (size_t i = 0; i < ARRAY_SIZE(conditions); i++)
		if (conditions[i].what == call->what)
			return &conditions[i];
	return NULL;
}

/* How many instructions a call takes. */
static size_t size_of(const struct asked *call)
{
	return condition_of(call) ? 4 : 1;
}

/* Go to the question, `question` instructions from here, or to what comes behind it. */
static void add_call(const struct asked *call, size_t question)
{
	const struct condition *when = condition_of(call);

	if (!when) {
		jump_if(call->number, question - 1, 0);
		return;
	}
	jump_if(call->number, 0, 3);
	/* the lower half: all of these architectures are little-endian */
	load(offsetof(struct seccomp_data, args[0]) + when->arg * sizeof(uint64_t));
	jump_if(when->values[0], question - 3, 0);
	jump_if(when->values[1], question - 4, question - 3);
}

/* For one architecture; what is none of it, or not asked for, falls through. */
static void add_architecture(uint32_t arch, const struct asked *calls, size_t count)
{
	size_t question = 1; /* how far it is from here */

	for (size_t i = 0; i < count; i++)
		question += size_of(&calls[i]);
	load(offsetof(struct seccomp_data, arch));
	jump_if(arch, 0, question + 2);
	load(offsetof(struct seccomp_data, nr));
	for (size_t i = 0; i < count; i++) {
		add_call(&calls[i], question);
		question -= size_of(&calls[i]);
	}
	add((struct sock_filter)BPF_STMT(BPF_JMP | BPF_JA, 1)); /* none of them */
	add((struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF));
}

static void make_program(void)
{
	add_architecture(NATIVE, native_calls, ARRAY_SIZE(native_calls));
	add_architecture(COMPAT, compat_calls, ARRAY_SIZE(compat_calls));
}

struct seccomp_part overseer_filter(void)
{
	pthread_once(&program_made, make_program);
	return (struct seccomp_part){ program.at, program.len };
}

/* ---- questions ---- */

struct overseer {
	int listener_fd;
	int stop_fd;
	uint64_t root_mount;       /* whose files are recorded */
	struct pretence *pretence; /* owned, the thread's */
	size_t question_size, answer_size;
	pthread_t thread;
};

/* What a call asks for. */
struct wish {
	int dir_fd;    /* AT_FDCWD, or a descriptor of theirs */
	uint64_t path; /* in their memory; 0: dir_fd itself is meant */
	bool follow, empty_allowed;
	uint32_t uid, gid; /* -1: as it is */
};

/* An id of 16 bits; all of them set mean -1. */
static uint32_t widen(uint64_t id)
{
	return (id & 0xffff) == 0xffff ? UINT32_MAX : (uint32_t)(id & 0xffff);
}

static struct wish by_path(const struct seccomp_data *data, bool follow, bool narrow)
{
	const uint64_t *args = (const uint64_t *)data->args;

	return (struct wish){
		.dir_fd = AT_FDCWD,
		.path = args[0],
		.follow = follow,
		.uid = narrow ? widen(args[1]) : (uint32_t)args[1],
		.gid = narrow ? widen(args[2]) : (uint32_t)args[2],
	};
}

static struct wish by_fd(const struct seccomp_data *data, bool narrow)
{
	struct wish wish = by_path(data, true, narrow);

	wish.dir_fd = (int)data->args[0];
	wish.path = 0;
	return wish;
}

static struct wish by_both(const struct seccomp_data *data)
{
	const int flags = (int)data->args[4];

	return (struct wish){
		.dir_fd = (int)data->args[0],
		.path = data->args[1],
		.follow = !(flags & AT_SYMLINK_NOFOLLOW),
		.empty_allowed = flags & AT_EMPTY_PATH,
		.uid = (uint32_t)data->args[2],
		.gid = (uint32_t)data->args[3],
	};
}

/* Read their text at `address`. Pages are asked for one by one: the next may not be there. */
static int read_text(pid_t pid, uint64_t address, char text[static PATH_MAX])
{
	const size_t page = 4096, first = page - address % page;
	struct iovec here = { .iov_base = text, .iov_len = PATH_MAX };
	const struct iovec there[2] = {
		{ .iov_base = (void *)(uintptr_t)address, .iov_len = first }, /* NOLINT */
		{ .iov_base = (void *)(uintptr_t)(address + first),           /* NOLINT */
		  .iov_len = PATH_MAX - first },
	};
	const ssize_t got = process_vm_readv(pid, &here, 1, there, there[1].iov_len ? 2 : 1, 0);

	if (got <= 0)
		return got < 0 && errno != EFAULT ? -errno : -EFAULT;
	if (!memchr(text, '\0', (size_t)got))
		return got == PATH_MAX ? -ENAMETOOLONG : -EFAULT;
	return 0;
}

/* One of the links of /proc/PID, as our working directory knows it. */
static int open_link(pid_t pid, const char *what, int number, int flags)
{
	char path[64];

	if (number >= 0)
		snprintf(path, sizeof(path), "%d/%s/%d", (int)pid, what, number);
	else
		snprintf(path, sizeof(path), "%d/%s", (int)pid, what);
	return open(path, O_PATH | O_CLOEXEC | flags);
}

/* What their descriptor or working directory is. */
static int open_base(pid_t pid, int dir_fd, int flags)
{
	int fd = dir_fd == AT_FDCWD ? open_link(pid, "cwd", -1, flags) :
		 dir_fd < 0         ? -1 :
				      open_link(pid, "fd", dir_fd, flags);

	if (fd >= 0)
		return fd;
	return dir_fd != AT_FDCWD && errno != ENOTDIR ? -EBADF : -errno;
}

/* Whether a path names what a process has open. To us its /proc has no "self". */
static bool names_own_fd(const char *path)
{
	static const char *const begins[] = { "/proc/self/fd/", "/proc/thread-self/fd/",
					      "/dev/fd/",       "/dev/stdin",
					      "/dev/stdout",    "/dev/stderr" };

	for (size_t i = 0; i < ARRAY_SIZE(begins); i++)
		if (strncmp(path, begins[i], strlen(begins[i])) == 0)
			return true;
	return false;
}

/* The same by way of one symbolic link, as in a log that is the standard output. */
static bool leads_to_own_fd(int base_fd, const char *path)
{
	AUTO(fd)
	int fd = kernel_openat2(base_fd, path, O_PATH | O_CLOEXEC | O_NOFOLLOW,
				RESOLVE_NO_MAGICLINKS);
	char target[PATH_MAX];
	ssize_t len = fd < 0 ? -1 : readlinkat(fd, "", target, sizeof(target) - 1);

	target[len > 0 ? len : 0] = '\0';
	return len > 0 && names_own_fd(target);
}

/* Open what is meant: its descriptor, or an error below 0. ELOOP is a link of /proc, too. */
static int open_target(pid_t pid, const struct wish *wish)
{
	AUTO(fd) int base_fd = -1;
	char path[PATH_MAX], root[32];
	int fd, failed;

	if (!wish->path)
		return open_base(pid, wish->dir_fd, 0);
	failed = read_text(pid, wish->path, path);
	if (failed)
		return failed;
	if (!path[0])
		return wish->empty_allowed ? open_base(pid, wish->dir_fd, 0) : -ENOENT;
	if (path[0] != '/') {
		base_fd = open_base(pid, wish->dir_fd, O_DIRECTORY);
		if (base_fd < 0)
			return base_fd;
	}
	snprintf(root, sizeof(root), "%d/root", (int)pid);
	if (chroot(root) < 0)
		return -errno;
	fd = kernel_openat2(base_fd, path, O_PATH | O_CLOEXEC | (wish->follow ? 0 : O_NOFOLLOW),
			    RESOLVE_NO_MAGICLINKS);
	if (fd >= 0)
		return fd;
	failed = errno;
	if (failed == ENOENT && (names_own_fd(path) || leads_to_own_fd(base_fd, path)))
		failed = ELOOP;
	return -failed;
}

/* chown(2) of an open file of the layer. The real one, to the only owner that there is, does all that goes
 * with it: it copies the file up, and takes set-id bits and capabilities away. */
static int change(int fd, const struct statx *st, uint32_t uid, uint32_t gid)
{
	const bool changes = uid != UINT32_MAX || gid != UINT32_MAX;
	uid_t own_uid = 0;
	gid_t own_gid = 0;
	char path[32];

	snprintf(path, sizeof(path), "self/fd/%d", fd);
	owner_find_record(path, true, st->stx_mode, &own_uid, &own_gid);
	if (fchownat(fd, "", changes ? 0 : (uid_t)-1, changes ? 0 : (gid_t)-1, AT_EMPTY_PATH) < 0)
		return -errno;
	if (!changes)
		return 0;
	if (uid != UINT32_MAX)
		own_uid = uid;
	if (gid != UINT32_MAX)
		own_gid = gid;
	return owner_record(path, true, st->stx_mode, own_uid, own_gid) ? 0 : -errno;
}

static bool still_asked(const struct overseer *overseer, uint64_t id)
{
	return ioctl(overseer->listener_fd, SECCOMP_IOCTL_NOTIF_ID_VALID, &id) == 0;
}

static int do_wish(const struct overseer *overseer, const struct seccomp_notif *question,
		   const struct wish *wish)
{
	AUTO(fd) int fd = open_target((pid_t)question->pid, wish);
	struct statx st;

	if (!still_asked(overseer, question->id))
		return -EINTR;
	/* A link of /proc to something open: whose it is does not matter. */
	if (fd == -ELOOP)
		return 0;
	if (fd < 0)
		return fd;
	if (statx(fd, "", AT_EMPTY_PATH, STATX_TYPE | STATX_MODE | STATX_MNT_ID, &st) < 0)
		return -errno;
	if (!(st.stx_mask & STATX_MNT_ID) || st.stx_mnt_id != overseer->root_mount)
		return 0;
	return change(fd, &st, wish->uid, wish->gid);
}

/* NULL for a call that is none of ours. */
static const struct asked *find_call(const struct seccomp_data *data)
{
	const bool native = data->arch == NATIVE;
	const struct asked *calls = native ? native_calls : compat_calls;
	const size_t count = native ? ARRAY_SIZE(native_calls) : ARRAY_SIZE(compat_calls);

	for (size_t i = 0; i < count; i++)
		if (calls[i].number == data->nr)
			return &calls[i];
	return NULL;
}

/* For who answers about memory and ids. */
struct waiting {
	const struct overseer *overseer;
	uint64_t id;
};

static bool is_waiting(const void *arg)
{
	const struct waiting *waiting = arg;

	return still_asked(waiting->overseer, waiting->id);
}

static int64_t answer(const struct overseer *overseer, const struct seccomp_notif *question)
{
	const struct seccomp_data *data = &question->data;
	const struct asked *call = find_call(data);
	struct wish wish;

	if (!call)
		return -ENOSYS;
	if (call->what < ASK_CHOWN) {
		const struct waiting waiting = { overseer, question->id };
		const struct pretence_question asked = {
			.still_asked = is_waiting,
			.arg = &waiting,
			.call = (enum pretence_call)call->what,
			.narrow = call->narrow,
			.pid = (pid_t)question->pid,
			.args = (const uint64_t *)data->args,
		};

		return pretence_answer(overseer->pretence, &asked);
	}
	if (call->what == ASK_FCHOWNAT)
		wish = by_both(data);
	else if (call->what == ASK_FCHOWN)
		wish = by_fd(data, call->narrow);
	else
		wish = by_path(data, call->what == ASK_CHOWN, call->narrow);
	return do_wish(overseer, question, &wish);
}

/* ---- the thread ---- */

/* One question. False when there will be no more. */
static bool serve(const struct overseer *overseer, struct seccomp_notif *question,
		  struct seccomp_notif_resp *response)
{
	int64_t result;

	memset(question, 0, overseer->question_size);
	if (ioctl(overseer->listener_fd, SECCOMP_IOCTL_NOTIF_RECV, question) < 0)
		return errno == EINTR || errno == ENOENT; /* who asked has died */
	memset(response, 0, overseer->answer_size);
	response->id = question->id;
	result = answer(overseer, question);
	if (result == PRETENCE_CONTINUE)
		response->flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
	else if (result < 0)
		response->error = (int)result;
	else
		response->val = result;
	/* It fails if nobody waits for it any more. */
	(void)ioctl(overseer->listener_fd, SECCOMP_IOCTL_NOTIF_SEND, response);
	return true;
}

static void *watch(void *arg)
{
	const struct overseer *overseer = arg;
	struct seccomp_notif *question = xcalloc(1, overseer->question_size);
	struct seccomp_notif_resp *response = xcalloc(1, overseer->answer_size);
	struct pollfd fds[2] = { { .fd = overseer->listener_fd, .events = POLLIN },
				 { .fd = overseer->stop_fd, .events = POLLIN } };
	bool more = unshare(CLONE_FS) == 0 && chdir("/proc") == 0;

	while (more) {
		if (poll(fds, ARRAY_SIZE(fds), -1) < 0)
			continue;
		more = !fds[1].revents && !(fds[0].revents & (POLLHUP | POLLERR));
		if (more && fds[0].revents & POLLIN)
			more = serve(overseer, question, response);
	}
	free(question);
	free(response);
	return NULL;
}

/* No signal of the program is for this thread. */
static int start_thread(struct overseer *overseer)
{
	sigset_t all, before;
	int failed;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	failed = pthread_create(&overseer->thread, NULL, watch, overseer);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return failed;
}

static size_t larger(size_t a, size_t b)
{
	return a > b ? a : b;
}

struct err *overseer_start(int listener_fd, int root_fd, const gid_t *groups, size_t group_count,
			   struct overseer **ret)
{
	AUTO(mem) struct overseer *overseer = xcalloc(1, sizeof(*overseer));
	AUTO(fd) int ours = listener_fd;
	AUTO(fd) int stop_fd = eventfd(0, EFD_CLOEXEC);
	struct seccomp_notif_sizes sizes;
	struct statx st;

	if (stop_fd < 0 || syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, &sizes) < 0 ||
	    statx(root_fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &st) < 0)
		return err_sys("watch the owners of files");
	*overseer = (struct overseer){
		.listener_fd = ours,
		.stop_fd = stop_fd,
		.root_mount = st.stx_mnt_id,
		.question_size = larger(sizes.seccomp_notif, sizeof(struct seccomp_notif)),
		.answer_size = larger(sizes.seccomp_notif_resp, sizeof(struct seccomp_notif_resp)),
	};
	overseer->pretence = pretence_new(groups, group_count);
	errno = start_thread(overseer);
	if (errno) {
		pretence_free(overseer->pretence);
		return err_sys("watch the owners of files");
	}
	ours = stop_fd = -1;
	*ret = STEAL(overseer);
	return NULL;
}

void overseer_free(struct overseer *overseer)
{
	const uint64_t one = 1;

	if (!overseer)
		return;
	(void)!write(overseer->stop_fd, &one, sizeof(one));
	pthread_join(overseer->thread, NULL);
	pretence_free(overseer->pretence);
	close(overseer->stop_fd);
	close(overseer->listener_fd);
	free(overseer);
}
