/*
 * builder/execute.h - do what a plan says: find what is there, run what is missing.
 *
 * The look-up asks the store for every key and marks what the target needs: a
 * stage that is only copied from is needed only if a COPY from it has to run. A
 * step starts when the step below it and the stages that it copies from are
 * done; any number run at once, as many as the pool has threads. Steps with
 * the same key in other processes are waited for, not repeated. What fails stops
 * everything else (base/cancel.h), and only what failed is reported.
 *
 * Layers of the target's chain become blobs on threads of their own while
 * later steps run; nothing waits for them before the end.
 */
#ifndef BUILDER_EXECUTE_H
#define BUILDER_EXECUTE_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/mem.h"
#include "builder/plan.h"

struct build_events;
struct err;
struct journal;
struct json_t;

/* Look up every step and mark what is needed. `*ret_missing` counts the needed steps that must
 * run, `*ret_needed` all needed ones. */
struct err *execute_lookup(struct plan *plan, unsigned *ret_needed, unsigned *ret_missing) MUST_USE;

/* Mark only what it takes to enter a step of the plan, with the files before it or those after it. After
 * execute_lookup(). `*ret_missing` counts the steps that must run for it. */
void execute_narrow(struct plan *plan, struct plan_step *step, bool before, unsigned *ret_missing);

struct run_site;

struct execute_opts {
	bool blobs;                        /* the target's layers are wanted as blobs */
	const struct build_events *events; /* may be NULL */
	struct journal *journal;           /* may be NULL */
	atomic_uint *isolation_told;       /* of the whole build, zero at first; NULL: not told */
	bool describes;                    /* nothing is done: of execute_describe() */
	/* Runs a command; NULL: run_step(). Tests put in their own. */
	struct err *(*run)(const struct run_site *site, struct plan_step *step, int root_fd,
			   int *ret_code);
};

/* Run what is missing, and make the missing blobs. Afterwards every needed step has its layer,
 * with diff id and blob if `blobs`. The first error, with its place in the Recipe. */
struct err *execute(struct plan *plan, const struct execute_opts *opts) MUST_USE;

/* Append a document to `documents` for each RUN that opts->describe of the build means, done or not, in place of
 * doing anything. After execute_lookup(). ERR_NOT_FOUND if it means none. */
struct err *execute_describe(struct plan *plan, struct json_t *documents) MUST_USE;

/* Call `enter` with an execution of the plan that has a sandbox, where the steps of the plan that are needed and
 * not cached could run. Nothing is run by itself. */
struct execution;
struct err *execute_enter(struct plan *plan, struct err *(*enter)(struct execution *ex, void *self),
			  void *self) MUST_USE;

/* The layers of a stage at its end, open. After execute(). */
struct err *execute_stack(struct plan *plan, struct plan_stage *stage, struct stack *ret) MUST_USE;

#endif
