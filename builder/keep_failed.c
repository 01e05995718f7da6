/* builder/keep_failed.c - see builder/keep_failed.h. */

#include "builder/keep_failed.h"

#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "builder/build.h"
#include "builder/execute-private.h"
#include "builder/secrets.h"
#include "overlay/diff.h"
#include "overlay/walk.h"
#include "registry/url.h"
#include "store/failed.h"

#define SECRET_LEAST 4                          /* bytes: of fewer, every file has some */
#define SPACE_LEAST ((uint64_t)8 * 1024 * 1024) /* that is left on the disk, */
#define SPACE_SHARE 50                          /* and which part of it */
#define SEARCH_CHUNK ((size_t)1024 * 1024)

/* ---- secrets ---- */

/* Looking for the values of secrets in a tree. */
struct search {
	const struct secret *at[64];
	size_t count;
	char *chunk; /* owned: SEARCH_CHUNK, and the longest value before it */
	char *path;  /* owned: where one was found; NULL: nowhere */
	const struct secret *found;
};

static inline void search_auto_(struct search *search)
{
	if (search->chunk)
		secret_wipe(search->chunk, SEARCH_CHUNK + SECRET_MAX);
	free(search->chunk);
	free(search->path);
}

/* Without what ends a line: who writes a value into a file leaves that out, or puts more behind it. */
static size_t needle_len(const struct secret *secret)
{
	size_t len = secret->len;

	while (len > 0 && strchr("\n\r\t ", secret->value[len - 1]))
		len--;
	return len;
}

/* Whether one of them stands in `len` bytes. */
static bool search_bytes(struct search *search, const char *bytes, size_t len)
{
	for (size_t i = 0; i < search->count && !search->found; i++)
		if (memmem(bytes, len, search->at[i]->value, needle_len(search->at[i])))
			search->found = search->at[i];
	return search->found;
}

/* Chunks overlap, so that a value is found also where two meet. */
static struct err *search_file(struct search *search, int fd)
{
	size_t held = 0;

	for (;;) {
		ssize_t got = read(fd, search->chunk + held, SEARCH_CHUNK);

		if (got < 0)
			return err_sys("read a file");
		if (got == 0)
			return NULL;
		held += (size_t)got;
		if (search_bytes(search, search->chunk, held))
			return NULL;
		if (held > SECRET_MAX) {
			memmove(search->chunk, search->chunk + held - SECRET_MAX, SECRET_MAX);
			held = SECRET_MAX;
		}
	}
}

static struct err *search_entry(void *arg, const struct walk_entry *entry)
{
	struct search *search = arg;

	if (search->found)
		return NULL;
	if (!search_bytes(search, entry->tar.path, strlen(entry->tar.path)) && entry->tar.link)
		(void)search_bytes(search, entry->tar.link, strlen(entry->tar.link));
	if (!search->found && entry->fd >= 0 && entry->st && S_ISREG(entry->st->st_mode))
		TRY(search_file(search, entry->fd));
	if (search->found)
		search->path = xstrdup(entry->tar.path);
	return NULL;
}

/* The secrets that the step was given and that can be told from other bytes. */
static void list_secrets(const struct execution *ex, const struct plan_step *step,
			 struct search *search)
{
	vec_foreach (&step->mounts, mount) {
		const struct secret *secret =
			mount->flag.type == MOUNT_SECRET ?
				secrets_find(ex->plan->opts->secrets, mount->id) :
				NULL;

		if (secret && needle_len(secret) >= SECRET_LEAST &&
		    search->count < ARRAY_SIZE(search->at))
			search->at[search->count++] = secret;
	}
}

/* Nothing is kept that has the value of a secret in it. */
static struct err *refuse_secrets(const struct execution *ex, const struct failed_run *run)
{
	AUTO(search) struct search search = { .count = 0 };

	list_secrets(ex, run->step, &search);
	if (!search.count)
		return NULL;
	search.chunk = xcalloc(1, SEARCH_CHUNK + SECRET_MAX);
	TRY(walk(run->layer->fs_fd, &(struct walk_opts){ .flat = true, .below_fd = -1 },
		 search_entry, &search));
	if (!search.found)
		return NULL;
	if (memmem(search.path, strlen(search.path), search.found->value, needle_len(search.found)))
		return err_new(ERR_DENIED, "secret '%s' is in the name of a file",
			       search.found->id);
	return err_new(ERR_DENIED, "secret '%s' is in its file %s", search.found->id, search.path);
}

/* ---- the record ---- */

static const char *text_or_none(const char *text)
{
	return text ? text : "";
}

static uint64_t plus_one(int64_t given)
{
	return given < 0 ? 0 : (uint64_t)given + 1;
}

