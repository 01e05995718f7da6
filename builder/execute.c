/* builder/execute.c - see builder/execute.h.
 *
 * One state per step, guarded by `lock`: how many unfinished steps it waits for
 * and who waits for it.
 *
 * Steps and blobs are two groups, since they have pools of their own, within one
 * scope, which the first failure in either stops.
 */

#include "builder/execute-private.h"

#include <jansson.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "base/log.h"
#include "base/pool.h"
#include "base/vec.h"
#include "builder/agents.h"
#include "builder/build.h"
#include "builder/events.h"
#include "builder/mounts.h"
#include "overlay/idmap.h"
#include "overlay/sandbox.h"
#include "registry/url.h"
#include "store/layer.h"
#include "store/store.h"

#define COMMIT_THREADS 2 /* blobs in the making at a time: what they need is memory */
#define COPY_THREADS 8   /* more only wait for the file system; each holds descriptors */

/* ---- order ---- */

struct err *execution_stop(struct execution *ex, struct err *err)
{
	if (err)
		cancel_stop(&ex->scope);
	return err;
}

/* Whoever writes a password into a URL of an ADD need not find it in a log. */
static char *title_of(const struct plan_step *step)
{
	return step->copy.is_add ? url_without_logins(step->instruction->text) :
				   xstrdup(step->instruction->text);
}

static bool starts_from_below(const struct plan_step *step)
{
	return !step->alone || step->looks_below;
}

static void tell_begin(struct execution *ex, const struct plan_step *step)
{
	AUTO(mem) char *title = title_of(step);
	VEC(unsigned) inputs = { 0 };

	if (step->below)
		vec_push(&inputs, step->below->number);
	vec_foreach (&step->reads, stage)
		if ((*stage)->top)
			vec_push(&inputs, (*stage)->top->number);
	events_emit(ex->opts->events,
		    &(struct build_event){ .kind = EVENT_STEP_BEGIN,
					   .step = step->number,
					   .platform = ex->plan->opts->platform_label,
					   .stage = step->stage->name,
					   .index = step->index,
					   .count = step->stage->step_count,
					   .inputs = inputs.at,
					   .input_count = inputs.len,
					   .fresh = step->fresh,
					   .aside = step->below && !starts_from_below(step) ?
							    step->below->number :
							    0,
					   .text = title });
	vec_release(&inputs);
}

static void tell_end(struct execution *ex, const struct plan_step *step, const struct err *err,
		     uint64_t duration, int code)
{
	enum build_status status = err_kind(err) == ERR_CANCELLED ? BUILD_CANCELLED :
				   err                            ? BUILD_FAILED :
				   step->cached                   ? BUILD_CACHED :
								    BUILD_DONE;

	events_emit(ex->opts->events, &(struct build_event){ .kind = EVENT_STEP_END,
							     .step = step->number,
							     .status = status,
							     .duration = duration,
							     .exit_code = code,
							     .memory_peak = step->memory_peak,
							     .cpu_time = step->cpu_time,
							     .text = err ? err_text(err) : NULL });
}

struct step_job {
	struct execution *ex;
	struct plan_step *step;
};

static void queue_step(struct execution *ex, struct plan_step *step);

/* Note the end of a step, keep its stack if somebody starts from it, wake who waited. */
static void finish_step(struct execution *ex, struct plan_step *step, struct stack *stack)
{
	struct step_state *state = execution_state(ex, step);
	VEC(struct plan_step *) ready = { 0 };

	pthread_mutex_lock(&ex->lock);
	state->finished = true;
	if (state->users > 0) {
		state->stack = *stack;
		state->has_stack = true;
		*stack = (struct stack){ 0 };
	}
	vec_foreach (&state->waiters, waiter)
		if (--execution_state(ex, *waiter)->pending == 0)
			vec_push(&ready, *waiter);
	pthread_mutex_unlock(&ex->lock);
	vec_foreach (&ready, next)
		queue_step(ex, *next);
	vec_release(&ready);
}

static struct err *run_step_job(void *arg)
{
	AUTO(mem) struct step_job *job = arg;
	struct execution *ex = job->ex;
	struct plan_step *step = job->step;
	AUTO(stack) struct stack stack = { 0 };
	uint64_t began = clock_monotonic();
	struct err *err;
	int code = 0;

