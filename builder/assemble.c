/* builder/assemble.c - see builder/assemble.h. */

#include "builder/assemble.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/json.h"
#include "builder/build.h"
#include "builder/caches.h"
#include "builder/config.h"
#include "builder/image_changes.h"
#include "builder/key.h"
#include "builder/recompress.h"
#include "builder/squash.h"
#include "registry/cache_entry.h"
#include "store/blob.h"
#include "store/image.h"
#include "store/step.h"

/* The comments by which tools recognise rows of this form, and rows that stand for layers of which
 * nothing is told. */
#define ROW_COMMENT "buildkit.dockerfile.v0"
#define FILLER_COMMENT "buildkit.exporter.image.v0"

struct assembly {
	struct plan *plan;
	json_t *history;
	json_t *diff_ids;
	json_t *facts; /* for an inline cache, else NULL */
	VEC(struct image_layer) layers;
	char last[CLOCK_TEXT_SIZE]; /* the time of the row before */
	size_t base_rows, base_layers;
};

static void assembly_release(struct assembly *a)
{
	json_decref(a->history);
	json_decref(a->diff_ids);
	json_decref(a->facts);
	vec_release(&a->layers);
}

static inline void assembly_auto_(struct assembly *a)
{
	assembly_release(a);
}

static void add_layer(struct assembly *a, const struct descriptor *blob,
		      const struct digest *diff_id)
{
	char text[DIGEST_TEXT_SIZE];

	vec_push(&a->layers, (struct image_layer){ .blob = *blob, .diff_id = *diff_id });
	json_push(a->diff_ids, json_text(str_of(digest_format(diff_id, text))));
}

/* A row for a layer of which the base tells nothing. */
static json_t *filler(const struct plan_image *base)
{
	const char *created = json_string_value(json_object_get(base->image->config, "created"));
	json_t *row = json_object();

	if (created)
		json_set_text(row, "created", created);
	json_set_text(row, "comment", FILLER_COMMENT);
	return row;
}

/* The rows and layers of what everything is built on. Tools count on a row for each layer, but a
 * history may be wanting, or wrong: layers without a row get one, rows without a layer the mark. */
static void add_base(struct assembly *a, const struct plan_image *base)
{
	const json_t *history = json_object_get(base->image->config, "history");
	const size_t layers = base->image->layer_count;
	size_t told = 0;

	for (size_t i = 0; i < json_array_size(history); i++) {
		json_t *row = json_copy(json_array_get(history, i));

		if (!json_is_true(json_object_get(row, "empty_layer")) && told++ >= layers &&
		    json_is_object(row))
			json_set(row, "empty_layer", json_true());
		json_push(a->history, row);
	}
	for (; told < layers; told++)
		json_push(a->history, filler(base));
	for (size_t i = 0; i < layers; i++)
		add_layer(a, &base->image->layers[i].blob, &base->image->layers[i].diff_id);
	a->base_rows = json_array_size(a->history);
	a->base_layers = layers;
}

/* What stands below must be there, or the image that names it cannot leave the store. */
static struct err *check_base(struct plan *plan, const struct plan_image *base)
{
	for (size_t i = 0; i < base->image->layer_count; i++) {
		const struct descriptor *blob = &base->image->layers[i].blob;
		char text[DIGEST_TEXT_SIZE];
		bool whole;

		TRY(blob_has(plan->store, blob, &whole));
		if (!whole)
			return err_note(
				err_new(ERR_CORRUPT,
					"layer %zu of image '%s', blob %s, is missing or cut",
					i + 1, base->name, digest_format(&blob->digest, text)),
				"load or import that image again");
	}
	return NULL;
}

/* The epoch is the time of everything that the build says, as in other builders. */
static void format_time(const struct plan *plan, struct timespec t, char ret[CLOCK_TEXT_SIZE])
{
	if (plan->has_epoch)
		t = (struct timespec){ .tv_sec = plan->epoch };
	clock_format(t, ret);
}

static void add_texts(struct key *key, const struct plan_stage *stage)
{
	if (stage->parent)
		add_texts(key, stage->parent);
	for (size_t i = 0; i < stage->row_count; i++)
		key_add(key, "row", stage->rows[i].created_by);
}

/* Where nothing that stands below tells a time: when an image of these rows was first made here,
 * which is remembered as the time of a step is. */
