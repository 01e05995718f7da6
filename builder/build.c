/* builder/build.c - see builder/build.h. */

#include "builder/build.h"

#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/json.h"
#include "base/log.h"
#include "base/pool.h"
#include "base/text.h"
#include "builder/assemble.h"
#include "builder/attest.h"
#include "builder/caches.h"
#include "builder/config.h"
#include "builder/deliver.h"
#include "builder/enter.h"
#include "builder/events.h"
#include "builder/execute.h"
#include "builder/image_changes.h"
#include "builder/materials.h"
#include "builder/mounts.h"
#include "builder/plan.h"
#include "builder/review_values.h"
#include "builder/scope.h"
#include "builder/source_lock.h"
#include "builder/transfer.h"
#include "builder/tree.h"
#include "registry/index.h"
#include "registry/push.h"
#include "registry/reference.h"
#include "store/blob.h"
#include "store/id.h"
#include "store/journal.h"
#include "store/ref.h"
#include "store/store.h"

/* ---- remarks ---- */

/* What a base image of a planned stage sets. */
static struct err *base_of_plan(void *self, const struct stage *stage, const char *name,
				struct config **ret)
{
	const struct plan *plan = self;
	const struct plan_image *image = plan->stages[stage->index].image;

	(void)name;
	return image ? config_new(image->image->config, ret) : NULL;
}

/* Look for what is doubtful in the stages that are built. ERR_INVALID if something is, and the Recipe
 * wants it to be an error. */
static struct err *review(struct plan *plan)
{
	const struct lints *lints = &plan->recipe->lints;
	AUTO(mem) bool *wanted = xcalloc(plan->stage_count, sizeof(bool));

	for (size_t i = 0; i < plan->stage_count; i++)
		wanted[i] = plan->stages[i].state == PLAN_DONE;
	TRY(review_values(&(struct review_values){
		.survey = { .recipe = plan->recipe,
			    .globals = plan->globals,
			    .wanted = wanted,
			    .base = base_of_plan,
			    .base_self = plan },
		.platform = &plan->opts->platform,
		.ignore = plan->context ? plan->context->ignore.rules : NULL,
		.contexts = plan->opts->contexts,
		.context_count = plan->opts->context_count }));
	if (lints->len > 0 && lints->policy.error)
		return err_new(ERR_INVALID,
			       "%s has %zu remark%s, and its check directive says that "
			       "remarks are errors",
			       script_name(plan->recipe->script), lints->len,
			       lints->len == 1 ? "" : "s");
	return NULL;
}

static bool has_lint(const struct lints *lints, const struct lint *wanted)
{
	vec_foreach (lints, lint)
		if (strcmp(lint->rule, wanted->rule) == 0 &&
		    strcmp(lint->text, wanted->text) == 0 &&
		    lint->position.line == wanted->position.line)
			return true;
	return false;
}

/* Remarks on the Recipe, but for those that the plan of another platform has made already. */
static void tell_lints(const struct plan *plan, const struct plan *before,
		       const struct build_events *events)
{
	const struct script *script = plan->recipe->script;

	vec_foreach (&plan->recipe->lints, lint) {
		AUTO(buf) struct buf excerpt = BUF_INIT((size_t)64 * 1024);
		unsigned line;
		const char *file = script_place(script, lint->position.line, &line);
		AUTO(mem) char *text = xasprintf("%s:%u: %s", file, line, lint->text);

		if (before && has_lint(&before->recipe->lints, lint))
			continue;
		script_excerpt(script, &lint->position, &excerpt);
		events_emit(events, &(struct build_event){ .kind = EVENT_WARNING,
							   .rule = lint->rule,
							   .text = text,
							   .excerpt = excerpt.at });
	}
}

/* Build arguments that nobody asked for. */
static void tell_unused(const struct build_args *args, const struct build_events *events)
{
	AUTO(strings) struct strings unused = { 0 };

	build_args_unused(args, &unused);
	vec_foreach (&unused, name) {
		AUTO(mem)
		char *text = xasprintf("--build-arg %s is not used: no ARG names it", *name);

		events_emit(events, &(struct build_event){ .kind = EVENT_WARNING, .text = text });
	}
}