	tell_begin(ex, step);
	err = starts_from_below(step) ? execution_take_stack(ex, step->stage, step->below, &stack) :
					NULL;
	if (!err)
		err = provide_step(ex, step, &stack, &code);
	tell_end(ex, step, err, clock_monotonic() - began, code);
	if (!err)
		finish_step(ex, step, &stack);
	return execution_stop(ex, err);
}

static void queue_step(struct execution *ex, struct plan_step *step)
{
	struct step_job *job = xcalloc(1, sizeof(*job));

	*job = (struct step_job){ ex, step };
	group_run(ex->steps, run_step_job, free, job);
}

/* `step` begins after `other`, if that has to run. */
static void wait_for(struct execution *ex, struct plan_step *step, struct plan_step *other)
{
	if (other->cached)
		return;
	vec_push(&execution_state(ex, other)->waiters, step);
	execution_state(ex, step)->pending++;
}

/* `step` starts from what `other` and those below it leave: it waits for the highest of them that
 * has to run, and takes its stack if nothing but layers of their own lie between. Those wait for
 * nothing below them, so that is waited for besides them. */
static void depend(struct execution *ex, struct plan_step *step, struct plan_step *other)
{
	bool near = true;

	for (; other; other = other->below) {
		wait_for(ex, step, other);
		if (other->alone)
			continue;
		if (!other->cached && near)
			execution_state(ex, other)->users++;
		if (!other->cached)
			return;
		near = false;
	}
}

/* Queue what can start; the rest follows. Found steps are told in their place. */
static void start_steps(struct execution *ex)
{
	VEC(struct plan_step *) ready = { 0 };

	vec_foreach (&ex->plan->steps, step) {
		if (!(*step)->needed)
			continue;
		if ((*step)->cached) {
			tell_begin(ex, *step);
			tell_end(ex, *step, NULL, 0, 0);
			continue;
		}
		if (starts_from_below(*step))
			depend(ex, *step, (*step)->below);
		vec_foreach (&(*step)->reads, stage)
			depend(ex, *step, (*stage)->top);
		if (execution_state(ex, *step)->pending == 0)
			vec_push(&ready, *step);
	}
	vec_foreach (&ready, step)
		queue_step(ex, *step);
	vec_release(&ready);
}

/* ---- beginning and end ---- */

static bool something_missing(const struct plan *plan)
{
	vec_foreach (&plan->steps, step)
		if ((*step)->needed && !(*step)->cached)
			return true;
	return false;
}

static bool runs_something(const struct plan *plan)
{
	vec_foreach (&plan->steps, step)
		if ((*step)->kind == STEP_RUN && (*step)->needed && !(*step)->cached)
			return true;
	return false;
}

/* Whether a step will want a network of its own: it can be made while images come. */
static bool wants_network(const struct plan *plan)
{
	vec_foreach (&plan->steps, step)
		if ((*step)->kind == STEP_RUN && (*step)->needed && !(*step)->cached &&
		    ((*step)->network == SANDBOX_NETWORK_PRIVATE ||
		     (*step)->network == SANDBOX_NETWORK_DEFAULT))
			return true;
	return false;
}

static struct err *prepare_sandbox(struct execution *ex)
{
	TRY(layer_begin(ex->plan->store, &ex->holder));
	TRY(skeleton_open(ex->holder->dir_fd, &ex->skeleton));
	ex->trees = trees_new(ex->plan->store);
	TRY(file_make_dirs(store_fd(ex->plan->store), "cache", 0700, &ex->cache_fd));
	if (!ex->opts->run && (ex->opts->describes || runs_something(ex->plan)))
		TRY(step_userns_open(ex->plan->opts->userns, ex->plan->opts->security,
				     ex->plan->opts->network != SANDBOX_NETWORK_HOST,
				     ex->plan->store, &ex->idmap));
	ex->sandbox = sandbox_new(ex->cache_fd);
	if (ex->plan->opts->resources)
		sandbox_limit(ex->sandbox, ex->plan->opts->resources);
	if (ex->plan->opts->security)
		sandbox_secure(ex->sandbox, ex->plan->opts->security);
	if (ex->plan->opts->resolver)
		sandbox_resolve(ex->sandbox, ex->plan->opts->resolver);
	if (!ex->opts->describes && wants_network(ex->plan))
		sandbox_expect_network(ex->sandbox, ex->idmap);
	ex->agents = agents_new(ex->plan->opts->ssh, ex->plan->store);
	return ex->opts->describes ? NULL : mounts_start_agents(ex);
}

