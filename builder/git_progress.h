/*
 * builder/git_progress.h - how far a fetch has come, by what git says of it.
 *
 *	Receiving objects:  45% (9/20), 1.50 MiB | 700.00 KiB/s
 *
 * Such lines end in a carriage return, may come in pieces, and are rounded: what was fetched is known in
 * the end by the size of the packs.
 */
#ifndef BUILDER_GIT_PROGRESS_H
#define BUILDER_GIT_PROGRESS_H

#include <stdint.h>

#include "base/mem.h"
#include "base/str.h"

struct progress;

struct git_progress {
	struct progress *progress; /* borrowed; may be NULL */
	uint64_t id;
	uint64_t told; /* bytes so far */
};

/* The bytes that the last such line in `text` tells of; 0 if there is none. */
uint64_t git_progress_read(struct str text);

/* For struct tool: `self` is a struct git_progress, which hears what git says. */
void git_progress_hear(void *self, struct str text);
/* So many bytes it were, all in all. */
void git_progress_settle(struct git_progress *progress, uint64_t bytes);

#endif
