/* overlay/overseer-private.h - the calls that a step's filter asks us about. */
#ifndef OVERLAY_OVERSEER_PRIVATE_H
#define OVERLAY_OVERSEER_PRIVATE_H

#include <linux/seccomp.h>
#include <stdbool.h>
#include <stdint.h>

/* What is asked for, beside the calls of overlay/pretence.h. */
enum { ASK_CHOWN = 100, ASK_LCHOWN, ASK_FCHOWN, ASK_FCHOWNAT };

struct asked {
	uint16_t number;
	uint8_t what; /* ASK_..., PRETENCE_... */
	bool narrow;  /* its ids have 16 bits */
};

/* Which one it is; NULL for a call that is none of ours. */
const struct asked *overseer_call(const struct seccomp_data *data);

#endif
