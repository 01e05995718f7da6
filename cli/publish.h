/*
 * cli/publish.h - ports of this machine that lead into a container: -p and -P of cairn run.
 *
 * Docker's words: [[ADDRESS:]PORT:]CONTAINER-PORT[/tcp|udp], each of both a range if it
 * is to be. Without an address it is all of this machine's, of IPv4 (which all are); without a port
 * the kernel chooses one, and it is told.
 */
#ifndef CLI_PUBLISH_H
#define CLI_PUBLISH_H

#include <jansson.h>
#include <stddef.h>

#include "base/mem.h"
#include "overlay/network.h"

struct err;

#define PUBLISH_MAX 1024

struct publish {
	struct network_port *at; /* owned; a port of 0 of this machine is to be chosen */
	size_t len, cap;
	struct {
		int *at;
		size_t len, cap;
	} held; /* sockets that keep the ports from others; owned */
};

/* Add what one -p says. ERR_INVALID. */
struct err *publish_add(struct publish *list, const char *text) MUST_USE;
/* Add "PORT/PROTOCOL", keys of an image's ExposedPorts (NULL: none), each to a port to be chosen. What is no
 * port is passed over. */
struct err *publish_add_exposed(struct publish *list, const json_t *exposed) MUST_USE;

/* See that each can be had, and choose what is to be chosen, which is told. All of them are kept from other
 * programs, but not from one that binds them with SO_REUSEADDR as the carrier of a network does, until
 * publish_let_go(). The error names the port and what helps. */
struct err *publish_choose(struct publish *list) MUST_USE;
void publish_let_go(struct publish *list); /* once the carrier has them */

void publish_release(struct publish *list);

static inline void publish_auto_(struct publish *list)
{
	publish_release(list);
}

#endif
