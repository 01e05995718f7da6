/* overlay/network-tool.c - pasta or slirp4netns: found, started, waited for. */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cancel.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "base/log.h"
#include "base/process.h"
#include "base/str.h"
#include "base/vec.h"
#include "overlay/network-private.h"
#include "overlay/network.h"

#define DEVICE "/dev/net/tun"
#define WAIT_NS ((uint64_t)30 * 1000000000)
#define ASK_MS 100 /* how soon it is noticed that a scope was stopped */
#define END_MS 10000
#define WORDS_MAX ((size_t)4096)

/* No port is forwarded but those that are published, and no address stands for the host's loopback. As root it would
 * become nobody, who may not enter the namespace. */
static const char *const pasta[] = {
	"pasta",
	"--foreground",
	"--quiet",
	"--runas",
	"0",
	"--config-net",
	"--ns-ifname",
	NETWORK_INTERFACE,
	"--address",
	NETWORK_ADDRESS,
	"--netmask",
	"24",
	"--gateway",
	NETWORK_GATEWAY,
	"--dns-forward",
	NETWORK_RESOLVER,
	"--no-map-gw",
	"-T",
	"none",
	"-U",
	"none",
	"--netns-only",
	"--no-netns-quit",
	"--netns",
	NETWORK_PLACE,
	NULL,
};

static const char *const slirp4netns[] = {
	"slirp4netns",
	"--configure",
	"--mtu=65520",
	"--cidr=" NETWORK_CIDR, /* NOLINT */
	"--disable-host-loopback",
	"--enable-sandbox",
	"--enable-seccomp",
	"--netns-type=path",
	NETWORK_PLACE,
	NETWORK_INTERFACE,
	NULL,
};

const struct network_tool network_tools[] = {
	{ "pasta", pasta, true },
	{ "slirp4netns", slirp4netns, false },
	{ 0 },
};

/* ---- starting ---- */

static struct err *find(const char *name, char **ret)
{
	const char *own = secure_getenv("PATH");
	AUTO(mem) char *path = xasprintf("%s:" PROGRAM_PATH, own ? own : "");

	*ret = program_find(name, path);
	return *ret ? NULL : err_new(ERR_NOT_FOUND, "%s is not installed", name);
}

/* Every program needs it, and tells less well that it cannot be had. */
static struct err *check_device(void)
{
	AUTO(fd) int fd = open(DEVICE, O_RDWR | O_CLOEXEC);
	const int error = errno;

	if (fd >= 0)
		return NULL;
	return err_note(
		err_new(ERR_UNSUPPORTED, "cannot open " DEVICE ": %s", strerror(error)),
		error == EACCES ?
			"Let users open it, as distributions do: chmod 666 " DEVICE :
			"Load its module: modprobe tun. A container gets it by --device " DEVICE
			".");
}

/* Releases of pasta reckon the way back of a datagram past the end of their table if it comes to a smaller
 * port, and take what lies there for ports of this machine's loopback to be let out of the namespace. They
 * do not tell which release they are. */
static struct err *check_port(const struct network_port *port)
{
	if (!port->udp || port->container >= port->host)
		return NULL;
	return err_new(
		ERR_UNSUPPORTED,
		"port %u of udp cannot lead to %u: pasta opens others if it leads to a smaller "
		"one; the same number at both ends works",
		port->host, port->container);
}

/* -t or -u for each port of a kind, or that there are none. */
static void add_ports(const struct network_opts *opts, bool udp, struct strings *ret)
{
	bool any = false;

	for (size_t i = 0; i < opts->port_count; i++) {
		const struct network_port *port = &opts->ports[i];

		if (port->udp != udp)
			continue;
		strings_push(ret, udp ? "-u" : "-t");
		vec_push(ret, xasprintf("%s%s%u:%u", port->address, port->address[0] ? "/" : "",
					port->host, port->container));
		any = true;
	}
	if (!any) {
		strings_push(ret, udp ? "-u" : "-t");
		strings_push(ret, "none");
	}
}

