/*
 * base/cancel.h - one question for all long work: shall I stop?
 *
 * Two things say yes. SIGINT, SIGTERM and SIGHUP end the process
 * (cancel_catch_signals(), once, in main). And a scope ends the work in it: each
 * group of a pool is one (base/pool.h), whose first failure stops the rest, and
 * scopes lie within one another, so that a failure reaches whatever its siblings
 * have set going, however deep. Which scope a thread works in is known to the
 * thread; nobody passes it on by hand.
 *
 * Long loops ask cancel_check(), and what they call need not know for whom it
 * works. Blocking calls are interrupted by the signal because it is caught without
 * SA_RESTART. (Only one thread's call is: another thread that may block for long
 * polls cancel_fd() beside what it waits for, and asks now and then.)
 */
#ifndef BASE_CANCEL_H
#define BASE_CANCEL_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/mem.h"

struct err;

/* A signal that was ignored when the program started (nohup, a shell's background job) stays
 * ignored. */
void cancel_catch_signals(void);
int cancel_signal(void); /* the signal that asked for the end, or 0 */
/* ERR_CANCELLED once a signal has come ("interrupted") or a scope of this thread was stopped. */
struct err *cancel_check(void) MUST_USE;
/* A descriptor that becomes readable when a signal has come, for poll(2). Never closed, never
 * read by anyone. -1 before cancel_catch_signals(). */
int cancel_fd(void);

/* Work that ends together. All zero is one that goes on, with nothing but the process around it. */
struct cancel_scope {
	const struct cancel_scope *outer; /* borrowed, outlives this one; may be NULL */
	atomic_bool stopped;
};

void cancel_stop(struct cancel_scope *scope);
/* Whether this scope (may be NULL), one around it or the process was told to stop. */
bool cancel_stopped(const struct cancel_scope *scope);
/* Work in `scope` (NULL: none) on this thread from now on; the one before, to go back to. */
const struct cancel_scope *cancel_enter(const struct cancel_scope *scope);
const struct cancel_scope *cancel_current(void); /* of this thread; NULL: none */

#endif
