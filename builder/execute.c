/* builder/execute.c - see builder/execute.h.
 *
 * One state per step, guarded by `lock`: how many unfinished steps it waits for
 * and who waits for it. A finished step keeps the open stack of its result as
 * long as somebody still has to start from it; the last one takes it over, so a
 * straight chain of n steps opens n directories and not n * n.
 *
 * Steps and blobs are two groups, since they have pools of their own, within one
 * scope, which the first failure in either stops. `lock` is never held while
 * the disk is at work: whoever opens an image says so in its state, and others
 * who need the same one wait for that.
 */

#include "builder/execute.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cancel.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "base/log.h"
#include "base/pool.h"
#include "builder/build.h"
#include "builder/copy.h"
#include "builder/events.h"
#include "builder/run.h"
#include "overlay/diff.h"
#include "overlay/skeleton.h"
#include "overlay/user.h"
#include "store/blob.h"
#include "store/store.h"

#define COMMIT_THREADS 2 /* blobs in the making at a time: what they need is memory */
#define COPY_THREADS 8   /* more only wait for the file system; each holds descriptors */
#define SYNC_PERIOD ((uint64_t)30 * 1000000000) /* how much work may be lost in a power cut */

/* ---- look-up ---- */

static struct err *look_up_step(struct plan *plan, struct plan_step *step)
{
	AUTO(step_record) struct step_record found = { 0 };

	if (plan->opts->no_cache)
		return NULL;
	TRY(step_find(plan->store, &step->record.key, false, &step->cached, &found, &step->layer));
	if (step->cached) {
		step->record.created = found.created;
		step->record.duration = found.duration;
		memcpy(step->record.lid, found.lid, sizeof(found.lid));
	}
	return NULL;
}

static struct plan_step *source_of(const struct plan_step *step)
{
	return step->copy.from_stage ? step->copy.from_stage->top : NULL;
}

/* Mark a step, all below it, and what the missing ones among them copy from. */
static void need(struct plan_step *step)
{
	for (; step && !step->needed; step = step->below) {
		step->needed = true;
		if (!step->cached)
			need(source_of(step)); /* as deep as stages copy from one another */
	}
}

struct err *execute_lookup(struct plan *plan, unsigned *ret_needed, unsigned *ret_missing)
{
	unsigned needed = 0, missing = 0;

	vec_foreach (&plan->steps, step)
		TRY(look_up_step(plan, *step));
	need(plan->target->top);
	vec_foreach (&plan->steps, step) {
		needed += (*step)->needed;
		missing += (*step)->needed && !(*step)->cached;
	}
	*ret_needed = needed;
	*ret_missing = missing;
	return NULL;
}

/* ---- the execution ---- */

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
	int cache_fd;               /* for the sandbox, owned */
	struct layer_stage *holder; /* a staging directory that holds the skeleton */
	struct skeleton skeleton;

	pthread_mutex_t lock;
	pthread_cond_t opened;     /* an image is no longer IMAGE_OPENING */
	struct step_state *states; /* by number - 1; guarded by lock */
};

static struct step_state *state_of(struct execution *ex, const struct plan_step *step)
{
	return &ex->states[step->number - 1];
}

/* What a step and its stage are built on in the end: an image, or nothing. */
static struct plan_image *base_of(const struct plan_stage *stage)
{
	while (stage->parent)
		stage = stage->parent;
	return stage->image;
}

/* Wait while somebody else opens the image; true if it is then ours to open. */
static bool claim_image(struct execution *ex, struct plan_image *image)
{
	bool ours;

	pthread_mutex_lock(&ex->lock);
	while (image->state == IMAGE_OPENING)
		pthread_cond_wait(&ex->opened, &ex->lock);
	ours = image->state == IMAGE_CLOSED;
	if (ours)
		image->state = IMAGE_OPENING;
	pthread_mutex_unlock(&ex->lock);
	return ours;
}

/* The layers of an image, unpacked if need be, once. */
static struct err *image_stack(struct execution *ex, struct plan_image *image, struct stack *ret)
{
	struct err *err = NULL;

