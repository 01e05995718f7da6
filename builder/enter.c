/*
 * builder/enter.c - see builder/enter.h.
 *
 * From the record of a failed step a plan is made that has this one step, and no
 * Recipe: mounts and sandbox are then made as for any other. A step of a Recipe is
 * entered in the plan of its build, of which nothing runs but what lies below it.
 */

#include "builder/enter.h"

#include <assert.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "base/pool.h"
#include "builder/build.h"
#include "builder/config.h"
#include "builder/execute-private.h"
#include "builder/mounts.h"
#include "builder/scope.h"
#include "builder/secrets.h"
#include "builder/ssh.h"
#include "overlay/idmap.h"
#include "store/failed.h"

/* ---- entering ---- */

/* Run the command on top of `stack`, in a layer that goes again. */
static struct err *enter_on(struct execution *ex, struct plan_step *step, const struct stack *stack,
			    const struct entry *entry, const char *shell)
{
	AUTO(layer_stage) struct layer_stage *layer = NULL;
	AUTO(strings) struct strings usual = { 0 };
	AUTO(mounts) struct mounts mounts = { 0 };
	struct run_site site = execution_run_site(ex, &mounts);
	struct run_visit visit = { &entry->argv, &entry->env, entry->run, entry->self };
	struct stack mapped = *stack; /* borrows the layers */
	AUTO(fd) int view_fd = -1;
	AUTO(fd) int root_fd = -1;

	strings_push(&usual, shell);
	if (!entry->argv.len)
		visit.argv = &usual;
	mapped.idmap = site.idmap = step->insecure ? NULL : ex->idmap;
	TRY(stack_view(stack, &view_fd));
	TRY(stack_begin_layer(stack, ex->plan->store, &layer));
	TRY(mounts_make(ex, step, view_fd, site.idmap, &mounts));
	TRY(stack_mount(&mapped, layer, &ex->skeleton, mounts_points_fd(&mounts), &root_fd, NULL));
	return run_visit(&site, step, root_fd, &visit);
}

/* ---- from a record ---- */

/* The plan of one step that failed. */
struct revival {
	const struct entry *entry;
	const struct failed_step *failed;
	struct build_opts opts;
	struct volumes volumes;
	struct recipe recipe; /* nothing */
	struct plan plan;
	struct plan_step step;
};

static inline void revival_auto_(struct revival *r)
{
	vec_foreach (&r->step.mounts, mount) {
		free(mount->target);
		free(mount->id);
		mount_release(&mount->flag);
	}
	vec_release(&r->step.mounts);
	strings_release(&r->step.argv);
	strings_release(&r->step.env);
	strings_release(&r->opts.hosts);
	volumes_release(&r->volumes);
	free(r->step.user);
	free(r->step.cwd);
	vec_release(&r->plan.steps);
	pool_free(r->plan.pool);
}

static char *copy_or_null(const char *text)
{
	return text && text[0] ? xstrdup(text) : NULL;
}

static int64_t less_one(uint64_t given)
{
	return given && given <= INT64_MAX ? (int64_t)given - 1 : -1;
}

static bool find_type(const char *name, enum mount_type *ret)
{
	static const enum mount_type types[] = { MOUNT_BIND, MOUNT_CACHE, MOUNT_TMPFS, MOUNT_SECRET,
						 MOUNT_SSH };

	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (strcmp(mount_type_name(types[i]), name) == 0) {
			*ret = types[i];
			return true;
		}
	return false;
}

static enum mount_sharing sharing_of(const char *word)
{
	return strcmp(word, "private") == 0 ? MOUNT_PRIVATE :
	       strcmp(word, "locked") == 0  ? MOUNT_LOCKED :
					      MOUNT_SHARED;
}

/* Why a mount is not there; NULL if it can be. */
static const char *missing(const struct revival *r, enum mount_type type,
			   const struct failed_mount *mount)
{
	if (type == MOUNT_BIND)
		return "what was bound there is not kept (cairn shell --before --context "
		       "CONTEXT STEP has it)";
	if (type == MOUNT_SECRET && !secrets_find(r->opts.secrets, mount->id))
		return "the secret is not kept: --secret gives it again";
	if (type == MOUNT_SSH && !ssh_sources_find(r->opts.ssh, mount->id))
		return "--ssh gives the agent again";
	return NULL;
}

