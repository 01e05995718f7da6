/* base/tool.c - see base/tool.h. */

#include "base/tool.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cancel.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/process.h"
#include "base/str.h"

#define ASK_MS 100 /* how soon a scope that was stopped is noticed */
#define CHUNK ((size_t)16 * 1024)
#define CHUNKS_MAX 64 /* taken at a time: more than a pipe holds, and yet an end */

void tool_end_release(struct tool_end *end)
{
	free(end->errors);
	end->errors = NULL;
}

/* ---- finding and starting ---- */

static const char *variable(const struct tool *tool, const char *name)
{
	size_t len = strlen(name);

	for (const char *const *pair = tool->environment; *pair; pair++)
		if (strncmp(*pair, name, len) == 0 && (*pair)[len] == '=')
			return *pair + len + 1;
	return NULL;
}

static struct err *find_path(const struct tool *tool, char **ret)
{
	const char *name = tool->argv[0];

	*ret = name[0] == '/' ? xstrdup(name) : program_find(name, variable(tool, "PATH"));
	if (*ret)
		return NULL;
	return err_new(ERR_NOT_FOUND, "the program '%s' is not in the PATH", name);
}

struct run {
	const struct tool *tool;
	int fds[2]; /* our ends of its outputs, owned; -1: none, or ended */
	int pidfd;  /* owned; -1 once it was reaped */
	pid_t pid;
	struct buf errors;
	uint64_t heard; /* when it last said something */
};

static void run_auto_(struct run *run)
{
	struct process_end end;

	if (run->pidfd >= 0) {
		kill(-run->pid, SIGKILL); /* the group, and if there is none yet */
		err_free(process_signal(run->pidfd, SIGKILL)); /* itself: it is not waited for */
		err_free(process_wait(run->pidfd, &end));
		close(run->pidfd);
	}
	for (size_t i = 0; i < ARRAY_SIZE(run->fds); i++)
		if (run->fds[i] >= 0)
			close(run->fds[i]);
	buf_release(&run->errors);
}

/* What the child, which shares our memory, makes of itself. */
struct launch {
	const struct tool *tool;
	const char *path;
	int null_fd, out_fd, error_fd;
	pid_t parent;
	int error; /* errno of what failed */
};

/* Signals that we ignore; of those with a handler exec takes care. */
SYSTEM_CALLS_ONLY static void take_usual_signals(void)
{
	static const unsigned char usual[64]; /* a struct sigaction of the kernel's, all 0 */
	static const uint64_t none;

	syscall(SYS_rt_sigaction, SIGPIPE, usual, NULL, sizeof(none));
	syscall(SYS_rt_sigaction, SIGURG, usual, NULL, sizeof(none));
	syscall(SYS_rt_sigprocmask, SIG_SETMASK, &none, NULL, sizeof(none));
}

SYSTEM_CALLS_ONLY static int run_launch(void *arg)
{
	struct launch *l = arg;

	/* its thread is there until it has ended: only a kill of all of us comes before */
	syscall(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	if (syscall(SYS_getppid) != l->parent)
		return 127;
	syscall(SYS_setpgid, 0, 0);
	take_usual_signals();
	if ((l->tool->dir_fd < 0 || syscall(SYS_fchdir, l->tool->dir_fd) == 0) &&
	    syscall(SYS_dup3, l->null_fd, STDIN_FILENO, 0) >= 0 &&
	    syscall(SYS_dup3, l->out_fd, STDOUT_FILENO, 0) >= 0 &&
	    syscall(SYS_dup3, l->error_fd, STDERR_FILENO, 0) >= 0 &&
	    syscall(SYS_close_range, STDERR_FILENO + 1, ~0U, 0) == 0)
		syscall(SYS_execve, l->path, l->tool->argv, l->tool->environment);
	l->error = errno;
	return 127;
}

static struct err *launch(struct run *run, struct launch *launch)
{
	AUTO(fd) int null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	pid_t pid;

	if (null_fd < 0)
		return err_sys("open /dev/null");
	launch->null_fd = null_fd;
	launch->parent = getpid();
	TRY(err_wrap(process_borrow(run_launch, launch, CLONE_PIDFD | SIGCHLD, &pid, &run->pidfd),
		     "run %s", launch->path));
	run->pid = pid;
	errno = launch->error;
	return errno ? err_sys("run %s", launch->path) : NULL;
}

/* A pipe whose reading end is ours, without blocking. */
static struct err *open_pipe(int *ret_ours, int *ret_its)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_sys("make a pipe");
	*ret_ours = ends[0];
	*ret_its = ends[1];
	return fcntl(ends[0], F_SETFL, O_NONBLOCK) < 0 ? err_sys("set up a pipe") : NULL;
}