	if (claim_image(ex, image)) {
		err = stack_of_image(ex->plan->store, image->image, ex->unpack_pool, NULL,
				     &image->stack);
		pthread_mutex_lock(&ex->lock);
		image->state = err ? IMAGE_CLOSED : IMAGE_OPEN;
		pthread_cond_broadcast(&ex->opened);
		pthread_mutex_unlock(&ex->lock);
	}
	TRY(err_wrap(err, "image '%s'", image->name));
	return stack_copy(&image->stack, ex->plan->store, ret);
}

/* Open the layers up to and with `top`; NULL: only the base of `stage`. */
static struct err *open_chain(struct execution *ex, const struct plan_stage *stage,
			      struct plan_step *top, struct stack *ret)
{
	struct plan_image *image = base_of(stage);
	VEC(struct plan_step *) chain = { 0 };
	struct err *err = NULL;

	if (image)
		err = image_stack(ex, image, ret);
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
	struct step_state *state = state_of(ex, step);
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

/* The stack of a finished step, or of the base of `stage` (`top` NULL). */
static struct err *take_stack(struct execution *ex, const struct plan_stage *stage,
			      struct plan_step *top, struct stack *ret)
{
	if (top && take_over(ex, top, ret))
		return NULL;
	return open_chain(ex, stage, top, ret);
}

/* `err`, which stops all else that goes on if it is one. */
static struct err *stop_others(struct execution *ex, struct err *err)
{
	if (err)
		cancel_stop(&ex->scope);
	return err;
}

/* ---- blobs ---- */

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
	err = stop_others(job->ex, err);
	drop_commit(job);
	return err;
}

/* Takes ownership of `below_fd`. */
static void queue_commit(struct execution *ex, struct plan_step *step, int below_fd)
{
	struct commit_job *job = xcalloc(1, sizeof(*job));

	*job = (struct commit_job){ ex, step, below_fd };
	group_run(ex->commits, run_commit, drop_commit, job);
}

