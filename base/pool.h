/*
 * base/pool.h - a few threads, and groups of work that fail together.
 *
 * A pool owns its threads and starts one only when there is work that no idle
 * thread will take, up to its limit: a command without work makes no thread.
 * Work is queued without bound and begun in order of arrival.
 *
 * A group is a set of work that is waited for together: the first error is
 * kept and the others' are dropped; work that has not begun by then is skipped,
 * and work that has begun is told by cancel_check() (base/cancel.h): a group is a
 * scope, within that of the thread that made it. So both also happen when the
 * process is told to stop, and when work around the group has failed. Work may
 * add more work to its own group; it must not wait for a group of its own pool,
 * which could wait for the very thread that it stands on.
 *
 *	AUTO(pool) struct pool *pool = pool_new(pool_default_threads());
 *	AUTO(group) struct group *group = group_new(pool);
 *	...
 *		group_run(group, unpack, unpack_job_drop, job);
 *	return group_wait(group);
 *
 * Lock order: one lock in each pool, nothing is called while it is held.
 */
#ifndef BASE_POOL_H
#define BASE_POOL_H

#include <stdbool.h>

#include "base/mem.h"

struct err;
struct pool;
struct group;

/* CPUs that this process may use: its affinity and the quota of its cgroup; 1..64. */
unsigned pool_default_threads(void);
/* A pool of at most `threads` (1 or more) threads. None runs yet. */
struct pool *pool_new(unsigned threads) MUST_USE;
/* Ends the threads. Every group of the pool must be gone. */
void pool_free(struct pool *pool);
DEFINE_AUTO(pool)

/* Borrows `pool`, and the scope of the calling thread: made by work of another group, it must be
 * gone before that group is. */
struct group *group_new(struct pool *pool) MUST_USE;
/* Run `work(job)` on the pool. `job` is the group's until `work` or `drop` has been called, and
 * theirs from then on: exactly one of them is. `drop` (may be NULL) is for work that is skipped;
 * it runs on any thread. If not even one thread can be started the group fails. */
void group_run(struct group *group, struct err *(*work)(void *job), void (*drop)(void *job),
	       void *job);
/* True once some work of the group has failed, or its scope was stopped from outside. For those who
 * are not its work; that asks cancel_check(). */
bool group_cancelled(const struct group *group);
/* Wait for everything; the first error, now the caller's. ERR_CANCELLED only if there is no other:
 * it says that something else failed. Work that was skipped for a reason outside the group makes
 * it ERR_CANCELLED, never a success. The group is then as new. */
struct err *group_wait(struct group *group) MUST_USE;
/* For leaving early: what has not begun is skipped, what runs is waited for, errors are lost. */
void group_free(struct group *group);
DEFINE_AUTO(group)

#endif
