/* overlay/fuse.c - see overlay/fuse.h: the mount, and the program. Its spelling is fuse-settle.c's. */

#include "overlay/fuse.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/cancel.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/process.h"
#include "base/str.h"
#include "base/vec.h"
#include "overlay/kernel-private.h"
#include "overlay/mount.h"
#include "overlay/skeleton.h"

#define LIST_MAX ((size_t)64 * 1024) /* of the option that names the layers */
#define SAID_MAX 4096
#define ASK_MS 100 /* how soon it is noticed that a scope was stopped */

/* ---- the program ---- */

/* Where it is; NULL if it is nowhere. Owned by the caller. */
static char *find(void)
{
	const char *path = getenv("PATH");

	return program_find(FUSE_PROGRAM, path && *path ? path : PROGRAM_PATH);
}

bool fuse_is_installed(void)
{
	AUTO(mem) char *path = find();

	return path != NULL;
}

/* What the child needs, and its answer. It lives in the parent's memory. */
struct start {
	const char *path;
	char *const *argv;
	char *const *envp;
	const int *fds; /* that it keeps */
	size_t fd_count;
	int said_fd; /* its standard descriptors */
};

/* Runs in a child that borrows our memory until its exec. */
SYSTEM_CALLS_ONLY static int run_program(void *arg)
{
	const struct start *start = arg;

	syscall(SYS_setsid); /* what a terminal sends is not for it */
	for (int i = 0; i < 3; i++)
		syscall(SYS_dup3, start->said_fd, i, 0);
	for (size_t i = 0; i < start->fd_count; i++)
		syscall(SYS_fcntl, start->fds[i], F_SETFD, 0);
	syscall(SYS_execve, start->path, start->argv, start->envp);
	return 127;
}

/* The programs that we have started: each ends by itself, and then has to be waited for. */
static struct {
	pthread_mutex_t lock;
	VEC(pid_t) pids; /* guarded by lock */
} running = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* Forget those that have ended. */
static void reap(void)
{
	size_t kept = 0;

	pthread_mutex_lock(&running.lock);
	for (size_t i = 0; i < running.pids.len; i++)
		if (waitpid(running.pids.at[i], NULL, WNOHANG | __WALL) == 0)
			running.pids.at[kept++] = running.pids.at[i];
	running.pids.len = kept;
	pthread_mutex_unlock(&running.lock);
}

/* One that has not yet shown that it works. */
struct program {
	pid_t pid; /* 0 once it was waited for, or is among the running */
	int pidfd; /* owned */
	int said_fd;
};

/* It and what it has started: nobody has the other end of the mount then. */
static void end_program(struct program *program, int *ret_status)
{
	kill(-program->pid, SIGKILL);
	err_free(process_signal(program->pidfd, SIGKILL)); /* if it leads no group yet */
	while (waitpid(program->pid, ret_status, __WALL) < 0 && errno == EINTR)
		;
	program->pid = 0;
}

static void program_auto_(struct program *program)
{
	int status;

	if (program->pid > 0)
		end_program(program, &status);
	if (program->pidfd >= 0)
		close(program->pidfd);
	if (program->said_fd >= 0)
		close(program->said_fd);
}

static void let_run(struct program *program)
{
	pthread_mutex_lock(&running.lock);
	vec_push(&running.pids, program->pid);
	pthread_mutex_unlock(&running.lock);
	program->pid = 0;
}

/* A file in memory that does not grow: what is said beyond it is lost. */
static struct err *make_said(int *ret_fd)
{
	*ret_fd = memfd_create(FUSE_PROGRAM, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (*ret_fd < 0)
		return err_sys("make a memory file");
	if (ftruncate(*ret_fd, SAID_MAX) < 0 ||
	    fcntl(*ret_fd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK) < 0)
		return err_sys("set up a memory file");
	return NULL;
}

/* ---- what it is told ---- */

/* Descriptors above the standard ones, which get a new meaning. */
struct handed {
	int at[OVERLAY_LOWER_MAX + 4];
	size_t count;
};

static void handed_auto_(struct handed *handed)
{
	for (size_t i = 0; i < handed->count; i++)
		close(handed->at[i]);
}

static struct err *hand(struct handed *handed, int fd, int *ret)
{
	*ret = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	if (*ret < 0)
		return err_sys("copy a descriptor");
	handed->at[handed->count++] = *ret;
	return NULL;
}

static struct err *add_dir(struct handed *handed, struct buf *text, const char *before, int dir_fd)
{
	int fd;