static void describe_mount(const struct plan_mount *mount, struct failed_step *ret)
{
	static const char *const sharing[] = {
		[MOUNT_SHARED] = "shared", [MOUNT_PRIVATE] = "private", [MOUNT_LOCKED] = "locked"
	};
	const struct mount *flag = &mount->flag;

	vec_push(&ret->mounts,
		 (struct failed_mount){ .type = xstrdup(mount_type_name(flag->type)),
					.target = xstrdup(text_or_none(mount->target)),
					.source = xstrdup(text_or_none(flag->source)),
					.id = xstrdup(text_or_none(mount->id)),
					.sharing = xstrdup(sharing[flag->sharing]),
					.env = xstrdup(text_or_none(flag->env)),
					.cache = mount->cache,
					.read_only = flag->read_only,
					.size = flag->size,
					.mode = plus_one(flag->mode),
					.uid = plus_one(flag->uid),
					.gid = plus_one(flag->gid) });
}

static void describe_volumes(const struct volumes *volumes, struct failed_step *ret)
{
	vec_foreach (volumes, volume)
		vec_push(&ret->mounts,
			 (struct failed_mount){
				 .type = xstrdup(volume->device ? "device" : "volume"),
				 .target = xstrdup(volume->target),
				 .source = xstrdup(volume->source),
				 .read_only = volume->read_only,
			 });
}

/* What the user says to enter a shell: the one of a command that was given to it. */
static const char *shell_of(const struct plan_step *step)
{
	return step->instruction->run.form == RUN_EXEC ? "/bin/sh" : step->argv.at[0];
}

static void describe_sandbox(const struct execution *ex, const struct failed_run *run,
			     struct failed_step *ret)
{
	const struct plan_step *step = run->step;
	const struct build_opts *opts = ex->plan->opts;

	strings_copy(&ret->argv, &step->argv);
	strings_copy(&ret->env, &step->env);
	strings_copy(&ret->hosts, &opts->hosts);
	ret->shell = xstrdup(shell_of(step));
	ret->user = xstrdup(text_or_none(step->user));
	ret->cwd = xstrdup(text_or_none(step->cwd));
	ret->hostname = xstrdup(text_or_none(ex->plan->hostname));
	ret->network = xstrdup(sandbox_network_names[step->network]);
	ret->insecure = step->insecure;
	ret->host_root = !run->idmap;
	ret->shm_size = opts->shm_size;
	if (opts->volumes)
		describe_volumes(opts->volumes, ret);
	describe_volumes(&step->devices, ret);
	vec_foreach (&step->mounts, mount)
		describe_mount(mount, ret);
}

static void describe(const struct execution *ex, const struct failed_run *run,
		     struct failed_step *ret)
{
	const struct plan_step *step = run->step;

	ret->created = clock_now();
	ret->number = step->number;
	ret->index = step->index;
	ret->count = step->stage->step_count;
	ret->stage = xstrdup(step->stage->name);
	ret->title = xstrdup(step->instruction->text);
	ret->code = run->code;
	vec_foreach (run->below, layer)
		strings_push(&ret->below, layer->lid);
	describe_sandbox(ex, run, ret);
}

/* ---- keeping ---- */

/* A step that filled the disk would leave no room for anything else. */
static struct err *refuse_full_disk(const struct failed_run *run)
{
	struct statvfs disk;

	if (fstatvfs(run->layer->fs_fd, &disk) < 0)
		return err_sys("look at the store's file system");
	if ((uint64_t)disk.f_bavail * disk.f_frsize < SPACE_LEAST ||
	    disk.f_bavail < disk.f_blocks / SPACE_SHARE)
		return err_new(ERR_DENIED, "the disk is almost full");
	return NULL;
}

/* Put the record; without one its layer would be rubbish. */
static struct err *put(struct store *store, struct failed_step *failed, bool *ret_kept)
{
	struct err *err = failed_put(store, failed, ret_kept);

	if (err && failed->lid[0])
		err_free(layer_discard(store, failed->lid)); /* else a prune takes it */
	return err;
}

static struct err *keep(struct execution *ex, const struct failed_run *run, bool *ret_kept)
{
	AUTO(failed_step) struct failed_step failed = { 0 };
	AUTO(fd) int view_fd = -1;
	struct layer_meta meta = { 0 };
	bool empty;

	TRY(refuse_full_disk(run));
	TRY(refuse_secrets(ex, run));
	describe(ex, run, &failed);
	TRY(stack_view(run->below, &view_fd));
	TRY(diff_is_empty(run->layer->fs_fd, view_fd, &empty));
	if (!empty) {
		TRY(stack_seal_layer(run->below, run->layer, &meta));
		memcpy(failed.lid, meta.lid, sizeof(meta.lid));
	}
	return put(ex->plan->store, &failed, ret_kept);
}

struct err *keep_failed(struct execution *ex, const struct failed_run *run, struct err *err)
{
	bool kept = false;
	AUTO(err) struct err *why = keep(ex, run, &kept);

	if (why)
		return err_note(err, "\nWhat it left is not kept: %s", err_text(why));
	return err_note(err, kept ? "\n'cairn shell' enters it, with the files that it left." :
				    "\nWhat it left is not kept: it is too large.");
}
