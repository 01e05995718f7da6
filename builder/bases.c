/*
 * builder/bases.c - the images that a plan is built on and copies from.
 *
 * Planning needs the config and the layers of every base. Those that are not in the store are
 * fetched, and so that they come side by side a walk over the Recipe finds them before it is
 * planned: names of images depend on nothing but the ARGs before the first FROM. What the
 * walk cannot see (triggers of a base, variables in --from) is fetched when planning comes to it.
 */

#include "builder/plan-private.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/pool.h"
#include "builder/build.h"
#include "builder/fetch.h"
#include "builder/source_lock.h"
#include "builder/source_policy.h"
#include "builder/transfer.h"
#include "registry/archive.h"
#include "registry/client.h"
#include "registry/find.h"
#include "registry/reference.h"
#include "store/blob.h"
#include "store/store.h"

#define PARALLEL 8 /* images at a time */

/* The key of an image's root filesystem: its chain id, whatever the image is called. */
static struct digest rootfs_key(const struct image *image)
{
	struct digest none = { { 0 } };

	return image->layer_count ? image->layers[image->layer_count - 1].chain_id : none;
}

static struct err *image_error(struct plan *plan, const struct plan_need *need, struct err *err)
{
	err = err_wrap(err, "image '%s'", need->name);
	return script_wrap(err, plan->recipe->script, need->position);
}

/* ---- what is here ---- */

static struct plan_image *find_known(struct plan *plan, const struct plan_need *need)
{
	vec_foreach (&plan->images, known)
		if (strcmp((*known)->name, need->name) == 0 &&
		    platform_equal(&(*known)->asked, &need->platform))
			return *known;
	return NULL;
}

static bool is_fit(const struct image *image, const struct plan_need *need)
{
	return !need->exact || !image->platform.arch[0] ||
	       platform_match(&need->platform, &image->platform) > 0;
}

static bool may_fetch(const struct plan *plan)
{
	return plan->opts->client && plan->opts->pull != PULL_NEVER;
}

/* Add the image that a descriptor leads to. Without `any` one for another platform than the need
 * names is ERR_NOT_FOUND. */
static struct err *add_image(struct plan *plan, const struct plan_need *need,
			     const struct descriptor *target, bool any, struct plan_image **ret)
{
	AUTO(image) struct image *image = NULL;
	struct plan_image *added;

	TRY(image_open(plan->store, target, &need->platform, &image));
	if (!any && !is_fit(image, need))
		return err_new(ERR_NOT_FOUND, "what is in the store is for another platform");
	added = xcalloc(1, sizeof(*added));
	added->name = xstrdup(need->name);
	added->asked = need->platform;
	added->target = *target;
	added->key = rootfs_key(image);
	added->image = STEAL(image);
	vec_push(&plan->images, added);
	*ret = added;
	return NULL;
}

/* What to ask for in the place of a need's name: its repository and the digest that the lock has; the caller's, NULL if it is
 * not locked. */
static struct err *find_locked(const struct plan *plan, const struct plan_need *need, char **ret)
{
	AUTO(mem) char *source = plan->opts->lock ? source_lock_image(need->name) : NULL;
	const char *slash = strrchr(need->name, '/'), *digest = NULL, *colon;

	*ret = NULL;
	if (!source || (need->context && need->context->spec.kind == CONTEXT_LAYOUT))
		return NULL;
	TRY(source_lock_find(plan->opts->lock, LOCKED_IMAGE, source, &digest));
	colon = strchr(slash ? slash : need->name, ':');
	if (digest)
		*ret = xasprintf("%.*s@%s",
				 (int)(colon ? colon - need->name : (long)strlen(need->name)),
				 need->name, digest);
	return NULL;
}

/* A digest of the lock, where no name of the store leads to it any more and nobody can be asked. What is not whole
 * shows when it is opened. */
static struct err *find_unnamed(const struct plan *plan, const char *locked, struct err *err,
				struct descriptor *ret)
{
	struct descriptor there = { .size = 0 };
	AUTO(err) struct err *other = NULL;
	bool known = false;