/* Names behind --no-cache-filter that no stage has. */
static void tell_unknown_stages(const struct plan *plan, const struct build_events *events)
{
	AUTO(mem) const char **names = xcalloc(plan->stage_count, sizeof(*names));

	for (size_t i = 0; i < plan->stage_count; i++)
		names[i] = plan->stages[i].name;
	vec_foreach (&plan->opts->no_cache_stages, wanted) {
		AUTO(mem) char *text = NULL;
		const char *near;
		bool found = false;

		for (size_t i = 0; i < plan->stage_count; i++)
			found = found || plan_stage_is(&plan->stages[i], *wanted);
		if (found)
			continue;
		near = text_nearest(str_of(*wanted), names, plan->stage_count);
		text = xasprintf("--no-cache-filter %s has no effect: no stage is called so%s%s%s",
				 *wanted, near ? " (did you mean " : "", near ? near : "",
				 near ? "?)" : "");
		events_emit(events, &(struct build_event){ .kind = EVENT_WARNING, .text = text });
	}
}

/* ---- the build ---- */

/* What is built for one platform. */
struct part {
	struct build_opts opts; /* those of the build, but for the platform */
	char *label;            /* owned; opts.platform_label */
	struct plan *plan;      /* owned; NULL: not planned yet */
	struct caches *caches;  /* owned; NULL: none */
	unsigned steps, missing;
};

struct build {
	struct store *store;
	struct build_opts
		opts; /* the caller's, but for the events and what materials_gather() changes */
	struct context context; /* the build's own, if it was fetched */
	struct pool *pool;
	struct journal *journal;
	struct build_events events; /* the caller's and the journal's */
	const struct build_events *pair[2];
	struct build_events to_journal;
	uint64_t began;
	struct timespec began_at;
	struct part *parts;  /* owned; of each platform, in the order of the options */
	struct plan **plans; /* owned: theirs */
	size_t count;
	atomic_uint isolation_told; /* by the executions, one after another (builder/run.h) */
};

static void build_release(struct build *build)
{
	for (size_t i = 0; i < build->count; i++) {
		caches_free(build->parts[i].caches);
		plan_free(build->parts[i].plan);
		free(build->parts[i].label);
	}
	free(build->parts);
	free(build->plans);
	source_lock_free(build->opts.lock);
	context_release(&build->context);
	journal_free(build->journal);
	pool_free(build->pool);
}

static inline void build_auto_(struct build *build)
{
	build_release(build);
}

/* Of an event: an instruction may be as long as a Recipe, and JSON spells a byte with six. */
#define EVENT_MAX (6 * SCRIPT_MAX + (size_t)64 * 1024)

static void emit_to_journal(void *self, const struct build_event *event)
{
	struct build *build = self;
	AUTO(buf) struct buf line = BUF_INIT(EVENT_MAX);

	if (event->kind == EVENT_STEP_LOG)
		return; /* the logs are files of their own, whole */
	event_format_json(event, event->when > build->began ? event->when - build->began : 0,
			  &line);
	journal_event(build->journal, buf_str(&line));
}

/* Begin the journal; without one the build goes on. */
static void begin_journal(struct build *build)
{
	const bool wanted = !build->opts.documents && !build->opts.entry;
	struct err *err = wanted ? journal_begin(build->store, &build->journal) : NULL;

	if (err) {
		log_warn("this build keeps no logs: %s", err_text(err));
		err_free(err);
	}
	build->to_journal = (struct build_events){ emit_to_journal, build };
	build->pair[0] = build->opts.events;
	build->pair[1] = build->journal ? &build->to_journal : NULL;
	build->events = events_tee(build->pair);
	build->opts.events = &build->events;
}

