/* builder/commit.c - blobs of the target's layers, on threads of their own while later steps run. */

#include "builder/execute-private.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/pool.h"
#include "base/vec.h"
#include "builder/build.h"
#include "builder/caches.h"
#include "overlay/diff.h"
#include "store/blob.h"

struct commit_job {
	struct execution *ex;
	struct plan_step *step;
	int below_fd; /* owned */
};

static void drop_commit(void *arg)
{
	struct commit_job *job = arg;

	close(job->below_fd);
	free(job);
}

static struct err *run_commit(void *arg)
{
	struct commit_job *job = arg;
	const struct build_opts *opts = job->ex->plan->opts;
	struct err *err = diff_commit_blob(job->ex->plan->store, &job->step->layer, job->below_fd,
					   &opts->compression, opts->compression_given,
					   pool_default_threads());

	err = script_wrap(err, job->ex->plan->recipe->script, &job->step->instruction->position);
	err = execution_stop(job->ex, err);
	drop_commit(job);
	return err;
}

void commit_queue(struct execution *ex, struct plan_step *step, int below_fd)
{
	struct commit_job *job = xcalloc(1, sizeof(*job));

	*job = (struct commit_job){ ex, step, below_fd };
	group_run(ex->commits, run_commit, drop_commit, job);
}

/* True if the layer lacks the blob that was asked for. */
static struct err *lacks_blob(struct execution *ex, struct plan_step *step, bool *ret)
{
	const struct build_opts *opts = ex->plan->opts;
	struct layer_meta *layer = &step->layer;
	bool there;

	*ret = false;
	if (!step->record.lid[0])
		return NULL;
	if (opts->compression_given && layer->has_blob &&
	    strcmp(layer->blob.media_type, image_layer_media_type(opts->compression.codec)) != 0)
		layer->has_blob = false;
	if (layer->has_blob) {
		TRY(blob_has(ex->plan->store, &layer->blob, &there));
		layer->has_blob = there;
	}
	*ret = !layer->has_blob;
	return NULL;
}

bool commit_wants(const struct plan *plan, const struct plan_step *step)
{
	/* what a squashed image gets is made at the end */
	for (size_t i = 0;
	     i < plan->target_count + plan->kept_count && plan->opts->squash == SQUASH_NOT; i++)
		for (const struct plan_step *s = plan->targets[i].stage->top; s; s = s->below)
			if (s == step)
				return true;
	return plan->caches && caches_want_blob(plan->caches, step);
}

/* Queue the blob of a step that was done before. */
static struct err *commit_again(struct execution *ex, struct plan_step *step)
{
	AUTO(stack) struct stack stack = { 0 };
	int below_fd;

	if (!step->alone)
		TRY(execution_open_chain(ex, step->stage, step->below, &stack));
	TRY(stack_view(&stack, &below_fd));
	commit_queue(ex, step, below_fd);
	return NULL;
}

struct err *commit_found(struct execution *ex)
{
	vec_foreach (&ex->plan->steps, step) {
		bool lacks = false;

		if (commit_wants(ex->plan, *step))
			TRY(lacks_blob(ex, *step, &lacks));
		if (lacks)
			TRY(commit_again(ex, *step));
	}
	return NULL;
}