	if (err_kind(err) != ERR_NOT_FOUND ||
	    (may_fetch(plan) && !client_is_offline(plan->opts->client)))
		return err;
	other = digest_parse(strrchr(locked, '@') + 1, &there.digest);
	if (!other)
		other = blob_find(plan->store, &there.digest, &known, &there.size);
	if (other || !known)
		return err;
	err_free(err);
	*ret = there;
	return NULL;
}

static struct err *look_in_store(struct plan *plan, const struct plan_need *need,
				 struct plan_image **ret)
{
	AUTO(mem) char *locked = NULL;
	struct descriptor target;
	struct err *err;

	TRY(find_locked(plan, need, &locked));
	err = find_image(plan->store, locked ? locked : need->name, &target);
	TRY(err && locked ? find_unnamed(plan, locked, err, &target) : err);
	return add_image(plan, need, &target, !may_fetch(plan), ret);
}

/* Whether the target of a layout's entry has this digest. */
static bool has_digest(const struct loaded *loaded, const char *digest)
{
	char text[DIGEST_TEXT_SIZE];

	return strcmp(digest_format(&loaded->target.digest, text), digest) == 0;
}

/* The image that oci-layout:// means: by its digest, its tag, or the only one. */
static struct err *load_layout(struct plan *plan, const struct context_spec *spec,
			       struct descriptor *ret)
{
	AUTO(loaded_list) struct loaded_list list = { 0 };

	TRY(archive_load_unnamed(plan->store, spec->value, spec->digest ? NULL : spec->tag, true,
				 &list));
	if (!spec->digest)
		return archive_choose(spec->value, spec->tag, &list, ret);
	vec_foreach (&list, loaded) {
		if (has_digest(loaded, spec->digest)) {
			*ret = loaded->target;
			return NULL;
		}
	}
	return err_new(ERR_NOT_FOUND, "'%s' lists no image %s", spec->value, spec->digest);
}

/* The image of a need, if nobody has to be asked for it; else `*ret` is NULL. */
static struct err *find_here(struct plan *plan, const struct plan_need *need,
			     struct plan_image **ret)
{
	AUTO(mem) char *locked = NULL;
	struct err *err;

	*ret = find_known(plan, need);
	if (!*ret && need->context && need->context->spec.kind == CONTEXT_LAYOUT) {
		struct descriptor target;

		TRY(load_layout(plan, &need->context->spec, &target));
		return add_image(plan, need, &target, true, ret);
	}
	TRY(*ret ? NULL : find_locked(plan, need, &locked)); /* before anybody is asked */
	if (*ret || (may_fetch(plan) && plan->opts->pull != PULL_MISSING))
		return NULL;
	err = look_in_store(plan, need, ret);
	if (err_kind(err) != ERR_NOT_FOUND && err_kind(err) != ERR_CORRUPT)
		return err;
	if (may_fetch(plan)) {
		err_free(err); /* it is not here, or not whole */
		return NULL;
	}
	err = plan_note_near(plan, need->name, err);
	return err_note(err, "'cairn images' lists what there is; 'cairn pull', 'cairn load' and "
			     "'cairn import' bring an image into the store");
}

/* ---- which may be ---- */

/* What the policy makes of a need's name; the caller's. What is in a layout of this machine needs no leave. */
static struct err *judge(struct plan *plan, const struct plan_need *need, char **ret)
{
	const bool local = need->context && need->context->spec.kind == CONTEXT_LAYOUT;

	return image_error(plan, need,
			   source_policy_image(local ? NULL : plan->opts->policy, need->name, ret));
}

/* A name that is about to be asked for. */
struct asking {
	const struct plan *plan;
	const struct plan_need *need;
	bool locked; /* it has the digest of the lock in the place of the tag */
};

/* As the policy knows it: with the tag that the lock stands for. Owned. */
static struct err *unlocked(const struct asking *asking, const char *name, char **ret)
{
	struct reference ref, wanted;

	TRY(reference_parse(name, &ref));
	TRY(reference_parse(asking->need->name, &wanted));
	memcpy(ref.tag, wanted.tag, sizeof(ref.tag));
	ref.digest[0] = '\0';
	*ret = reference_canonical(&ref);
	return NULL;
}

