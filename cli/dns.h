/*
 * cli/dns.h - the options of every command that runs steps: whom these ask for names.
 *
 * They are those of docker and podman, and mean the same.
 */
#ifndef CLI_DNS_H
#define CLI_DNS_H

#include "base/mem.h"
#include "base/vec.h"
#include "cli/option.h"
#include "overlay/resolver.h"

struct err;

struct dns_values {
	struct strings servers, searches, options;
};

/* clang-format off */
#define DNS_OPTIONS(type, field) \
	OPTION_LIST(type, field.servers, 0, "dns", "ADDRESS", \
		    "a server that steps ask for names (default: those of /etc/resolv.conf)"), \
	OPTION_LIST(type, field.options, 0, "dns-option", "OPTION", \
		    "of resolv.conf, such as ndots:2"), \
	OPTION_LIST(type, field.searches, 0, "dns-search", "DOMAIN", \
		    "where steps look for short names; '.': nowhere")
/* clang-format on */

/* Check them, which puts a NULL at the end of each list; what comes out borrows from them. ERR_USAGE. */
struct err *dns_read(struct dns_values *values, struct resolver_wishes *ret) MUST_USE;

#endif
