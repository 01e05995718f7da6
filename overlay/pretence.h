/*
 * overlay/pretence.h - who the processes of a step believe to be, where there is one id alone.
 *
 * No process can become another user there. Programs that drop privileges do so with a
 * handful of calls and look whether it has worked: apt gives its downloads to a user of
 * their own, daemons refuse to be root. They are told what they would be told elsewhere,
 * by the rules of credentials(7), while they stay what they are. Belief is inherited from
 * the parent, as far as it still lives when somebody asks for the first time.
 *
 * One table for a step, used by one thread. Processes are known by descriptors, so that an id
 * that is given to another is not mistaken.
 */
#ifndef OVERLAY_PRETENCE_H
#define OVERLAY_PRETENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/mem.h"

/* Calls that ask for ids or change them. */
enum pretence_call {
	PRETENCE_GETUID,
	PRETENCE_GETEUID,
	PRETENCE_GETGID,
	PRETENCE_GETEGID,
	PRETENCE_GETRESUID,
	PRETENCE_GETRESGID,
	PRETENCE_GETGROUPS,
	PRETENCE_SETUID,
	PRETENCE_SETGID,
	PRETENCE_SETREUID,
	PRETENCE_SETREGID,
	PRETENCE_SETRESUID,
	PRETENCE_SETRESGID,
	PRETENCE_SETGROUPS,
	PRETENCE_SETFSUID,
	PRETENCE_SETFSGID,
};

/* One of them, by the thread `pid`. With `narrow` ids have 16 bits, also in its memory. */
struct pretence_question {
	enum pretence_call call;
	bool narrow;
	pid_t pid;
	const uint64_t *args;
	/* Whether the thread still waits for the answer; asked after its memory or itself was opened by its
	 * number, which another may have been given since. NULL: it does. */
	bool (*still_asked)(const void *arg);
	const void *arg;
};

struct pretence;

/* All are root, with these groups besides (copied). */
struct pretence *pretence_new(const gid_t *groups, size_t count) MUST_USE;
void pretence_free(struct pretence *pretence);
DEFINE_AUTO(pretence)

/* What the call returns: not negative, or -errno; -EINTR if nobody waits for it. The working directory is /proc. */
int64_t pretence_answer(struct pretence *pretence, const struct pretence_question *question);

#endif