static bool wants_image(const struct build_opts *opts)
{
	if (opts->output_count == 0 || opts->want_image || opts->save_stages)
		return true;
	for (size_t i = 0; i < opts->target_count; i++)
		if (opts->targets[i].tags.len > 0)
			return true;
	for (size_t i = 0; i < opts->output_count; i++)
		switch (opts->outputs[i].kind) {
		case OUTPUT_STORE:
		case OUTPUT_OCI:
		case OUTPUT_DOCKER:
			return true;
		case OUTPUT_TAR:
		case OUTPUT_LOCAL:
		case OUTPUT_NONE:
			break;
		}
	return false;
}

static bool is_target(const struct plan *plan, const struct plan_stage *stage)
{
	for (size_t i = 0; i < plan->target_count + plan->kept_count; i++)
		if (plan->targets[i].stage == stage)
			return true;
	return false;
}

/* The stages that have a needed step, or are a target. */
static unsigned count_stages(const struct plan *plan)
{
	unsigned count = 0;

	for (size_t i = 0; i < plan->stage_count; i++) {
		bool needed = is_target(plan, &plan->stages[i]);

		vec_foreach (&plan->steps, step)
			needed = needed || ((*step)->needed && (*step)->stage == &plan->stages[i]);
		count += needed;
	}
	return count;
}

static void tell_begin(const struct build *build)
{
	events_emit(&build->events,
		    &(struct build_event){ .kind = EVENT_BUILD_BEGIN,
					   .text = build->journal ? journal_id(build->journal) :
								    NULL });
}

static void tell_plan(const struct build *build)
{
	unsigned stages = 0, steps = 0;

	for (size_t i = 0; i < build->count; i++) {
		stages += count_stages(build->parts[i].plan);
		steps += build->parts[i].steps;
	}
	events_emit(&build->events, &(struct build_event){ .kind = EVENT_BUILD_PLAN,
							   .stages = stages,
							   .steps = steps });
}

/* ---- images ---- */

/* An index of all platforms, and not only of an image and of what is said about it. */
static bool is_many(const struct build *build)
{
	return build->count > 1 || build->opts.want_index;
}

/* The platform of an image in an index: that which was asked for, or else that of its base. */
static const struct platform *platform_of(const struct build *build, size_t i, size_t target)
{
	return build->count > 1 || build->opts.platform_given ?
		       &build->parts[i].opts.platform :
		       &build->plans[i]->targets[target].stage->platform;
}

/* Make the index of a target: the images of all parts, and what is said about them. They are then no images for
 * their own sake. */
static struct err *make_index(const struct build *build, size_t target, struct descriptor *ret)
{
	static const struct image_changes none;
	const struct image_changes *changes = build->opts.changes ? build->opts.changes : &none;
	AUTO(json)
	json_t *own = image_changes_annotations(changes, ANNOTATION_INDEX, NULL, NULL, NULL);
	AUTO(json) json_t *index = index_new();
	bool known;

	if (build->opts.format == IMAGE_DOCKER)
		json_set_text(index, "mediaType", MEDIA_DOCKER_LIST);

	for (size_t i = 0; i < build->count; i++) {
		const struct platform *platform = platform_of(build, i, target);
		AUTO(json)
		json_t *said = image_changes_annotations(changes, ANNOTATION_MANIFEST_DESCRIPTOR,
							 platform, NULL, NULL);

		TRY(index_add_for(build->store, index, &build->plans[i]->targets[target].manifest,
				  platform, said));
	}
	for (size_t i = 0; i < build->count; i++) {
		const struct plan_target *about = &build->plans[i]->targets[target];

		if (about->attestation.size)
			TRY(index_add_attestation(index, &about->attestation,
						  &about->manifest.digest));
	}
	if (json_object_size(own) > 0)
		json_object_set(index, "annotations", own);
	TRY(index_put(build->store, index, ret));
	for (size_t i = 0; i < build->count; i++)
		TRY(id_forget(build->store, &build->plans[i]->targets[target].manifest, &known));
	return id_remember(build->store, ret);
}

/* The image of a target, or its index. */
static struct err *assemble_target(const struct build *build, size_t target, const char *invocation,
				   struct build_image *ret)
{
	const struct plan_target *first = &build->plans[0]->targets[target];
	bool attested = false;