static struct err *first_made(struct plan *plan, const struct plan_stage *target,
			      struct timespec *ret)
{
	AUTO(step_record) struct step_record record = { 0 };
	AUTO(step_record) struct step_record old = { 0 };
	AUTO(key) struct key key = { 0 };
	bool found = false;

	key_begin(&key, &record, "image 1");
	key_add_digest(&key, "parent", &target->key);
	add_texts(&key, target);
	TRY(key_finish(&key));
	if (!plan->opts->no_cache)
		TRY(step_find(plan->store, &record.key, false, &found, &old, NULL));
	record.created = found ? old.created : clock_now();
	*ret = record.created;
	return found || plan->opts->trial ? NULL : step_put(plan->store, &record);
}

/* What stands before the first step with a layer: the time of that step, or without one that of the
 * base, so that a build of metadata alone gives the same image again. */
static struct err *first_time(struct plan *plan, const struct plan_stage *target,
			      const struct plan_image *base, struct timespec *ret)
{
	const struct plan_step *step = target->top;
	const char *created =
		base ? json_string_value(json_object_get(base->image->config, "created")) : NULL;
	AUTO(err) struct err *err = NULL;

	while (step && step->below)
		step = step->below;
	if (step) {
		*ret = step->record.created;
		return NULL;
	}
	err = created ? clock_parse(str_of(created), ret) : NULL;
	return !created || err ? first_made(plan, target, ret) : NULL;
}

/* What the step of a row is, for whoever builds it again; its layer is the last one so far. */
static void add_fact(struct assembly *a, const struct plan_step *step)
{
	const struct cache_entry entry = { .key = step->record.key,
					   .created =
						   a->plan->has_epoch ?
							   (struct timespec){ a->plan->epoch, 0 } :
							   step->record.created,
					   .has_layer = step->record.lid[0] != '\0' };

	json_push(a->facts, cache_inline_format(&entry, a->layers.len - 1));
}

static void add_row(struct assembly *a, const struct plan_row *row)
{
	json_t *out = json_object();
	bool layer = row->step && row->step->record.lid[0];

	if (row->step)
		format_time(a->plan, row->step->record.created, a->last);
	json_set_text(out, "created", a->last);
	json_set_text(out, "created_by", row->created_by);
	json_set_text(out, "comment", ROW_COMMENT);
	if (!layer)
		json_set(out, "empty_layer", json_true());
	json_push(a->history, out);
	if (layer)
		add_layer(a, &row->step->layer.blob, &row->step->layer.diff_id);
	if (row->step && a->facts)
		add_fact(a, row->step);
}

/* The rows of a stage behind those of the stage that it is built on. */
static void add_stage(struct assembly *a, const struct plan_stage *stage)
{
	if (stage->parent)
		add_stage(a, stage->parent);
	else if (stage->image)
		add_base(a, stage->image);
	for (size_t i = 0; i < stage->row_count; i++)
		add_row(a, &stage->rows[i]);
}

/* Put one layer in the place of many. The rows stay, and tell of no layer of their own; the last one is for the one
 * that there is, as in the classic builder of docker. */
static struct err *squash(struct assembly *a, struct plan_stage *target)
{
	const bool all = a->plan->opts->squash == SQUASH_ALL;
	const size_t rows = all ? 0 : a->base_rows, layers = all ? 0 : a->base_layers;
	struct image_layer one = { .diff_id = { { 0 } } };
	AUTO(mem) char *comment = NULL;
	json_t *row;
	bool empty;

	if (a->layers.len == layers)
		return NULL;
	comment = xasprintf("%zu layers squashed", a->layers.len - layers);
	TRY(squash_stage(a->plan, target, all, &one, &empty));
	while (json_array_size(a->diff_ids) > layers)
		json_array_remove(a->diff_ids, json_array_size(a->diff_ids) - 1);
	a->layers.len = layers;
	if (a->facts)
		json_array_clear(a->facts); /* they are about layers that are no more */
	for (size_t i = rows; i < json_array_size(a->history); i++)
		json_set(json_array_get(a->history, i), "empty_layer", json_true());
	if (empty)
		return NULL;
	row = json_object();
	json_set_text(row, "created", a->last);
	json_set_text(row, "comment", comment);
	json_push(a->history, row);
	add_layer(a, &one.blob, &one.diff_id);
	return NULL;
}

