/*
 * base/userns.h - to be root without being root: a user namespace for the whole program.
 *
 * An ordinary user becomes uid 0 of a user namespace of his own, and gets a mount
 * namespace that belongs to it. His ids come from /etc/subuid and /etc/subgid by
 * newuidmap(1) and newgidmap(1): he himself is 0, his subordinate ids follow from 1.
 * Where there are none he is alone there (single-id mode): every file belongs to 0,
 * and a change of owner fails (overlay/owner.h records it instead).
 *
 * It has to be the first thing that a command does: a namespace is entered by one thread,
 * and directories that were opened before belong to the old mounts.
 */
#ifndef BASE_USERNS_H
#define BASE_USERNS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/mem.h"
#include "base/str.h"

struct err;

enum userns_mode {
	USERNS_NONE,   /* we are root of the machine, or not in a namespace of ours */
	USERNS_RANGES, /* subordinate ids are mapped */
	USERNS_SINGLE, /* our own id alone */
};

/* Enter one, unless we can do without: with CAP_SYS_ADMIN. Once. ERR_DENIED with the name of what
 * forbids it (a sysctl, AppArmor, a container) and the remedy. */
struct err *userns_enter(void) MUST_USE;

/* What userns_enter() came to. */
enum userns_mode userns_mode(void);
/* Why there is one id alone: a sentence, or "". */
const char *userns_reason(void);
/* The highest group of the namespace that we are in, up to 2147483647: sysctls take ranges of those
 * that there are. */
uint32_t userns_last_group(void);
/* The user who started the program, whoever he is now. */
uid_t userns_outer_uid(void);

/* ---- for tests and fuzzers ---- */

/* The same of the text of a /proc/PID/gid_map. */
uint32_t userns_parse_last(struct str map);

/* A range of subordinate ids. */
struct userns_range {
	uint32_t first, count;
};

#define USERNS_RANGES_MAX 64

/* The ranges that a file like /etc/subuid gives to the user, by name or by number. Lines that are no
 * rule are passed over. Returns how many, up to USERNS_RANGES_MAX. */
size_t userns_parse_ranges(struct str text, const char *name, uid_t uid,
			   struct userns_range ret[static USERNS_RANGES_MAX]);

#endif
