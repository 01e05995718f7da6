/*
 * cli/transfer_frame.h - transfers that are under way, and how they look.
 *
 *	transferring  12.4s  1 of 3 done, 45.2 MB of 123 MB, 14.2 MB/s
 *	  9f86d081884c  ########----------------  12.3 MB of 45.2 MB  4.2 MB/s  8s left
 *	  60303ae22b99  ####################----  2.1 MB of 2.5 MB  1.1 MB/s  0.4s left
 *
 * Pure functions of the model, the size, and the time. No line is wider than the terminal less
 * one column. All text in the model is escaped and may be shown. No lock: cli/transfer has one.
 */
#ifndef CLI_TRANSFER_FRAME_H
#define CLI_TRANSFER_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "base/vec.h"
#include "cli/term.h"

struct transfer_item {
	bool begun, ended, ok;
	char *label;           /* owned */
	uint64_t total, done;  /* bytes; `total` 0: unknown */
	uint64_t begin;        /* clock_monotonic() */
	uint64_t duration;     /* once it has ended */
	uint64_t sampled;      /* when the rate was last looked at */
	uint64_t sampled_done; /* `done` then */
	double rate;           /* bytes per second; 0: not known yet */
	uint64_t told;         /* when a line about it was last written */
};

struct transfer_model {
	bool colours;
	uint64_t begin;                 /* of the first; clock_monotonic() */
	uint64_t sampled, sampled_done; /* as above, of all together */
	double rate;
	VEC(struct transfer_item) at; /* by id, from 1 */
};

void transfer_model_release(struct transfer_model *model);

/* The model's part of struct progress_ops. `what` is outside text; a digest is shown short. */
struct transfer_item *transfer_item_begin(struct transfer_model *model, uint64_t id,
					  const char *what, uint64_t total, uint64_t now);
struct transfer_item *transfer_item_find(struct transfer_model *model, uint64_t id);
void transfer_item_end(struct transfer_item *item, bool ok, uint64_t now);

/* What fits on the screen now; nothing if nothing has begun. */
void transfer_frame(struct transfer_model *model, struct term_size size, uint64_t now,
		    struct buf *out);
/* What stays on the terminal: one line, or nothing if no byte moved. */
void transfer_summary(const struct transfer_model *model, struct term_size size, uint64_t now,
		      struct buf *out);

/* Lines for pipes and logs: "9f86d081884c 45.2 MB", with how far it is, and how it ended. */
void transfer_line_begin(const struct transfer_item *item, struct buf *out);
void transfer_line_progress(struct transfer_item *item, uint64_t now, struct buf *out);
void transfer_line_end(const struct transfer_item *item, struct buf *out);

#endif