static struct err *make_argv(const struct network_tool *tool, const struct network_opts *opts,
			     struct strings *ret)
{
	if (opts->port_count && !tool->publishes)
		return err_note(err_new(ERR_UNSUPPORTED, "%s publishes no ports", tool->name),
				"Install pasta (package passt), which does.");
	for (size_t i = 0; i < opts->port_count; i++)
		TRY(check_port(&opts->ports[i]));
	for (size_t i = 0; tool->argv[i]; i++)
		strings_push(ret, tool->argv[i]);
	if (tool->publishes) {
		add_ports(opts, false, ret);
		add_ports(opts, true, ret);
	}
	return NULL;
}

/* What the child, which shares our memory, makes of itself. */
struct launch {
	const char *path;
	const char *const *argv;
	int null_fd, error_fd, ns_fd, spawner_pidfd;
	struct carrier *carrier;
	const char *failed; /* what, with this errno; NULL: nothing */
	int error;
	struct err *err;
};

#define NAMESPACE_FD 3

SYSTEM_CALLS_ONLY static const char *become_carrier(const struct launch *l)
{
	static const char *const environment[] = { "PATH=" PROGRAM_PATH, NULL };
	static const unsigned char usual[64]; /* a struct sigaction of the kernel's, all 0 */
	static const uint64_t none;
	static const char namespace_path[] = "/proc/self/fd/3";

	for (int number = 1; number < NSIG; number++)
		syscall(SYS_rt_sigaction, number, usual, NULL, sizeof(none));
	syscall(SYS_rt_sigprocmask, SIG_SETMASK, &none, NULL, sizeof(none));
	syscall(SYS_setsid); /* the terminal's signals are for the builder */
	if (syscall(SYS_dup3, l->null_fd, STDIN_FILENO, 0) < 0 ||
	    syscall(SYS_dup3, l->null_fd, STDOUT_FILENO, 0) < 0 ||
	    syscall(SYS_dup3, l->error_fd, STDERR_FILENO, 0) < 0 ||
	    syscall(SYS_dup3, l->ns_fd, NAMESPACE_FD, 0) < 0 ||
	    syscall(SYS_close_range, NAMESPACE_FD + 1, ~0U, 0) < 0)
		return "hand over descriptors";
	/* slirp4netns unmounts what it has mounted, and the host is not to see it */
	if (syscall(SYS_unshare, CLONE_NEWNS) < 0 ||
	    syscall(SYS_mount, NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    syscall(SYS_mount, namespace_path, NETWORK_PLACE, NULL, MS_BIND, NULL) < 0 ||
	    syscall(SYS_close, NAMESPACE_FD) < 0)
		return "mount a network namespace";
	syscall(SYS_execve, l->path, l->argv, environment);
	return l->path;
}

SYSTEM_CALLS_ONLY static int run_launch(void *arg)
{
	struct launch *l = arg;

	l->failed = become_carrier(l);
	l->error = errno;
	return 127;
}

static struct err *launch(struct launch *l)
{
	/* For children of this thread from here on. */
	if (setns(l->spawner_pidfd, CLONE_NEWPID) < 0)
		return err_sys("enter the process namespace of the steps");
	/* The spawner's child: its namespace ends when all in it are reaped, and we may be killed first. */
	TRY(process_borrow_orphan(run_launch, l, &l->carrier->pidfd));
	errno = l->error;
	return l->failed ? err_sys("%s", l->failed) : NULL;
}

static void *launch_on_thread(void *arg)
{
	struct launch *l = arg;

	l->err = launch(l);
	return NULL;
}

/* A pipe of which neither end blocks: what nobody reads is dropped when it is full. */
static struct err *open_pipe(int *ret_ours, int *ret_its)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
		return err_sys("make a pipe");
	/* out of the way of the descriptors that it becomes */
	*ret_ours = ends[0];
	*ret_its = fcntl(ends[1], F_DUPFD_CLOEXEC, NAMESPACE_FD + 1);
	close(ends[1]);
	return *ret_its < 0 ? err_sys("move a descriptor") : NULL;
}

