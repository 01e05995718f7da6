/*
 * overlay/resolver.h - the resolv.conf(5) of a step.
 *
 * On the host's network it is the host's, as it is. In a private network the
 * host's loopback is not to be reached, and a resolver that listens there is
 * spoken to by way of an address that the private network has for it. No server
 * is ever made up: where the host names none there is none.
 */
#ifndef OVERLAY_RESOLVER_H
#define OVERLAY_RESOLVER_H

#include "base/str.h"

struct err;

/* What takes the place of the host's own; each list is NULL-terminated, or NULL: not given. */
struct resolver_wishes {
	const char *const *servers;  /* addresses */
	const char *const *searches; /* domains; "." alone: none */
	const char *const *options;
};

/* Append the text to `ret`, for a step on the host's network from `host`, the text of the host's
 * file. */
void resolver_on_host(struct str host, const struct resolver_wishes *wishes, struct buf *ret);

/* The same for one in a private network, in which `forward` leads to the host's first server and stands for it. Servers
 * of IPv6 are left out. ERR_NOT_FOUND if none is left; ERR_INVALID for a wish that is on a loopback. */
struct err *resolver_in_private(struct str host, const struct resolver_wishes *wishes,
				const char *forward, struct buf *ret) MUST_USE;

/* Whether `text` is an address of IPv4 or IPv6. */
bool resolver_is_address(const char *text);

#endif
