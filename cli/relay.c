/* cli/relay.c - see cli/relay.h. */

#include "cli/relay.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "base/cancel.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/ready.h"
#include "cli/signals.h"
#include "overlay/sandbox.h"

#define CHUNK 16384
#define MILLISECOND UINT64_C(1000000)
#define GRACE (10000 * MILLISECOND) /* between a signal that asks for the end and the kill */
#define PATIENCE 2                  /* how many SIGINT are passed on; one more kills */
#define DRAIN_MS 200                /* how long output of what outlived the command is waited for */

/* One direction. What has been read and not yet been written waits in `data`. */
struct flow {
	int from, to; /* -1: this end has closed */
	bool owns_from;
	size_t begin, end;
	char data[CHUNK];
};

enum { FLOW_IN, FLOW_OUT, FLOW_ERR, FLOW_COUNT };

struct relay {
	bool interactive, tty;
	bool foreign; /* the container is somebody else for the machine */
	struct flow flows[FLOW_COUNT];
	int write_ends[2]; /* of our pipes, the container's to be; owned until it has started */
	bool raw;          /* `before` is to be restored */
	struct termios before;
	bool unheard;   /* nobody reads our standard output any more */
	int signals_fd; /* of cli/signals.h; -1: they are not caught yet */
	unsigned interrupts;
	uint64_t kill_at; /* clock_monotonic(); 0: nobody asked it to stop */
	bool killed;
	unsigned failed; /* of ready_wait() */
};

/* ---- the size of our terminal ---- */

static void pass_size_on(int master)
{
	struct winsize size;

	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (ioctl(fd, TIOCGWINSZ, &size) == 0) {
			ioctl(master, TIOCSWINSZ, &size);
			return;
		}
}

/* ---- descriptors ---- */

/* Whether a pipe has to stand in front: a terminal is not for containers, and a file of ours could
 * not be opened again as /dev/stdout by somebody else. */
static bool must_carry(const struct relay *relay, int ours)
{
	struct stat st;

	return isatty(ours) || (relay->foreign && fstat(ours, &st) == 0 && S_ISREG(st.st_mode));
}

static bool is_same(int a, int b)
{
	struct stat first, second;

	return fstat(a, &first) == 0 && fstat(b, &second) == 0 && first.st_dev == second.st_dev &&
	       first.st_ino == second.st_ino;
}

/* Where one output stream of the container goes: our own descriptor, or a pipe in front of it. */
static struct err *open_output(struct relay *relay, int number, int ours, int *ret_fd)
{
	int ends[2];

	if (number == FLOW_ERR && relay->write_ends[0] >= 0 && !isatty(ours) &&
	    is_same(STDOUT_FILENO, ours)) {
		*ret_fd = relay->write_ends[0]; /* so that the order stays */
		return NULL;
	}
	if (!must_carry(relay, ours)) {
		*ret_fd = ours;
		return NULL;
	}
	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_sys("make a pipe");
	relay->flows[number].from = ends[0];
	relay->flows[number].owns_from = true;
	relay->flows[number].to = ours;
	relay->write_ends[number - FLOW_OUT] = ends[1];
	*ret_fd = ends[1];
	return NULL;
}

struct err *relay_new(bool interactive, bool tty, struct sandbox_spec *spec, struct relay **ret)
{
	AUTO(relay) struct relay *relay = xcalloc(1, sizeof(*relay));

	relay->interactive = interactive;
	relay->tty = tty;
	relay->foreign = spec->idmap;
	relay->signals_fd = -1;
	relay->write_ends[0] = relay->write_ends[1] = -1;
	for (size_t i = 0; i < FLOW_COUNT; i++)
		relay->flows[i].from = relay->flows[i].to = -1;
	spec->tty = tty;
	if (tty && interactive && !isatty(STDIN_FILENO))
		return err_new(ERR_USAGE, "-t needs a terminal, and standard input is none");
	if (!tty) {
		spec->stdin_fd = interactive ? STDIN_FILENO : -1;
		TRY(open_output(relay, FLOW_OUT, STDOUT_FILENO, &spec->stdout_fd));
		TRY(open_output(relay, FLOW_ERR, STDERR_FILENO, &spec->stderr_fd));
	}
	TRY(signals_catch(&relay->signals_fd));
	TRY(cancel_check()); /* one that came before that */
	*ret = STEAL(relay);
	return NULL;
}

static void make_raw(struct relay *relay)
{
	struct termios raw;

	if (!relay->interactive || tcgetattr(STDIN_FILENO, &relay->before) < 0)
		return;
	raw = relay->before;
	cfmakeraw(&raw);
	relay->raw = tcsetattr(STDIN_FILENO, TCSANOW, &raw) == 0;
}

static void join_tty(struct relay *relay, int master)
{
	relay->flows[FLOW_OUT].from = master;
	relay->flows[FLOW_OUT].to = STDOUT_FILENO;
	if (relay->interactive) {
		relay->flows[FLOW_IN].from = STDIN_FILENO;
		relay->flows[FLOW_IN].to = master;
	}
	fcntl(master, F_SETFL, fcntl(master, F_GETFL) | O_NONBLOCK);
	pass_size_on(master);
	make_raw(relay);
}

static void close_write_ends(struct relay *relay)
{
	for (size_t i = 0; i < ARRAY_SIZE(relay->write_ends); i++) {
		if (relay->write_ends[i] >= 0)
			close(relay->write_ends[i]);
		relay->write_ends[i] = -1;
	}
}

