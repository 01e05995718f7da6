/* builder/provide.c - one step: found at last, or made in a fresh layer and kept. */

#include "builder/execute-private.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "base/log.h"
#include "base/progress.h"
#include "base/str.h"
#include "base/userns.h"
#include "builder/add.h"
#include "builder/build.h"
#include "builder/copy.h"
#include "builder/events.h"
#include "builder/keep_failed.h"
#include "builder/mounts.h"
#include "builder/on_fail.h"
#include "builder/plan-private.h"
#include "builder/run.h"
#include "overlay/copies.h"
#include "overlay/diff.h"
#include "overlay/driver.h"
#include "overlay/owner.h"
#include "overlay/user.h"
#include "store/store.h"

#define SYNC_PERIOD ((uint64_t)30 * 1000000000) /* how much work may be lost in a power cut */

#define TOLD_EVERY ((uint64_t)100 * 1000000) /* nanoseconds between two events of progress */

/* strings_argv() has put the NULL there, on the thread that read the options. */
static char *const *hosts_of(const struct build_opts *opts)
{
	return opts->hosts.len ? opts->hosts.at : NULL;
}

/* What lies in a file system that cannot show its files in a user namespace is no reason not to run
 * the step, unless the user insists. */
static struct err *make_mounts(struct execution *ex, struct plan_step *step, int view_fd,
			       const struct idmap **idmap, struct mounts *ret)
{
	struct err *err = mounts_make(ex, step, view_fd, *idmap, ret);

	if (err_kind(err) == ERR_UNSUPPORTED && *idmap &&
	    ex->plan->opts->userns == STEP_USERNS_AUTO) {
		log_info("step %u is root of this machine, and not of a user namespace: %s",
			 step->number, err_text(err));
		err_free(err);
		mounts_release(ret);
		*ret = (struct mounts){ 0 };
		*idmap = NULL;
		err = mounts_make(ex, step, view_fd, NULL, ret);
	}
	return script_wrap(err, ex->plan->recipe->script, &step->instruction->position);
}

/* With one id alone what a step makes is everybody's until it is said whose it is. Where owners and devices may
 * be recorded, a user other than root may not do it. */
static struct err *settle_owners(const struct plan_step *step, int view_fd,
				 const struct layer_stage *layer, const struct copies *copies)
{
	AUTO(user) struct user user = { 0 };

	TRY(user_resolve(view_fd, str_of(step->user), &user));
	if (user.uid)
		TRY(err_wrap(owner_sift(layer->fs_fd, view_fd), "record owners"));
	if (userns_mode() != USERNS_SINGLE)
		return NULL;
	return err_wrap(owner_settle(layer->fs_fd, view_fd, copies, user.uid, user.gid),
			"record owners");
}

struct run_site execution_run_site(struct execution *ex, const struct mounts *mounts)
{
	return (struct run_site){ .sandbox = ex->sandbox,
				  .network_told = &ex->network_told,
				  .isolation_told = ex->opts->isolation_told,
				  .store = ex->plan->store,
				  .hostname = ex->plan->hostname,
				  .events = ex->opts->events,
				  .journal = ex->opts->journal,
				  .script = ex->plan->recipe->script,
				  .hosts = hosts_of(ex->plan->opts),
				  .shm_size = ex->plan->opts->shm_size,
				  .log_limit = ex->plan->opts->log_limit,
				  .ulimits = ex->plan->opts->ulimits,
				  .mounts = mounts };
}

/* What the command wrote becomes a layer, as far as that is done while it is mounted. */
static struct err *settle_run(struct execution *ex, struct plan_step *step, int view_fd,
			      const struct layer_stage *layer, struct mounted *mounted)
{
	const bool alone = userns_mode() == USERNS_SINGLE;
	AUTO(copies) struct copies copies = { 0 };

	TRY(script_wrap(mounted_settle(mounted, alone ? &copies : NULL), ex->plan->recipe->script,
			&step->instruction->position));
	return owner_recorded() ? settle_owners(step, view_fd, layer, mounted ? &copies : NULL) :
				  NULL;
}

/* A command that has failed, and was not stopped: what it left may be looked at. */
static struct err *after_failure(struct execution *ex, struct failed_run *failed, int view_fd,
				 struct mounted *owned, int owned_root_fd, struct err *err)
{
	AUTO(mounted) struct mounted *mounted = owned;
	AUTO(fd) int root_fd = owned_root_fd;
	AUTO(err) struct err *unsettled = NULL;