static bool in_target(const struct execution *ex, const struct plan_step *step)
{
	for (const struct plan_step *s = ex->plan->target->top; s; s = s->below)
		if (s == step)
			return true;
	return false;
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

/* Blobs of layers that were found, not made: an earlier build may not have needed them. */
static struct err *commit_found(struct execution *ex)
{
	AUTO(stack) struct stack stack = { 0 };
	VEC(struct plan_step *) chain = { 0 };
	struct err *err = NULL;

	for (struct plan_step *s = ex->plan->target->top; s; s = s->below)
		vec_push(&chain, s);
	while (!err && chain.len > 0) {
		struct plan_step *step = chain.at[--chain.len];
		bool lacks;

		err = lacks_blob(ex, step, &lacks);
		if (!err && lacks) {
			int below_fd = -1;

			stack_release(&stack);
			err = open_chain(ex, step->stage, step->below, &stack);
			if (!err)
				err = stack_view(&stack, &below_fd);
			if (!err)
				queue_commit(ex, step, below_fd);
		}
	}
	vec_release(&chain);
	return err;
}

/* ---- one step ---- */

static struct err *do_run(struct execution *ex, struct plan_step *step, const struct stack *stack,
			  const struct layer_stage *layer, int *ret_code)
{
	const struct run_site site = { .sandbox = ex->sandbox,
				       .hostname = ex->plan->hostname,
				       .events = ex->opts->events,
				       .journal = ex->opts->journal,
				       .script = ex->plan->recipe->script };
	AUTO(fd) int root_fd = -1;

	TRY(stack_mount(stack, layer, &ex->skeleton, &root_fd));
	return (ex->opts->run ? ex->opts->run : run_step)(&site, step, root_fd, ret_code);
}

/* The ids of --chown: a number alone stands for the group, too; a name for its own group. */
static struct err *find_owner(int view_fd, const char *text, struct copy_opts *opts)
{
	struct str group = str_of(text);
	struct str user = str_cut(&group, ':');
	AUTO(user) struct user found = { 0 };
	AUTO(err) struct err *no_number = NULL;
	uint64_t number;

	TRY(err_wrap(user_resolve(view_fd, user, &found), "--chown=%s", text));
	opts->given_owner = true;
	opts->uid = found.uid;
	opts->gid = found.gid;
	no_number = num_parse(user, 0, INT32_MAX, &number);
	if (!no_number)
		opts->gid = (gid_t)number;
	if (group.at) {
		AUTO(mem) char *pair = xasprintf("0:%.*s", STR_ARG(group));
		AUTO(user) struct user with_group = { 0 };

		TRY(err_wrap(user_resolve(view_fd, str_of(pair), &with_group), "--chown=%s", text));
		opts->gid = with_group.gid;
	}
	return NULL;
}

/* The tree and the selection of a COPY from a stage or an image. */
static struct err *select_from(struct execution *ex, struct plan_step *step, struct tree **ret_tree,
			       struct selection *ret)
{
	const struct plan_copy *copy = &step->copy;
	AUTO(stack) struct stack stack = { 0 };
	AUTO(mem) char *what = NULL;
	int view_fd;

	if (copy->from_stage) {
		what = xasprintf("stage '%s'", copy->from_stage->name);
		TRY(take_stack(ex, copy->from_stage, copy->from_stage->top, &stack));
	} else {
		what = xasprintf("image '%s'", copy->from_image->name);
		TRY(image_stack(ex, copy->from_image, &stack));
	}
	TRY(stack_view(&stack, &view_fd));
	TRY(tree_open(view_fd, NULL, NULL, ret_tree));
	vec_foreach (&copy->sources, source)
		TRY(selection_add(ret, *ret_tree, *source, what));
	return selection_load(ret, *ret_tree, ex->copy_pool);
}

static struct err *do_copy(struct execution *ex, struct plan_step *step, int view_fd,
			   const struct layer_stage *layer)
{
	const struct plan_copy *copy = &step->copy;
	bool foreign = copy->from_stage || copy->from_image;
	struct copy_opts opts = { .dest = copy->dest,
				  .dest_is_dir = copy->dest_is_dir,
				  .keep_owner = foreign && !copy->chown,
				  .chmod = copy->chmod,
				  .pool = ex->copy_pool };
	AUTO(tree) struct tree *tree = NULL;
	AUTO(selection) struct selection selection = { 0 };

	if (copy->chown)
		TRY(find_owner(view_fd, copy->chown, &opts));
	if (!foreign) {
		opts.dest_is_dir = opts.dest_is_dir || copy->selection.len > 1;
		return copy_run(ex->plan->context, &copy->selection, &opts, view_fd, layer->fs_fd);
	}
	TRY(select_from(ex, step, &tree, &selection));
	opts.dest_is_dir = opts.dest_is_dir || selection.len > 1;
	return copy_run(tree, &selection, &opts, view_fd, layer->fs_fd);
}

static struct err *do_workdir(struct plan_step *step, int view_fd, const struct layer_stage *layer)
{
	AUTO(user) struct user user = { 0 };
	AUTO(fd) int there = -1;
	struct err *err =
		file_open(view_fd, step->cwd, O_PATH | O_DIRECTORY, 0, FILE_IN_ROOT, &there);

	if (!err)
		return NULL;
	err_free(err); /* it is not there: make it, or say what is in its way */
	TRY(user_resolve(view_fd, str_of(step->user), &user));
	return copy_make_dir(step->cwd, user.uid, user.gid, view_fd, layer->fs_fd);
}

/* Do the work of a step in a fresh layer. Errors get their place here; run_step() has given its
 * own. */
static struct err *work(struct execution *ex, struct plan_step *step, const struct stack *stack,
			int view_fd, const struct layer_stage *layer, int *ret_code)
{
	struct err *err;

	if (step->kind == STEP_RUN)
		return do_run(ex, step, stack, layer, ret_code);
	err = step->kind == STEP_COPY ? do_copy(ex, step, view_fd, layer) :
					do_workdir(step, view_fd, layer);
	return script_wrap(err, ex->plan->recipe->script, &step->instruction->position);
}

/* Seal what a step left, put it onto the stack, and write the step's record. */
static struct err *keep(struct execution *ex, struct plan_step *step, struct stack *stack,
			int view_fd, struct layer_stage *layer)
{
	const struct plan *plan = ex->plan;
	bool empty;

	TRY(diff_is_empty(layer->fs_fd, view_fd, &empty));
	step->layer = (struct layer_meta){ 0 };
	if (!empty) {
		if (plan->has_epoch)
			TRY(diff_clamp_times(layer->fs_fd, plan->epoch));
		TRY(stack_seal_layer(stack, layer, &step->layer));
		memcpy(step->record.lid, step->layer.lid, sizeof(step->layer.lid));
		TRY(stack_push(stack, ex->plan->store, step->layer.lid));
	}
	step->record.created = clock_now();
	TRY(step_put(ex->plan->store, &step->record));
	store_sync_later(ex->plan->store, SYNC_PERIOD);
	return NULL;
}

/* Run a step that nobody has done. */
static struct err *make_step(struct execution *ex, struct plan_step *step, struct stack *stack,
			     int *ret_code)
{
	AUTO(layer_stage) struct layer_stage *layer = NULL;
	uint64_t began = clock_monotonic();
	AUTO(fd) int view_fd = -1;

	TRY(stack_view(stack, &view_fd));
	TRY(stack_begin_layer(stack, ex->plan->store, &layer));
	TRY(work(ex, step, stack, view_fd, layer, ret_code));
	step->record.duration = clock_monotonic() - began;
	TRY(script_wrap(keep(ex, step, stack, view_fd, layer), ex->plan->recipe->script,
			&step->instruction->position));
	if (ex->opts->blobs && step->record.lid[0] && in_target(ex, step))
		queue_commit(ex, step, STEAL_FD(view_fd));
	return NULL;
}

/* A step whose key somebody else has. */
struct wait {
	struct execution *ex;
	const struct plan_step *step;
	bool told;
};

static void tell_progress(struct execution *ex, const struct plan_step *step, const char *text)
{
	events_emit(ex->opts->events, &(struct build_event){ .kind = EVENT_STEP_PROGRESS,
							     .step = step->number,
							     .text = text });
}

/* The step of another stage that has the same key; NULL if only another build can have it. */
static const struct plan_step *find_twin(const struct plan *plan, const struct plan_step *step)
{
	vec_foreach (&plan->steps, other)
		if (*other != step && (*other)->needed &&
		    digest_equal(&(*other)->record.key, &step->record.key))
			return *other;
	return NULL;
}

static void begin_wait(void *self)
{
	struct wait *wait = self;
	const struct plan_step *twin = find_twin(wait->ex->plan, wait->step);
	AUTO(mem)
	char *text = twin ? xasprintf("waiting for the same step of stage %s", twin->stage->name) :
			    xstrdup("waiting for another build that makes the same step");

	wait->told = true;
	tell_progress(wait->ex, wait->step, text);
}

/* Hold the key of a step, so that nobody else makes it. */
static struct err *hold_key(struct execution *ex, const struct plan_step *step, struct lock *ret)
{
	struct wait wait = { .ex = ex, .step = step };
	const struct lock_wait how = { .begin = begin_wait, .self = &wait };
	struct err *err = store_single(ex->plan->store, &step->record.key, &how, ret);

	if (wait.told)
		tell_progress(ex, step, NULL);
	return err;
}

/* Make a step, or find that another process made it meanwhile. */
static struct err *provide(struct execution *ex, struct plan_step *step, struct stack *stack,
			   int *ret_code)
{
	AUTO(lock) struct lock single = LOCK_INIT;

	if (!ex->plan->opts->no_cache) {
		TRY(hold_key(ex, step, &single));
		TRY(look_up_step(ex->plan, step));
	}
	if (!step->cached)
		return make_step(ex, step, stack, ret_code);
	if (step->record.lid[0])
		TRY(stack_push(stack, ex->plan->store, step->record.lid));
	return NULL;
}

static void tell_begin(struct execution *ex, const struct plan_step *step)
{
	events_emit(ex->opts->events, &(struct build_event){ .kind = EVENT_STEP_BEGIN,
							     .step = step->number,
							     .stage = step->stage->name,
							     .index = step->index,
							     .count = step->stage->step_count,
							     .text = step->instruction->text });
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
							     .text = err ? err_text(err) : NULL });
}

