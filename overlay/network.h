/*
 * overlay/network.h - a network for the steps of a build, and not the host's.
 *
 * A network namespace with a loopback interface and one more, whose packets
 * pasta or slirp4netns carry: each connection becomes one of theirs, on the
 * host. So a step reaches what the host reaches, the host's own addresses
 * too, except what listens on the host's loopback; and nobody reaches a step but by ports that are published.
 * No privilege over the host's network is needed.
 *
 * It is made when the first step wants it, and shared by all steps of a build.
 * The program that carries it is among the processes of the spawner and dies
 * with it; the namespace is a descriptor, and gone when the last step that
 * joined it and the descriptor are.
 *
 * What keeps the host's loopback out of reach: the program's own options, a
 * filter on the interface (both programs connect to 127.0.0.1 if a packet that
 * was written by hand says so), and the step's seccomp filter, which lets nobody
 * write to the interface past it. Steps that may change interfaces get one that leads to it, and it
 * lies elsewhere (overlay/network-wall.c).
 */
#ifndef OVERLAY_NETWORK_H
#define OVERLAY_NETWORK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/mem.h"

struct err;
struct network;

#define NETWORK_ADDRESS_SIZE 16

/* A port of this machine that leads to one of the network. */
struct network_port {
	char address[NETWORK_ADDRESS_SIZE]; /* of this machine; "": all that it has */
	uint16_t host, container;
	bool udp;
};

struct network_opts {
	int spawner_pidfd; /* borrowed for the call, as the other one */
	/* To which user namespace the network belongs (-1: ours). It must be that of the steps: one of
	 * another has no power over it, or, being of the user who made it, all power. */
	int userns_fd;
	const struct network_port *ports; /* borrowed */
	size_t port_count;
	bool walled; /* steps may have CAP_NET_ADMIN in `userns_fd`, and no right in ours */
};

/* Takes as long as the program does to bring it up. ERR_UNSUPPORTED with the reason if there can be none
 * here; ERR_CANCELLED. */
struct err *network_start(const struct network_opts *opts, struct network **ret) MUST_USE;
void network_free(struct network *network); /* ends the program; before the spawner is waited for */
DEFINE_AUTO(network)

/* The namespace, for setns(2). Owned by the network. */
int network_fd(const struct network *network);
const char *network_tool_name(const struct network *network); /* "pasta" */

/* An address of this host that a step with a network reaches, private or not: that which its packets
 * to everywhere come from, "192.0.2.7". ERR_UNSUPPORTED if it has none but the loopback's. */
struct err *network_host_address(char ret[static NETWORK_ADDRESS_SIZE]) MUST_USE;

#endif
