/*
 * builder/plan-private.h - what planning stages and evaluating instructions share.
 */
#ifndef BUILDER_PLAN_PRIVATE_H
#define BUILDER_PLAN_PRIVATE_H

#include "builder/plan.h"

/* The planned stage of a Recipe's stage; plans it, and what it needs, if it is not yet. `at` is
 * who asks, for the text of a cycle. */
struct err *plan_stage_of(struct plan *plan, const struct stage *stage, const struct position *at,
			  struct plan_stage **ret) MUST_USE;

/* The image of that name in the store. `at` is who asks. */
struct err *plan_image_of(struct plan *plan, const char *name, const struct platform *platform,
			  const struct position *at, struct plan_image **ret) MUST_USE;

/* The build context, opened and with its ignore rules read. */
struct err *plan_context(struct plan *plan, struct tree **ret) MUST_USE;

/* Apply one instruction to a stage that is being planned: its scope, its config, its rows, its
 * steps. Errors carry the place. */
struct err *evaluate(struct plan *plan, struct plan_stage *stage,
		     const struct instruction *instruction) MUST_USE;

#endif
