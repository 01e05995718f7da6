/*
 * builder/ssh.h - what --ssh hands to a build: agents, and keys for one.
 *
 * A source has an id, and is either the socket of an agent that runs already, or
 * files with keys, for which an agent is started when a step needs them
 * (builder/agents.h).
 */
#ifndef BUILDER_SSH_H
#define BUILDER_SSH_H

#include "base/mem.h"
#include "base/vec.h"

struct err;
struct ssh_sources;

struct ssh_source {
	char *id;
	char *socket;        /* NULL: there are keys */
	struct strings keys; /* paths */
};

struct ssh_sources *ssh_sources_new(void) MUST_USE;
void ssh_sources_free(struct ssh_sources *sources);
DEFINE_AUTO(ssh_sources)

/* Add what one --ssh says: "ID[=SOCKET|=KEY[,KEY...]]". The id alone means the agent of
 * $SSH_AUTH_SOCK. A later source replaces an earlier one of the same id. ERR_INVALID if there is no
 * such variable, for a socket among other paths, and for text without an id; ERR_NOT_FOUND for a path
 * that is not there. */
struct err *ssh_sources_add(struct ssh_sources *sources, const char *text) MUST_USE;

/* The source of that id, borrowed; NULL if there is none, or no table. */
const struct ssh_source *ssh_sources_find(const struct ssh_sources *sources, const char *id);

#endif
