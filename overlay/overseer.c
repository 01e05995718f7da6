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
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
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
#include "overlay/overseer-private.h"
#include "overlay/owner.h"
#include "overlay/pretence.h"

/* ---- questions ---- */

/* How many look up what is far at once, and how many questions may wait for them. */
#define ERRANDS_MAX 16
#define WAITING_MAX 1024

/* A question that takes us to another mount. Who asks waits as long as he would have waited for it himself. */
struct errand {
	struct errand *next;
	struct seccomp_notif question;
	struct pretence_who who; /* the table of beliefs is the first thread's alone */
};

struct overseer {
	unsigned users; /* atomic: who started it, and the threads of errands */
	int listener_fd;
	int stop_fd;
	uint64_t root_mount;       /* whose files are recorded */
	struct pretence *pretence; /* owned, the thread's */
	size_t question_size, answer_size;
	pthread_t thread;
	sem_t begun;
	int failure; /* of its beginning */
	pthread_mutex_t lock;
	pthread_cond_t unchanging; /* changes is 0 again */
	/* guarded by lock: */
	struct errand *waiting; /* owned, the first is the oldest */
	unsigned waiting_count;
	unsigned errands; /* threads that take what waits, and end when nothing does */
	unsigned changes; /* of files of the layer that are being made */
	bool ended;       /* no more of these: the layer is somebody else's now */
};

/* What a call asks for. */
struct wish {
	int dir_fd;    /* AT_FDCWD, or a descriptor of theirs */
	bool by_fd;    /* that itself is meant */
	uint64_t path; /* in their memory */
	bool follow, empty_allowed, invalid;
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
	wish.by_fd = true;
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
		.invalid = flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH),
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

/* What their descriptor or working directory is. */
static int open_base(pid_t pid, int dir_fd, int flags)
{
	int fd = dir_fd == AT_FDCWD ? overseer_open_link(pid, "cwd", -1, flags) :
		 dir_fd < 0         ? -1 :
				      overseer_open_link(pid, "fd", dir_fd, flags);

	if (fd >= 0)
		return fd;
	return dir_fd != AT_FDCWD && errno != ENOTDIR ? -EBADF : -errno;
}

/* Whether it lies on the step's root mount; no file system is asked. */
static bool is_ours(const struct overseer *overseer, int fd, const char *path)
{
	struct statx st;

	return statx(fd, path, AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_MNT_ID, &st) == 0 &&
	       st.stx_mask & STATX_MNT_ID && st.stx_mnt_id == overseer->root_mount;
}

/* Whether their descriptor is one of O_PATH, which fchown(2) does not take. */
static bool is_path_only(pid_t pid, int number)
{
	char path[64], text[512];
	const char *flags;
	ssize_t len;
	AUTO(fd) int fd = -1;

	snprintf(path, sizeof(path), "%d/fdinfo/%d", (int)pid, number);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	len = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	text[len > 0 ? len : 0] = '\0';
	flags = strstr(text, "flags:");
	return flags && strtol(flags + strlen("flags:"), NULL, 8) & O_PATH;
}

/* Open what is meant: its descriptor, or -errno, or OVERSEER_FAR, which is only if it shall be `near`. */
static int open_target(const struct overseer *overseer, pid_t pid, const struct wish *wish,
		       bool near)
{
	AUTO(fd) int base_fd = -1;
	char path[PATH_MAX], root[32];
	int failed;

	if (wish->by_fd)
		return is_path_only(pid, wish->dir_fd) ? -EBADF : open_base(pid, wish->dir_fd, 0);
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
	if (near && !is_ours(overseer, base_fd < 0 ? AT_FDCWD : base_fd, base_fd < 0 ? "/" : ""))
		return OVERSEER_FAR;
	return overseer_look_up(pid, base_fd, path, wish->follow, near);
}

/* chown(2) of an open file of the layer by `who`. The real one, to the only owner that there is, does all that goes
 * with it: it copies the file up, and takes set-id bits and capabilities away. */
