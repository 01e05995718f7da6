/*
 * overlay/pretence.h - who the processes of a step believe to be, where there is one id alone.
 *
 * No process can become another user there. Programs that drop privileges do so with a
 * handful of calls and look whether it has worked: apt gives its downloads to a user of
 * their own, daemons refuse to be root. They are told what they would be told elsewhere,
 * by the rules of credentials(7) and capabilities(7), while they stay what they are.
 *
 * Belief is inherited at fork and outlives whom it came from, so the kernel carries it: the number of
 * a belief is the soft limit RLIMIT_LOCKS of the process, which Linux has not heeded since 2.4. Beliefs that
 * are alike have one number. Processes read this limit as unlimited (but in /proc/PID/limits), and setting it does
 * nothing (pam_limits(8) does it to all). Where the hard limit was lowered (--ulimit locks=) nobody can become another
 * user (EAGAIN). Nor can anybody become what nobody has been before, once there were 4096 different beliefs in
 * the step: a hostile one gets no more memory of ours.
 * Changes of owner are refused to whom chown(2) would refuse them, as far as is known whose a file is.
 * Set-id bits are not seen: who calls su(1) as another user stays that user.
 *
 * One table for a step, used by one thread.
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
	PRETENCE_CAPSET,
	PRETENCE_PRCTL, /* PR_SET_KEEPCAPS, PR_SET_SECUREBITS */
	PRETENCE_SETFSUID,
	PRETENCE_SETFSGID,
	PRETENCE_SETRLIMIT, /* these four of RLIMIT_LOCKS */
	PRETENCE_PRLIMIT,
	PRETENCE_GETRLIMIT,     /* narrow: of 32 bits */
	PRETENCE_GETRLIMIT_OLD, /* of 31 */
};

/* One of them, by the thread `pid`. With `narrow` ids have 16 bits, also in its memory, and limits 32. */
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

/* Who a thread is to files. */
#define PRETENCE_GROUPS_MAX 64

struct pretence_who {
	bool may_give; /* it believes to have CAP_CHOWN, and has it */
	uint32_t uid, gid;
	uint32_t groups[PRETENCE_GROUPS_MAX];
	uint32_t group_count;
};

void pretence_ask(const struct pretence *pretence, pid_t pid, struct pretence_who *ret);

/* Whether chown(2) to `uid` and `gid` (-1: as it is) would be allowed to it, of a file that belongs to `own_uid` and
 * `own_gid`. Where that is not `known` the file may be its own: who makes one is not told. */
bool pretence_may_chown(const struct pretence_who *who, bool known, uint32_t own_uid,
			uint32_t own_gid, uint32_t uid, uint32_t gid);

/* The call is to be done by the kernel besides. */
#define PRETENCE_CONTINUE INT64_MIN

/* What the call returns: not negative, or -errno; -EINTR if nobody waits for it; PRETENCE_CONTINUE. The working
 * directory is /proc. */
int64_t pretence_answer(struct pretence *pretence, const struct pretence_question *question);

#endif