static void revive_mount(struct revival *r, const struct failed_mount *mount)
{
	enum mount_type type;
	const char *why;

	if (!find_type(mount->type, &type))
		return;
	why = missing(r, type, mount);
	if (why) {
		log_info("nothing is mounted at %s: %s",
			 mount->target[0] ? mount->target : mount->env, why);
		return;
	}
	vec_push(&r->step.mounts, (struct plan_mount){
					  .flag = { .type = type,
						    .sharing = sharing_of(mount->sharing),
						    .source = copy_or_null(mount->source),
						    .env = copy_or_null(mount->env),
						    .read_only = mount->read_only,
						    .size = mount->size,
						    .mode = less_one(mount->mode),
						    .uid = less_one(mount->uid),
						    .gid = less_one(mount->gid) },
					  .target = copy_or_null(mount->target),
					  .id = copy_or_null(mount->id),
					  .cache = mount->cache,
				  });
}

static void revive_volume(struct revival *r, const struct failed_mount *mount)
{
	const struct volume volume = { .source = mount->source,
				       .target = mount->target,
				       .read_only = mount->read_only,
				       .device = strcmp(mount->type, "device") == 0 };
	AUTO(err) struct err *err = volumes_add_copy(&r->volumes, &volume);

	if (err)
		log_info("nothing is mounted at %s: %s", mount->target, err_text(err));
}

static enum sandbox_network network_of(const char *word)
{
	for (unsigned i = 0; sandbox_network_names[i]; i++)
		if (strcmp(sandbox_network_names[i], word) == 0)
			return (enum sandbox_network)i;
	return SANDBOX_NETWORK_NONE; /* of a later version: the least */
}

static void revive_step(struct revival *r)
{
	const struct failed_step *failed = r->failed;
	struct plan_step *step = &r->step;

	*step = (struct plan_step){ .number = 1, .kind = STEP_RUN, .needed = true };
	strings_copy(&step->argv, &failed->argv);
	strings_copy(&step->env, &failed->env);
	step->network = network_of(failed->network);
	step->insecure = failed->insecure;
	step->user = xstrdup(r->entry->user ? r->entry->user : failed->user);
	step->cwd = xstrdup(r->entry->cwd ? r->entry->cwd : failed->cwd);
	vec_foreach (&failed->mounts, mount)
		if (strcmp(mount->type, "volume") == 0 || strcmp(mount->type, "device") == 0)
			revive_volume(r, mount);
		else
			revive_mount(r, mount);
}

static void revive(struct revival *r, struct store *store)
{
	const struct failed_step *failed = r->failed;

	r->opts = *r->entry->opts;
	r->opts.hosts = (struct strings){ 0 };
	strings_copy(&r->opts.hosts, &failed->hosts);
	(void)strings_argv(&r->opts.hosts);
	r->opts.shm_size = r->opts.shm_size ? r->opts.shm_size : failed->shm_size;
	if (failed->host_root && r->opts.userns == STEP_USERNS_AUTO)
		r->opts.userns = STEP_USERNS_HOST;
	revive_step(r);
	r->opts.volumes = &r->volumes;
	r->opts.network = r->step.network;
	r->plan = (struct plan){ .store = store, .opts = &r->opts, .recipe = &r->recipe };
	r->plan.hostname = failed->hostname[0] ? failed->hostname : NULL;
	r->plan.pool = pool_new(1);
	vec_push(&r->plan.steps, &r->step);
}

static struct err *push(struct stack *stack, struct store *store, const char *lid)
{
	struct err *err = stack_push(stack, store, lid);

	if (err_kind(err) != ERR_NOT_FOUND)
		return err;
	err_free(err);
	return err_note(err_new(ERR_NOT_FOUND, "files of the step are not in the store any more"),
			"Build again: if the step fails again, it is kept again.");
}

static struct err *enter_revived(struct execution *ex, void *self)
{
	const struct revival *r = self;
	AUTO(stack) struct stack stack = { 0 };