	if (!failed->code || ex->opts->run)
		return err;
	unsettled = settle_run(ex, failed->step, view_fd, failed->layer, mounted);
	close(STEAL_FD(root_fd)); /* nothing is mounted on a layer that is sealed */
	mounted_free(STEAL(mounted));
	if (unsettled)
		return err_note(err, "\nWhat it left is not kept: %s", err_text(unsettled));
	return keep_failed(ex, failed, on_fail(ex, failed, err));
}

static struct err *do_run(struct execution *ex, struct plan_step *step, const struct stack *stack,
			  int view_fd, struct layer_stage *layer, int *ret_code)
{
	AUTO(mounts) struct mounts mounts = { 0 };
	const struct idmap *idmap = step->insecure ? NULL : ex->idmap;
	struct stack mapped = *stack; /* borrows the layers */
	struct run_site site = execution_run_site(ex, &mounts);
	AUTO(mounted) struct mounted *mounted = NULL;
	AUTO(fd) int root_fd = -1;
	struct err *err;

	TRY(make_mounts(ex, step, view_fd, &idmap, &mounts));
	site.idmap = mapped.idmap = idmap;
	mapped.trees = ex->trees;
	TRY(stack_mount(&mapped, layer, &ex->skeleton, mounts_points_fd(&mounts), &root_fd,
			&mounted));
	err = (ex->opts->run ? ex->opts->run : run_step)(&site, step, root_fd, ret_code);
	if (!err)
		return settle_run(ex, step, view_fd, layer, mounted);
	mounts_release(&mounts); /* a cache is free again, and copies are not copied */
	mounts = (struct mounts){ 0 };
	return after_failure(ex, &(struct failed_run){ step, stack, layer, idmap, *ret_code },
			     view_fd, STEAL(mounted), STEAL_FD(root_fd), err);
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

/* The owner of a step's --chown. `view_fd` is what its layer is made on, which for one that is made
 * alone is not what lies below. */
static struct err *find_owner_below(const struct plan_step *step, const struct stack *stack,
				    int view_fd, struct copy_opts *opts)
{
	AUTO(fd) int below_fd = -1;

	if (step->looks_below)
		TRY(stack_view(stack, &below_fd));
	return find_owner(below_fd >= 0 ? below_fd : view_fd, step->copy.chown, opts);
}

/* The tree and the selection of a COPY from a stage, an image or scratch. */
static struct err *select_from(struct execution *ex, struct plan_step *step, struct tree **ret_tree,
			       struct selection *ret)
{
	const struct plan_copy *copy = &step->copy;
	AUTO(mem) char *what = NULL;
	int view_fd;

	TRY(execution_view(ex, &copy->from, &what, &view_fd));
	TRY(tree_open(view_fd, NULL, NULL, ret_tree));
	TRY(tree_read_records(*ret_tree));
	ret->excludes = &copy->excludes;
	ret->parents = copy->parents;
	vec_foreach (&copy->sources, source)
		TRY(selection_add(ret, *ret_tree, *source, what));
	return selection_load(ret, *ret_tree, ex->copy_pool);
}

/* Copy what is selected, then what stands in the Recipe. */
static struct err *copy_all(const struct plan_copy *copy, const struct tree *tree,
			    const struct selection *selection, struct copy_opts *opts, int view_fd,
			    int fs_fd)
{
	opts->dest_is_dir = opts->dest_is_dir || selection->len + copy->texts.len > 1;
	TRY(copy_run(tree, selection, opts, view_fd, fs_fd));
	vec_foreach (&copy->texts, text)
		TRY(copy_text(text->name, str_of(text->content), opts, view_fd, fs_fd));
	return NULL;
}

/* ---- ADD ---- */

/* A repository that is fetched, as progress of the step. */
struct fetching {
	struct execution *ex;
	const struct plan_step *step;
	char *what; /* owned */
	uint64_t done;
	uint64_t told; /* when */
};

static void tell_fetching(struct fetching *f)
{
	events_emit(f->ex->opts->events, &(struct build_event){ .kind = EVENT_STEP_PROGRESS,
								.step = f->step->number,
								.text = f->what,
								.done = f->done });
	f->told = clock_monotonic();
}

static void begin_fetching(void *self, uint64_t id, const char *what, uint64_t total)
{
	struct fetching *f = self;

	(void)id, (void)total;
	free(f->what);
	f->what = xstrdup(what);
	f->done = 0;
	tell_fetching(f);
}

static void advance_fetching(void *self, uint64_t id, uint64_t n)
{
	struct fetching *f = self;

	(void)id;
	f->done += n;
	if (clock_monotonic() - f->told >= TOLD_EVERY)
		tell_fetching(f);
}

static void end_fetching(void *self, uint64_t id, bool ok)
{
	struct fetching *f = self;

	(void)id, (void)ok;
	tell_fetching(f);
	free(f->what);
	f->what = NULL;
	f->done = 0;
	tell_fetching(f);
}

static struct err *do_add(struct execution *ex, const struct plan_step *step,
			  struct copy_opts *opts, int view_fd, const struct layer_stage *layer)
{
	static const struct progress_ops ops = { begin_fetching, advance_fetching, end_fetching };
	struct fetching fetching = { .ex = ex, .step = step }; /* one repository at a time */
	struct progress progress = { .ops = &ops, .self = &fetching };
	struct git_source_opts git = plan_git_opts(ex->plan);
	const struct add_site site = {
		.store = ex->plan->store, .git = &git, .below_fd = view_fd, .fs_fd = layer->fs_fd
	};

	git.progress = &progress;
	return add_run(&site, &step->copy, opts);
}

/* What comes from a directory of this machine is root's. */
static bool keeps_owner(const struct plan_from *from)
{
	return !from->context || !from->context->local;
}

static struct err *do_copy(struct execution *ex, struct plan_step *step, const struct stack *stack,
			   int view_fd, const struct layer_stage *layer)
{
	const struct plan_copy *copy = &step->copy;
	const bool foreign = !copy->from.context;
	struct copy_opts opts = { .dest = copy->dest,
				  .dest_is_dir = copy->dest_is_dir,
				  .keep_owner = keeps_owner(&copy->from) && !copy->chown,
				  .chmod = copy->chmod,
				  .pool = ex->copy_pool };
	AUTO(tree) struct tree *tree = NULL;
	AUTO(selection) struct selection selection = { 0 };

	if (copy->chown)
		TRY(find_owner_below(step, stack, view_fd, &opts));
	if (copy->is_add)
		return do_add(ex, step, &opts, view_fd, layer);
	if (!foreign)
		return copy_all(copy, copy->from.context->tree, &copy->selection, &opts, view_fd,
				layer->fs_fd);
	TRY(select_from(ex, step, &tree, &selection));
	return copy_all(copy, tree, &selection, &opts, view_fd, layer->fs_fd);
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
			int view_fd, struct layer_stage *layer, int *ret_code)
{
	struct err *err;

	if (step->kind == STEP_RUN)
		return do_run(ex, step, stack, view_fd, layer, ret_code);
	err = step->kind == STEP_COPY ? do_copy(ex, step, stack, view_fd, layer) :
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
		if (plan->has_epoch && !plan->opts->keep_times)
			TRY(diff_clamp_times(layer->fs_fd, plan->epoch));
		TRY(stack_seal_layer(stack, layer, &step->layer));
		memcpy(step->record.lid, step->layer.lid, sizeof(step->layer.lid));
		TRY(stack_push(stack, ex->plan->store, step->layer.lid));
	}
	step->record.created = clock_now();
	if (!ex->plan->opts->trial)
		TRY(step_put(ex->plan->store, &step->record));
	store_sync_later(ex->plan->store, SYNC_PERIOD);
	return NULL;
}

