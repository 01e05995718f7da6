/* builder/agent_relay.c - see builder/agent_relay.h. */

#include "builder/agent_relay.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/err.h"
#include "base/ready.h"
#include "base/userns.h"
#include "builder/agents.h"

#define CONNECTIONS_MAX 32
#define STALL_SECONDS 5 /* for who does not read what it asked for */
#define CHUNK ((size_t)16 * 1024)

/* Types of draft-ietf-sshm-ssh-agent. */
#define REQUEST_IDENTITIES 11
#define SIGN_REQUEST 13

static const unsigned char failure[] = { 0, 0, 0, 1, 5 };

struct connection {
	int step_fd, agent_fd; /* owned */
	struct buf sent;       /* by the step, and not passed on yet */
};

struct agent_relay {
	const struct agents *agents;
	const char *id;
	int listen_fd;
	int stop_fd; /* readable: end */
	pthread_t thread;
	bool running;
	struct connection connections[CONNECTIONS_MAX]; /* of the thread alone */
	size_t count;
};

enum agent_verdict agent_judge(struct str sent, size_t *ret_len)
{
	const unsigned char *at = (const unsigned char *)sent.at;
	size_t len;

	if (sent.len < 5)
		return AGENT_MORE;
	len = (size_t)at[0] << 24 | (size_t)at[1] << 16 | (size_t)at[2] << 8 | at[3];
	if (len == 0 || len > AGENT_MESSAGE_MAX)
		return AGENT_NONSENSE;
	*ret_len = 4 + len;
	if (sent.len < 4 + len)
		return AGENT_MORE;
	return at[4] == REQUEST_IDENTITIES || at[4] == SIGN_REQUEST ? AGENT_PASS : AGENT_REFUSE;
}

/* ---- one connection ---- */

static void connection_release(struct connection *c)
{
	close(c->step_fd);
	if (c->agent_fd >= 0)
		close(c->agent_fd);
	buf_release(&c->sent);
}

static bool send_all(int fd, const void *data, size_t len)
{
	const char *at = data;

	while (len > 0) {
		ssize_t put = send(fd, at, len, MSG_NOSIGNAL);

		if (put < 0 && errno == EINTR)
			continue;
		if (put <= 0)
			return false;
		at += put;
		len -= (size_t)put;
	}
	return true;
}

/* Pass on what is whole. False: the connection is over. */
static bool pass_requests(struct connection *c)
{
	size_t done = 0;
	bool good = true;

	while (good) {
		struct str rest = { c->sent.at + done, c->sent.len - done };
		size_t len = 0;
		enum agent_verdict verdict = agent_judge(rest, &len);

		if (verdict == AGENT_MORE)
			break;
		if (verdict == AGENT_NONSENSE)
			return false;
		good = verdict == AGENT_PASS ? send_all(c->agent_fd, rest.at, len) :
					       send_all(c->step_fd, failure, sizeof(failure));
		done += len;
	}
	memmove(c->sent.at, c->sent.at + done, c->sent.len - done);
	c->sent.len -= done;
	return good;
}

static bool hear_step(struct connection *c)
{
	char chunk[CHUNK];
	ssize_t got = recv(c->step_fd, chunk, sizeof(chunk), MSG_DONTWAIT);

	if (got < 0)
		return errno == EAGAIN || errno == EINTR;
	if (got == 0)
		return false;
	buf_add(&c->sent, chunk, (size_t)got);
	return !c->sent.over && pass_requests(c);
}

static bool hear_agent(struct connection *c)
{
	char chunk[CHUNK];
	ssize_t got = recv(c->agent_fd, chunk, sizeof(chunk), MSG_DONTWAIT);

	if (got < 0)
		return errno == EAGAIN || errno == EINTR;
	return got > 0 && send_all(c->step_fd, chunk, (size_t)got);
}

/* ---- the thread ---- */

static void limit_stalls(int fd)
{
	const struct timeval most = { .tv_sec = STALL_SECONDS };

	/* Without it a step that does not read holds up its own other connections, no more. */
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &most, sizeof(most));
}

static void accept_step(struct agent_relay *relay)
{
	struct connection c = { .agent_fd = -1, .sent = BUF_INIT(AGENT_MESSAGE_MAX + CHUNK) };
	struct err *err;

	c.step_fd = accept4(relay->listen_fd, NULL, NULL, SOCK_CLOEXEC);
	if (c.step_fd < 0)
		return;
	err = agents_connect(relay->agents, relay->id, &c.agent_fd);
	if (err) { /* the step finds its connection closed, as if no agent were there */
		err_free(err);
		connection_release(&c);
		return;
	}
	limit_stalls(c.step_fd);
	limit_stalls(c.agent_fd);
	relay->connections[relay->count++] = c;
}