	for (size_t i = 0; i < build->count; i++) {
		struct plan_target *wanted = &build->plans[i]->targets[target];
		const struct attest_site site = { .plan = build->plans[i],
						  .began = build->began_at,
						  .invocation = invocation };

		TRY(assemble(build->plans[i], wanted));
		TRY(attest(&site, wanted));
		attested = attested || wanted->attestation.size;
	}
	*ret = (struct build_image){ first->manifest, first->config, first->manifest,
				     is_many(build) };
	if (attested || is_many(build))
		TRY(make_index(build, target, &ret->top));
	for (size_t i = 0; i < build->count; i++)
		build->plans[i]->targets[target].top = ret->top;
	return NULL;
}

/* The images of stages, before those that are built on them: in the order of the Recipe. They have no names. */
static struct err *assemble_kept(struct plan *plan)
{
	for (size_t i = 0; i < plan->kept_count; i++) {
		struct plan_target *kept = &plan->targets[plan->target_count + i];
		char id[DIGEST_TEXT_SIZE];

		TRY(assemble(plan, kept));
		log_info("stage %s is image %s", kept->stage->name,
			 digest_format(&kept->config.digest, id));
	}
	return NULL;
}

/* Put the images together. Also one without a name is there to stay, and to be found by its id. */
static struct err *assemble_all(const struct build *build, struct build_result *ret)
{
	const struct plan *plan = build->plans[0];
	bool named = true;

	ret->images = xcalloc(plan->target_count, sizeof(*ret->images));
	for (size_t i = 0; i < build->count; i++) {
		TRY(assemble_kept(build->plans[i]));
		named = named && build->plans[i]->kept_count == 0;
	}
	for (size_t i = 0; i < plan->target_count; i++) {
		TRY(assemble_target(build, i, ret->journal, &ret->images[i]));
		named = named && plan->targets[i].asked->tags.len > 0;
	}
	TRY(blob_sync(plan->store));
	ret->image_count = plan->target_count;
	return named ? NULL : id_sync(plan->store);
}

/* ---- pushing ---- */

static struct err *push_tag(struct build *build, struct plan *plan, const char *tag,
			    const struct descriptor *image)
{
	AUTO(mem) char *name = reference_shorten(tag);
	char digest[DIGEST_TEXT_SIZE];
	struct push_result result = { 0 };
	struct transfer transfer;
	const struct push_opts opts = { .progress = &transfer.progress };
	struct reference ref;
	struct err *err;

	TRY(reference_parse(tag, &ref));
	transfer_begin(&transfer, &build->events, ++plan->transfers, "push", name);
	err = push_image(build->store, build->opts.client, image, &ref, &opts, &result);
	transfer_end(&transfer, err, result.sent || result.mounted);
	TRY(err_wrap(err, "push %s", name));
	log_info("pushed %s@%s", name, digest_format(&result.digest, digest));
	return NULL;
}

/* One after the other: what the first brought, the next finds there. */
static struct err *push_tags(struct build *build, struct plan *plan)
{
	for (size_t i = 0; build->opts.push && i < plan->target_count; i++)
		vec_foreach (&plan->targets[i].asked->tags, tag)
			TRY(push_tag(build, plan, *tag, &plan->targets[i].top));
	return NULL;
}

static struct err *name_images(const struct plan *plan)
{
	for (size_t i = 0; i < plan->target_count; i++)
		vec_foreach (&plan->targets[i].asked->tags, tag)
			TRY(ref_set(plan->store, *tag, &plan->targets[i].top));
	return NULL;
}

/* ---- the whole ---- */

/* Whether something is made of the target's layers besides an image. */
static bool wants_files(const struct build_opts *opts)
{
	for (size_t i = 0; i < opts->output_count; i++)
		if (opts->outputs[i].kind == OUTPUT_TAR || opts->outputs[i].kind == OUTPUT_LOCAL)
			return true;
	return false;
}

