/*
 * cli/ui_model.h - the state of a build, as its events tell it; what the live display draws.
 *
 * All text in it is escaped and may be shown. No lock: cli/ui has one.
 */
#ifndef CLI_UI_MODEL_H
#define CLI_UI_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/vec.h"
#include "builder/events.h"

#define UI_TAIL 6 /* lines of a running step's log that are kept */

/* A step, or a transfer: "pull debian:trixie". */
struct ui_step {
	bool begun, ended;
	enum build_status status; /* once it has ended */
	uint64_t begin;           /* clock_monotonic() */
	uint64_t duration;        /* once it has ended */
	char *label;              /* "[build 2/5] RUN make" */
	char *message;            /* why it failed, or NULL */
	char *tail[UI_TAIL];      /* a ring: the newest is tail[(lines - 1) % UI_TAIL] */
	uint64_t lines;
	char *work; /* what is going on, "unpack"; "": only bytes are told; or NULL */
	uint64_t done, total;
};

struct ui_model {
	bool colours; /* of a step's own output */
	bool begun, planned, ended;
	uint64_t begin, duration;
	enum build_status status;
	unsigned steps;            /* in the plan */
	unsigned finished, cached; /* of them */
	unsigned failed;
	char *isolation; /* of the steps that ran, of the first in its way; NULL: none did */
	bool mixed;      /* and of others in another way */
	/* Steps and transfers alike; of both kinds this is what is drawn. */
	VEC(unsigned) order;    /* places in `at`, as they began */
	VEC(struct ui_step) at; /* step n at 2n, transfer n at 2n + 1 */
};

void ui_model_apply(struct ui_model *model, const struct build_event *event);
void ui_model_release(struct ui_model *model);

/* The line of log that is `back` before the newest; NULL if there is none. */
const char *ui_step_line(const struct ui_step *step, unsigned back);

/* "[build 2/5] RUN make", one line, escaped; for other displays too. */
void ui_label(const struct build_event *event, struct buf *out);

/* How steps are kept apart: "in a user namespace, private network (pasta), overlay"; `brief`: without
 * what only who looks for it wants to know. */
void ui_isolation(const struct build_event *event, bool brief, struct buf *out);

#endif