static void drop(struct agent_relay *relay, size_t i)
{
	connection_release(&relay->connections[i]);
	relay->connections[i] = relay->connections[--relay->count];
}

/* Serve what poll(2) has found. From the last to the first: dropping moves the last into the gap. */
static void serve(struct agent_relay *relay, const struct pollfd *polled, size_t count)
{
	for (size_t i = count; i-- > 0;) {
		struct connection *c = &relay->connections[i];
		bool good = true;

		if (polled[2 * i].revents)
			good = hear_step(c);
		if (good && polled[2 * i + 1].revents)
			good = hear_agent(c);
		if (!good)
			drop(relay, i);
	}
}

static void *run_relay(void *arg)
{
	struct agent_relay *relay = arg;
	struct pollfd polled[2 + 2 * CONNECTIONS_MAX];
	unsigned failed = 0;

	for (;;) {
		const size_t count = relay->count;
		int ready;

		polled[0] = (struct pollfd){ .fd = relay->stop_fd, .events = POLLIN };
		polled[1] = (struct pollfd){ .fd = count < CONNECTIONS_MAX ? relay->listen_fd : -1,
					     .events = POLLIN };
		for (size_t i = 0; i < count; i++) {
			polled[2 + 2 * i] = (struct pollfd){ .fd = relay->connections[i].step_fd,
							     .events = POLLIN };
			polled[3 + 2 * i] = (struct pollfd){ .fd = relay->connections[i].agent_fd,
							     .events = POLLIN };
		}
		ready = ready_wait(polled, 2 + 2 * count, -1, &failed);
		if (ready == 0)
			continue;
		if (ready < 0 || polled[0].revents)
			return NULL;
		serve(relay, polled + 2, count);
		if (polled[1].revents)
			accept_step(relay);
	}
}

/* ---- beginning and end ---- */

static struct err *listen_in(const struct agent_relay_opts *opts, int *ret_fd)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	AUTO(fd) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/" AGENT_SOCKET,
		 opts->dir_fd);
	if (fd < 0 || bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ||
	    (userns_mode() != USERNS_SINGLE &&
	     fchownat(opts->dir_fd, AGENT_SOCKET, opts->uid, opts->gid, AT_SYMLINK_NOFOLLOW) < 0) ||
	    fchmodat(opts->dir_fd, AGENT_SOCKET, opts->mode, 0) < 0 ||
	    listen(fd, CONNECTIONS_MAX) < 0)
		return err_sys("make a socket for an ssh agent");
	*ret_fd = STEAL_FD(fd);
	return NULL;
}

/* No signal of the program is for this thread. */
static int start_thread(struct agent_relay *relay)
{
	sigset_t all, before;
	int failed;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	failed = pthread_create(&relay->thread, NULL, run_relay, relay);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return failed;
}

static inline void agent_relay_auto_(struct agent_relay **relay)
{
	agent_relay_free(*relay);
}

struct err *agent_relay_start(const struct agent_relay_opts *opts, struct agent_relay **ret)
{
	AUTO(agent_relay) struct agent_relay *relay = xcalloc(1, sizeof(*relay));

	relay->agents = opts->agents;
	relay->id = opts->id;
	relay->listen_fd = -1;
	relay->stop_fd = eventfd(0, EFD_CLOEXEC);
	if (relay->stop_fd < 0)
		return err_sys("make an event");
	TRY(listen_in(opts, &relay->listen_fd));
	errno = start_thread(relay);
	if (errno)
		return err_sys("start a thread");
	relay->running = true;
	*ret = STEAL(relay);
	return NULL;
}

void agent_relay_free(struct agent_relay *relay)
{
	if (!relay)
		return;
	if (relay->running) {
		(void)!eventfd_write(relay->stop_fd, 1);
		pthread_join(relay->thread, NULL);
	}
	for (size_t i = 0; i < relay->count; i++)
		connection_release(&relay->connections[i]);
	if (relay->listen_fd >= 0)
		close(relay->listen_fd);
	if (relay->stop_fd >= 0)
		close(relay->stop_fd);
	free(relay);
}
