/* builder/agents.c - see builder/agents.h. */

#include "builder/agents.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/process.h"
#include "base/str.h"
#include "base/vec.h"
#include "builder/ssh.h"
#include "store/layer.h"

#define SOCKET_NAME "agent"
#define START_TRIES 500 /* of START_PAUSE_MS each */
#define START_PAUSE_MS 10
#define SAID_MAX ((size_t)4096)

/* An agent of ours. */
struct own_agent {
	const struct ssh_source *source;
	struct layer_stage *place; /* a directory for its socket; owned */
	int pidfd;
};

struct agents {
	const struct ssh_sources *sources;
	struct store *store;
	struct {
		struct own_agent *at;
		size_t len, cap;
	} own;
};

struct agents *agents_new(const struct ssh_sources *sources, struct store *store)
{
	struct agents *agents = xcalloc(1, sizeof(*agents));

	agents->sources = sources;
	agents->store = store;
	return agents;
}

static void own_release(struct own_agent *own)
{
	struct process_end end;

	if (own->pidfd >= 0) {
		err_free(process_signal(own->pidfd, SIGKILL)); /* it has nothing to tidy up */
		err_free(process_wait(own->pidfd, &end));
		close(own->pidfd);
	}
	layer_stage_free(own->place);
}

void agents_free(struct agents *agents)
{
	if (!agents)
		return;
	vec_foreach (&agents->own, own)
		own_release(own);
	vec_release(&agents->own);
	free(agents);
}

/* ---- programs ---- */

/* A program that is about to be executed. It is read in a child that shares our memory. */
struct launch {
	const char *path;
	char *const *argv;
	char *const *envp;
	int dir_fd;          /* where it works */
	int in_fd, error_fd; /* its standard input, and standard error; output goes nowhere */
	int null_fd;
	int error; /* errno of a failed exec */
};

/* Without privileges of its file, as with them it would outlive us: ssh-agent is often set-group-id. */
SYSTEM_CALLS_ONLY static int run_launch(void *arg)
{
	struct launch *l = arg;

	syscall(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	syscall(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	syscall(SYS_setsid);
	if (syscall(SYS_fchdir, l->dir_fd) == 0 && syscall(SYS_dup3, l->in_fd, 0, 0) >= 0 &&
	    syscall(SYS_dup3, l->null_fd, 1, 0) >= 0 && syscall(SYS_dup3, l->error_fd, 2, 0) >= 0)
		syscall(SYS_execve, l->path, l->argv, l->envp);
	l->error = errno;
	return 127;
}

static struct err *find(const char *name, char **ret)
{
	const char *path = getenv("PATH");

	*ret = program_find(name, path ? path : "/usr/bin:/bin");
	if (*ret)
		return NULL;
	return err_note(err_new(ERR_NOT_FOUND, "the program %s is not in the PATH", name),
			"Keys of --ssh need it: install the OpenSSH client, or give the socket of "
			"an agent that runs already.");
}

/* Descriptors of a launch above the standard ones, which it gives a new meaning. */
static struct err *open_null(int *ret_fd)
{
	AUTO(fd) int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	*ret_fd = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 3);
	return *ret_fd < 0 ? err_sys("open /dev/null") : NULL;
}

static struct err *start_program(const char *name, char *const *argv, struct launch *launch,
				 int *ret_pidfd)
{
	static char *const envp[] = { (char *)"SSH_AUTH_SOCK=" SOCKET_NAME, NULL };
	AUTO(mem) char *path = NULL;
	AUTO(fd) int null_fd = -1;
	pid_t pid;

	TRY(find(name, &path));
	TRY(open_null(&null_fd));
	launch->path = path;
	launch->argv = argv;
	launch->envp = envp;
	launch->null_fd = null_fd;
	launch->in_fd = launch->in_fd < 0 ? null_fd : launch->in_fd;
	launch->error_fd = launch->error_fd < 0 ? null_fd : launch->error_fd;
	TRY(err_wrap(process_borrow(run_launch, launch, CLONE_PIDFD | SIGCHLD, &pid, ret_pidfd),
		     "%s", name));
	errno = launch->error;
	return errno ? err_sys("execute %s", path) : NULL;
}

/* ---- an agent of ours ---- */

/* Connect to `name` in a directory: by way of /proc, as no path of a directory need fit an address. */
static struct err *connect_in(int dir_fd, const char *name, int *ret_fd)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	AUTO(fd) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/%s", dir_fd, name);
	if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return err_sys("connect to an ssh agent");
	*ret_fd = STEAL_FD(fd);
	return NULL;
}

static bool has_ended(int pidfd)
{
	struct pollfd polled = { .fd = pidfd, .events = POLLIN };

	return poll(&polled, 1, 0) > 0;
}

/* It says nothing when it is ready. */
static struct err *wait_for_agent(const struct own_agent *own)
{
	struct err *err = NULL;

