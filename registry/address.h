/*
 * registry/address.h - literal IP addresses, and ranges of them.
 *
 * An IPv4 address that is written as an IPv6 one ("::ffff:1.2.3.4") is the IPv4
 * address. Zones are not read.
 */
#ifndef REGISTRY_ADDRESS_H
#define REGISTRY_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

/* In network order; `len` is 4, 16, or 0 for none. */
struct address {
	uint8_t bytes[16];
	size_t len;
};

/* No brackets. What is no address has `len` 0. */
struct address address_parse(struct str text);
bool address_equal(const struct address *a, const struct address *b); /* false for none */
bool address_is_loopback(const struct address *address);

struct sockaddr;

/* The address of a socket; none for what is neither IPv4 nor IPv6. */
struct address address_of_socket(const struct sockaddr *end);

/* Who can be at an address, by IANA's registry of special ones, also for IPv4 inside IPv6. */
enum address_reach {
	ADDRESS_NEAR,    /* this machine, its link, a metadata service of a cloud; no host at all */
	ADDRESS_PRIVATE, /* this network */
	ADDRESS_PUBLIC,  /* the Internet; also said of none */
};
enum address_reach address_reach(const struct address *address);

/* Whether `range` is one ("10.0.0.0/8"); then `*ret_inside` says whether it holds the address. */
bool address_in_range(struct str range, const struct address *address, bool *ret_inside);

#endif
