/*
 * builder/hosts.h - lines that --add-host puts into the /etc/hosts of every RUN.
 */
#ifndef BUILDER_HOSTS_H
#define BUILDER_HOSTS_H

#include "base/mem.h"

struct err;
struct strings;

/* Add what one --add-host says, "NAME:ADDRESS" or "NAME=ADDRESS", as a line "ADDRESS\tNAME". An IPv6
 * address may stand in brackets; "host-gateway" is this machine, whose network a RUN has. ERR_INVALID
 * for what is no name or no address. */
struct err *hosts_add(struct strings *hosts, const char *text) MUST_USE;

#endif
