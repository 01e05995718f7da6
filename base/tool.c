/* base/tool.c - see base/tool.h. */

#include "base/tool.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/cancel.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/process.h"
#include "base/str.h"

#define ASK_MS 100 /* how soon a scope that was stopped is noticed */
#define CHUNK ((size_t)16 * 1024)

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

/* Parts of PATH that are no absolute paths are passed over. */
static struct err *find_path(const struct tool *tool, char **ret)
{
	struct str rest = str_of(variable(tool, "PATH"));
	const char *name = tool->argv[0];

	if (name[0] == '/') {
		*ret = xstrdup(name);
		return NULL;
	}
	while (rest.at) {
		struct str dir = str_cut(&rest, ':');
		AUTO(mem) char *path = xasprintf("%.*s/%s", STR_ARG(dir), name);

		if (path[0] == '/' && dir.len > 0 && access(path, X_OK) == 0) {
			*ret = STEAL(path);
			return NULL;
		}
	}
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

static int spawn_actions(posix_spawn_file_actions_t *actions, const struct tool *tool, int out,
			 int errors)
{
	int failed =
		posix_spawn_file_actions_addopen(actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);

	if (!failed)
		failed = posix_spawn_file_actions_adddup2(actions, out, STDOUT_FILENO);
	if (!failed)
		failed = posix_spawn_file_actions_adddup2(actions, errors, STDERR_FILENO);
	if (!failed && tool->dir_fd >= 0)
		failed = posix_spawn_file_actions_addfchdir_np(actions, tool->dir_fd);
	if (!failed)
		failed = posix_spawn_file_actions_addclosefrom_np(actions, STDERR_FILENO + 1);
	return failed;
}

/* Returns errno's value. */
static int spawn(const struct tool *tool, const char *path, int out, int errors, pid_t *ret)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t none, usual;
	int failed;

	sigemptyset(&none);
	sigemptyset(&usual);
	sigaddset(&usual, SIGPIPE);
	sigaddset(&usual, SIGURG);
	posix_spawn_file_actions_init(&actions);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawnattr_setsigdefault(&attributes, &usual);
	posix_spawnattr_setpgroup(&attributes, 0);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
						      POSIX_SPAWN_SETPGROUP);
	failed = spawn_actions(&actions, tool, out, errors);
	if (!failed)
		failed = posix_spawn(ret, path, &actions, &attributes, (char *const *)tool->argv,
				     (char *const *)tool->environment);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&actions);
	return failed;
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
	errno = spawn(tool, path, out >= 0 ? out : tool->out_fd, errors, &run->pid);
	if (errno)
		return err_sys("run %s", path);
	run->pidfd = (int)syscall(SYS_pidfd_open, run->pid, 0);
	if (run->pidfd < 0) {
		struct err *err = err_sys("watch %s", path);

		kill(run->pid, SIGKILL);
		waitpid(run->pid, NULL, 0);
		return err;
	}
	return NULL;
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
	ssize_t n;

	while ((n = read(run->fds[i], data, sizeof(data))) > 0) {
		run->heard = clock_monotonic();
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
