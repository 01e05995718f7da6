/* builder/mounts_tell.c - what a RUN would find mounted, for a document about it (builder/mounts.h). */

#include "builder/mounts.h"

#include "builder/build.h"
#include "builder/execute-private.h"
#include "builder/mounts-private.h"
#include "builder/plan.h"
#include "builder/secrets.h"
#include "builder/ssh.h"
#include "builder/volume.h"

/* What stands for a secret's value. */
#define UNSAID "(secret)"

/* A text that lives as long as the mounts. */
static const char *keep_text(struct mounts *mounts, char *text)
{
	vec_push(&mounts->texts, text);
	return text;
}

static struct sandbox_mount_told *add(struct mounts *mounts, const char *target)
{
	struct mount_hold *hold = vec_add(&mounts->holds);

	hold->fd = -1;
	hold->target = xstrdup(target);
	return &hold->told;
}

static void tell_volumes(const struct volumes *volumes, struct mounts *ret)
{
	vec_foreach (volumes, volume) {
		struct sandbox_mount_told *told = add(ret, volume->target);

		told->source = keep_text(ret, xstrdup(volume->source));
		told->read_only = volume->read_only;
	}
	strings_copy(&ret->env, &volumes->env);
}

/* Where the files of a bind or a cache come from, in words. */
static char *source_of(const struct plan_mount *mount)
{
	const char *path = mount->flag.source ? mount->flag.source : "/";

	if (mount->flag.type == MOUNT_CACHE)
		return xasprintf("cache:%s:%s", mount->id, path);
	if (mount->from.stage)
		return xasprintf("stage:%s:%s", mount->from.stage->name, path);
	if (mount->from.image)
		return xasprintf("image:%s:%s", mount->from.image->name, path);
	return xasprintf(
		"context:%s:%s",
		mount->from.context && mount->from.context->name ? mount->from.context->name : "",
		path);
}

static void tell_secret(const struct execution *ex, const struct plan_mount *mount,
			struct mounts *ret)
{
	const bool given = secrets_find(ex->plan->opts->secrets, mount->id);

	if (mount->flag.env)
		vec_push(&ret->env, xasprintf("%s=" UNSAID, mount->flag.env));
	if (!given || !mount->target)
		return;
	*add(ret, mount->target) = (struct sandbox_mount_told){
		.source = keep_text(ret, xasprintf("secret:%s", mount->id)),
		.read_only = true,
	};
}

static void tell_one(const struct execution *ex, const struct plan_mount *mount, struct mounts *ret)
{
	struct sandbox_mount_told told = { .read_only = mount->flag.read_only };

	switch (mount->flag.type) {
	case MOUNT_SECRET:
		tell_secret(ex, mount, ret);
		return;
	case MOUNT_SSH:
		if (!ssh_sources_find(ex->plan->opts->ssh, mount->id))
			return;
		told.source = keep_text(ret, xasprintf("ssh:%s", mount->id));
		break;
	case MOUNT_TMPFS:
		told.type = "tmpfs";
		told.mode = MOUNTS_TMPFS_MODE;
		told.size = mount->flag.size;
		break;
	case MOUNT_BIND:
	case MOUNT_CACHE:
		told.source = keep_text(ret, source_of(mount));
		break;
	}
	*add(ret, mount->target) = told;
}

void mounts_tell(const struct execution *ex, const struct plan_step *step, struct mounts *ret)
{
	if (ex->plan->opts->volumes)
		tell_volumes(ex->plan->opts->volumes, ret);
	tell_volumes(&step->devices, ret);
	if (step->script)
		*add(ret, keep_text(ret, xasprintf(SCRIPT_DIR "/%s", step->script_name))) =
			(struct sandbox_mount_told){ .source = "script", .read_only = true };
	vec_foreach (&step->mounts, mount)
		tell_one(ex, mount, ret);
	mounts_list(ret);
}
