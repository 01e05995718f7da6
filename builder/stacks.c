/* builder/stacks.c - open layers: of images, and of what steps have left.
 *
 * A finished step keeps the open stack of its result as long as somebody still
 * has to start from it; the last one takes it over, so a straight chain of n
 * steps opens n directories and not n * n. The execution's lock is never held
 * while the disk is at work: whoever opens an image says so in its state, and
 * others who need the same one wait for that.
 */

#include "builder/execute-private.h"

#include "base/err.h"
#include "base/vec.h"

/* What a step and its stage are built on in the end: an image, or nothing. */
static struct plan_image *base_of(const struct plan_stage *stage)
{
	while (stage->parent)
		stage = stage->parent;
	return stage->image;
}

/* Wait while somebody else opens the image; `*ret_ours` if it is then ours to open. Who failed to
 * has the cause: it is not tried again, since a damaged blob that was put aside is then just
 * missing. */
static struct err *claim_image(struct execution *ex, struct plan_image *image, bool *ret_ours)
{
	bool failed;

	pthread_mutex_lock(&ex->lock);
	while (image->state == IMAGE_OPENING)
		pthread_cond_wait(&ex->opened, &ex->lock);
	failed = image->state == IMAGE_FAILED;
	*ret_ours = image->state == IMAGE_CLOSED;
	if (*ret_ours)
		image->state = IMAGE_OPENING;
	pthread_mutex_unlock(&ex->lock);
	return failed ? err_new(ERR_CANCELLED, "it could not be opened for another step") : NULL;
}

struct err *execution_image_stack(struct execution *ex, struct plan_image *image, struct stack *ret)
{
	struct err *err;
	bool ours;

	err = claim_image(ex, image, &ours);
	if (!err && ours) {
		err = stack_of_image(ex->plan->store, image->image, ex->unpack_pool, NULL,
				     &image->stack);
		pthread_mutex_lock(&ex->lock);
		image->state = err ? IMAGE_FAILED : IMAGE_OPEN;
		pthread_cond_broadcast(&ex->opened);
		pthread_mutex_unlock(&ex->lock);
	}
	TRY(err_wrap(err, "image '%s'", image->name));
	return stack_copy(&image->stack, ex->plan->store, ret);
}

struct err *execution_open_chain(struct execution *ex, const struct plan_stage *stage,
				 struct plan_step *top, struct stack *ret)
{
	struct plan_image *image = base_of(stage);
	VEC(struct plan_step *) chain = { 0 };
	struct err *err = NULL;

	if (image)
		err = execution_image_stack(ex, image, ret);
	for (; top; top = top->below)
		vec_push(&chain, top);
	while (!err && chain.len > 0) {
		const struct plan_step *step = chain.at[--chain.len];

		if (step->record.lid[0])
			err = stack_push(ret, ex->plan->store, step->record.lid);
	}
	vec_release(&chain);
	return err;
}

/* The last one to start from a finished step takes its stack: true. */
static bool take_over(struct execution *ex, struct plan_step *step, struct stack *ret)
{
	struct step_state *state = execution_state(ex, step);
	bool last = false;

	pthread_mutex_lock(&ex->lock);
	if (state->has_stack && --state->users == 0) {
		*ret = state->stack;
		state->stack = (struct stack){ 0 };
		state->has_stack = false;
		last = true;
	}
	pthread_mutex_unlock(&ex->lock);
	return last;
}

struct err *execution_take_stack(struct execution *ex, const struct plan_stage *stage,
				 struct plan_step *top, struct stack *ret)
{
	VEC(const struct plan_step *) alone = { 0 };
	struct err *err = NULL;

	for (; top && top->alone; top = top->below)
		vec_push(&alone, top);
	if (!top || !take_over(ex, top, ret))
		err = execution_open_chain(ex, stage, top, ret);
	while (!err && alone.len > 0) {
		const struct plan_step *step = alone.at[--alone.len];

		if (step->record.lid[0])
			err = stack_push(ret, ex->plan->store, step->record.lid);
	}
	vec_release(&alone);
	return err;
}

struct err *execution_stack_of(struct execution *ex, const struct plan_from *from, char **ret_what,
			       struct stack *ret)
{
	if (from->stage) {
		*ret_what = xasprintf("stage '%s'", from->stage->name);
		return execution_take_stack(ex, from->stage, from->stage->top, ret);
	}
	if (from->image) {
		*ret_what = xasprintf("image '%s'", from->image->name);
		return execution_image_stack(ex, from->image, ret);
	}
	*ret_what = xstrdup("scratch");
	return NULL;
}

struct err *execution_view(struct execution *ex, const struct plan_from *from, char **ret_what,
			   int *ret_fd)
{
	AUTO(stack) struct stack stack = { 0 };

	TRY(execution_stack_of(ex, from, ret_what, &stack));
	return stack_view(&stack, ret_fd);
}
