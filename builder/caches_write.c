/* builder/caches_write.c - what a build did, for others: see builder/caches.h. */

#include "builder/caches-private.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/pool.h"
#include "base/vec.h"
#include "builder/build.h"
#include "builder/recompress.h"
#include "builder/transfer.h"
#include "store/image.h"

#define WRITTEN_AT_ONCE 4

/* ---- what is written ---- */

static bool has_spec(const struct build_opts *opts, bool (*is)(const struct cache_spec *spec))
{
	for (size_t i = 0; opts->cache_to && i < opts->cache_to->len; i++)
		if (is(&opts->cache_to->at[i]))
			return true;
	return false;
}

static bool is_inline(const struct cache_spec *spec)
{
	return spec->kind == CACHE_INLINE;
}

static bool is_elsewhere(const struct cache_spec *spec)
{
	return spec->kind != CACHE_INLINE;
}

bool caches_are_inline(const struct build_opts *opts)
{
	return has_spec(opts, is_inline);
}

bool caches_take_layers(const struct build_opts *opts)
{
	return has_spec(opts, is_elsewhere);
}

/* Of a stage that this build did not need, only what stands on nothing that is missing. */
static bool is_known(const struct plan_step *step)
{
	if (step->needed)
		return true;
	for (; step; step = step->below)
		if (!step->cached || step->absent)
			return false;
	return true;
}

static bool is_of_target(const struct plan *plan, const struct plan_step *step)
{
	for (size_t i = 0; i < plan->target_count + plan->kept_count; i++)
		for (const struct plan_step *s = plan->targets[i].stage->top; s; s = s->below)
			if (s == step)
				return true;
	return false;
}

bool caches_write_step(const struct caches *caches, const struct cache_spec *to,
		       const struct plan_step *step)
{
	if (to->kind == CACHE_INLINE)
		return false;
	return is_of_target(caches->plan, step) || (to->max && is_known(step));
}

bool caches_want_blob(const struct caches *caches, const struct plan_step *step)
{
	const struct cache_specs *to = caches->plan->opts->cache_to;

	for (size_t i = 0; to && i < to->len; i++)
		if (!step->absent && caches_write_step(caches, &to->at[i], step))
			return true;
	return false;
}

/* ---- writing ---- */

struct job {
	struct caches *caches;
	struct cache *to;
	struct plan_step *step;
	struct progress *progress;
	atomic_bool *moved;
};

/* The layer, as it is or compressed as was asked for. */
static struct err *find_blob(const struct job *job, struct descriptor *ret)
{
	const struct cache_spec *spec = cache_spec_of(job->to);
	const struct layer_meta *meta = &job->step->layer;
	struct image_layer layer = { .blob = meta->blob, .diff_id = meta->diff_id };

	if (!meta->has_blob)
		return err_new(ERR_INTERNAL, "the layer has no blob");
	if (spec->has_compression &&
	    (spec->force_compression ||
	     recompress_codec_of(layer.blob.media_type) != spec->compression.codec))
		TRY(recompress(job->caches->plan->store, &spec->compression, &layer));
	*ret = layer.blob;
	return NULL;
}

static struct err *write_step(void *arg)
{
	const struct job *job = arg;
	const struct caches *caches = job->caches;
	const struct plan_step *step = job->step;
	const struct caches_step *state = &caches->steps[step->number - 1];
	struct cache_entry entry = { .key = step->record.key,
				     .created = step->record.created,
				     .duration = step->record.duration,
				     .has_layer = step->record.lid[0] != '\0',
				     .diff_id = step->layer.diff_id };
	/* The first who wrote an entry is heeded, so that images stay as they are; but not by who wants it
	 * anew. */
	const bool replace = state->spoilt || step->fresh || caches->plan->opts->no_cache;
	bool written;

	if (entry.has_layer)
		TRY(find_blob(job, &entry.blob));
	TRY(err_wrap(
		cache_put(job->to, caches->plan->store, &entry, replace, job->progress, &written),
		"step %u of stage %s", step->index, step->stage->name));
	if (written)
		atomic_store(job->moved, true);
	return NULL;
}

/* What came from there is there. */
static bool is_there(const struct caches *caches, const struct cache_spec *to,
		     const struct plan_step *step)
{
	const struct caches_step *state = &caches->steps[step->number - 1];

	return step->absent ||
	       (state->in && !state->spoilt && cache_spec_is_same(cache_spec_of(state->in), to));
}

static struct err *write_steps(struct caches *caches, struct cache *to, struct progress *progress,
			       atomic_bool *moved)
{
	const struct plan *plan = caches->plan;
	AUTO(mem) struct job *jobs = xcalloc(plan->steps.len + 1, sizeof(*jobs));
	AUTO(pool) struct pool *pool = pool_new(WRITTEN_AT_ONCE);
	AUTO(group) struct group *group = group_new(pool);
	size_t count = 0;

	vec_foreach (&plan->steps, step) {
		if (!caches_write_step(caches, cache_spec_of(to), *step) ||
		    is_there(caches, cache_spec_of(to), *step))
			continue;
		jobs[count] = (struct job){ caches, to, *step, progress, moved };
		group_run(group, write_step, NULL, &jobs[count++]);
	}
	return group_wait(group);
}

static struct err *write_to(struct caches *caches, const struct cache_spec *spec)
{
	struct plan *plan = caches->plan;
	AUTO(cache) struct cache *cache = NULL;
	atomic_bool moved = false;
	struct transfer transfer;
	struct err *err;

	transfer_begin(&transfer, caches->events, ++plan->transfers, "export", spec->name);
	err = cache_open(spec, CACHE_TO, plan->opts->client, &caches->platform, &cache);
	if (!err)
		err = write_steps(caches, cache, &transfer.progress, &moved);
	if (!err)
		err = cache_finish(cache);
	transfer_end(&transfer, err, atomic_load(&moved));
	return err_wrap(err, "write cache %s", spec->name);
}

struct err *caches_write(struct caches *caches)
{
	const struct cache_specs *to = caches->plan->opts->cache_to;
	struct err *first = NULL;

	for (size_t i = 0; to && i < to->len && err_kind(first) != ERR_CANCELLED; i++) {
		struct err *err =
			to->at[i].kind == CACHE_INLINE ? NULL : write_to(caches, &to->at[i]);

		if (err && to->at[i].ignore_error && err_kind(err) != ERR_CANCELLED)
			caches_warn(caches, "%s", err_text(err));
		else if (err && !first)
			first = STEAL(err);
		err_free(err);
	}
	return first;
}
