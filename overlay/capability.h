/*
 * overlay/capability.h - capabilities by name, and which of them a step has.
 *
 * A set is bits by number, as the kernel counts them.
 */
#ifndef OVERLAY_CAPABILITY_H
#define OVERLAY_CAPABILITY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/mem.h"

struct err;

/* Docker's: chown, dac_override, fowner, fsetid, kill, setgid, setuid, setpcap, net_bind_service,
 * net_raw, sys_chroot, mknod, audit_write, setfcap. */
#define CAPABILITY_DEFAULT UINT64_C(0xa80425fb)

/* Those over networks: of as much use over a network of a user namespace, in that one, as those of root
 * over the machine's. */
#define CAPABILITY_OF_NETWORKS \
	((UINT64_C(1) << 11) | (UINT64_C(1) << 12)) /* net_broadcast, net_admin */

/* What --cap-add and --cap-drop say. */
struct capability_change {
	uint64_t add, drop;
	bool add_all, drop_all;
};

/* Take one name into it, with or without "CAP_" and in any case, or "ALL"; several with commas. ERR_INVALID
 * for one that is not known. */
struct err *capability_change_add(struct capability_change *change, const char *text, bool add)
	MUST_USE;

/* What remains of the usual set. As in docker: with ALL added, all but those dropped; with ALL dropped, only
 * those added; else the usual without those dropped and with those added. ERR_INVALID for one that is
 * both added and dropped, or that this process could not give. */
struct err *capability_change_apply(const struct capability_change *change, uint64_t *ret) MUST_USE;

/* "CAP_CHOWN", or NULL for a number without a name. */
const char *capability_name(unsigned number);
/* Its number, or -1; the name in full. */
int capability_number(const char *name);

#endif
