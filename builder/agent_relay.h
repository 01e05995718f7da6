/*
 * builder/agent_relay.h - a step's own socket, behind which an ssh agent answers.
 *
 * A step may ask which keys there are and for signatures, and nothing else: it can
 * neither add keys to the agent, nor remove or lock those of the user. Requests are
 * read message by message (a length of four bytes, a type, the rest); what is not
 * allowed is answered with a failure and not passed on. Answers are passed as they
 * come.
 *
 * A thread of its own serves all connections of one step, until the relay is freed.
 */
#ifndef BUILDER_AGENT_RELAY_H
#define BUILDER_AGENT_RELAY_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/mem.h"
#include "base/str.h"

struct agent_relay;
struct agents;
struct err;

#define AGENT_SOCKET "agent"

struct agent_relay_opts {
	const struct agents *agents; /* borrowed while it lives */
	const char *id;              /* one that was started; borrowed likewise */
	int dir_fd; /* where the socket AGENT_SOCKET is made; borrowed for the call */
	mode_t mode;
	uid_t uid;
	gid_t gid;
};

struct err *agent_relay_start(const struct agent_relay_opts *opts, struct agent_relay **ret)
	MUST_USE;
void agent_relay_free(struct agent_relay *relay);

/* The verdict on the bytes that a step has sent so far. */
enum agent_verdict {
	AGENT_MORE,    /* the message is not whole yet */
	AGENT_PASS,    /* a whole message of `*ret_len` bytes that the agent may get */
	AGENT_REFUSE,  /* one of `*ret_len` bytes that it may not */
	AGENT_NONSENSE /* no message: the connection is to be closed */
};

#define AGENT_MESSAGE_MAX ((size_t)256 * 1024) /* as OpenSSH has it */

enum agent_verdict agent_judge(struct str sent, size_t *ret_len);

#endif
