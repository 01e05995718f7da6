/*
 * overlay/seccomp-private.h - the rules behind overlay/seccomp.h, by name.
 */
#ifndef OVERLAY_SECCOMP_PRIVATE_H
#define OVERLAY_SECCOMP_PRIVATE_H

#include <stdint.h>

/* Names of system calls with a blank between. A name that libseccomp does not know is left out:
 * the call is then unknown to the filter, and ENOSYS. */
extern const char seccomp_allowed[];
extern const char seccomp_denied[]; /* EPERM */

/* What a capability beyond the usual ones allows besides. */
struct seccomp_grant {
	unsigned capability; /* by number */
	const char *names;
};
extern const struct seccomp_grant seccomp_grants[];
extern const unsigned seccomp_grant_count;

/* personality(2) is allowed for these values. */
extern const uint64_t seccomp_personalities[];
extern const unsigned seccomp_personality_count;

/* clone(2) is EPERM with any of these flags: no new namespace. */
#define SECCOMP_CLONE_DENIED 0x7e020000U

/* Families of socket(2) that are EPERM, whatever the rest of the register holds. */
#define SECCOMP_FAMILY_ALG 38
#define SECCOMP_FAMILY_VSOCK 40
/* And in a private network: what sends whole frames. */
#define SECCOMP_FAMILY_PACKET 17
#define SECCOMP_FAMILY_XDP 44
#define SECCOMP_TYPE_MASK 0xfU
#define SECCOMP_TYPE_PACKET 10

#endif
