/*
 * builder/execute-private.h - what the files of an execution share.
 *
 *	lookup.c     what is done already, and what is needed
 *	execute.c    the order of the steps, beginning and end
 *	stacks.c     open layers: of images, and of what steps have left
 *	provide.c    one step: found at last, or made and kept
 *	describe.c   one RUN as a document, without running it
 *	commit.c     blobs of the target's layers
 */
#ifndef BUILDER_EXECUTE_PRIVATE_H
#define BUILDER_EXECUTE_PRIVATE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/cancel.h"
#include "builder/build.h"
#include "builder/execute.h"
#include "builder/run.h"
#include "overlay/skeleton.h"
#include "overlay/trees.h"

struct agents;
struct group;
struct idmap;
struct layer_stage;
struct pool;
struct sandbox;

struct step_state {
	unsigned pending; /* unfinished steps that it waits for */
	unsigned users;   /* steps that have yet to take its stack */
	bool finished;
	bool has_stack;
	struct stack stack;
	struct {
		struct plan_step **at;
		size_t len, cap;
	} waiters;
};

struct execution {
	struct plan *plan;
	const struct execute_opts *opts;
	struct cancel_scope scope;         /* stopped by what fails first */
	const struct cancel_scope *around; /* what the calling thread worked in before */
	struct pool *unpack_pool;
	struct pool *commit_pool; /* of few threads: each blob is compressed by many */
	struct pool *copy_pool;   /* copies large trees */
	struct group *steps;
	struct group *commits;
	struct sandbox *sandbox;
	struct idmap *idmap; /* of the steps' user namespace; NULL: they have none */
	struct agents *agents;
	atomic_flag network_told;
	int cache_fd;               /* for the sandbox, owned */
	struct layer_stage *holder; /* a staging directory that holds the skeleton */
	struct skeleton skeleton;
	struct trees *trees; /* of the steps; NULL before there are any */

	pthread_mutex_t emptying; /* held while a step gets its caches under --no-cache */
	struct strings emptied;   /* ids of caches; guarded by emptying */

	pthread_mutex_t lock;
	pthread_cond_t opened;     /* an image is no longer IMAGE_OPENING */
	struct step_state *states; /* in the order of plan->steps; guarded by lock */
};

static inline struct step_state *execution_state(struct execution *ex, const struct plan_step *step)
{
	return &ex->states[step->number - 1 - ex->plan->opts->steps_before];
}

/* `err`, which stops all else that goes on if it is one. */
struct err *execution_stop(struct execution *ex, struct err *err) MUST_USE;

/* ---- lookup.c ---- */

/* Ask the store for the step's key: step->cached, and then its record and its layer, pinned. */
struct err *execute_look_up_step(struct plan *plan, struct plan_step *step) MUST_USE;

/* ---- stacks.c: `ret` is an empty stack, and the caller's to release, also after an error ---- */

/* The layers of an image, unpacked if need be, once. Any number of threads may ask at once. */
struct err *execution_image_stack(struct execution *ex, struct plan_image *image, struct stack *ret)
	MUST_USE;
/* Open the layers up to and with `top`; NULL: only the base of `stage`. */
struct err *execution_open_chain(struct execution *ex, const struct plan_stage *stage,
				 struct plan_step *top, struct stack *ret) MUST_USE;
/* The stack of a finished step, or of the base of `stage` (`top` NULL). Once for each step that
 * starts from it: the last one gets what the finished step has kept. */
struct err *execution_take_stack(struct execution *ex, const struct plan_stage *stage,
				 struct plan_step *top, struct stack *ret) MUST_USE;

/* The layers of a finished stage, of an image, or none for scratch. `*ret_what` names it in texts, and
 * is the caller's, too. */
struct err *execution_stack_of(struct execution *ex, const struct plan_from *from, char **ret_what,
			       struct stack *ret) MUST_USE;
/* What a finished stage, an image or scratch holds, read-only (O_PATH); both results are the caller's.
 * `*ret_what` names it in texts. For a stage that is among the `reads` of the step; not for a context, which has a tree. */
struct err *execution_view(struct execution *ex, const struct plan_from *from, char **ret_what,
			   int *ret_fd) MUST_USE;

/* ---- provide.c ---- */

/* Make a step, or find that another process made it meanwhile. `stack` is what it starts from, and
 * has its layer on top afterwards. `*ret_code` is the exit code of a RUN. Errors have their place
 * in the Recipe, but for those of the store. */
struct err *provide_step(struct execution *ex, struct plan_step *step, struct stack *stack,
			 int *ret_code) MUST_USE;

struct mounts;
/* Where a RUN of the execution runs. Its idmap is yet to be set. */
struct run_site execution_run_site(struct execution *ex, const struct mounts *mounts) MUST_USE;

/* ---- describe.c ---- */

/* Append the documents of opts->describe, in the order of the steps. */
struct err *execution_describe(struct execution *ex, struct json_t *documents) MUST_USE;

/* ---- commit.c ---- */

/* True if the layer of a step is one of a target's image, or goes to a cache. */
bool commit_wants(const struct plan *plan, const struct plan_step *step);

/* Make the blob of a step's layer on a thread of its own. `below_fd` is a view of what lies below
 * the layer; takes ownership. */
void commit_queue(struct execution *ex, struct plan_step *step, int below_fd);
/* Queue the blobs of layers of the target that were found, not made: an earlier build may not have
 * needed them. After all steps. */
struct err *commit_found(struct execution *ex) MUST_USE;

#endif