	TRY(hand(handed, dir_fd, &fd));
	buf_addf(text, "%s/proc/self/fd/%d", before, fd);
	return NULL;
}

/* "lowerdir=/proc/self/fd/7:…,upperdir=…,workdir=…" */
static struct err *name_layers(const struct overlay_spec *spec, struct handed *handed,
			       struct buf *text)
{
	const bool writable = spec->upper_fd > 0;
	const char *before = "lowerdir=";

	for (size_t i = 0; i < spec->lower_count; i++, before = ":")
		TRY(add_dir(handed, text, before, spec->lower_fds[i]));
	if (writable || spec->lower_count == 0)
		TRY(add_dir(handed, text, before,
			    writable ? spec->skeleton->root_fd : spec->skeleton->empty_fd));
	if (writable) {
		TRY(add_dir(handed, text, ",upperdir=", spec->upper_fd));
		TRY(add_dir(handed, text, ",workdir=", spec->work_fd));
		buf_adds(text, ",volatile");
	}
	return buf_check(text, "the list of layers");
}

/* ---- the mount ---- */

static struct err *make_mount(int fuse_fd, bool writable, int *ret_fd)
{
	const unsigned attributes = MOUNT_ATTR_NODEV | (writable ? 0 : MOUNT_ATTR_RDONLY);
	AUTO(fd) int fs_fd = kernel_fsopen("fuse");
	char number[12];
	const struct {
		const char *key, *value; /* NULL: it has none */
	} options[] = { { "source", FUSE_PROGRAM },
			{ "fd", number },
			{ "rootmode", "40000" },
			{ "user_id", "0" },
			{ "group_id", "0" },
			{ "allow_other", NULL },
			{ "default_permissions", NULL } };

	snprintf(number, sizeof(number), "%d", fuse_fd);
	if (fs_fd < 0)
		return err_sys("fuse: fsopen");
	for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
		const unsigned how = options[i].value ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG;