/* ---- order ---- */

struct step_job {
	struct execution *ex;
	struct plan_step *step;
};

static void queue_step(struct execution *ex, struct plan_step *step);

/* Note the end of a step, keep its stack if somebody starts from it, wake who waited. */
static void finish_step(struct execution *ex, struct plan_step *step, struct stack *stack)
{
	struct step_state *state = state_of(ex, step);
	VEC(struct plan_step *) ready = { 0 };

	pthread_mutex_lock(&ex->lock);
	state->finished = true;
	if (state->users > 0) {
		state->stack = *stack;
		state->has_stack = true;
		*stack = (struct stack){ 0 };
	}
	vec_foreach (&state->waiters, waiter)
		if (--state_of(ex, *waiter)->pending == 0)
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
	err = take_stack(ex, step->stage, step->below, &stack);
	if (!err)
		err = provide(ex, step, &stack, &code);
	tell_end(ex, step, err, clock_monotonic() - began, code);
	if (!err)
		finish_step(ex, step, &stack);
	return stop_others(ex, err);
}

static void queue_step(struct execution *ex, struct plan_step *step)
{
	struct step_job *job = xcalloc(1, sizeof(*job));

	*job = (struct step_job){ ex, step };
	group_run(ex->steps, run_step_job, free, job);
}

