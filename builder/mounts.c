/* builder/mounts.c - see builder/mounts.h. */

#include "builder/mounts.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "builder/agent_relay.h"
#include "builder/agents.h"
#include "builder/build.h"
#include "builder/copy.h"
#include "builder/events.h"
#include "builder/execute-private.h"
#include "builder/mounts-private.h"
#include "builder/points.h"
#include "builder/secrets.h"
#include "builder/ssh.h"
#include "builder/tree.h"
#include "builder/volume.h"
#include "overlay/detached.h"
#include "overlay/idmap.h"
#include "overlay/owner.h"
#include "store/layer.h"

#define SECRET_MODE 0400
#define CACHE_MODE 0755
#define SCRIPT_MODE 0755
#define AGENT_MODE 0600
#define AGENT_SPACE ((uint64_t)64 * 1024)

/* Making the mounts of one step. */
struct making {
	struct execution *ex;
	const struct plan_step *step;
	const struct idmap *idmap; /* of the step's user namespace; NULL: it has none */
	struct mounts *mounts;
};

static void hold_release(struct mount_hold *hold)
{
	agent_relay_free(hold->relay);
	if (hold->fd >= 0)
		close(hold->fd);
	free(hold->source);
	free(hold->target);
	layer_stage_free(hold->stage);
}

static inline void mount_hold_auto_(struct mount_hold *hold)
{
	hold_release(hold);
}

#define HOLD_INIT ((struct mount_hold){ .fd = -1 })

/* Give a mount to the step. */
static void keep(struct making *m, struct mount_hold *hold, const char *target)
{
	hold->target = xstrdup(target);
	vec_push(&m->mounts->holds, *hold);
	*hold = HOLD_INIT;
}

void mounts_release(struct mounts *mounts)
{
	vec_foreach (&mounts->holds, hold)
		hold_release(hold);
	vec_release(&mounts->holds);
	vec_foreach (&mounts->caches, cache)
		cache_dir_close(cache);
	vec_release(&mounts->caches);
	free(mounts->list);
	layer_stage_free(mounts->points);
	vec_foreach (&mounts->env, pair)
		secret_wipe(*pair, strlen(*pair));
	strings_release(&mounts->env);
	strings_release(&mounts->texts);
}

int mounts_points_fd(const struct mounts *mounts)
{
	return mounts->points ? mounts->points->fs_fd : -1;
}

/* ---- in memory ---- */

static struct err *make_tmpfs(struct making *m, const struct plan_mount *mount)
{
	AUTO(mount_hold) struct mount_hold hold = HOLD_INIT;

	TRY(detached_tmpfs(MOUNTS_TMPFS_MODE, mount->flag.size, &hold.fd));
	if (mount->flag.read_only)
		TRY(detached_fix(hold.fd));
	keep(m, &hold, mount->target);
	return NULL;
}

/* The executable that a heredoc with "#!" becomes. */
static struct err *make_script(struct making *m)
{
	AUTO(mount_hold) struct mount_hold hold = HOLD_INIT;
	const struct plan_step *step = m->step;
	const struct detached_file file = { .data = step->script,
					    .len = strlen(step->script),
					    .mode = SCRIPT_MODE,
					    .executable = true };
	AUTO(mem) char *target = NULL;

	target = xasprintf(SCRIPT_DIR "/%s", step->script_name);
	TRY(detached_file(&file, &hold.fd));
	hold.source = xstrdup(DETACHED_FILE);
	keep(m, &hold, target);
	return NULL;
}

/* ---- secrets ---- */

static struct err *add_variable(struct making *m, const struct plan_mount *mount,
				const struct secret *secret)
{
	const char *value = secret ? secret->value : "";

	if (secret && strlen(value) != secret->len)
		return err_new(ERR_INVALID, "secret '%s' holds a NUL byte: it cannot be a variable",
			       mount->id);
	vec_push(&m->mounts->env, xasprintf("%s=%s", mount->flag.env, value));
	return NULL;
}

static uint32_t number_or(int64_t given, uint32_t otherwise)
{
	return given >= 0 ? (uint32_t)given : otherwise;
}