		if (kernel_fsconfig(fs_fd, how, options[i].key, options[i].value, 0) < 0)
			return err_sys("fuse: set the option %s", options[i].key);
	}
	if (kernel_fsconfig(fs_fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return err_sys("fuse: mount");
	*ret_fd = kernel_fsmount(fs_fd, attributes);
	return *ret_fd < 0 ? err_sys("fuse: fsmount") : NULL;
}

static struct err *start_on(const struct overlay_spec *spec, const char *path, int fuse_fd,
			    struct program *ret)
{
	AUTO(buf) struct buf layers = BUF_INIT(LIST_MAX);
	AUTO(handed) struct handed handed = { 0 };
	char target[32];
	const char *const argv[] = { FUSE_PROGRAM, "-f", "-o", NULL, target, NULL };
	const char *args[ARRAY_SIZE(argv)];
	static char *const envp[] = { NULL };
	struct start start = { .path = path, .envp = envp, .fds = handed.at };
	int fd;

	memcpy(args, argv, sizeof(args));
	TRY(name_layers(spec, &handed, &layers));
	TRY(hand(&handed, fuse_fd, &fd));
	snprintf(target, sizeof(target), "/dev/fd/%d", fd);
	args[3] = layers.at;
	TRY(make_said(&ret->said_fd));
	TRY(hand(&handed, ret->said_fd, &start.said_fd));
	start.fd_count = handed.count - 1; /* without that */
	start.argv = (char *const *)(const void *)args;
	reap();
	return err_wrap(process_borrow(run_program, &start, CLONE_PIDFD, &ret->pid, &ret->pidfd),
			FUSE_PROGRAM);
}

/* ---- until it works ---- */

unsigned fuse_patience = 30000;

/* Whether the line ends with a reason that will pass: the program knows errors as the system tells them. */
static bool will_pass(struct str line)
{
	static const int passing[] = { ENOMEM, ENFILE, EMFILE, EAGAIN, EINTR, ENOSPC, EDQUOT, EIO };

	for (size_t i = 0; i < ARRAY_SIZE(passing); i++)
		if (str_ends(line, strerror(passing[i])))
			return true;
	return false;
}

/* Why the program has ended: the last line that it said. */
static struct err *explain(const struct program *program, int status)
{
	const struct process_end end = process_decode(status);
	char said[SAID_MAX + 1], name[SIGNAL_NAME_SIZE];
	ssize_t got = pread(program->said_fd, said, SAID_MAX, 0);
	struct str text, last = { 0 };

	said[got > 0 ? got : 0] = '\0';
	for (text = str_trim(str_of(said)); text.len;)
		last = str_cut(&text, '\n');
	if (end.signal)
		return err_new(ERR_SYSTEM, FUSE_PROGRAM " was ended by %s",
			       signal_name(end.signal, name));
	if (!last.len)
		return err_new(ERR_UNSUPPORTED, FUSE_PROGRAM " has ended, with code %d", end.code);
	return err_new(will_pass(last) ? ERR_SYSTEM : ERR_UNSUPPORTED,
		       FUSE_PROGRAM " has ended: %.*s", STR_ARG(last));
}

/* Looks at the mount, which takes until the program answers, or has ended. */
struct look {
	int root_fd, done_fd; /* borrowed; the second one is an eventfd */
	bool seen;
};

static void *look_on_thread(void *arg)
{
	static const uint64_t one = 1;
	struct look *look = arg;
	struct stat st;
	ssize_t rung;

	look->seen = fstatat(look->root_fd, "", &st, AT_EMPTY_PATH) == 0;
	rung = write(look->done_fd, &one, sizeof(one)); /* cannot fail: the counter is 0 */
	(void)rung;
	return NULL;
}

/* Until somebody has looked, but not for ever. */
static struct err *await_look(const struct look *look)
{
	const uint64_t end = clock_monotonic() + fuse_patience * UINT64_C(1000000);
	struct pollfd polled[] = { { .fd = look->done_fd, .events = POLLIN },
				   { .fd = cancel_fd(), .events = POLLIN } };

	while (!polled[0].revents) {
		TRY(cancel_check());
		if (clock_monotonic() > end)
			return err_new(ERR_SYSTEM,
				       FUSE_PROGRAM " does not begin to work, for %u seconds",
				       fuse_patience / 1000);
		if (poll(polled, ARRAY_SIZE(polled), ASK_MS) < 0 && errno != EINTR)
			return err_sys("wait for " FUSE_PROGRAM);
	}
	return NULL;
}

static struct err *await_program(struct program *program, int root_fd)
{
	AUTO(fd) int done_fd = eventfd(0, EFD_CLOEXEC);
	struct look look = { .root_fd = root_fd, .done_fd = done_fd };
	pthread_t thread;
	struct err *err;
	int status = 0;

	if (done_fd < 0)
		return err_sys("make an event");
	errno = pthread_create(&thread, NULL, look_on_thread, &look);
	if (errno)
		return err_sys("start a thread");
	err = await_look(&look);
	if (err)
		end_program(program, &status); /* then the look fails */
	pthread_join(thread, NULL);
	if (err || look.seen)
		return err;
	end_program(program, &status);
	return explain(program, status);
}

struct err *fuse_mount(const struct overlay_spec *spec, int *ret_fd)
{
	AUTO(mem) char *path = find();
	AUTO(fd) int fuse_fd = -1;
	AUTO(fd) int root_fd = -1;
	AUTO(program) struct program program = { .pidfd = -1, .said_fd = -1 };

	if (!path)
		return err_new(ERR_UNSUPPORTED, FUSE_MISSING);
	if (spec->idmap)
		return err_new(ERR_UNSUPPORTED, FUSE_PROGRAM " cannot show other owners");
	fuse_fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	if (fuse_fd < 0)
		return err_sys("open /dev/fuse");
	TRY(make_mount(fuse_fd, spec->upper_fd > 0, &root_fd));
	TRY(start_on(spec, path, fuse_fd, &program));
	close(STEAL_FD(fuse_fd)); /* the program's is the only one: without it nobody waits */
	TRY(await_program(&program, root_fd));
	let_run(&program);
	*ret_fd = STEAL_FD(root_fd);
	return NULL;
}