void relay_free(struct relay *relay)
{
	if (!relay)
		return;
	if (relay->signals_fd >= 0)
		signals_release();
	if (relay->raw)
		tcsetattr(STDIN_FILENO, TCSADRAIN, &relay->before);
	close_write_ends(relay);
	for (size_t i = 0; i < FLOW_COUNT; i++)
		if (relay->flows[i].owns_from && relay->flows[i].from >= 0)
			close(relay->flows[i].from);
	free(relay);
}

/* ---- moving bytes ---- */

static void end_flow(struct flow *flow)
{
	if (flow->owns_from && flow->from >= 0)
		close(flow->from);
	flow->from = flow->to = -1;
	flow->begin = flow->end = 0;
}

static bool is_transient(void)
{
	return errno == EINTR || errno == EAGAIN;
}

/* Nothing waits: take more. A terminal whose other side has closed says EIO. */
static void fill(struct flow *flow)
{
	ssize_t n = read(flow->from, flow->data, sizeof(flow->data));

	if (n > 0)
		flow->end = (size_t)n;
	else if (n == 0 || !is_transient())
		end_flow(flow);
}

static void empty(struct flow *flow)
{
	ssize_t n = write(flow->to, flow->data + flow->begin, flow->end - flow->begin);

	if (n > 0)
		flow->begin += (size_t)n;
	else if (n < 0 && !is_transient())
		end_flow(flow); /* nobody listens any more */
	if (flow->begin == flow->end)
		flow->begin = flow->end = 0;
}

static struct pollfd interest(const struct flow *flow)
{
	if (flow->end > flow->begin)
		return (struct pollfd){ .fd = flow->to, .events = POLLOUT };
	return (struct pollfd){ .fd = flow->from, .events = POLLIN };
}

static void serve(struct flow *flow, const struct pollfd *ready)
{
	if (ready->fd < 0 || !ready->revents)
		return;
	if (flow->end > flow->begin)
		empty(flow);
	else
		fill(flow);
}

/* ---- signals ---- */

static void pass_on(struct relay *relay, struct sandbox_run *run, int number)
{
	if (number == SIGWINCH) {
		if (relay->tty) /* else the command has no size to change */
			pass_size_on(sandbox_run_tty(run));
		return;
	}
	if ((number == SIGINT || number == SIGTERM) && !relay->kill_at)
		relay->kill_at = clock_monotonic() + GRACE;
	if (number == SIGINT && ++relay->interrupts > PATIENCE)
		relay->kill_at = clock_monotonic();
	else
		sandbox_kill(run, number);
}

static void kill_in_time(struct relay *relay, struct sandbox_run *run)
{
	if (relay->killed || !relay->kill_at || clock_monotonic() < relay->kill_at)
		return;
	relay->killed = true;
	sandbox_kill(run, SIGKILL);
}

/* How long poll(2) may wait for something else to happen. */
static int milliseconds_left(const struct relay *relay)
{
	uint64_t now = clock_monotonic();

	if (relay->killed || !relay->kill_at)
		return -1;
	return relay->kill_at > now ? (int)((relay->kill_at - now) / MILLISECOND) + 1 : 0;
}

/* ---- the loop ---- */

/* One round; `*ret_ended` says that the command has ended. */
static struct err *move_some(struct relay *relay, struct sandbox_run *run, bool *ret_ended)
{
	struct pollfd fds[FLOW_COUNT + 3];
	int ready;

	for (size_t i = 0; i < FLOW_COUNT; i++)
		fds[i] = interest(&relay->flows[i]);
	fds[FLOW_COUNT] = (struct pollfd){ .fd = sandbox_run_fd(run), .events = POLLIN };
	fds[FLOW_COUNT + 1] = (struct pollfd){ .fd = relay->signals_fd, .events = POLLIN };
	/* a pipe that nobody reads any more says so without being asked */
	fds[FLOW_COUNT + 2] = (struct pollfd){ .fd = STDOUT_FILENO };
	ready = ready_wait(fds, ARRAY_SIZE(fds), milliseconds_left(relay), &relay->failed);
	if (ready < 0)
		return err_sys("wait for the command");
	if (ready == 0)
		return NULL;
	for (size_t i = 0; i < FLOW_COUNT; i++)
		serve(&relay->flows[i], &fds[i]);
	relay->unheard = (fds[FLOW_COUNT + 2].revents & (POLLERR | POLLHUP)) != 0;
	for (int number = signals_next(); number; number = signals_next())
		pass_on(relay, run, number);
	*ret_ended = fds[FLOW_COUNT].revents != 0;
	return NULL;
}

/* What is left after the end. A process that outlived the command cannot hold us up. */
static void drain(struct relay *relay)
{
	for (;;) {
		struct pollfd fds[2] = { interest(&relay->flows[FLOW_OUT]),
					 interest(&relay->flows[FLOW_ERR]) };

		if (fds[0].fd < 0 && fds[1].fd < 0)
			return;
		if (poll(fds, ARRAY_SIZE(fds), DRAIN_MS) <= 0)
			return;
		serve(&relay->flows[FLOW_OUT], &fds[0]);
		serve(&relay->flows[FLOW_ERR], &fds[1]);
	}
}

struct err *relay_run(struct relay *relay, struct sandbox_run *run, struct sandbox_result *ret)
{
	bool ended = false;

	close_write_ends(relay);
	if (relay->tty)
		join_tty(relay, sandbox_run_tty(run));
	while (!ended && !relay->unheard) {
		kill_in_time(relay, run);
		TRY(move_some(relay, run, &ended));
	}
	if (!ended) {
		sandbox_kill(run, SIGKILL);
		TRY(sandbox_wait(run, ret));
		ret->code = 128 + SIGPIPE;
		return NULL;
	}
	drain(relay);
	return sandbox_wait(run, ret);
}
