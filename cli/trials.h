/*
 * cli/trials.h - what doctor and info try of the machine, beside the store.
 *
 * Each does what a build or a pull would do, and tells in `*ret` (owned) what is in use. The error
 * says why not, and its notes what helps.
 */
#ifndef CLI_TRIALS_H
#define CLI_TRIALS_H

#include "base/mem.h"

struct err;
struct store;

/* Bring a private network up. */
struct err *trial_network(int cache_fd, char **ret) MUST_USE;
/* Whether steps are root of a user namespace alone, over layers that are shown there with the ids that they have. */
struct err *trial_userns(struct store *store, char **ret) MUST_USE;
/* Whether images can come over the network, and whether registries can be told from others. */
struct err *trial_transfers(char **ret) MUST_USE;

#endif
