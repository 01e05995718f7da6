/* builder/build.c - see builder/build.h. */

#include "builder/build.h"

#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/pool.h"
#include "builder/assemble.h"
#include "builder/attest.h"
#include "builder/caches.h"
#include "builder/config.h"
#include "builder/deliver.h"
#include "builder/events.h"
#include "builder/execute.h"
#include "builder/materials.h"
#include "builder/mounts.h"
#include "builder/plan.h"
#include "builder/review_values.h"
#include "builder/scope.h"
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
		.ignore = plan->context ? plan->context->ignore.rules : NULL }));
	if (lints->len > 0 && lints->policy.error)
		return err_new(ERR_INVALID,
			       "%s has %zu remark%s, and its check directive says that "
			       "remarks are errors",
			       script_name(plan->recipe->script), lints->len,
			       lints->len == 1 ? "" : "s");
	return NULL;
}

/* Remarks on the Recipe, and build arguments that nobody asked for. */
static void tell_remarks(const struct plan *plan, const struct build_events *events)
{
	const struct script *script = plan->recipe->script;
	AUTO(strings) struct strings unused = { 0 };

	vec_foreach (&plan->recipe->lints, lint) {
		AUTO(buf) struct buf excerpt = BUF_INIT((size_t)64 * 1024);
		unsigned line;
		const char *file = script_place(script, lint->position.line, &line);
		AUTO(mem) char *text = xasprintf("%s:%u: %s", file, line, lint->text);

		script_excerpt(script, &lint->position, &excerpt);
		events_emit(events, &(struct build_event){ .kind = EVENT_WARNING,
							   .rule = lint->rule,
							   .text = text,
							   .excerpt = excerpt.at });
	}
	build_args_unused(plan->opts->args, &unused);
	vec_foreach (&unused, name) {
		AUTO(mem)
		char *text = xasprintf("--build-arg %s is not used: no ARG names it", *name);

		events_emit(events, &(struct build_event){ .kind = EVENT_WARNING, .text = text });
	}
}

/* ---- the build ---- */

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
};

static void build_release(struct build *build)
{
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
	struct err *err = journal_begin(build->store, &build->journal);

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
	if (opts->output_count == 0 || opts->want_image)
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
	for (size_t i = 0; i < plan->target_count; i++)
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

static void tell_plan(const struct build *build, unsigned stages, unsigned steps)
{
	events_emit(&build->events, &(struct build_event){ .kind = EVENT_BUILD_PLAN,
							   .stages = stages,
							   .steps = steps });
}

/* An image about which something is said becomes an index. The image alone is then no image for its own
 * sake any more. */
static struct err *make_top(struct plan *plan, struct plan_target *target)
{
	AUTO(json) json_t *index = NULL;
	bool known;

	if (!target->attestation.size)
		return NULL;
	index = index_new();
	TRY(index_add(plan->store, index, &target->manifest));
	TRY(index_add_attestation(index, &target->attestation, &target->manifest.digest));
	TRY(index_put(plan->store, index, &target->top));
	TRY(id_forget(plan->store, &target->manifest, &known));
	return id_remember(plan->store, &target->top);
}

/* Put the images together. Also one without a name is there to stay, and to be found by its id. */
static struct err *assemble_all(const struct build *build, struct plan *plan,
				struct build_result *ret)
{
	const struct attest_site site = { .plan = plan,
					  .began = build->began_at,
					  .invocation = ret->journal };
	bool named = true;

	ret->images = xcalloc(plan->target_count, sizeof(*ret->images));
	for (size_t i = 0; i < plan->target_count; i++) {
		struct plan_target *target = &plan->targets[i];

		TRY(assemble(plan, target));
		TRY(attest(&site, target));
		TRY(make_top(plan, target));
		ret->images[i] =
			(struct build_image){ target->manifest, target->config, target->top };
		named = named && target->asked->tags.len > 0;
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
static struct err *write_caches(const struct build *build, struct caches *caches)
{
	mode_t ours;
	struct err *err;

	if (!caches)
		return NULL;
	ours = umask(build->opts.user_umask);
	err = caches_write(caches);
	umask(ours);
	return err;
}

/* Execute a plan and put its images together, with their names. */
static struct err *perform(struct build *build, struct plan *plan, struct build_result *ret)
{
	const bool image = wants_image(&build->opts);
	const struct execute_opts exec = { .blobs = image || caches_take_layers(&build->opts),
					   .events = &build->events,
					   .journal = build->journal };
	AUTO(caches) struct caches *caches = NULL;
	unsigned missing;

	TRY(caches_open(plan, &build->events, image || wants_files(&build->opts), &caches));
	plan->caches = caches;
	TRY(execute_lookup(plan, &ret->steps, &missing));
	ret->cached = ret->steps - missing;
	tell_plan(build, count_stages(plan), ret->steps);
	TRY(mounts_check(plan));
	TRY(execute(plan, &exec));
	if (image)
		TRY(assemble_all(build, plan, ret));
	for (size_t i = 0; i < build->opts.output_count; i++)
		TRY(deliver(plan, &build->opts.outputs[i]));
	TRY(name_images(plan));
	TRY(push_tags(build, plan));
	return write_caches(build, caches);
}

static void tell_end(const struct build *build, const struct err *err,
		     const struct build_result *result)
{
	enum build_status status = err_kind(err) == ERR_CANCELLED ? BUILD_CANCELLED :
				   err                            ? BUILD_FAILED :
				   result->steps && result->cached == result->steps ? BUILD_CACHED :
										      BUILD_DONE;
	const struct build_image *image = !err && result->image_count ? result->images : NULL;

	events_emit(&build->events, &(struct build_event){
					    .kind = EVENT_BUILD_END,
					    .status = status,
					    .duration = clock_monotonic() - build->began,
					    .image = image ? &image->config.digest : NULL,
					    .manifest = image ? &image->top.digest : NULL,
					    .text = err ? err_text(err) : NULL,
				    });
}

/* Read, plan and do. */
static struct err *build_all(struct build *build, struct build_result *ret)
{
	const struct build_opts *opts = &build->opts;
	AUTO(plan) struct plan *plan = NULL;
	struct recipe *recipe = NULL;
	struct err *err;

	TRY(deliver_check(opts->outputs, opts->output_count, opts->target_count));
	TRY(materials_gather(build->store, &build->opts, &build->context, &recipe));
	TRY(plan_make(build->store, opts, recipe, build->pool, &plan));
	vec_foreach (&plan->contexts, context)
		if ((*context)->cache) /* only a cache: without it, more is read again */
			err_free(tree_remember((*context)->tree));
	err = review(plan);
	if (!err)
		err = perform(build, plan, ret);
	tell_remarks(plan, &build->events); /* at the end, where they are seen */
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
	free(result->journal);
	*result = (struct build_result){ 0 };
}