/* What was done goes to the caches, with the user's file mode mask where that is a directory. */
static struct err *write_caches(const struct build *build)
{
	mode_t ours = umask(build->opts.user_umask);
	struct err *err = NULL;

	for (size_t i = 0; !err && i < build->count; i++)
		if (build->parts[i].caches)
			err = caches_write(build->parts[i].caches);
	umask(ours);
	return err;
}

/* Open what the options name, for each platform. */
static struct err *open_caches(struct build *build, bool files)
{
	for (size_t i = 0; i < build->count; i++) {
		struct part *part = &build->parts[i];

		TRY(caches_open(part->plan, &build->events, files, &part->caches));
		part->plan->caches = part->caches;
	}
	return NULL;
}

/* Find what is done already, and say what there is to do. */
static struct err *look_up(struct build *build, struct build_result *ret)
{
	for (size_t i = 0; i < build->count; i++) {
		struct part *part = &build->parts[i];

		TRY(execute_lookup(part->plan, &part->steps, &part->missing));
		ret->steps += part->steps;
		ret->cached += part->steps - part->missing;
	}
	tell_plan(build);
	for (size_t i = 0; i < build->count; i++)
		TRY(mounts_check(build->plans[i]));
	return NULL;
}

/* Execute the plans, one platform after the other, and put their images together, with their names. */
static struct err *perform(struct build *build, struct build_result *ret)
{
	const bool image = wants_image(&build->opts);
	const struct execute_opts exec = { .isolation_told = &build->isolation_told,
					   .blobs = image || caches_take_layers(&build->opts),
					   .events = &build->events,
					   .journal = build->journal };

	TRY(open_caches(build, image || wants_files(&build->opts)));
	TRY(look_up(build, ret));
	for (size_t i = 0; build->opts.documents && i < build->count; i++)
		TRY(execute_describe(build->plans[i], build->opts.documents));
	if (build->opts.documents)
		return NULL;
	if (build->opts.entry)
		return enter_planned(build->plans[0], build->opts.entry);
	for (size_t i = 0; i < build->count; i++)
		TRY(execute(build->plans[i], &exec));
	if (image)
		TRY(assemble_all(build, ret));
	for (size_t i = 0; i < build->opts.output_count; i++)
		TRY(deliver(build->plans, build->count, &build->opts.outputs[i]));
	TRY(name_images(build->plans[0]));
	TRY(push_tags(build, build->plans[0]));
	return write_caches(build);
}

static void tell_end(const struct build *build, const struct err *err,
		     const struct build_result *result)
{
	enum build_status status = err_kind(err) == ERR_CANCELLED ? BUILD_CANCELLED :
				   err                            ? BUILD_FAILED :
				   result->steps && result->cached == result->steps ? BUILD_CACHED :
										      BUILD_DONE;
	const size_t count = err ? 0 : result->image_count;
	AUTO(mem) struct build_event_image *images = xcalloc(count + 1, sizeof(*images));

	for (size_t i = 0; i < count; i++)
		images[i] = (struct build_event_image){
			.target = build->plans[0]->targets[i].asked->stage,
			.image = build_image_id(&result->images[i]),
			.manifest = &result->images[i].top.digest,
		};
	events_emit(&build->events, &(struct build_event){
					    .kind = EVENT_BUILD_END,
					    .status = status,
					    .duration = clock_monotonic() - build->began,
					    .image = images[0].image,
					    .manifest = images[0].manifest,
					    .images = images,
					    .image_count = count,
					    .text = err ? err_text(err) : NULL,
				    });
}

/* Plan for each platform. Takes what it uses of `recipes`. */
static struct err *plan_all(struct build *build, struct recipe **recipes)
{
	unsigned steps = 0;

