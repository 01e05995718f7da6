/*
 * overlay/network-private.h - the parts of a private network: its namespace, and the program that
 * carries its packets.
 */
#ifndef OVERLAY_NETWORK_PRIVATE_H
#define OVERLAY_NETWORK_PRIVATE_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/mem.h"

struct err;
struct network_opts;

/* Of RFC 2544, for tests of devices: no network of anybody's has these, as 10.0.2.0/24 is that of
 * many a virtual machine. */
#define NETWORK_CIDR "198.19.255.0/24"
#define NETWORK_ADDRESS "198.19.255.100"
#define NETWORK_GATEWAY "198.19.255.2"
#define NETWORK_RESOLVER "198.19.255.3" /* slirp4netns has it at this place of any network */
#define NETWORK_INTERFACE "tap0"

/* ---- network-link.c ---- */

struct link {
	int ns_fd;    /* the network namespace; owned */
	int watch_fd; /* tells of new routes; owned */
	int ask_fd;   /* for requests; owned */
};

#define LINK_INIT ((struct link){ .ns_fd = -1, .watch_fd = -1, .ask_fd = -1 })

/* Make a network namespace with a loopback interface, and Docker's settings for it. It belongs to the
 * user namespace `userns_fd`, or to ours: -1. */
struct err *link_open(int userns_fd, struct link *ret) MUST_USE;
void link_close(struct link *link);

static inline void link_auto_(struct link *link)
{
	link_close(link);
}

/* Take what the watch has. `*ret_index` is that of the interface which has the way to everywhere, once
 * there is one, else unchanged. Does not block. */
struct err *link_look(const struct link *link, int *ret_index) MUST_USE;

/* Let nothing leave by the interface that is addressed to a loopback or to no address at all: the
 * programs connect to wherever a packet is for, and a step can write packets by itself. Other protocols
 * than IP and ARP do not leave either. ERR_UNSUPPORTED where the kernel cannot do it. */
struct err *link_guard(const struct link *link, int index) MUST_USE;

/* ---- network-wall.c ---- */

/* Lead from `inner`, which nobody uses yet, to the interface `index` of `outer`, which is up; and let
 * `inner` have its address. ERR_UNSUPPORTED where the kernel cannot do it. */
struct err *link_wall(const struct link *outer, int index, const struct link *inner) MUST_USE;

/* ---- network-tool.c ---- */

/* What carries packets to and from the host's network, as the host's own sockets. */
struct network_tool {
	const char *name;
	const char *const *argv; /* it finds the namespace at NETWORK_PLACE */
	bool publishes;          /* ports, by the options of pasta */
};

/* Where the program finds the namespace, in a mount namespace of its own: some close every descriptor
 * that they are given. */
#define NETWORK_PLACE "/dev/full"

/* In order of preference, up to one without a name. */
extern const struct network_tool network_tools[];

struct carrier {
	int pidfd;    /* owned; -1: none runs */
	int error_fd; /* what it has to say; owned */
};

#define CARRIER_INIT ((struct carrier){ .pidfd = -1, .error_fd = -1 })

/* Start it among the processes of the spawner, with which it ends, with the ports of `opts`. ERR_NOT_FOUND
 * if it is not installed. */
struct err *carrier_start(const struct network_tool *tool, const struct link *link,
			  const struct network_opts *opts, struct carrier *ret) MUST_USE;
/* Wait until it has brought the network up, or has failed: then the error has its last words. */
struct err *carrier_wait(const struct carrier *carrier, const char *name, const struct link *link,
			 int *ret_index) MUST_USE;
void carrier_stop(struct carrier *carrier);

static inline void carrier_auto_(struct carrier *carrier)
{
	carrier_stop(carrier);
}

#endif
