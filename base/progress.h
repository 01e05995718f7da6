/*
 * base/progress.h - how far long work has come, for whoever shows it.
 *
 * Work that moves many bytes is given a `struct progress *` and tells it what
 * begins, how much is done, and how it ended; NULL is silent, and every
 * function here takes it. What is shown, and how often, is the front end's
 * matter: it provides the operations.
 *
 *	uint64_t id = progress_begin(progress, "layer 3", size);
 *	...
 *		progress_advance(progress, id, n);
 *	progress_end(progress, id, !err);
 *
 * Callable from any thread, for any number of pieces of work at once.
 */
#ifndef BASE_PROGRESS_H
#define BASE_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/mem.h"

struct source;

/* What the front end provides. Called on any thread, on several at once, with no lock held; for
 * one `id` in this order. They must be quick: the work waits. */
struct progress_ops {
	/* `what` is borrowed for the call and may hold outside text; `total` 0 is unknown. */
	void (*begin)(void *self, uint64_t id, const char *what, uint64_t total);
	/* `n` more, never in all; may come to more or less than the total. */
	void (*advance)(void *self, uint64_t id, uint64_t n);
	void (*end)(void *self, uint64_t id, bool ok);
};

struct progress {
	const struct progress_ops *ops;
	void *self;            /* of the operations; borrowed */
	_Atomic uint64_t last; /* the last id given out; starts at 0 */
};

/* Returns the id of this piece of work, different from all others of `progress`. */
uint64_t progress_begin(struct progress *progress, const char *what, uint64_t total) MUST_USE;
void progress_advance(struct progress *progress, uint64_t id, uint64_t n);
/* Once for each begin, also of work that failed. */
void progress_end(struct progress *progress, uint64_t id, bool ok);

/* What is read from the result has advanced `id`, in pieces that are worth a call; begin and end
 * are the caller's. Owns `inner`; borrows `progress` until it is freed. */
struct source *progress_source(struct progress *progress, uint64_t id, struct source *inner)
	MUST_USE;

#endif
