/*
 * builder/keep_failed.h - what a RUN that failed has left is kept, to be looked at (store/failed.h).
 *
 * Its upper directory becomes a layer that nothing is built on. Of a step that had
 * secrets it is searched for their values first, and nothing is kept if one is found.
 */
#ifndef BUILDER_KEEP_FAILED_H
#define BUILDER_KEEP_FAILED_H

#include "base/mem.h"

struct err;
struct execution;
struct idmap;
struct layer_stage;
struct plan_step;
struct stack;

struct failed_run {
	struct plan_step *step;
	const struct stack *below; /* what it stood on */
	struct layer_stage
		*layer; /* what it has written, settled; nothing is mounted on it any more */
	const struct idmap *idmap; /* of its user namespace; NULL: it had none */
	int code;                  /* with which it ended */
};

/* Keep it, and return `err`, which the step has failed with, with the way to enter it in its notes. That it
 * cannot be kept is a note, too. */
struct err *keep_failed(struct execution *ex, const struct failed_run *run, struct err *err)
	MUST_USE;

#endif
