/*
 * builder/tail.h - the last lines of what a step wrote, for the message when it fails.
 *
 * A listener (builder/events.h) that remembers log lines. Lines, not the bytes of
 * the log: there the two streams stand as they came, and a line without a newline
 * runs into what the other stream says next.
 */
#ifndef BUILDER_TAIL_H
#define BUILDER_TAIL_H

#include "base/mem.h"
#include "base/str.h"
#include "builder/events.h"

#define TAIL_LINES 20
#define TAIL_BYTES ((size_t)8192) /* of all lines together */

struct tail {
	struct buf lines[TAIL_LINES]; /* a ring */
	size_t count; /* of all lines ever; the next one goes to count % TAIL_LINES */
};

/* All zero is an empty tail. Of a line longer than TAIL_BYTES its end is kept. */
void tail_add(struct tail *tail, struct str line);
/* The listener: keeps the lines of every EVENT_STEP_LOG. Borrows `tail`. */
struct build_events tail_listener(struct tail *tail);
/* The last lines with newlines between, the oldest left out where they are too long, and empty
 * ones at the end; NUL bytes are blanks. NULL when nothing remains. */
char *tail_text(const struct tail *tail) MUST_USE;
void tail_release(struct tail *tail);

static inline void tail_auto_(struct tail *tail)
{
	tail_release(tail);
}

#endif