/* `step` starts from `other`: it waits for the highest step at or below it that has to run, and
 * takes its stack if that is `other` itself. */
static void depend(struct execution *ex, struct plan_step *step, struct plan_step *other)
{
	struct plan_step *missing = other;

	while (missing && missing->cached)
		missing = missing->below;
	if (!missing)
		return;
	if (missing == other)
		state_of(ex, missing)->users++;
	vec_push(&state_of(ex, missing)->waiters, step);
	state_of(ex, step)->pending++;
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
		depend(ex, *step, (*step)->below);
		depend(ex, *step, source_of(*step));
		if (state_of(ex, *step)->pending == 0)
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

/* Until steps have a network of their own, say once whose they share. */
static void tell_network(const struct plan *plan)
{
	if (plan->opts->network_given)
		return;
	vec_foreach (&plan->steps, step) {
		if ((*step)->kind != STEP_RUN || !(*step)->needed || (*step)->cached ||
		    (*step)->network != SANDBOX_NETWORK_HOST ||
		    (*step)->instruction->run.network == RUN_NETWORK_HOST)
			continue;
		log_info("RUN steps use the network of this machine; --network none takes it away");
		return;
	}
}

static struct err *prepare_sandbox(struct execution *ex)
{
	tell_network(ex->plan);
	TRY(layer_begin(ex->plan->store, &ex->holder));
	TRY(skeleton_open(ex->holder->dir_fd, &ex->skeleton));
	TRY(file_make_dirs(store_fd(ex->plan->store), "cache", 0700, &ex->cache_fd));
	ex->sandbox = sandbox_new(ex->cache_fd);
	return NULL;
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
	skeleton_close(&ex->skeleton);
	layer_stage_free(ex->holder);
	if (ex->cache_fd >= 0)
		close(ex->cache_fd);
	pthread_cond_destroy(&ex->opened);
	pthread_mutex_destroy(&ex->lock);
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

struct err *execute_stack(struct plan *plan, struct plan_stage *stage, struct stack *ret)
{
	const struct execute_opts opts = { 0 };
	struct execution ex;
	struct err *err;

	execution_init(&ex, plan, &opts);
	err = open_chain(&ex, stage, stage->top, ret);
	execution_free(&ex);
	return err;
}