static struct err *make_secret(struct making *m, const struct plan_mount *mount)
{
	const struct secret *secret = secrets_find(m->ex->plan->opts->secrets, mount->id);
	AUTO(mount_hold) struct mount_hold hold = HOLD_INIT;
	struct detached_file file = { .mode = number_or(mount->flag.mode, SECRET_MODE) & 07777,
				      .uid = number_or(mount->flag.uid, 0),
				      .gid = number_or(mount->flag.gid, 0) };

	if (mount->flag.env)
		TRY(add_variable(m, mount, secret));
	if (!secret || !mount->target)
		return NULL;
	file.data = secret->value;
	file.len = secret->len;
	TRY(detached_file(&file, &hold.fd));
	hold.source = xstrdup(DETACHED_FILE);
	keep(m, &hold, mount->target);
	return NULL;
}

/* A socket of the step's own, in a file system that holds nothing else. */
static struct err *make_agent(struct making *m, const struct plan_mount *mount)
{
	AUTO(mount_hold) struct mount_hold hold = HOLD_INIT;
	struct agent_relay_opts opts = { .agents = m->ex->agents,
					 .id = mount->id,
					 .mode = number_or(mount->flag.mode, AGENT_MODE) & 0777,
					 .uid = number_or(mount->flag.uid, 0),
					 .gid = number_or(mount->flag.gid, 0) };

	if (!ssh_sources_find(m->ex->plan->opts->ssh, mount->id))
		return NULL;
	TRY(detached_tmpfs(0755, AGENT_SPACE, &hold.fd));
	opts.dir_fd = hold.fd;
	TRY(agent_relay_start(&opts, &hold.relay));
	hold.source = xstrdup(AGENT_SOCKET);
	keep(m, &hold, mount->target);
	return NULL;
}

/* ---- other trees ---- */

/* Copy what is selected of a context into `fs_fd`, below the name COPIED. */
#define COPIED "copy"

static struct err *copy_selected(struct execution *ex, const struct plan_mount *mount,
				 const char *dest, int fs_fd)
{
	const struct copy_opts opts = { .dest = dest,
					.keep_owner = !mount->from.context->local,
					.pool = ex->copy_pool };

	return copy_run(mount->from.context->tree, &mount->selection, &opts, -1, fs_fd);
}

/* A directory stands for its contents when it is copied: give the copy its own mode and time, too. */
static struct err *dress(int dir_fd, const struct tree_node *node)
{
	const struct timespec times[2] = { node->mtime, node->mtime };

	if (fchmod(dir_fd, node->mode & 07777) < 0 || futimens(dir_fd, times) < 0)
		return err_sys("set the mode and time of a copy");
	return NULL;
}

/* A part of the context, as it was when it was planned, and without what is ignored. */
static struct err *make_copy(struct making *m, const struct plan_mount *mount)
{
	AUTO(mount_hold) struct mount_hold hold = HOLD_INIT;
	const struct tree_node *node = mount->selection.at[0].node;
	AUTO(fd) int copy_fd = -1;

	TRY(layer_begin(m->ex->plan->store, &hold.stage));
	TRY(copy_selected(m->ex, mount, "/" COPIED, hold.stage->fs_fd));
	if (S_ISDIR(node->mode)) {
		TRY(file_make_dirs(hold.stage->fs_fd, COPIED, 0755, &copy_fd));
		if (!mount->from.context->local)
			TRY(owner_set(copy_fd, node->uid, node->gid));
		TRY(dress(copy_fd, node));
	} else {
		TRY(file_open(hold.stage->fs_fd, COPIED, O_PATH | O_NOFOLLOW, 0, FILE_NO_LINKS,
			      &copy_fd));
	}
	TRY(detached_clone(copy_fd, mount->flag.read_only, &hold.fd));
	keep(m, &hold, mount->target);
	return NULL;
}

/* A stage or an image to write to: what is written goes with `hold`. */
static struct err *mount_writable(struct execution *ex, const struct stack *stack,
				  struct mount_hold *hold)
{
	/* below it shall be nothing */
	const struct skeleton nothing = { .root_fd = ex->skeleton.empty_fd,
					  .empty_fd = ex->skeleton.empty_fd };

	TRY(stack_begin_layer(stack, ex->plan->store, &hold->stage));
	return stack_mount(stack, hold->stage, &nothing, -1, &hold->fd, NULL);
}

