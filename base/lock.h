/*
 * base/lock.h - locks between processes that die with their holder.
 *
 * Two kinds. A whole-file lock is flock(2) on a file that is never unlinked.
 * A key lock is an open-file-description byte-range lock (fcntl(2),
 * F_OFD_SETLKW) at an offset taken from 62 bits of the key, in one shared file:
 * any number of names without making or deleting files. Different keys may share
 * an offset by chance; then one waits without need, never more.
 *
 * A lock belongs to its `struct lock`, not to the process: a second one of the
 * same name waits like a stranger's, also in the same thread. A child that was
 * forked and does not exec shares the lock and keeps it.
 *
 * Waiting costs nothing, or a few wake-ups a second if somebody may call it off
 * (struct lock_wait, or the scope that the thread works in, base/cancel.h); it ends
 * early with ERR_CANCELLED when that happens, and when the process is told to stop,
 * whichever thread the signal reaches.
 * To end a wait, SIGURG is sent to a thread of ours: the first wait gives it a
 * handler that does nothing. Programs that are started get its default again.
 */
#ifndef BASE_LOCK_H
#define BASE_LOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/mem.h"

struct err;
struct digest;

/* A held lock. LOCK_INIT is nothing held. */
struct lock {
	int fd; /* owned; -1 when nothing is held */
};

#define LOCK_INIT ((struct lock){ .fd = -1 })

enum lock_mode { LOCK_SHARED, LOCK_EXCLUSIVE };

/* What the caller of a wait has to do with it; each may be NULL. Both are called by the thread that
 * wants the lock, and only if it was not free. Who holds it cannot be told. */
struct lock_wait {
	void (*begin)(void *self);   /* once, before waiting */
	bool (*stopped)(void *self); /* asked before waiting, and while it lasts every 50 ms at
				      * least: whether the lock is not wanted any more */
	void *self;
};

/* Lock the file at `path` (made if absent, mode 0600). */
struct err *lock_file(int dir_fd, const char *path, enum lock_mode mode, struct lock *ret) MUST_USE;
/* The same without waiting: `*ret_held` says whether it was free and is ours now. */
struct err *lock_try_file(int dir_fd, const char *path, enum lock_mode mode, struct lock *ret,
			  bool *ret_held) MUST_USE;
/* Lock one key in the file at `path`. `wait` may be NULL. */
struct err *lock_key(int dir_fd, const char *path, const struct digest *key,
		     const struct lock_wait *wait, struct lock *ret) MUST_USE;
void lock_release(struct lock *lock); /* also of LOCK_INIT */

static inline void lock_auto_(struct lock *lock)
{
	lock_release(lock);
}

#endif
