/*
 * builder/clip.h - the output of a step, no more of it than a log should have.
 *
 * What a step writes is passed on as it comes, until that is as much as is wanted. From there on
 * only the last of it is held, in memory, and passed on at the end: who writes gigabytes is neither
 * slowed down nor kept, and the end, which says why a step failed, is never lost. Between both stands a
 * line that says how much is missing.
 */
#ifndef BUILDER_CLIP_H
#define BUILDER_CLIP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

#define CLIP_USUAL ((uint64_t)16 * 1024 * 1024)
#define CLIP_UNLIMITED UINT64_MAX
#define CLIP_TAIL ((size_t)1024 * 1024) /* how much of the end is held */
#define CLIP_PIECES 4096                /* and in how many pieces */

/* One thing after the other that came from one stream. */
struct clip_piece {
	unsigned stream;
	struct buf bytes;
};

struct clip {
	uint64_t limit; /* in bytes; 0: CLIP_USUAL */
	/* What comes out. */
	void (*pass)(void *self, unsigned stream, struct str bytes);
	void *self;

	uint64_t passed;
	bool in_line; /* what was passed last has no newline behind it */
	unsigned last_stream;
	struct {
		struct clip_piece *at; /* a ring of CLIP_PIECES; owned */
		size_t first, len, bytes;
	} tail;
	uint64_t lost_lines, lost_bytes;
	bool cut; /* what was lost last ends within a line, of the stream `cut_stream` */
	unsigned cut_stream;
};

/* Bytes of one of several streams, by number. */
void clip_feed(struct clip *clip, unsigned stream, struct str bytes);
/* No more comes: pass what is held. */
void clip_end(struct clip *clip);
void clip_release(struct clip *clip);

#endif