/* Open what a mount is to show. */
static struct err *open_source(int root_fd, const char *source, const char *what, int *ret_fd)
{
	struct err *err = file_open(root_fd, source, O_PATH, 0, FILE_IN_ROOT, ret_fd);

	if (err_kind(err) != ERR_NOT_FOUND)
		return err;
	err_free(err);
	return err_new(ERR_NOT_FOUND, "--mount: '%s' is not in %s", source, what);
}

static struct err *make_view(struct making *m, const struct plan_mount *mount)
{
	AUTO(mount_hold) struct mount_hold hold = HOLD_INIT;
	AUTO(stack) struct stack stack = { 0 };
	AUTO(mem) char *what = NULL;

	TRY(execution_stack_of(m->ex, &mount->from, &what, &stack));
	stack.idmap = m->idmap;
	hold.mapped = true;
	if (mount->flag.read_only)
		TRY(stack_view(&stack, &hold.fd));
	else
		TRY(mount_writable(m->ex, &stack, &hold));
	if (mount->flag.source) {
		AUTO(fd) int fd = -1;

		TRY(open_source(hold.fd, mount->flag.source, what, &fd));
		hold.source = xstrdup(mount->flag.source);
	}
	keep(m, &hold, mount->target);
	return NULL;
}

static struct err *make_bind(struct making *m, const struct plan_mount *mount)
{
	return mount->from.context ? make_copy(m, mount) : make_view(m, mount);
}

/* ---- caches ---- */

/* Opening one cache. */
struct opening {
	struct making *making;
	const struct plan_mount *mount;
	bool waited;
};

static void tell(const struct making *m, const char *text)
{
	events_emit(m->ex->opts->events, &(struct build_event){ .kind = EVENT_STEP_PROGRESS,
								.step = m->step->number,
								.text = text });
}

static void tell_waiting(void *self)
{
	struct opening *o = self;
	AUTO(mem)
	char *text = xasprintf("waiting for the cache '%s', which another step uses", o->mount->id);

	o->waited = true;
	tell(o->making, text);
}

/* All of a stage or an image. */
static struct err *copy_view(struct execution *ex, const struct plan_mount *mount, int fs_fd)
{
	const struct copy_opts opts = {
		.dest = "/", .dest_is_dir = true, .keep_owner = true, .pool = ex->copy_pool
	};
	AUTO(selection) struct selection all = { 0 };
	AUTO(tree) struct tree *tree = NULL;
	AUTO(mem) char *what = NULL;
	int view_fd;

	TRY(execution_view(ex, &mount->from, &what, &view_fd));
	TRY(tree_open(view_fd, NULL, NULL, &tree));
	TRY(tree_read_records(tree));
	TRY(selection_add(&all, tree, "/", what));
	TRY(selection_load(&all, tree, ex->copy_pool));
	return copy_run(tree, &all, &opts, -1, fs_fd);
}

/* What a new cache begins with: nothing, or what it is to be made from. */
static struct err *fill_cache(void *self, int fs_fd)
{
	const struct opening *o = self;
	const struct plan_mount *mount = o->mount;
	struct execution *ex = o->making->ex;

	if (mount->from.context)
		TRY(copy_selected(ex, mount, "/", fs_fd));
	else if (mount->from.stage || mount->from.image)
		TRY(copy_view(ex, mount, fs_fd));
	TRY(owner_set(fs_fd, (uid_t)number_or(mount->flag.uid, 0),
		      (gid_t)number_or(mount->flag.gid, 0)));
	if (fchmod(fs_fd, number_or(mount->flag.mode, CACHE_MODE) & 07777) < 0)
		return err_sys("set the mode of a cache");
	return NULL;
}

/* Whether this build has yet to empty the cache: --no-cache does so once. */
static bool must_empty(struct execution *ex, const struct plan_mount *mount)
{
	char id[DIGEST_TEXT_SIZE];

	if (!ex->plan->opts->no_cache || ex->plan->opts->trial)
		return false;
	digest_format(&mount->cache, id);
	vec_foreach (&ex->emptied, known)
		if (strcmp(*known, id) == 0)
			return false;
	strings_push(&ex->emptied, id);
	return true;
}