static int change(int fd, const struct statx *st, const struct pretence_who *who, uint32_t uid,
		  uint32_t gid)
{
	const bool changes = uid != UINT32_MAX || gid != UINT32_MAX;
	uid_t own_uid = 0;
	gid_t own_gid = 0;
	char path[32];
	bool known;

	snprintf(path, sizeof(path), "self/fd/%d", fd);
	known = owner_find_record(path, true, st->stx_mode, &own_uid, &own_gid);
	if (!pretence_may_chown(who, known, own_uid, own_gid, uid, gid))
		return -EPERM;
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

/* What is asked for by a call that is none of overlay/pretence.h. */
static struct wish wish_of(const struct asked *call, const struct seccomp_data *data)
{
	if (call->what == ASK_FCHOWNAT)
		return by_both(data);
	if (call->what == ASK_FCHOWN)
		return by_fd(data, call->narrow);
	return by_path(data, call->what == ASK_CHOWN, call->narrow);
}

/* Unlike a way over other mounts, a change of the layer is waited for at the end. False if that has come. */
static bool begin_change(struct overseer *overseer)
{
	bool may;

	pthread_mutex_lock(&overseer->lock);
	may = !overseer->ended;
	overseer->changes += may;
	pthread_mutex_unlock(&overseer->lock);
	return may;
}

static void end_change(struct overseer *overseer)
{
	pthread_mutex_lock(&overseer->lock);
	if (--overseer->changes == 0)
		pthread_cond_broadcast(&overseer->unchanging);
	pthread_mutex_unlock(&overseer->lock);
}

static void end_changes(struct overseer *overseer)
{
	pthread_mutex_lock(&overseer->lock);
	overseer->ended = true;
	while (overseer->changes > 0)
		pthread_cond_wait(&overseer->unchanging, &overseer->lock);
	pthread_mutex_unlock(&overseer->lock);
}

/* A change of owner, by who is told in the errand. */
static int do_errand(struct overseer *overseer, const struct errand *errand, bool near)
{
	const struct seccomp_notif *question = &errand->question;
	const struct wish wish = wish_of(overseer_call(&question->data), &question->data);
	AUTO(fd) int fd = -1;
	struct statx st;
	int result;

	if (wish.invalid)
		return -EINVAL;
	fd = open_target(overseer, (pid_t)question->pid, &wish, near);
	if (!still_asked(overseer, question->id))
		return -EINTR;
	if (fd < 0)
		return fd;
	if (!is_ours(overseer, fd, "")) /* its owner does not matter */
		return 0;
	if (!begin_change(overseer))
		return -EINTR;
	result = statx(fd, "", AT_EMPTY_PATH, STATX_TYPE | STATX_MODE, &st) < 0 ?
			 -errno :
			 change(fd, &st, &errand->who, wish.uid, wish.gid);
	end_change(overseer);
	return result;
}

/* In the first thread: an answer, or OVERSEER_FAR with an errand. */
static int64_t answer(struct overseer *overseer, const struct seccomp_notif *question,
		      struct errand *ret)
{
	const struct asked *call = overseer_call(&question->data);
	const struct waiting waiting = { overseer, question->id };
	struct pretence_question asked = {
		.still_asked = is_waiting,
		.arg = &waiting,
		.pid = (pid_t)question->pid,
		.args = (const uint64_t *)question->data.args,
	};

	if (!call)
		return -ENOSYS;
	if (call->what < ASK_CHOWN) {
		asked.call = (enum pretence_call)call->what;
		asked.narrow = call->narrow;
		return pretence_answer(overseer->pretence, &asked);
	}
	ret->question = *question;
	pretence_ask(overseer->pretence, (pid_t)question->pid, &ret->who);
	return do_errand(overseer, ret, true);
}

/* It fails if nobody waits for it any more. */
static void send_answer(const struct overseer *overseer, uint64_t id, int64_t result)
{
	struct seccomp_notif_resp *response = xcalloc(1, overseer->answer_size);

	response->id = id;
	if (result == PRETENCE_CONTINUE)
		response->flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
	else if (result < 0)
		response->error = (int)result;
	else
		response->val = result;
	(void)ioctl(overseer->listener_fd, SECCOMP_IOCTL_NOTIF_SEND, response);
	free(response);
}

/* ---- errands ---- */

static void release(struct overseer *overseer)
{
	if (__atomic_sub_fetch(&overseer->users, 1, __ATOMIC_ACQ_REL) > 0)
		return;
	close(overseer->stop_fd);
	close(overseer->listener_fd);
	sem_destroy(&overseer->begun);
	pthread_cond_destroy(&overseer->unchanging);
	pthread_mutex_destroy(&overseer->lock);
	free(overseer);
}

/* The oldest that waits. NULL: there is none, and the thread that asks for it is counted no more. */
static struct errand *take_errand(struct overseer *overseer)
{
	struct errand *errand;

	pthread_mutex_lock(&overseer->lock);
	errand = overseer->waiting;
	if (errand) {
		overseer->waiting = errand->next;
		overseer->waiting_count--;
	} else {
		overseer->errands--;
	}
	pthread_mutex_unlock(&overseer->lock);
	return errand;
}

static void *run_errands(void *arg)
{
	struct overseer *overseer = arg;
	const bool apart = unshare(CLONE_FS) == 0;
	struct errand *errand;

	while ((errand = take_errand(overseer))) {
		send_answer(overseer, errand->question.id,
			    apart ? do_errand(overseer, errand, false) : -EAGAIN);
		free(errand);
	}
	release(overseer);
	return NULL;
}

/* Answers all that wait, with an error or, with 0, not at all. */
static void dismiss_errands(struct overseer *overseer, int failure)
{
	struct errand *errand, *next;

	pthread_mutex_lock(&overseer->lock);
	errand = overseer->waiting;
	overseer->waiting = NULL;
	overseer->waiting_count = 0;
	pthread_mutex_unlock(&overseer->lock);
	for (; errand; errand = next) {
		next = errand->next;
		if (failure)
			send_answer(overseer, errand->question.id, failure);
		free(errand);
	}
}

/* Forget questions that nobody waits for any more. The lock is held: to look waits for nothing. */
static void sift_errands(struct overseer *overseer)
{
	struct errand **link = &overseer->waiting, *errand;

	while ((errand = *link)) {
		if (still_asked(overseer, errand->question.id)) {
			link = &errand->next;
			continue;
		}
		*link = errand->next;
		overseer->waiting_count--;
		free(errand);
	}
}

/* False if too many wait. Takes ownership if not. A thread more may be wanted, which counts already. */
static bool put_errand(struct overseer *overseer, struct errand *errand, bool *ret_wants_thread)
{
	struct errand **end = &overseer->waiting;
	bool fits;

	pthread_mutex_lock(&overseer->lock);
	if (overseer->waiting_count >= WAITING_MAX)
		sift_errands(overseer);
	fits = overseer->waiting_count < WAITING_MAX;
	*ret_wants_thread = fits && overseer->errands < ERRANDS_MAX;
	if (fits) {
		while (*end)
			end = &(*end)->next;
		*end = errand;
		overseer->waiting_count++;
		overseer->errands += *ret_wants_thread;
	}
	pthread_mutex_unlock(&overseer->lock);
	return fits;
}

static void add_thread(struct overseer *overseer)
{
	pthread_t thread;
	bool none;

	__atomic_add_fetch(&overseer->users, 1, __ATOMIC_RELAXED);
	if (pthread_create(&thread, NULL, run_errands, overseer) == 0) {
		pthread_detach(thread);
		return;
	}
	pthread_mutex_lock(&overseer->lock);
	none = --overseer->errands == 0;
	pthread_mutex_unlock(&overseer->lock);
	if (none)
		dismiss_errands(overseer, -EAGAIN);
	release(overseer);
}

static void start_errand(struct overseer *overseer, const struct errand *what)
{
	struct errand *errand = xcalloc(1, sizeof(*errand));
	bool wants_thread;

	*errand = *what;
	if (!put_errand(overseer, errand, &wants_thread)) {
		send_answer(overseer, what->question.id, -EAGAIN);
		free(errand);
	} else if (wants_thread) {
		add_thread(overseer);
	}
}

/* ---- the thread ---- */

/* One question. False when there will be no more. */
static bool serve(struct overseer *overseer, struct seccomp_notif *question)
{
	struct errand errand = { 0 };
	int64_t result;

	memset(question, 0, overseer->question_size);
	if (ioctl(overseer->listener_fd, SECCOMP_IOCTL_NOTIF_RECV, question) < 0)
		return errno == EINTR || errno == ENOENT; /* who asked has died */
	result = answer(overseer, question, &errand);
	if (result == OVERSEER_FAR)
		start_errand(overseer, &errand);
	else
		send_answer(overseer, question->id, result);
	return true;
}

static void answer_all(struct overseer *overseer)
{
	struct seccomp_notif *question = xcalloc(1, overseer->question_size);
	struct pollfd fds[2] = { { .fd = overseer->listener_fd, .events = POLLIN },
				 { .fd = overseer->stop_fd, .events = POLLIN } };
	bool more = true;

	while (more) {
		if (poll(fds, ARRAY_SIZE(fds), -1) < 0) {
			more = errno == EINTR;
			continue;
		}
		more = !fds[1].revents && !(fds[0].revents & (POLLHUP | POLLERR));
		if (more && fds[0].revents & POLLIN)
			more = serve(overseer, question);
	}
	free(question);
}

static void *watch(void *arg)
{
	struct overseer *overseer = arg;

	if (unshare(CLONE_FS) < 0 || chdir("/proc") < 0)
		overseer->failure = errno;
	sem_post(&overseer->begun);
	if (!overseer->failure)
		answer_all(overseer);
	/* Who still asks is told that there is no such call, and does not wait for ever. */
	dup3(overseer->stop_fd, overseer->listener_fd, O_CLOEXEC);
	dismiss_errands(overseer, 0);
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
	if (failed)
		return failed;
	while (sem_wait(&overseer->begun) < 0)
		;
	if (overseer->failure)
		pthread_join(overseer->thread, NULL);
	return overseer->failure;
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
		.users = 1,
		.listener_fd = ours,
		.stop_fd = stop_fd,
		.root_mount = st.stx_mnt_id,
		.question_size = larger(sizes.seccomp_notif, sizeof(struct seccomp_notif)),
		.answer_size = larger(sizes.seccomp_notif_resp, sizeof(struct seccomp_notif_resp)),
	};
	sem_init(&overseer->begun, 0, 0);
	pthread_mutex_init(&overseer->lock, NULL);
	pthread_cond_init(&overseer->unchanging, NULL);
	overseer->pretence = pretence_new(groups, group_count);
	errno = start_thread(overseer);
	if (errno) {
		pretence_free(overseer->pretence);
		pthread_cond_destroy(&overseer->unchanging);
		pthread_mutex_destroy(&overseer->lock);
		sem_destroy(&overseer->begun);
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
	end_changes(overseer);
	pretence_free(overseer->pretence);
	release(overseer);
}
