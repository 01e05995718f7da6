/*
 * builder/transfer.h - an image on its way from or to a registry, as events of a build.
 *
 *	struct transfer transfer;
 *
 *	transfer_begin(&transfer, events, number, "pull", name);
 *	err = ... &transfer.progress ...
 *	transfer_end(&transfer, err, moved);
 *
 * The blobs of an image are one transfer: their bytes are added up, from any thread, and told ten times a
 * second at most.
 */
#ifndef BUILDER_TRANSFER_H
#define BUILDER_TRANSFER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/progress.h"

struct build_events;
struct err;

struct transfer {
	const struct build_events *events; /* borrowed; may be NULL */
	const char *verb, *name;           /* borrowed */
	unsigned number;
	uint64_t began;
	atomic_ullong done, total;
	atomic_ullong told; /* when progress was last told */
	struct progress progress;
};

/* `number` is different from all others of the build. */
void transfer_begin(struct transfer *transfer, const struct build_events *events, unsigned number,
		    const char *verb, const char *name);
/* Without an error: whether anything `moved`, or all was there. */
void transfer_end(struct transfer *transfer, const struct err *err, bool moved);

#endif