static struct err *open_cache(struct making *m, const struct plan_mount *mount)
{
	static const enum cache_sharing sharing[] = { [MOUNT_SHARED] = CACHE_SHARED,
						      [MOUNT_PRIVATE] = CACHE_PRIVATE,
						      [MOUNT_LOCKED] = CACHE_LOCKED };
	struct opening opening = { .making = m, .mount = mount };
	const struct cache_dir_opts opts = { .id = &mount->cache,
					     .about = mount->id,
					     .sharing = sharing[mount->flag.sharing],
					     .empty = must_empty(m->ex, mount),
					     .fill = fill_cache,
					     .waits = tell_waiting,
					     .self = &opening };
	struct cache_dir dir = CACHE_DIR_INIT;
	struct err *err = cache_dir_open(m->ex->plan->store, &opts, &dir);

	if (opening.waited)
		tell(m, NULL);
	TRY(err);
	vec_push(&m->mounts->caches, dir);
	return NULL;
}

/* The caches of a step in the order of their ids, each once. */
struct cache_list {
	const struct plan_mount **at;
	size_t len, cap;
};

static void add_cache(struct cache_list *list, const struct plan_mount *mount)
{
	size_t at;

	vec_foreach (list, known)
		if (digest_equal(&(*known)->cache, &mount->cache))
			return;
	vec_push(list, mount);
	for (at = list->len - 1; at > 0; at--) {
		if (memcmp(&list->at[at - 1]->cache, &mount->cache, sizeof(mount->cache)) <= 0)
			break;
		list->at[at] = list->at[at - 1];
	}
	list->at[at] = mount;
}

static struct err *open_list(struct making *m, const struct cache_list *list)
{
	vec_foreach (list, mount)
		TRY(open_cache(m, *mount));
	return NULL;
}

/* Under --no-cache steps get theirs one after the other, so that none sees one that another is about
 * to empty. */
static struct err *open_caches(struct making *m, struct cache_list *list)
{
	const bool alone = m->ex->plan->opts->no_cache;
	struct err *err;

	vec_foreach (&m->step->mounts, mount)
		if (mount->flag.type == MOUNT_CACHE)
			add_cache(list, mount);
	if (list->len == 0)
		return NULL;
	if (alone)
		pthread_mutex_lock(&m->ex->emptying);
	err = open_list(m, list);
	if (alone)
		pthread_mutex_unlock(&m->ex->emptying);
	return err;
}

/* The part of its cache that a mount shows. */
static struct err *make_cache(struct making *m, const struct cache_list *list,
			      const struct plan_mount *mount)
{
	AUTO(mount_hold) struct mount_hold hold = HOLD_INIT;
	AUTO(fd) int part_fd = -1;
	size_t i = 0;

	assert(list->at && m->mounts->caches.at); /* this one was listed, and opened */
	while (!digest_equal(&list->at[i]->cache, &mount->cache))
		i++;
	TRY(open_source(m->mounts->caches.at[i].fd, mount->flag.source ? mount->flag.source : "/",
			"the cache", &part_fd));
	TRY(detached_clone(part_fd, mount->flag.read_only, &hold.fd));
	keep(m, &hold, mount->target);
	return NULL;
}

/* ---- all of them ---- */

static struct err *make_one(struct making *m, const struct cache_list *caches,
			    const struct plan_mount *mount)
{
	switch (mount->flag.type) {
	case MOUNT_BIND:
		return make_bind(m, mount);
	case MOUNT_CACHE:
		return make_cache(m, caches, mount);
	case MOUNT_TMPFS:
		return make_tmpfs(m, mount);
	case MOUNT_SECRET:
		return make_secret(m, mount);
	case MOUNT_SSH:
		return make_agent(m, mount);
	}
	return NULL;
}

static struct err *make_volumes(struct making *m, const struct volumes *volumes)
{
	vec_foreach (volumes, volume) {
		AUTO(mount_hold) struct mount_hold hold = HOLD_INIT;

		TRY(volume_open(volume, m->idmap, &hold.fd));
		if (m->idmap && volume->device)
			hold.source = xstrdup(DETACHED_FILE);
		keep(m, &hold, volume->target);
	}
	strings_copy(&m->mounts->env, &volumes->env);
	return NULL;
}

static struct err *make_all(struct making *m, struct cache_list *caches)
{
	/* first of all, so that other mounts may lie in them: what every step finds */
	if (m->ex->plan->opts->volumes)
		TRY(make_volumes(m, m->ex->plan->opts->volumes));
	TRY(make_volumes(m, &m->step->devices));
	TRY(open_caches(m, caches));
	if (m->step->script)
		TRY(make_script(m));
	vec_foreach (&m->step->mounts, mount)
		TRY(make_one(m, caches, mount));
	return NULL;
}

