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
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/err.h"
#include "overlay/kernel-private.h"
#include "overlay/owner.h"

/* ---- the filter ---- */

#if defined(__x86_64__)
#define NATIVE AUDIT_ARCH_X86_64
#define COMPAT AUDIT_ARCH_I386
#define COMPAT_FCHOWNAT 298
#elif defined(__aarch64__)
#define NATIVE AUDIT_ARCH_AARCH64
#define COMPAT AUDIT_ARCH_ARM
#define COMPAT_FCHOWNAT 325
#else
#error "the overseer has to learn this architecture"
#endif

/* Both older architectures number these alike. Those of the first group have ids of 16 bits. */
enum compat_call {
	COMPAT_LCHOWN16 = 16,
	COMPAT_FCHOWN16 = 95,
	COMPAT_CHOWN16 = 182,
	COMPAT_LCHOWN = 198,
	COMPAT_FCHOWN = 207,
	COMPAT_CHOWN = 212,
};

static const unsigned native_asked[] = {
#ifdef SYS_chown
	SYS_chown,
	SYS_lchown,
#endif
	SYS_fchown,
	SYS_fchownat,
};

static const unsigned native_granted[] = {
	SYS_setuid,    SYS_setgid,    SYS_setreuid, SYS_setregid, SYS_setgroups,
	SYS_setresuid, SYS_setresgid, SYS_setfsuid, SYS_setfsgid,
};

static const unsigned compat_asked[] = {
	COMPAT_LCHOWN16, COMPAT_FCHOWN16, COMPAT_CHOWN16,  COMPAT_LCHOWN,
	COMPAT_FCHOWN,   COMPAT_CHOWN,    COMPAT_FCHOWNAT,
};

/* setuid setgid setreuid setregid setgroups setfsuid setfsgid setresuid setresgid, and the same with ids
 * of 32 bits. */
static const unsigned compat_granted[] = { 23,  46,  70,  71,  81,  138, 139, 164, 170,
					   203, 204, 206, 208, 210, 213, 214, 215, 216 };

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

/* "If it is one of these, return that." */
static void add_calls(const unsigned *calls, size_t count, uint32_t answer)
{
	for (size_t i = 0; i < count; i++)
		add((struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, calls[i],
						 (uint8_t)(count - 1 - i), i + 1 < count ? 0 : 1));
	add((struct sock_filter)BPF_STMT(BPF_RET | BPF_K, answer));
}

/* For one architecture; what is none of it falls through. A jump of BPF reaches 255 instructions. */
static void add_architecture(uint32_t arch, const unsigned *asked, size_t asked_count,
			     const unsigned *granted, size_t granted_count)
{
	const size_t len = 1 + asked_count + 1 + granted_count + 1;

	add((struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
					 offsetof(struct seccomp_data, arch)));
	add((struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, arch, 0, (uint8_t)len));
	add((struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
					 offsetof(struct seccomp_data, nr)));
	add_calls(asked, asked_count, SECCOMP_RET_USER_NOTIF);
	add_calls(granted, granted_count, SECCOMP_RET_ERRNO | 0);
}

static void make_program(void)
{
	add_architecture(NATIVE, native_asked, ARRAY_SIZE(native_asked), native_granted,
			 ARRAY_SIZE(native_granted));
	add_architecture(COMPAT, compat_asked, ARRAY_SIZE(compat_asked), compat_granted,
			 ARRAY_SIZE(compat_granted));
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
	uint64_t root_mount; /* whose files are recorded */
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

/* False for a call that is none of ours. */
static bool understand_native(const struct seccomp_data *data, struct wish *ret)
{
	switch (data->nr) {
#ifdef SYS_chown
	case SYS_chown:
		*ret = by_path(data, true, false);
		return true;
	case SYS_lchown:
		*ret = by_path(data, false, false);
		return true;
#endif
	case SYS_fchown:
		*ret = by_fd(data, false);
		return true;
	case SYS_fchownat:
		*ret = by_both(data);
		return true;
	default:
		return false;
	}
}

static bool understand_compat(const struct seccomp_data *data, struct wish *ret)
{
	switch (data->nr) {
	case COMPAT_CHOWN16:
	case COMPAT_LCHOWN16:
		*ret = by_path(data, data->nr == COMPAT_CHOWN16, true);
		return true;
	case COMPAT_CHOWN:
	case COMPAT_LCHOWN:
		*ret = by_path(data, data->nr == COMPAT_CHOWN, false);
		return true;
	case COMPAT_FCHOWN16:
	case COMPAT_FCHOWN:
		*ret = by_fd(data, data->nr == COMPAT_FCHOWN16);
		return true;
	case COMPAT_FCHOWNAT:
		*ret = by_both(data);
		return true;
	default:
		return false;
	}
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

static int answer(const struct overseer *overseer, const struct seccomp_notif *question)
{
	const struct seccomp_data *data = &question->data;
	struct wish wish;

	if (!(data->arch == NATIVE ? understand_native(data, &wish) :
				     understand_compat(data, &wish)))
		return -ENOSYS;
	return do_wish(overseer, question, &wish);
}

/* ---- the thread ---- */

/* One question. False when there will be no more. */
static bool serve(const struct overseer *overseer, struct seccomp_notif *question,
		  struct seccomp_notif_resp *response)
{
	memset(question, 0, overseer->question_size);
	if (ioctl(overseer->listener_fd, SECCOMP_IOCTL_NOTIF_RECV, question) < 0)
		return errno == EINTR || errno == ENOENT; /* who asked has died */
	memset(response, 0, overseer->answer_size);
	response->id = question->id;
	response->error = answer(overseer, question);
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

struct err *overseer_start(int listener_fd, int root_fd, struct overseer **ret)
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
	errno = start_thread(overseer);
	if (errno)
		return err_sys("watch the owners of files");
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
	close(overseer->stop_fd);
	close(overseer->listener_fd);
	free(overseer);
}
