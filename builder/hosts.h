/*
 * builder/hosts.h - lines that --add-host puts into the /etc/hosts of every RUN.
 */
#ifndef BUILDER_HOSTS_H
#define BUILDER_HOSTS_H

#include "base/mem.h"
#include "overlay/sandbox.h"

struct err;
struct strings;

/* Add what one --add-host says, "NAME:ADDRESS" or "NAME=ADDRESS", as a line "ADDRESS\tNAME". An IPv6
 * address may stand in brackets; "host-gateway" is this machine, as a RUN with that network reaches it.
 * ERR_INVALID for what is no name or no address, ERR_UNSUPPORTED if the machine has none to be reached
 * at. */
struct err *hosts_add(struct strings *hosts, const char *text, enum sandbox_network network)
	MUST_USE;

#endif