/* What a mount shows, a directory or not. */
static struct err *is_directory(const struct mount_hold *hold, bool *ret)
{
	AUTO(fd) int fd = -1;
	struct stat st;

	if (hold->source)
		TRY(file_open(hold->fd, hold->source, O_PATH, 0, FILE_IN_ROOT, &fd));
	if (fstat(fd >= 0 ? fd : hold->fd, &st) < 0)
		return err_sys("look at a mount");
	*ret = S_ISDIR(st.st_mode);
	return NULL;
}

/* Make the mount points that the image lacks. */
static struct err *make_points(struct making *m, int view_fd)
{
	struct mounts *mounts = m->mounts;

	vec_foreach (&mounts->holds, hold) {
		bool directory = false;

		if (!points_needed(view_fd, hold->target))
			continue;
		if (!mounts->points)
			TRY(layer_begin(m->ex->plan->store, &mounts->points));
		TRY(is_directory(hold, &directory));
		TRY(err_wrap(points_make(mounts->points->fs_fd, view_fd, hold->target, directory),
			     "--mount"));
	}
	return NULL;
}

/* Let them show owners as the step knows them. */
static struct err *map_mounts(struct making *m)
{
	if (!m->idmap)
		return NULL;
	vec_foreach (&m->mounts->holds, hold)
		if (!hold->mapped)
			TRY(err_wrap(idmap_apply(m->idmap, hold->fd, true), "%s", hold->target));
	return NULL;
}

void mounts_list(struct mounts *mounts)
{
	size_t count = 0;

	mounts->list = xcalloc(mounts->holds.len, sizeof(*mounts->list));
	vec_foreach (&mounts->holds, hold)
		mounts->list[count++] = (struct sandbox_mount){ .fd = hold->fd,
								.source = hold->source,
								.target = hold->target,
								.told = hold->told };
}

struct err *mounts_make(struct execution *ex, const struct plan_step *step, int view_fd,
			const struct idmap *idmap, struct mounts *ret)
{
	struct making making = { .ex = ex, .step = step, .idmap = idmap, .mounts = ret };
	struct cache_list caches = { 0 };
	struct err *err = make_all(&making, &caches);

	vec_release(&caches);
	TRY(err);
	TRY(make_points(&making, view_fd));
	TRY(map_mounts(&making));
	mounts_list(ret);
	return NULL;
}

/* ---- before anything runs ---- */

static struct err *check_mount(const struct plan *plan, const struct plan_step *step,
			       const struct plan_mount *mount)
{
	const struct build_opts *opts = plan->opts;

	if (!mount->flag.required)
		return NULL;
	if (mount->flag.type == MOUNT_SSH && !ssh_sources_find(opts->ssh, mount->id))
		return script_error(
			plan->recipe->script, &step->instruction->position, ERR_NOT_FOUND,
			"ssh agent '%s' is required: give it with --ssh %s", mount->id, mount->id);
	if (mount->flag.type != MOUNT_SECRET || secrets_find(opts->secrets, mount->id))
		return NULL;
	return script_error(plan->recipe->script, &step->instruction->position, ERR_NOT_FOUND,
			    "secret '%s' is required: give it with --secret id=%s,src=FILE",
			    mount->id, mount->id);
}

struct err *mounts_check(const struct plan *plan)
{
	vec_foreach (&plan->steps, step) {
		if (!(*step)->needed || (*step)->cached)
			continue;
		vec_foreach (&(*step)->mounts, mount)
			TRY(check_mount(plan, *step, mount));
	}
	return NULL;
}

struct err *mounts_start_agents(struct execution *ex)
{
	vec_foreach (&ex->plan->steps, step) {
		if (!(*step)->needed || (*step)->cached)
			continue;
		vec_foreach (&(*step)->mounts, mount)
			if (mount->flag.type == MOUNT_SSH &&
			    ssh_sources_find(ex->plan->opts->ssh, mount->id))
				TRY(err_wrap(agents_start(ex->agents, mount->id), "--ssh %s",
					     mount->id));
	}
	return NULL;
}