	for (int i = 0; i < START_TRIES; i++) {
		AUTO(fd) int fd = -1;

		err_free(err);
		err = connect_in(own->place->dir_fd, SOCKET_NAME, &fd);
		if (!err || has_ended(own->pidfd))
			break;
		(void)poll(NULL, 0, START_PAUSE_MS);
	}
	return err_wrap(err, "start ssh-agent");
}

static struct err *start_agent(struct own_agent *own)
{
	char *const argv[] = { (char *)"ssh-agent", (char *)"-D", (char *)"-a", (char *)SOCKET_NAME,
			       NULL };
	struct launch launch = { .dir_fd = own->place->dir_fd, .in_fd = -1, .error_fd = -1 };

	TRY(start_program("ssh-agent", argv, &launch, &own->pidfd));
	return wait_for_agent(own);
}

/* What ssh-add said of a key that it did not take, in one line. */
static struct err *refused_key(const char *path, struct buf *said)
{
	for (size_t i = 0; i < said->len; i++)
		if (said->at[i] == '\n' || said->at[i] == '\r')
			said->at[i] = ' ';
	return err_note(
		err_new(ERR_INVALID, "ssh-add does not take the key '%.200s': %.*s", path,
			STR_ARG(str_trim(buf_str(said)))),
		"A key with a passphrase cannot be asked for here: add it to an agent, and give "
		"that to the build.");
}

static struct err *read_said(int fd, struct buf *said)
{
	char piece[512];
	size_t got;

	do {
		TRY(file_read_some(fd, piece, sizeof(piece), "what ssh-add says", &got));
		buf_add(said, piece, got);
	} while (got > 0);
	return NULL;
}

static struct err *open_key(const char *path, int *ret_fd)
{
	AUTO(fd) int fd = -1;

	TRY(file_open(AT_FDCWD, path, O_RDONLY | O_NOCTTY, 0, FILE_ANYWHERE, &fd));
	*ret_fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	return *ret_fd < 0 ? err_sys("open '%s'", path) : NULL;
}

/* From standard input: then it does not mind who else may read the file. */
static struct err *add_key(struct own_agent *own, const char *path)
{
	char *const argv[] = { (char *)"ssh-add", (char *)"-q", (char *)"-", NULL };
	struct launch launch = { .dir_fd = own->place->dir_fd };
	AUTO(buf) struct buf said = BUF_INIT(SAID_MAX);
	AUTO(fd) int key_fd = -1, out_fd = -1, error_fd = -1, pidfd = -1;
	struct process_end end;
	int ends[2];

	TRY(open_key(path, &key_fd));
	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_sys("make a pipe");
	out_fd = ends[0];
	error_fd = ends[1];
	launch.in_fd = key_fd;
	launch.error_fd = error_fd;
	TRY(start_program("ssh-add", argv, &launch, &pidfd));
	close(STEAL_FD(error_fd));
	TRY(read_said(out_fd, &said));
	TRY(process_wait(pidfd, &end));
	return end.code == 0 ? NULL : refused_key(path, &said);
}

static struct own_agent *find_own(const struct agents *agents, const struct ssh_source *source)
{
	vec_foreach (&agents->own, own)
		if (own->source == source)
			return own;
	return NULL;
}

static struct err *start_own(struct agents *agents, const struct ssh_source *source)
{
	struct own_agent *own;

	vec_push(&agents->own, (struct own_agent){ .source = source, .pidfd = -1 });
	own = vec_last(&agents->own);
	TRY(layer_begin(agents->store, &own->place));
	TRY(start_agent(own));
	vec_foreach (&source->keys, key)
		TRY(add_key(own, *key));
	return NULL;
}

struct err *agents_start(struct agents *agents, const char *id)
{
	const struct ssh_source *source = ssh_sources_find(agents->sources, id);
	AUTO(fd) int fd = -1;

	if (!source)
		return err_new(ERR_NOT_FOUND, "there is no --ssh %s", id);
	if (!source->socket && !find_own(agents, source))
		TRY(start_own(agents, source));
	return agents_connect(agents, id, &fd); /* a socket may have lost its agent */
}

/* The socket that the user named; its directory is opened, as the whole path may be too long. */
static struct err *connect_path(const char *path, int *ret_fd)
{
	const char *slash = strrchr(path, '/');
	AUTO(mem)
	char *dir =
		slash ? str_dup((struct str){ path, (size_t)(slash - path) + 1 }) : xstrdup(".");
	AUTO(fd) int dir_fd = -1;

	TRY(file_open(AT_FDCWD, dir, O_PATH | O_DIRECTORY, 0, FILE_ANYWHERE, &dir_fd));
	return err_wrap(connect_in(dir_fd, slash ? slash + 1 : path, ret_fd), "'%.200s'", path);
}

struct err *agents_connect(const struct agents *agents, const char *id, int *ret_fd)
{
	const struct ssh_source *source = ssh_sources_find(agents->sources, id);

	if (!source)
		return err_new(ERR_NOT_FOUND, "there is no --ssh %s", id);
	if (source->socket)
		return connect_path(source->socket, ret_fd);
	return connect_in(find_own(agents, source)->place->dir_fd, SOCKET_NAME, ret_fd);
}
