/* overlay/overseer-private.h - the calls that a step's filter asks us about. */
#ifndef OVERLAY_OVERSEER_PRIVATE_H
#define OVERLAY_OVERSEER_PRIVATE_H

#include <linux/seccomp.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* What is asked for, beside the calls of overlay/pretence.h. */
enum { ASK_CHOWN = 100, ASK_LCHOWN, ASK_FCHOWN, ASK_FCHOWNAT };

struct asked {
	uint16_t number;
	uint8_t what; /* ASK_..., PRETENCE_... */
	bool narrow;  /* its ids have 16 bits */
};

/* Which one it is; NULL for a call that is none of ours. */
const struct asked *overseer_call(const struct seccomp_data *data);

/* One of the links of /proc/PID, opened by O_PATH and `flags`: `what`, or of number 0 and above WHAT/NUMBER. -1 with
 * errno. The working directory is our /proc, here and below. */
int overseer_open_link(pid_t pid, const char *what, int number, int flags);

#define OVERSEER_FAR (-10000)

/* What `path` names for the thread `pid`, beneath the root of the calling thread, and from `base_fd` on if it does
 * not begin with a slash: a descriptor of O_PATH, or -errno; EPERM for links of /proc to what another process has
 * open. Who is `near` gets OVERSEER_FAR if the way leads over another mount. */
int overseer_look_up(pid_t pid, int base_fd, const char *path, bool follow, bool near);

#endif
