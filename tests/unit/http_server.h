/*
 * tests/unit/http_server.h - a server on the loopback that says what a test wants.
 *
 * Each connection has a thread, which runs the test's `serve`. Reading and writing go
 * through the connection, which may speak TLS.
 */
#ifndef TESTS_HTTP_SERVER_H
#define TESTS_HTTP_SERVER_H

#include <arpa/inet.h>
#include <assert.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/vec.h"

struct server;

struct connection {
	struct server *server;
	int fd;
	unsigned number; /* from 1, in order of arrival */
	SSL *tls;        /* NULL: plain */
	char ahead[4096];
	size_t at, end;   /* of what is in `ahead` */
	char head[65536]; /* of the last request, with its blank line */
};

struct server {
	int fd;
	unsigned port;
	pthread_t thread;
	SSL_CTX *tls;
	void (*serve)(struct connection *connection);
	void *arg;                           /* the test's */
	atomic_uint connections, open, most; /* so far; now; at once */
	atomic_uint requests;
	atomic_ullong bytes; /* the test's to count */
	VEC(pthread_t) threads;
};

/* ---- for `serve` ---- */

static inline ssize_t connection_some(struct connection *c, void *data, size_t len)
{
	if (c->at < c->end) {
		len = len < c->end - c->at ? len : c->end - c->at;
		memcpy(data, c->ahead + c->at, len);
		c->at += len;
		return (ssize_t)len;
	}
	return c->tls ? SSL_read(c->tls, data, (int)len) : recv(c->fd, data, len, 0);
}

/* False if the other side is gone. */
static inline bool connection_write(struct connection *c, const void *data, size_t len)
{
	for (size_t done = 0; done < len;) {
		const char *at = (const char *)data + done;
		ssize_t n = c->tls ? SSL_write(c->tls, at, (int)(len - done)) :
				     send(c->fd, at, len - done, MSG_NOSIGNAL);

		if (n <= 0)
			return false;
		done += (size_t)n;
	}
	return true;
}

static inline bool connection_say(struct connection *c, const char *text)
{
	return connection_write(c, text, strlen(text));
}

/* Read the head of the next request. False at the end. */
static inline bool connection_request(struct connection *c)
{
	size_t len = 0;

	while (len < 4 || memcmp(c->head + len - 4, "\r\n\r\n", 4) != 0) {
		if (c->at == c->end) {
			ssize_t n;

			c->at = c->end = 0;
			n = connection_some(c, c->ahead, sizeof(c->ahead));
			if (n <= 0)
				return false;
			c->end = (size_t)n;
		}
		assert(len < sizeof(c->head) - 1);
		c->head[len++] = c->ahead[c->at++];
	}
	c->head[len] = '\0';
	atomic_fetch_add(&c->server->requests, 1);
	return true;
}

static inline bool connection_has(const struct connection *c, const char *text)
{
	return strstr(c->head, text);
}

static inline unsigned long long connection_length(const struct connection *c)
{
	const char *line = strcasestr(c->head, "\r\nContent-Length:");

	return line ? strtoull(line + 17, NULL, 10) : 0;
}

/* Close with a reset instead of an end. */
static inline void connection_reset(struct connection *c)
{
	const struct linger now = { .l_onoff = 1 };

	setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
}

/* Say that nothing more comes, and read on until the client has gone: what is unread when a socket
 * is closed makes the kernel send a reset, which may overtake what was said. */
static inline void connection_finish(struct connection *c)
{
	const struct timeval guard = { .tv_sec = 60 };
	char data[8192];

	shutdown(c->fd, SHUT_WR);
	setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &guard, sizeof(guard));
	while (recv(c->fd, data, sizeof(data), 0) > 0)
		;
}

/* ---- the server ---- */

static inline void *server_connection(void *arg)
{
	struct connection *c = arg;
	struct server *s = c->server;
	unsigned open = atomic_fetch_add(&s->open, 1) + 1;
	unsigned most = atomic_load(&s->most);

	while (open > most && !atomic_compare_exchange_weak(&s->most, &most, open))
		;
	if (s->tls) {
		c->tls = SSL_new(s->tls);
		SSL_set_fd(c->tls, c->fd);
	}
	if (!c->tls || SSL_accept(c->tls) == 1)
		s->serve(c);
	else
		connection_finish(c); /* a reset must not overtake the alert */
	if (c->tls)
		SSL_free(c->tls);
	atomic_fetch_sub(&s->open, 1);
	close(c->fd);
	free(c);
	return NULL;
}

static inline void *server_accept(void *arg)
{
	struct server *s = arg;
	int fd;

	while ((fd = accept4(s->fd, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
		struct connection *c = xcalloc(1, sizeof(*c));
		pthread_t thread;

		c->server = s;
		c->fd = fd;
		c->number = atomic_fetch_add(&s->connections, 1) + 1;
		pthread_create(&thread, NULL, server_connection, c);
		vec_push(&s->threads, thread);
	}
	return NULL;
}

static inline void server_start(struct server *s, void (*serve)(struct connection *c))
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(address);

	s->serve = serve;
	s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(s->fd, (struct sockaddr *)&address, len) || listen(s->fd, 64) ||
	    getsockname(s->fd, (struct sockaddr *)&address, &len))
		abort();
	s->port = ntohs(address.sin_port);
	pthread_create(&s->thread, NULL, server_accept, s);
}

/* Every connection must have ended, or end when the client's side does. */
static inline void server_stop(struct server *s)
{
	shutdown(s->fd, SHUT_RDWR);
	pthread_join(s->thread, NULL);
	vec_foreach (&s->threads, thread)
		pthread_join(*thread, NULL);
	vec_release(&s->threads);
	close(s->fd);
	SSL_CTX_free(s->tls);
}

#endif