	for (size_t i = 0; i < build->count; i++) {
		struct part *part = &build->parts[i];

		part->opts = build->opts;
		if (build->opts.platform_count > 0)
			part->opts.platform = build->opts.platforms[i];
		part->label = build->count > 1 ? platform_format(&part->opts.platform) : NULL;
		part->opts.platform_label = part->label;
		part->opts.steps_before = steps;
		TRY(plan_make(build->store, &part->opts, STEAL(recipes[i]), build->pool,
			      &part->plan));
		build->plans[i] = part->plan;
		steps += (unsigned)part->plan->steps.len;
		build->context.transfers = part->plan->transfers; /* the next counts on */
		vec_foreach (&part->plan->contexts, context)
			if ((*context)->cache) /* only a cache: without it, more is read again */
				err_free(tree_remember((*context)->tree));
	}
	build->plans[0]->transfers = build->context.transfers;
	return NULL;
}

static struct err *review_all(const struct build *build)
{
	for (size_t i = 0; i < build->count; i++)
		TRY(review(build->plans[i]));
	return NULL;
}

/* Read what the sources of the Recipe were; resolving them anew, ask who knows. */
static struct err *open_lock(struct build *build, const struct recipe *recipe)
{
	struct build_opts *opts = &build->opts;

	if ((opts->lock_wish == LOCK_UPDATE || opts->lock_wish == LOCK_ONLY) &&
	    opts->pull == PULL_MISSING)
		opts->pull = PULL_NEWER;
	return lock_file_open(opts, &build->context, script_name(recipe->script), &opts->lock);
}

static struct err *write_lock(const struct build *build)
{
	return lock_file_write(&build->opts, script_name(build->plans[0]->recipe->script),
			       build->plans, build->count);
}

/* Read, plan and do. */
static struct err *build_all(struct build *build, struct build_result *ret)
{
	const struct build_opts *opts = &build->opts;
	AUTO(mem) struct recipe **recipes = xcalloc(build->count, sizeof(struct recipe *));
	struct err *err;

	TRY(deliver_check(opts->outputs, opts->output_count, opts->target_count, build->count));
	err = materials_gather(build->store, &build->opts, &build->context, recipes, build->count);
	if (!err)
		err = open_lock(build, recipes[0]);
	if (!err)
		err = plan_all(build, recipes);
	for (size_t i = 0; i < build->count; i++)
		recipe_free(recipes[i]); /* those that no plan owns */
	TRY(err);
	if (opts->lock_wish == LOCK_ONLY)
		return write_lock(build);
	lock_file_tell(opts, build->plans, build->count);
	ret->recipe = xstrdup(script_name(build->plans[0]->recipe->script));
	err = review_all(build);
	if (!err)
		err = perform(build, ret);
	if (!err && opts->lock_wish == LOCK_UPDATE)
		err = write_lock(build);
	for (size_t i = 0; i < build->count; i++) /* at the end, where they are seen */
		tell_lints(build->plans[i], i > 0 ? build->plans[0] : NULL, &build->events);
	tell_unused(opts->args, &build->events);
	tell_unknown_stages(build->plans[0], &build->events);
	return err;
}

struct err *build_run(struct store *store, const struct build_opts *opts, struct build_result *ret)
{
	AUTO(build)
	struct build build = {
		.store = store,
		.opts = *opts,
		.context = CONTEXT_INIT,
		.began = clock_monotonic(),
		.began_at = clock_now(),
	};
	struct err *err;

	*ret = (struct build_result){ 0 };
	build.count = opts->platform_count ? opts->platform_count : 1;
	build.parts = xcalloc(build.count, sizeof(*build.parts));
	build.plans = xcalloc(build.count, sizeof(*build.plans));
	build.pool = pool_new(opts->jobs ? opts->jobs : pool_default_threads());
	begin_journal(&build);
	if (build.journal)
		ret->journal = xstrdup(journal_id(build.journal));
	tell_begin(&build);
	err = build_all(&build, ret);
	tell_end(&build, err, ret);
	if (ret->steps !=
	    ret->cached) /* something ran, and may have left layers, if it failed too */
		store_sync_later(store, 0);
	return err;
}

void build_result_release(struct build_result *result)
{
	free(result->images);
	free(result->recipe);
	free(result->journal);
	*result = (struct build_result){ 0 };
}