	vec_foreach (&r->failed->below, lid)
		TRY(push(&stack, ex->plan->store, *lid));
	if (r->failed->lid[0] && !r->entry->before)
		TRY(push(&stack, ex->plan->store, r->failed->lid));
	return enter_on(ex, &ex->plan->steps.at[0][0], &stack, r->entry, r->failed->shell);
}

struct err *enter_failed(struct store *store, const struct entry *entry,
			 const struct failed_step *failed)
{
	AUTO(revival) struct revival r = { .entry = entry, .failed = failed };

	revive(&r, store);
	return execute_enter(&r.plan, enter_revived, &r);
}

/* ---- from a plan ---- */

bool enter_is_called(const char *name, unsigned number, const char *stage, unsigned index,
		     unsigned count)
{
	AUTO(mem) char *digits = xasprintf("%u", number);
	AUTO(mem) char *place = xasprintf("%s %u", stage, index);
	AUTO(mem) char *whole = xasprintf("%s/%u", place, count);
	const char *const names[] = { digits, stage, place, whole };

	if (name[0] == '#')
		name++;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return false;
}

/* Of a stage it is the last step. */
static struct err *find_planned(const struct plan *plan, const char *name, struct plan_step **ret)
{
	*ret = NULL;
	vec_foreach (&plan->steps, step)
		if (enter_is_called(name, (*step)->number, (*step)->stage->name, (*step)->index,
				    (*step)->stage->step_count))
			*ret = *step;
	if (*ret)
		return NULL;
	return err_note(
		err_new(ERR_NOT_FOUND, "no step is called '%.200s'", name),
		"A step is called as progress shows it: 3, app, \"app 2/5\". --target names "
		"a stage that the last one does not need.");
}

static void replace(char **text, const char *with)
{
	free(*text);
	*text = xstrdup(with);
}

/* Steps that are no RUN have what the stage has at its end. */
static void dress(struct plan_step *step, const struct entry *entry)
{
	const struct config *config = step->stage->config;

	if (step->kind != STEP_RUN) {
		const char *directory = config_text(config, "WorkingDir");

		scope_environment(step->stage->scope, &step->env);
		replace(&step->user, config_text(config, "User"));
		replace(&step->cwd, directory[0] ? directory : "/");
	}
	if (entry->user)
		replace(&step->user, entry->user);
	if (entry->cwd)
		replace(&step->cwd, entry->cwd);
}

/* The program to enter it with; `stage_shell` is that of its stage. */
static const char *shell_of(const struct plan_step *step, const struct strings *stage_shell)
{
	if (step->kind == STEP_RUN && step->instruction->run.form == RUN_EXEC)
		return "/bin/sh";
	return step->kind == STEP_RUN ? step->argv.at[0] : stage_shell->at[0];
}

struct planned {
	struct plan_step *step;
	const struct entry *entry;
};

static struct err *enter_in_plan(struct execution *ex, void *self)
{
	const struct planned *planned = self;
	struct plan_step *step = planned->step;
	AUTO(stack) struct stack stack = { 0 };
	AUTO(strings) struct strings shell = { 0 };

	dress(step, planned->entry);
	config_shell(step->stage->config, &shell);
	TRY(execution_open_chain(ex, step->stage, planned->entry->before ? step->below : step,
				 &stack));
	return enter_on(ex, step, &stack, planned->entry, shell_of(step, &shell));
}

struct err *enter_planned(struct plan *plan, const struct entry *entry)
{
	const struct execute_opts opts = { 0 };
	struct planned planned = { .entry = entry };
	unsigned missing = 0;

	TRY(find_planned(plan, entry->step, &planned.step));
	assert(planned.step);
	execute_narrow(plan, planned.step, entry->before, &missing);
	if (missing)
		log_info("%u step%s to run first", missing, missing == 1 ? "" : "s");
	TRY(execute(plan, &opts));
	log_info("step #%u of stage %s, %.200s%s", planned.step->number, planned.step->stage->name,
		 planned.step->instruction->text,
		 entry->before ? "; these are the files before it" : "");
	planned.step->needed = true; /* its sandbox is made as if it ran */
	planned.step->cached = false;
	return execute_enter(plan, enter_in_plan, &planned);
}