static void set_labels(const struct plan *plan, struct plan_stage *target)
{
	vec_foreach (&plan->opts->labels, label) {
		struct str value = str_of(*label);
		AUTO(mem) char *name = str_dup(str_cut(&value, '='));

		config_set_label(target->config, name, value.at ? value.at : "");
	}
}

/* The image that a stage became, if one was made of it. */
static const struct descriptor *image_of(const struct plan *plan, const struct plan_stage *stage)
{
	for (size_t i = 0; i < plan->target_count + plan->kept_count; i++)
		if (plan->targets[i].stage == stage && plan->targets[i].config.size)
			return &plan->targets[i].config;
	return NULL;
}

/* Which stage it is and what it begins with, as Buildah tells it. */
static void set_stage_labels(const struct plan *plan, struct plan_stage *target)
{
	AUTO(mem)
	char *name = target->stage->name ? xstrdup(target->stage->name) :
					   xasprintf("%zu", target->stage->index);
	const struct descriptor *parent = target->parent ? image_of(plan, target->parent) : NULL;
	char id[DIGEST_TEXT_SIZE];

	config_set_label(target->config, "io.buildah.stage.name", name);
	config_set_label(target->config, "io.buildah.stage.base",
			 parent        ? digest_format(&parent->digest, id) + strlen("sha256:") :
			 target->image ? target->image->name :
					 target->stage->base);
}

/* One that must not be distributed: it is named, and its blob need not be here. */
static bool is_foreign(const char *media_type)
{
	return strstr(media_type, "nondistributable") || strstr(media_type, "foreign");
}

/* Make a layer one that the image's manifest can name, compressed as was asked for. */
static struct err *fit_layer(const struct plan *plan, struct image_layer *layer)
{
	const struct build_opts *opts = plan->opts;
	const enum codec has = recompress_codec_of(layer->blob.media_type);
	const char *media_type;

	if (is_foreign(layer->blob.media_type))
		return NULL;
	if ((opts->force_compression && has != opts->compression.codec) ||
	    !image_layer_media_type_in(opts->format, layer->blob.media_type))
		TRY(recompress(plan->store, &opts->compression, layer));
	media_type = image_layer_media_type_in(opts->format, layer->blob.media_type);
	if (media_type != layer->blob.media_type)
		snprintf(layer->blob.media_type, sizeof(layer->blob.media_type), "%s", media_type);
	return NULL;
}

struct err *assemble(struct plan *plan, struct plan_target *wanted)
{
	struct plan_stage *target = wanted->stage;
	AUTO(assembly)
	struct assembly a = { .plan = plan, .history = json_array(), .diff_ids = json_array() };
	static const struct image_changes none;
	const bool kept = wanted >= plan->targets + plan->target_count;
	const struct image_changes *changes =
		plan->opts->changes && !kept ? plan->opts->changes : &none;
	AUTO(json) json_t *config = NULL;
	AUTO(json) json_t *annotations = NULL;
	const struct plan_stage *bottom = target;
	struct timespec first;

	if (caches_are_inline(plan->opts))
		a.facts = json_array();
	while (bottom->parent)
		bottom = bottom->parent;
	if (bottom->image)
		TRY(check_base(plan, bottom->image));
	TRY(first_time(plan, target, bottom->image, &first));
	format_time(plan, first, a.last);
	add_stage(&a, target);
	if (plan->opts->squash != SQUASH_NOT)
		TRY(squash(&a, target));
	image_changes_apply(changes, target->config);
	if (plan->opts->stage_labels)
		set_stage_labels(plan, target);
	if (!kept)
		set_labels(plan, target);
	if (changes->omit_history)
		json_array_clear(a.history);
	config = config_finish(target->config, &target->platform, a.last, a.history, a.diff_ids);
	if (a.facts)
		json_set(config, CACHE_INLINE_MEMBER, STEAL(a.facts));
	if (plan->opts->format == IMAGE_OCI) /* Docker's have none */
		annotations = image_changes_annotations(
			changes, ANNOTATION_MANIFEST, &target->platform,
			bottom->image ? bottom->image->image->annotations : NULL, a.last);
	vec_foreach (&a.layers, layer)
		TRY(fit_layer(plan, layer));
	TRY(image_put_in(plan->store, plan->opts->format, config, a.layers.at, a.layers.len,
			 annotations, &wanted->manifest, &wanted->config));
	wanted->top = wanted->manifest;
	return NULL;
}