/* A short name has become that of a registry: the policy was asked about what it usually means. */
static struct err *may_ask(void *self, const char *given)
{
	const struct asking *asking = self;
	const struct plan *plan = asking->plan;
	AUTO(mem) char *name = asking->locked ? NULL : xstrdup(given);
	AUTO(mem) char *meant = NULL;

	if (asking->locked)
		TRY(unlocked(asking, given, &name));

	TRY(source_policy_image(plan->opts->policy, name, &meant));
	if (strcmp(meant, name) == 0)
		return NULL;
	return err_new(ERR_DENIED,
		       "the source policy converts '%s': write that name, and not a short one",
		       name);
}

/* ---- fetching ---- */

/* A name that no registry had may be meant for something that is here. */
static struct err *explain(const struct plan *plan, const struct plan_need *need, struct err *err)
{
	AUTO(err) struct err *here = NULL;
	AUTO(image) struct image *image = NULL;
	AUTO(mem) char *has = NULL;
	struct descriptor target;

	if (!err || err_kind(err) == ERR_CANCELLED)
		return err;
	err = plan_note_near(plan, need->name, err);
	here = find_image(plan->store, need->name, &target);
	if (!here)
		here = image_open(plan->store, &target, &need->platform, &image);
	if (here)
		return err_note(err, "%s", err_text(here));
	if (is_fit(image, need))
		return err;
	has = platform_format(&image->platform);
	return err_note(err, "the one in the store is for %s", has);
}

/* Fetch what a need names. On any thread. */
static struct err *fetch(struct plan *plan, const struct plan_need *need, unsigned number,
			 struct descriptor *ret)
{
	AUTO(fetch_result) struct fetch_result result = { 0 };
	AUTO(mem) char *locked = NULL;
	struct transfer transfer;
	struct asking asking = { .plan = plan, .need = need };
	struct fetch_opts opts = { .policy = plan->opts->pull,
				   .platform = need->exact ? &need->platform : NULL,
				   .may_ask = may_ask,
				   .may_ask_self = &asking,
				   .progress = &transfer.progress };
	struct err *err;

	TRY(image_error(plan, need, find_locked(plan, need, &locked)));
	asking.locked = locked;
	if (locked) /* a digest has no newer content */
		opts.policy = PULL_MISSING;
	transfer_begin(&transfer, plan->opts->events, number, "pull", need->name);
	err = fetch_image(plan->store, plan->opts->client, locked ? locked : need->name, &opts,
			  &result);
	transfer_end(&transfer, err, result.fetched);
	*ret = result.target;
	return image_error(plan, need, explain(plan, need, err));
}

struct err *plan_image_of(struct plan *plan, const struct plan_need *need, struct plan_image **ret)
{
	struct plan_need judged = *need;
	AUTO(mem) char *name = NULL;
	struct descriptor target;

	TRY(judge(plan, need, &name));
	judged.name = name;
	TRY(image_error(plan, &judged, find_here(plan, &judged, ret)));
	if (*ret)
		return NULL;
	TRY(fetch(plan, &judged, ++plan->transfers, &target));
	return image_error(plan, &judged, add_image(plan, &judged, &target, true, ret));
}

/* ---- the walk ---- */

struct walk {
	struct plan *plan;
	bool *seen; /* stages by their index */
	struct {
		struct plan_need *at;
		size_t len, cap;
	} needs; /* to be fetched */
};

/* Takes ownership of `need->name`. */
static struct err *add_need(struct walk *walk, struct plan_need need)
{
	struct plan_image *here;
	char *name = NULL;
	struct err *err = judge(walk->plan, &need, &name);

	free(need.name);
	if (err)
		return err;
	need.name = name;
	vec_foreach (&walk->needs, other) {
		if (strcmp(other->name, need.name) == 0 &&
		    platform_equal(&other->platform, &need.platform)) {
			free(need.name);
			return NULL;
		}
	}
	err = image_error(walk->plan, &need, find_here(walk->plan, &need, &here));
	if (err || here)
		free(need.name);
	else
		vec_push(&walk->needs, need);
	return err;
}

static struct err *walk_stage(struct walk *walk, const struct stage *stage);

