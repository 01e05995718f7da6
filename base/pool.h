/*
 * base/pool.h - a few threads, and groups of work that fail together.
 *
 * A pool owns its threads; work is queued without bound and run in order of
 * arrival by whichever thread is free. A group is a set of work that is waited
 * for together: the first error is kept, the others' are dropped, and work that
 * has not begun by then is skipped (its `done` still runs). Work may add more
 * work to its own group; it must not wait for a group on a pool thread.
 *
 * Lock order: none. A job runs with no lock held.
 */
#ifndef BASE_POOL_H
#define BASE_POOL_H

#include <stdbool.h>

#include "base/mem.h"

struct err;
struct pool;
struct group;

unsigned pool_default_threads(void); /* CPUs that this process may use, 1..64 */
struct pool *pool_new(unsigned threads) MUST_USE;
void pool_free(struct pool *pool); /* waits for running work */
DEFINE_AUTO(pool)

struct group *group_new(struct pool *pool) MUST_USE;
/* Run `work(job)` on the pool. `job` belongs to the group until `work` has returned. If the
 * group has failed before `work` begins it is not called, and `drop(job)` is (may be NULL). */
void group_run(struct group *group, struct err *(*work)(void *job), void (*drop)(void *job),
	       void *job);
/* True once some work of the group has failed or the process was told to stop. */
bool group_cancelled(const struct group *group);
/* Wait for everything; the first error, now the caller's. The group is then empty again. */
struct err *group_wait(struct group *group) MUST_USE;
void group_free(struct group *group); /* waits and drops the error */
DEFINE_AUTO(group)

#endif