static void execution_free(struct execution *ex)
{
	group_free(ex->steps);
	group_free(ex->commits);
	pool_free(ex->commit_pool);
	pool_free(ex->unpack_pool);
	pool_free(ex->copy_pool);
	for (size_t i = 0; i < ex->plan->steps.len; i++) {
		vec_release(&ex->states[i].waiters);
		stack_release(&ex->states[i].stack);
	}
	free(ex->states);
	sandbox_free(ex->sandbox);
	idmap_free(ex->idmap);
	agents_free(ex->agents);
	trees_free(ex->trees);
	skeleton_close(&ex->skeleton);
	layer_stage_free(ex->holder);
	if (ex->cache_fd >= 0)
		close(ex->cache_fd);
	pthread_cond_destroy(&ex->opened);
	pthread_mutex_destroy(&ex->lock);
	pthread_mutex_destroy(&ex->emptying);
	strings_release(&ex->emptied);
	cancel_enter(ex->around);
}

static void execution_init(struct execution *ex, struct plan *plan, const struct execute_opts *opts)
{
	const unsigned threads = pool_default_threads();

	*ex = (struct execution){ .plan = plan,
				  .opts = opts,
				  .cache_fd = -1,
				  .skeleton = SKELETON_INIT,
				  .states = xcalloc(plan->steps.len, sizeof(*ex->states)) };
	pthread_mutex_init(&ex->lock, NULL);
	pthread_mutex_init(&ex->emptying, NULL);
	pthread_cond_init(&ex->opened, NULL);
	ex->scope.outer = cancel_current();
	ex->around = cancel_enter(&ex->scope);
	ex->unpack_pool = pool_new(threads);
	ex->commit_pool = pool_new(COMMIT_THREADS);
	ex->copy_pool = pool_new(threads < COPY_THREADS ? threads : COPY_THREADS);
	ex->steps = group_new(plan->pool);
	ex->commits = group_new(ex->commit_pool);
}

/* All steps and the blobs that they have queued. If one kind failed the other was stopped, which
 * is nothing to report. */
static struct err *wait_for_steps(struct execution *ex)
{
	struct err *err = group_wait(ex->steps);
	struct err *late = group_wait(ex->commits); /* steps that are done queue no more */

	if (!err || (late && err_kind(err) == ERR_CANCELLED)) {
		err_free(err);
		return late;
	}
	err_free(late);
	return err;
}

/* The steps, then the blobs that nobody has made yet. */
static struct err *execute_all(struct execution *ex)
{
	if (something_missing(ex->plan))
		TRY(prepare_sandbox(ex));
	start_steps(ex);
	TRY(wait_for_steps(ex));
	if (!ex->opts->blobs)
		return NULL;
	TRY(commit_found(ex));
	return group_wait(ex->commits);
}

struct err *execute(struct plan *plan, const struct execute_opts *opts)
{
	struct execution ex;
	struct err *err;

	execution_init(&ex, plan, opts);
	err = execute_all(&ex);
	execution_free(&ex);
	return err;
}

struct err *execute_describe(struct plan *plan, json_t *documents)
{
	const struct execute_opts opts = { .describes = true };
	struct execution ex;
	struct err *err;

	execution_init(&ex, plan, &opts);
	err = prepare_sandbox(&ex);
	if (!err)
		err = execution_describe(&ex, documents);
	execution_free(&ex);
	return err;
}

struct err *execute_stack(struct plan *plan, struct plan_stage *stage, struct stack *ret)
{
	const struct execute_opts opts = { 0 };
	struct execution ex;
	struct err *err;

	execution_init(&ex, plan, &opts);
	err = execution_open_chain(&ex, stage, stage->top, ret);
	execution_free(&ex);
	return err;
}

struct err *execute_enter(struct plan *plan, struct err *(*enter)(struct execution *ex, void *self),
			  void *self)
{
	const struct execute_opts opts = { 0 };
	struct execution ex;
	struct err *err;

	execution_init(&ex, plan, &opts);
	err = prepare_sandbox(&ex);
	if (!err)
		err = enter(&ex, self);
	execution_free(&ex);
	return err;
}
