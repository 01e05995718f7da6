/*
 * builder/agents.h - the agents that steps may ask for signatures.
 *
 * For keys an `ssh-agent` of our own is started, and given them by `ssh-add` from
 * a descriptor: no copy of a key is ever written anywhere. It listens in a
 * directory of the store's staging area, and dies with the build, by `kill -9` too.
 * Needs the two programs of OpenSSH; only builds with --ssh ID=KEY do.
 */
#ifndef BUILDER_AGENTS_H
#define BUILDER_AGENTS_H

#include "base/mem.h"

struct agents;
struct err;
struct ssh_sources;
struct store;

/* Both are borrowed; `sources` may be NULL. Starts nothing. */
struct agents *agents_new(const struct ssh_sources *sources, struct store *store) MUST_USE;
/* Ends those that were started. */
void agents_free(struct agents *agents);

/* See to it that the agent of an id can be asked, starting it if it is ours. Called by the thread
 * that lives as long as the build does: ours dies with its thread. ERR_NOT_FOUND if there is no
 * such id or program, ERR_INVALID for a key that cannot be used. */
struct err *agents_start(struct agents *agents, const char *id) MUST_USE;

/* A new connection to the agent of an id that was started. Any thread may. */
struct err *agents_connect(const struct agents *agents, const char *id, int *ret_fd) MUST_USE;

#endif
