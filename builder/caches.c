/* builder/caches.c - see builder/caches.h. */

#include "builder/caches-private.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/pool.h"
#include "base/str.h"
#include "base/vec.h"
#include "builder/build.h"
#include "builder/events.h"
#include "builder/transfer.h"
#include "overlay/receive.h"
#include "overlay/stack.h"
#include "registry/download.h"
#include "store/image.h"
#include "store/layer.h"
#include "store/step.h"

#define ASKED_AT_ONCE 6
#define FETCHED_AT_ONCE 4

void caches_warn(const struct caches *caches, const char *fmt, ...)
{
	AUTO(mem) char *text = NULL;
	va_list args;

	va_start(args, fmt);
	text = xvasprintf(fmt, args);
	va_end(args);
	events_emit(caches->events, &(struct build_event){ .kind = EVENT_WARNING, .text = text });
}

/* ---- opening ---- */

struct err *caches_open(struct plan *plan, const struct build_events *events, bool result,
			struct caches **ret)
{
	const struct cache_specs *from = plan->opts->cache_from;
	const struct cache_specs *to = plan->opts->cache_to;
	const size_t from_len = from ? from->len : 0;
	AUTO(caches) struct caches *caches = NULL;

	*ret = NULL;
	if (from_len + (to ? to->len : 0) == 0)
		return NULL;
	caches = xcalloc(1, sizeof(*caches));
	*caches = (struct caches){ .plan = plan,
				   .events = events,
				   .result = result,
				   .platform = plan->opts->platform,
				   .from = xcalloc(from_len + 1, sizeof(struct cache *)),
				   .steps = xcalloc(plan->steps.len + 1,
						    sizeof(struct caches_step)) };
	for (; caches->from_len < from_len; caches->from_len++)
		TRY(err_wrap(cache_open(&from->at[caches->from_len], CACHE_FROM, plan->opts->client,
					&caches->platform, &caches->from[caches->from_len]),
			     "cache %s", from->at[caches->from_len].name));
	*ret = STEAL(caches);
	return NULL;
}

void caches_free(struct caches *caches)
{
	if (!caches)
		return;
	for (size_t i = 0; i < caches->from_len; i++)
		cache_free(caches->from[i]);
	free(caches->from);
	free(caches->steps);
	free(caches);
}

static struct caches_step *state_of(const struct caches *caches, const struct plan_step *step)
{
	return &caches->steps[step->number - 1];
}

/* ---- asking ---- */

struct job {
	struct caches *caches;
	struct plan_step *step;
	struct progress *progress; /* fetching */
	atomic_bool *lost;         /* likewise */
};

/* Its layer, if it has one, is here: from now on the store knows the step, too. */
static struct err *adopt(const struct caches *caches, struct plan_step *step,
			 const struct layer_meta *layer)
{
	step->absent = false;
	if (layer) {
		step->layer = *layer;
		memcpy(step->record.lid, layer->lid, sizeof(layer->lid));
	}
	return step_put(caches->plan->store, &step->record);
}

/* What an entry says becomes what is known of the step. */
static struct err *take(const struct caches *caches, struct plan_step *step,
			const struct cache_entry *entry)
{
	struct layer_meta layer;
	bool here = false;

	step->cached = true;
	step->record.created = entry->created;
	step->record.duration = entry->duration;
	step->layer = (struct layer_meta){ .has_diff_id = entry->has_layer,
					   .diff_id = entry->diff_id,
					   .has_blob = entry->has_layer,
					   .blob = entry->blob };
	if (!entry->has_layer)
		return adopt(caches, step, NULL);
	TRY(layer_find(caches->plan->store, &entry->diff_id, NULL, &here, &layer));
	step->absent = !here;
	return here ? adopt(caches, step, &layer) : NULL;
}

static void tell_bad_entry(const struct caches *caches, const struct cache *cache,
			   const struct plan_step *step, const struct err *err)
{
	caches_warn(caches, "cache %s: the entry of step %u of stage %s is not used: %s",
		    cache_spec_of(cache)->name, step->index, step->stage->name, err_text(err));
}

static struct err *ask_one(const struct caches *caches, struct cache *cache, struct plan_step *step,
			   bool *ret_found)
{
	struct caches_step *state = state_of(caches, step);
	struct cache_entry entry;
	AUTO(err)
	struct err *err = cache_find(cache, &step->record.key, ret_found, &entry);

	if (err_kind(err) == ERR_CANCELLED)
		return STEAL(err);
	if (err && cache_err_is_of_entry(err)) {
		state->spoilt = true;
		tell_bad_entry(caches, cache, step, err);
	} else if (err) {
		caches_warn(caches, "cache %s is not used: %s", cache_spec_of(cache)->name,
			    err_text(err));
	}
	if (err || !*ret_found)
		return NULL;
	state->in = cache;
	return take(caches, step, &entry);
}

static struct err *ask(void *arg)
{
	const struct job *job = arg;
	const struct caches *caches = job->caches;
	struct caches_step *state = state_of(caches, job->step);
	bool found = false;

	while (!found && state->next < caches->from_len)
		TRY(ask_one(caches, caches->from[state->next++], job->step, &found));
	job->step->asked = true;
	return NULL;
}

/* Do it for all of them, on a few threads. */
static struct err *run_all(unsigned threads, struct err *(*work)(void *), struct job *jobs,
			   size_t count)
{
	AUTO(pool) struct pool *pool = pool_new(threads);
	AUTO(group) struct group *group = group_new(pool);

	for (size_t i = 0; i < count; i++)
		group_run(group, work, NULL, &jobs[i]);
	return group_wait(group);
}

