/* builder/lookup.c - which steps are done already, here or elsewhere, and which are needed. */

#include "builder/execute-private.h"

#include <string.h>

#include "base/err.h"
#include "base/vec.h"
#include "builder/build.h"
#include "builder/caches.h"

struct err *execute_look_up_step(struct plan *plan, struct plan_step *step)
{
	AUTO(step_record) struct step_record found = { 0 };

	if (plan->opts->no_cache || step->fresh)
		return NULL;
	TRY(step_find(plan->store, &step->record.key, false, &step->cached, &found, &step->layer));
	if (step->cached) {
		step->record.created = found.created;
		step->record.duration = found.duration;
		memcpy(step->record.lid, found.lid, sizeof(found.lid));
	}
	return NULL;
}

/* A step of a stage that is not to come from the cache, one on top of such a step, and one that reads
 * what such a step made: steps stand behind all that they need. */
static void find_fresh(const struct plan *plan, struct plan_step *step)
{
	step->fresh = step->below && step->below->fresh;
	vec_foreach (&step->reads, stage)
		step->fresh = step->fresh || ((*stage)->top && (*stage)->top->fresh);
	vec_foreach (&plan->opts->no_cache_stages, wanted)
		step->fresh = step->fresh || plan_stage_is(step->stage, *wanted);
}

/* Mark a step, all below it, and what the missing ones among them read. One that may still be found
 * elsewhere is not missing yet. */
static void need(struct plan_step *step)
{
	for (; step && !step->needed; step = step->below) {
		step->needed = true;
		if (step->cached || !step->asked)
			continue;
		vec_foreach (&step->reads, stage)
			need((*stage)->top); /* as deep as stages copy from one another */
	}
}

static void mark(const struct plan *plan)
{
	vec_foreach (&plan->steps, step)
		(*step)->needed = false;
	for (size_t i = 0; i < plan->target_count + plan->kept_count; i++)
		need(plan->targets[i].stage->top);
}

/* Ask the caches, until it is known of every needed step whether it has to run. What one step's answer is
 * decides whether others are needed: nobody is asked for more. */
static struct err *ask_caches(const struct plan *plan)
{
	struct plan_steps steps = { 0 };
	struct err *err = NULL;

	do {
		steps.len = 0;
		vec_foreach (&plan->steps, step)
			if ((*step)->needed && !(*step)->cached && !(*step)->asked)
				vec_push(&steps, *step);
		err = caches_ask(plan->caches, &steps);
		mark(plan);
	} while (!err && steps.len > 0);
	vec_release(&steps);
	return err;
}

/* A layer that turns out not to be had is a miss after all, and so may make others needed. */
static struct err *search_elsewhere(const struct plan *plan)
{
	bool lost = true;

	while (lost) {
		TRY(ask_caches(plan));
		TRY(caches_fetch(plan->caches, &lost));
		mark(plan);
	}
	return NULL;
}

struct err *execute_lookup(struct plan *plan, unsigned *ret_needed, unsigned *ret_missing)
{
	unsigned needed = 0, missing = 0;

	vec_foreach (&plan->steps, step) {
		find_fresh(plan, *step);
		TRY(execute_look_up_step(plan, *step));
		(*step)->asked = !plan->caches || plan->opts->no_cache || (*step)->fresh;
	}
	mark(plan);
	if (plan->caches)
		TRY(search_elsewhere(plan));
	vec_foreach (&plan->steps, step) {
		needed += (*step)->needed;
		missing += (*step)->needed && !(*step)->cached;
	}
	*ret_needed = needed;
	*ret_missing = missing;
	return NULL;
}

void execute_narrow(struct plan *plan, struct plan_step *step, bool before, unsigned *ret_missing)
{
	vec_foreach (&plan->steps, other)
		(*other)->needed = false;
	need(before ? step->below : step);
	vec_foreach (&step->reads, stage) /* they are mounted */
		need((*stage)->top);
	*ret_missing = 0;
	vec_foreach (&plan->steps, other)
		*ret_missing += (*other)->needed && !(*other)->cached;
}