struct err *carrier_start(const struct network_tool *tool, const struct link *link,
			  const struct network_opts *opts, struct carrier *ret)
{
	AUTO(mem) char *path = NULL;
	AUTO(fd) int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	AUTO(fd) int error_fd = -1;
	AUTO(fd) int ns_fd = fcntl(link->ns_fd, F_DUPFD_CLOEXEC, NAMESPACE_FD + 1);
	AUTO(strings) struct strings argv = { 0 };
	struct launch l = { .spawner_pidfd = opts->spawner_pidfd, .carrier = ret };
	pthread_t thread;

	TRY(find(tool->name, &path));
	TRY(check_device());
	TRY(make_argv(tool, opts, &argv));
	l.argv = (const char *const *)strings_argv(&argv);
	if (null_fd < 0 || ns_fd < 0)
		return err_sys("open /dev/null");
	TRY(open_pipe(&ret->error_fd, &error_fd));
	l.path = path;
	l.null_fd = null_fd;
	l.error_fd = error_fd;
	l.ns_fd = ns_fd;
	errno = pthread_create(&thread, NULL, launch_on_thread, &l);
	if (errno)
		return err_sys("start a thread");
	pthread_join(thread, NULL);
	return err_wrap(l.err, "%s", tool->name);
}

/* Nothing waits for ever for a program that the kernel does not let go. */
static void end_program(int pidfd)
{
	struct pollfd polled = { .fd = pidfd, .events = POLLIN };
	AUTO(err) struct err *err = process_signal(pidfd, SIGKILL);
	int count = 0;

	while (!err && (count = poll(&polled, 1, END_MS)) < 0 && errno == EINTR)
		;
	if (!err && count == 0)
		err = err_new(ERR_SYSTEM, "it still runs %d s after SIGKILL", END_MS / 1000);
	if (err)
		log_warn("the program that carries the steps' network: %s", err_text(err));
}

void carrier_stop(struct carrier *carrier)
{
	if (carrier->pidfd >= 0) {
		end_program(carrier->pidfd);
		close(carrier->pidfd);
	}
	if (carrier->error_fd >= 0)
		close(carrier->error_fd);
	*carrier = CARRIER_INIT;
}

/* ---- waiting ---- */

/* The last line that it has written, cleaned for people: it may be a log. */
static char *last_words(const struct carrier *carrier)
{
	char data[WORDS_MAX];
	ssize_t got = read(carrier->error_fd, data, sizeof(data));
	struct str text = { data, got > 0 ? (size_t)got : 0 };
	struct str line = { "", 0 };

	while (text.len) {
		struct str next = str_trim(str_cut(&text, '\n'));

		/* pasta's, where there is no system log */
		if (next.len && !str_starts(next, "Failed to send"))
			line = next;
	}
	return str_dup(line);
}

static struct err *ended(const struct carrier *carrier, const char *name)
{
	AUTO(mem) char *words = last_words(carrier);
	struct err *err =
		err_new(ERR_UNSUPPORTED, "%s ended%s%.300s", name, words[0] ? ": " : "", words);

	if (!str_starts(str_of(words), "Failed to bind"))
		return err;
	return err_note(err, "Something else has taken the port: publish another one.");
}

struct err *carrier_wait(const struct carrier *carrier, const char *name, const struct link *link,
			 int *ret_index)
{
	struct pollfd polled[] = {
		{ .fd = link->watch_fd, .events = POLLIN },
		{ .fd = carrier->pidfd, .events = POLLIN },
		{ .fd = cancel_fd(), .events = POLLIN },
	};
	const uint64_t end = clock_monotonic() + WAIT_NS;

	for (;;) {
		TRY(cancel_check());
		TRY(link_look(link, ret_index));
		if (*ret_index > 0)
			return NULL;
		if (polled[1].revents)
			return ended(carrier, name);
		if (clock_monotonic() > end)
			return err_new(ERR_UNSUPPORTED, "%s does not bring the network up", name);
		if (poll(polled, ARRAY_SIZE(polled), ASK_MS) < 0 && errno != EINTR)
			return err_sys("wait for %s", name);
	}
}