struct err *caches_ask(struct caches *caches, const struct plan_steps *steps)
{
	AUTO(mem) struct job *jobs = xcalloc(steps->len + 1, sizeof(*jobs));
	size_t count = 0;

	vec_foreach (steps, step)
		if (!(*step)->asked)
			jobs[count++] = (struct job){ .caches = caches, .step = *step };
	return count ? run_all(ASKED_AT_ONCE, ask, jobs, count) : NULL;
}

/* ---- which layers are needed ---- */

static void want_chain(struct plan_step *step, bool *wanted)
{
	for (; step && !wanted[step->number - 1]; step = step->below)
		wanted[step->number - 1] = true;
}

/* The layers of the target, if something is made of them; what steps that run stand on, and read; and
 * what is to be written to other caches than it came from. */
static void find_wanted(const struct caches *caches, bool *wanted)
{
	const struct plan *plan = caches->plan;
	const struct cache_specs *to = plan->opts->cache_to;

	for (size_t i = 0; caches->result && i < plan->target_count + plan->kept_count; i++)
		want_chain(plan->targets[i].stage->top, wanted);
	vec_foreach (&plan->steps, step) {
		if (!(*step)->needed || (*step)->cached)
			continue;
		want_chain((*step)->below, wanted);
		vec_foreach (&(*step)->reads, stage)
			want_chain((*stage)->top, wanted);
	}
	vec_foreach (&plan->steps, step)
		for (size_t i = 0; to && i < to->len; i++) {
			const struct cache *in = state_of(caches, *step)->in;

			if (in && caches_write_step(caches, &to->at[i], *step) &&
			    !cache_spec_is_same(cache_spec_of(in), &to->at[i]))
				wanted[(*step)->number - 1] = true;
		}
}

/* ---- fetching ---- */

static struct err *take_layer(void *self, const struct descriptor *blob, struct source *bytes)
{
	bool kept;

	return receive_layer(self, blob, bytes, &kept);
}

/* The layer of a blob that is here, as a tree: as if it were an image of its own. */
static struct err *unpack_blob(struct store *store, const struct layer_meta *layer)
{
	struct image_layer one = { .blob = layer->blob,
				   .diff_id = layer->diff_id,
				   .chain_id = layer->diff_id };
	const struct image image = { .layers = &one, .layer_count = 1 };
	AUTO(stack) struct stack stack = { 0 };

	return stack_of_image(store, &image, NULL, NULL, &stack);
}

static struct err *bring(const struct job *job, struct layer_meta *ret)
{
	const struct caches *caches = job->caches;
	struct store *store = caches->plan->store;
	const struct taker taker = { .take = take_layer, .self = store };
	const struct layer_meta *layer = &job->step->layer;
	bool here;

	TRY(cache_fetch(state_of(caches, job->step)->in, store, &layer->blob, &taker,
			job->progress));
	TRY(layer_find(store, &layer->diff_id, NULL, &here, ret));
	if (here)
		return NULL;
	TRY(err_wrap(unpack_blob(store, layer), "its layer is not what it should be"));
	TRY(layer_find(store, &layer->diff_id, NULL, &here, ret));
	return here ? NULL :
		      err_new(ERR_CORRUPT, "its layer needs others, as that of no step does");
}

static struct err *fetch(void *arg)
{
	const struct job *job = arg;
	const struct caches *caches = job->caches;
	struct caches_step *state = state_of(caches, job->step);
	struct plan_step *step = job->step;
	struct layer_meta layer;
	AUTO(err) struct err *err = bring(job, &layer);

	if (!err)
		return adopt(caches, step, &layer);
	if (err_kind(err) == ERR_CANCELLED)
		return STEAL(err);
	tell_bad_entry(caches, state->in, step, err);
	state->spoilt = true;
	state->in = NULL;
	step->layer = (struct layer_meta){ 0 };
	step->cached = step->absent = false;
	step->asked = state->next >= caches->from_len;
	atomic_store(job->lost, true);
	return NULL;
}

/* All that one cache is to give. */
static struct err *fetch_from(struct caches *caches, const struct cache *cache, const bool *wanted,
			      atomic_bool *lost)
{
	struct plan *plan = caches->plan;
	AUTO(mem) struct job *jobs = xcalloc(plan->steps.len + 1, sizeof(*jobs));
	struct transfer transfer;
	struct err *err;
	size_t count = 0;

	vec_foreach (&plan->steps, step)
		if (wanted[(*step)->number - 1] && (*step)->absent &&
		    state_of(caches, *step)->in == cache)
			jobs[count++] = (struct job){ caches, *step, &transfer.progress, lost };
	if (count == 0)
		return NULL;
	transfer_begin(&transfer, caches->events, ++plan->transfers, "import",
		       cache_spec_of(cache)->name);
	err = run_all(FETCHED_AT_ONCE, fetch, jobs, count);
	transfer_end(&transfer, err, true);
	return err;
}

struct err *caches_fetch(struct caches *caches, bool *ret_lost)
{
	AUTO(mem) bool *wanted = xcalloc(caches->plan->steps.len + 1, sizeof(bool));
	atomic_bool lost = false;

	find_wanted(caches, wanted);
	for (size_t i = 0; i < caches->from_len; i++)
		TRY(fetch_from(caches, caches->from[i], wanted, &lost));
	*ret_lost = atomic_load(&lost);
	return NULL;
}
