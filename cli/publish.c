/* cli/publish.c - see cli/publish.h. */

#include "cli/publish.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/log.h"
#include "base/str.h"
#include "base/vec.h"

struct range {
	uint64_t first, last;
};

static struct err *read_range(struct str text, struct range *ret)
{
	struct str rest = text;
	const struct str first = str_cut(&rest, '-');

	TRY(num_parse(first, 1, 65535, &ret->first));
	ret->last = ret->first;
	if (rest.at)
		TRY(num_parse(rest, ret->first, 65535, &ret->last));
	return NULL;
}

static struct err *read_address(struct str text, char ret[static NETWORK_ADDRESS_SIZE])
{
	AUTO(mem) char *address = str_dup(text);
	struct in_addr four;

	if (strchr(address, ':'))
		return err_new(ERR_INVALID,
			       "'%.80s' is of IPv6, and ports are published at addresses of IPv4 "
			       "alone, such as 127.0.0.1",
			       address);
	if (inet_pton(AF_INET, address, &four) != 1)
		return err_new(ERR_INVALID, "'%.80s' is no address of IPv4", address);
	inet_ntop(AF_INET, &four, ret, NETWORK_ADDRESS_SIZE);
	return NULL;
}

/* What is before the last colon; `text` loses that. No text: there is none. */
static struct str cut_last(struct str *text)
{
	const char *colon = memrchr(text->at, ':', text->len);
	struct str last = *text;

	if (!colon) {
		*text = (struct str){ NULL, 0 };
		return last;
	}
	last = (struct str){ colon + 1, text->len - (size_t)(colon + 1 - text->at) };
	text->len = (size_t)(colon - text->at);
	return last;
}

static struct err *read_protocol(struct str text, bool *ret_udp)
{
	*ret_udp = str_is(text, "udp");
	if (text.at && !*ret_udp && !str_is(text, "tcp"))
		return err_new(ERR_INVALID, "protocol '%.*s' is neither tcp nor udp",
			       STR_ARG(text));
	return NULL;
}

static struct err *add_range(struct publish *list, struct network_port port, struct range host,
			     struct range container)
{
	if (host.first && host.last - host.first != container.last - container.first)
		return err_new(ERR_INVALID, "there are not as many ports on both sides");
	for (uint64_t i = 0; i <= container.last - container.first; i++) {
		port.container = (uint16_t)(container.first + i);
		port.host = (uint16_t)(host.first ? host.first + i : 0);
		if (list->len >= PUBLISH_MAX)
			return err_new(ERR_INVALID, "more than %d ports", PUBLISH_MAX);
		vec_push(list, port);
	}
	return NULL;
}

struct err *publish_add(struct publish *list, const char *text)
{
	struct network_port port = { .address = "" };
	struct range host = { 0, 0 }, container = { 0, 0 };
	struct str protocol = str_of(text);
	struct str rest = str_cut(&protocol, '/');
	struct str part = cut_last(&rest);

	TRY(read_protocol(protocol, &port.udp));
	TRY(err_wrap(read_range(part, &container), "'%.80s'", text));
	if (rest.at) {
		part = cut_last(&rest);
		if (part.len)
			TRY(err_wrap(read_range(part, &host), "'%.80s'", text));
	}
	if (rest.at)
		TRY(read_address(rest, port.address));
	return err_wrap(add_range(list, port, host, container), "'%.80s'", text);
}

struct err *publish_add_exposed(struct publish *list, const json_t *exposed)
{
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)(uintptr_t)exposed, key, value) /* NOLINT */
	{
		AUTO(err) struct err *err = strchr(key, ':') ? NULL : publish_add(list, key);

		if (err && list->len >= PUBLISH_MAX)
			return STEAL(err);
	}
	return NULL;
}

/* ---- choosing ---- */

/* What helps, by errno of bind(2). */
static struct err *advise(struct err *err, const struct network_port *port)
{
	switch (err_errno(err)) {
	case EADDRINUSE:
		return err_note(
			err,
			"Something else has it ('ss -lntup' tells what). Publish another one, "
			"or '-p %u' alone, for which a free one is chosen.",
			port->container);
	case EACCES:
		return err_note(err,
				"Ports this low are root's. Publish a higher one, such as "
				"%u:%u, or let users have it, as root:\n"
				"    sysctl net.ipv4.ip_unprivileged_port_start=%u",
				port->host + 8000U, port->container, port->host);
	case EADDRNOTAVAIL:
		return err_note(err, "This machine has no such address: 'ip address' shows those "
				     "that it has.");
	default:
		return err;
	}
}

/* See that the port of `address` can be had, and have it without being in the way of who is to get it: as long
 * as neither listens, two sockets with SO_REUSEADDR may have one port, and no other socket. */
static bool take(int fd, bool udp, struct sockaddr_in *address)
{
	const bool chosen = address->sin_port == 0; /* the kernel chooses what nobody has at all */
	const int yes = 1;
	socklen_t len = sizeof(*address);

	/* TCP: for the sake of connections that have ended. UDP: one that has it with the option is in the way */
	if (!udp && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) < 0)
		return false;
	if (bind(fd, (const struct sockaddr *)address, len) < 0)
		return false;
	if (udp && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) < 0)
		return false;
	/* a port that was named stays bound when its socket listens no more */
	if (!udp && !chosen && (listen(fd, 1) < 0 || shutdown(fd, SHUT_RD) < 0))
		return false;
	return getsockname(fd, (struct sockaddr *)address, &len) == 0;
}

static struct err *choose(struct network_port *port, int *ret_fd)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port->host) };
	AUTO(fd) int fd = socket(AF_INET, (port->udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC, 0);
	const char *protocol = port->udp ? "udp" : "tcp";

	if (port->address[0])
		inet_pton(AF_INET, port->address, &address.sin_addr);
	if (fd < 0)
		return err_sys("make a socket");
	if (!take(fd, port->udp, &address))
		return advise(err_sys("publish port %u/%s on %s", port->host, protocol,
				      port->address[0] ? port->address : "this machine"),
			      port);
	if (!port->host)
		log_info("port %u/%s of the container is %s:%u", port->container, protocol,
			 port->address[0] ? port->address : "0.0.0.0", ntohs(address.sin_port));
	port->host = ntohs(address.sin_port);
	*ret_fd = STEAL_FD(fd);
	return NULL;
}

struct err *publish_choose(struct publish *list)
{
	vec_foreach (list, port) {
		int fd = -1;

		TRY(choose(port, &fd));
		vec_push(&list->held, fd);
	}
	return NULL;
}

void publish_let_go(struct publish *list)
{
	vec_foreach (&list->held, fd)
		close(*fd);
	vec_release(&list->held);
}

void publish_release(struct publish *list)
{
	publish_let_go(list);
	vec_release(list);
}
