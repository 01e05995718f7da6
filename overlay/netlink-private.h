/*
 * overlay/netlink-private.h - one request to the kernel's network settings, and its answer.
 *
 *	struct netlink_request request;
 *
 *	netlink_begin(&request, RTM_NEWADDR, NLM_F_CREATE, &message, sizeof(message));
 *	netlink_add(&request, IFA_LOCAL, &address, sizeof(address));
 *	TRY(netlink_ask(fd, &request));
 *
 * As rtnetlink(7) has it: a message of a fixed size, then attributes, which may hold others.
 */
#ifndef OVERLAY_NETLINK_PRIVATE_H
#define OVERLAY_NETLINK_PRIVATE_H

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stddef.h>
#include <stdint.h>

#include "base/mem.h"

struct err;

struct netlink_request {
	struct nlmsghdr head;
	char rest[1024]; /* enough for each that we make */
};

/* A socket in the network namespace of the calling thread. `groups` are what it listens to, `flags` those of
 * socket(2) to add. */
struct err *netlink_open(unsigned groups, int flags, int *ret_fd) MUST_USE;

void netlink_begin(struct netlink_request *request, uint16_t type, uint16_t flags,
		   const void *message, size_t len);
struct rtattr *netlink_add(struct netlink_request *request, unsigned short type, const void *data,
			   size_t len);
/* All that was added since belongs into `outer`, which netlink_add() made without data. */
void netlink_close(const struct netlink_request *request, struct rtattr *outer);

/* Send it and wait for the answer: the error is errno's. */
struct err *netlink_ask(int fd, const struct netlink_request *request) MUST_USE;

#endif
