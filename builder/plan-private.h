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

/* An image that the Recipe names. */
struct plan_need {
	char *name;
	struct platform platform;
	bool exact;                      /* the Recipe names the platform */
	const struct position *position; /* who asks */
};

/* What FROM says, expanded: the name (owned by the caller; perhaps that of a stage) and for which platform. */
struct err *plan_base_of(struct plan *plan, const struct stage *stage, struct plan_need *ret)
	MUST_USE;

/* Fetch, side by side, the images that `target` and all below it need and that are not here. For
 * what cannot be, an error with its place; what is wrong with the Recipe is left to planning. */
struct err *plan_bases(struct plan *plan, const struct stage *target) MUST_USE;

/* The image of a need: one that the plan has, from the store, or fetched. */
struct err *plan_image_of(struct plan *plan, const struct plan_need *need, struct plan_image **ret)
	MUST_USE;

/* The build context, opened and with its ignore rules read. */
struct err *plan_context(struct plan *plan, struct tree **ret) MUST_USE;

/* Apply one instruction to a stage that is being planned: its scope, its config, its rows, its
 * steps. Errors carry the place. */
struct err *evaluate(struct plan *plan, struct plan_stage *stage,
		     const struct instruction *instruction) MUST_USE;

#endif