/* Run a step that nobody has done. */
static struct err *make_step(struct execution *ex, struct plan_step *step, struct stack *stack,
			     int *ret_code)
{
	AUTO(stack) struct stack nothing = { 0 };
	struct stack *under = step->alone ? &nothing : stack;
	AUTO(layer_stage) struct layer_stage *layer = NULL;
	uint64_t began = clock_monotonic();
	AUTO(fd) int view_fd = -1;

	TRY(stack_view(under, &view_fd));
	TRY(stack_begin_layer(under, ex->plan->store, &layer));
	TRY(work(ex, step, stack, view_fd, layer, ret_code));
	step->record.duration = clock_monotonic() - began;
	TRY(script_wrap(keep(ex, step, under, view_fd, layer), ex->plan->recipe->script,
			&step->instruction->position));
	if (ex->opts->blobs && step->record.lid[0] && commit_wants(ex->plan, step))
		commit_queue(ex, step, STEAL_FD(view_fd));
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

struct err *provide_step(struct execution *ex, struct plan_step *step, struct stack *stack,
			 int *ret_code)
{
	AUTO(lock) struct lock single = LOCK_INIT;

	if (!ex->plan->opts->no_cache && !step->fresh) {
		TRY(hold_key(ex, step, &single));
		TRY(execute_look_up_step(ex->plan, step));
	}
	if (!step->cached)
		return make_step(ex, step, stack, ret_code);
	if (step->record.lid[0])
		TRY(stack_push(stack, ex->plan->store, step->record.lid));
	return NULL;
}