/* What --from or the `from` of a mount says: a stage before this one, a context that is an image, or an image.
 * What is none of them is for planning to refuse, and what holds variables of the stage for it to find. */
static struct err *walk_from(struct walk *walk, const struct stage *stage,
			     const struct instruction *instruction, const char *from, bool numbers)
{
	const struct recipe *recipe = walk->plan->recipe;
	const struct plan_name name = plan_look_up(walk->plan, from, stage->index, numbers);
	struct plan_need need = { .platform = walk->plan->opts->platform,
				  .exact = walk->plan->opts->platform_given,
				  .context = name.context,
				  .position = &instruction->position };

	if (strchr(from, '$'))
		return NULL;
	if (name.kind == NAME_STAGE)
		return walk_stage(walk, name.stage);
	if (name.kind == NAME_CONTEXT && name.context->image)
		need.name = xstrdup(name.context->image);
	else if (name.kind == NAME_IMAGE &&
		 !(numbers && strspn(from, "0123456789") == strlen(from)) &&
		 !recipe_find_stage(recipe, from, recipe->stage_count, false))
		need.name = xstrdup(from);
	return need.name ? add_need(walk, need) : NULL;
}

static struct err *walk_base(struct walk *walk, const struct stage *stage)
{
	struct plan_need need = { 0 };
	struct plan_name name;

	TRY(plan_base_of(walk->plan, stage, &need, &name));
	if (need.name[0] && (name.kind == NAME_IMAGE || need.context))
		return add_need(walk, need);
	free(need.name);
	return name.kind == NAME_STAGE ? walk_stage(walk, name.stage) : NULL;
}

/* What `stage` needs, and all that it is built on or copies from. */
static struct err *walk_stage(struct walk *walk, const struct stage *stage)
{
	if (walk->seen[stage->index])
		return NULL;
	walk->seen[stage->index] = true;
	TRY(plan_note_arguments(walk->plan, stage, walk_base(walk, stage)));
	if (plan_replacement(walk->plan, stage))
		return NULL;
	for (size_t i = 0; i < stage->instructions.len; i++) {
		const struct instruction *instruction = &stage->instructions.at[i];

		if (instruction->kind == INSTRUCTION_COPY && instruction->copy.from)
			TRY(walk_from(walk, stage, instruction, instruction->copy.from, true));
	}
	return NULL;
}

struct fetch_job {
	struct plan *plan;
	const struct plan_need *need;
	unsigned number;
	struct descriptor target; /* once it is done */
};

static struct err *run_fetch(void *arg)
{
	struct fetch_job *job = arg;

	return fetch(job->plan, job->need, job->number, &job->target);
}

static struct err *fetch_needs(struct walk *walk)
{
	const size_t count = walk->needs.len;
	AUTO(mem) struct fetch_job *jobs = xcalloc(count, sizeof(*jobs));
	AUTO(pool) struct pool *pool = pool_new(count < PARALLEL ? (unsigned)count : PARALLEL);
	AUTO(group) struct group *group = group_new(pool);

	for (size_t i = 0; i < count; i++) {
		jobs[i] = (struct fetch_job){ .plan = walk->plan,
					      .need = &walk->needs.at[i],
					      .number = ++walk->plan->transfers };
		group_run(group, run_fetch, NULL, &jobs[i]);
	}
	TRY(group_wait(group));
	for (size_t i = 0; i < count; i++) {
		struct plan_image *image;

		TRY(image_error(
			walk->plan, jobs[i].need,
			add_image(walk->plan, jobs[i].need, &jobs[i].target, true, &image)));
	}
	return NULL;
}

struct err *plan_bases(struct plan *plan, const struct stage *const *targets, size_t count)
{
	struct walk walk = { .plan = plan, .seen = xcalloc(plan->stage_count, sizeof(bool)) };
	struct err *err = NULL;

	for (size_t i = 0; !err && i < count; i++)
		err = walk_stage(&walk, targets[i]);
	if (!err && walk.needs.len)
		err = fetch_needs(&walk);
	vec_foreach (&walk.needs, need)
		free(need->name);
	vec_release(&walk.needs);
	free(walk.seen);
	return err;
}