static struct err *start(struct run *run)
{
	const struct tool *tool = run->tool;
	AUTO(mem) char *path = NULL;
	AUTO(fd) int out = -1;
	AUTO(fd) int errors = -1;

	TRY(find_path(tool, &path));
	assert(path);
	if (tool->out_fd < 0)
		TRY(open_pipe(&run->fds[0], &out));
	TRY(open_pipe(&run->fds[1], &errors));
	return launch(run, &(struct launch){ .tool = tool,
					     .path = path,
					     .out_fd = out >= 0 ? out : tool->out_fd,
					     .error_fd = errors });
}

/* ---- until it ends ---- */

/* Of standard error the end is kept. */
static void keep_end(struct buf *errors, const char *data, size_t len)
{
	if (errors->len + len > TOOL_ERRORS_MAX) {
		size_t drop = errors->len + len - TOOL_ERRORS_MAX;

		errors->len -= drop;
		memmove(errors->at, errors->at + drop, errors->len);
	}
	buf_add(errors, data, len);
}

/* Take what one output has; `fds[i]` is -1 afterwards if that was its end. */
static struct err *take(struct run *run, size_t i)
{
	UNCLEARED char data[CHUNK];
	struct buf *out = run->tool->out;
	ssize_t n = 1;

	for (int count = 0; count < CHUNKS_MAX; count++) {
		n = read(run->fds[i], data, sizeof(data));
		if (n <= 0)
			break;
		run->heard = clock_monotonic();
		if (i == 1 && run->tool->hear)
			run->tool->hear(run->tool->ear, (struct str){ data, (size_t)n });
		if (i == 1)
			keep_end(&run->errors, data, (size_t)n);
		else if (out)
			buf_add(out, data, (size_t)n);
	}
	if (n == 0) {
		close(run->fds[i]);
		run->fds[i] = -1;
	}
	if (i == 0 && out && out->over)
		return err_wrap(buf_check(out, "its output"), "%s", run->tool->argv[0]);
	return NULL;
}

static struct err *take_all(struct run *run)
{
	for (size_t i = 0; i < ARRAY_SIZE(run->fds); i++)
		if (run->fds[i] >= 0)
			TRY(take(run, i));
	return NULL;
}

/* What it leaves running may hold the pipes for ever: its own end is what counts. */
static struct err *watch(struct run *run)
{
	const unsigned silence = run->tool->silence;

	run->heard = clock_monotonic();
	for (;;) {
		struct pollfd fds[] = { { .fd = run->pidfd, .events = POLLIN },
					{ .fd = run->fds[0], .events = POLLIN },
					{ .fd = run->fds[1], .events = POLLIN },
					{ .fd = cancel_fd(), .events = POLLIN } };

		TRY(cancel_check());
		if (poll(fds, ARRAY_SIZE(fds), ASK_MS) < 0 && errno != EINTR)
			return err_sys("wait for %s", run->tool->argv[0]);
		TRY(take_all(run));
		if (fds[0].revents & POLLIN)
			return take_all(run);
		if (silence && clock_monotonic() - run->heard > silence * UINT64_C(1000000))
			return err_new(ERR_NETWORK, "%s said nothing for %u seconds",
				       run->tool->argv[0], silence / 1000);
	}
}

struct err *tool_run(const struct tool *tool, struct tool_end *ret)
{
	AUTO(run)
	struct run run = {
		.tool = tool, .fds = { -1, -1 }, .pidfd = -1, .errors = BUF_INIT(TOOL_ERRORS_MAX)
	};
	struct process_end end = { 0 };
	struct err *err;

	TRY(start(&run));
	TRY(watch(&run));
	err = process_wait(run.pidfd, &end);
	close(run.pidfd);
	run.pidfd = -1;
	TRY(err);
	*ret = (struct tool_end){ .code = end.code,
				  .errors = str_dup(str_trim(buf_str(&run.errors))) };
	return NULL;
}
