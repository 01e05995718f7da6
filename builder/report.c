/* builder/report.c - see builder/report.h. */

#include "builder/report.h"

#include <jansson.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/json.h"
#include "base/pool.h"
#include "base/str.h"
#include "base/vec.h"
#include "builder/build.h"
#include "builder/critical.h"
#include "builder/secrets.h"
#include "builder/tail.h"
#include "builder/waste.h"
#include "registry/url.h"
#include "store/image.h"
#include "store/layer.h"

#define REPORT_BIGGEST 20 /* wasted files that are told by name */

/* A step that was told of. */
struct told {
	unsigned number, index, count, aside;
	char *stage, *platform, *text; /* owned; the first two may be NULL */
	VEC(unsigned) inputs;
	uint64_t begin, duration, memory_peak, cpu_time;
	enum build_status status;
	bool ended, fresh;
	int exit_code;
	char *error; /* owned; NULL if it did not fail */
	struct tail output;
};

struct report {
	const struct build_opts *opts;
	struct build_events events;
	struct timespec started;

	pthread_mutex_t lock; /* guards all below */
	uint64_t begin;
	struct {
		struct told *at;
		size_t len, cap;
	} steps; /* as they began */
	json_t *warnings;
	enum build_status status;
	uint64_t duration;
	char *error, *journal, *storage; /* owned; NULL if there is none */
};

/* ---- listening ---- */

static struct told *find(struct report *report, unsigned number)
{
	for (size_t i = report->steps.len; i > 0; i--) /* the last ones are spoken of */
		if (report->steps.at[i - 1].number == number)
			return &report->steps.at[i - 1];
	return NULL;
}

static uint64_t since_begin(const struct report *report, const struct build_event *event)
{
	return event->when > report->begin ? event->when - report->begin : 0;
}

static void hear_begin(struct report *report, const struct build_event *event)
{
	struct told *step = vec_add(&report->steps);

	step->number = event->step;
	step->index = event->index;
	step->count = event->count;
	step->aside = event->aside;
	step->fresh = event->fresh;
	step->stage = xstrdup(event->stage);
	step->platform = xstrdup(event->platform);
	step->text = xstrdup(event->text);
	step->begin = since_begin(report, event);
	for (size_t i = 0; i < event->input_count; i++)
		vec_push(&step->inputs, event->inputs[i]);
}

static void hear_end(struct report *report, const struct build_event *event)
{
	struct told *step = find(report, event->step);

	if (!step)
		return;
	step->ended = true;
	step->status = event->status;
	step->duration = event->duration;
	step->memory_peak = event->memory_peak;
	step->cpu_time = event->cpu_time;
	step->exit_code = event->exit_code;
	if (event->text)
		step->error = secrets_hide(report->opts->secrets, event->text);
	if (event->status != BUILD_FAILED)
		tail_release(&step->output);
}

static void hear_warning(struct report *report, const struct build_event *event)
{
	AUTO(mem) char *text = secrets_hide(report->opts->secrets, event->text);
	json_t *one = json_object();

	if (event->rule)
		json_set_text(one, "rule", event->rule);
	json_set_text(one, "text", text);
	json_push(report->warnings, one);
}

static void hear_step(struct report *report, const struct build_event *event)
{
	struct told *step = find(report, event->step);

	if (step)
		tail_add(&step->output, event->bytes);
}

static void replace(char **text, const char *with)
{
	free(*text);
	*text = xstrdup(with);
}

static void hear(struct report *report, const struct build_event *event)
{
	switch (event->kind) {
	case EVENT_BUILD_BEGIN:
		report->begin = event->when;
		replace(&report->journal, event->text);
		break;
	case EVENT_STEP_BEGIN:
		hear_begin(report, event);
		break;
	case EVENT_STEP_LOG:
		hear_step(report, event);
		break;
	case EVENT_STEP_END:
		hear_end(report, event);
		break;
	case EVENT_ISOLATION:
		replace(&report->storage, event->storage);
		break;
	case EVENT_WARNING:
		hear_warning(report, event);
		break;
	case EVENT_BUILD_END:
		report->status = event->status;
		report->duration = event->duration;
		free(report->error);
		report->error =
			event->text ? secrets_hide(report->opts->secrets, event->text) : NULL;
		break;
	case EVENT_BUILD_PLAN:
	case EVENT_TRANSFER_BEGIN:
	case EVENT_TRANSFER_PROGRESS:
	case EVENT_TRANSFER_END:
	case EVENT_STEP_PROGRESS:
		break;
	}
}

static void emit(void *self, const struct build_event *event)
{
	struct report *report = self;

	pthread_mutex_lock(&report->lock);
	hear(report, event);
	pthread_mutex_unlock(&report->lock);
}

struct report *report_new(const struct build_opts *opts)
{
	struct report *report = xcalloc(1, sizeof(*report));

	report->opts = opts;
	report->events = (struct build_events){ emit, report };
	report->started = clock_now();
	report->warnings = json_array();
	pthread_mutex_init(&report->lock, NULL);
	return report;
}

void report_free(struct report *report)
{
	if (!report)
		return;
	vec_foreach (&report->steps, step) {
		free(step->stage);
		free(step->platform);
		free(step->text);
		free(step->error);
		vec_release(&step->inputs);
		tail_release(&step->output);
	}
	vec_release(&report->steps);
	json_decref(report->warnings);
	free(report->error);
	free(report->journal);
	free(report->storage);
	pthread_mutex_destroy(&report->lock);
	free(report);
}

const struct build_events *report_events(const struct report *report)
{
	return &report->events;
}

/* ---- the document ---- */

static void set_number(json_t *object, const char *key, uint64_t number)
{
	json_set(object, key, json_integer((json_int_t)number));
}

static void set_known(json_t *object, const char *key, uint64_t number)
{
	if (number)
		set_number(object, key, number);
}

static void set_text(json_t *object, const char *key, const char *text)
{
	if (text)
		json_set_text(object, key, text);
}

static void set_digest(json_t *object, const char *key, const struct digest *digest)
{
	char text[DIGEST_TEXT_SIZE];

	json_set_text(object, key, digest_format(digest, text));
}

/* Why a step ran, or did not: as far as is known. */
static const char *reason_of(const struct report *report, const struct told *step)
{
	if (step->ended && step->status == BUILD_CACHED)
		return "a step with the same inputs is in the cache";
	if (report->opts->no_cache)
		return "--no-cache";
	if (step->fresh)
		return "--no-cache-filter";
	return "no step with the same inputs is in the cache";
}

static json_t *format_step(const struct report *report, const struct told *step, bool critical)
{
	json_t *object = json_object();
	json_t *inputs = json_array();

	set_number(object, "step", step->number);
	set_text(object, "platform", step->platform);
	set_text(object, "stage", step->stage);
	set_number(object, "index", step->index);
	set_number(object, "count", step->count);
	set_text(object, "text", step->text);
	json_set_text(object, "status",
		      build_status_name(step->ended ? step->status : BUILD_CANCELLED));
	json_set_text(object, "reason", reason_of(report, step));
	for (size_t i = 0; i < step->inputs.len; i++)
		json_push(inputs, json_integer(step->inputs.at[i]));
	json_set(object, "inputs", inputs);
	set_number(object, "begin", step->begin);
	set_number(object, "duration", step->duration);
	json_set(object, "critical", json_boolean(critical));
	set_known(object, "memory_peak", step->memory_peak);
	set_known(object, "cpu_time", step->cpu_time);
	if (step->exit_code)
		set_number(object, "exit_code", (uint64_t)step->exit_code);
	set_text(object, "error", step->error);
	if (step->status == BUILD_FAILED) {
		AUTO(mem) char *tail = tail_text(&step->output);
		AUTO(mem) char *hidden = secrets_hide(report->opts->secrets, tail);

		set_text(object, "output", hidden);
	}
	return object;
}

static int by_number(const void *a, const void *b)
{
	const struct told *const *x = a, *const *y = b;

	return ((*x)->number > (*y)->number) - ((*x)->number < (*y)->number);
}

/* The steps in the order of the plan, and their critical path. */
static void format_steps(const struct report *report, json_t *document)
{
	const size_t count = report->steps.len;
	AUTO(mem) const struct told **told = xcalloc(count + 1, sizeof(*told));
	AUTO(mem) struct critical_step *nodes = xcalloc(count + 1, sizeof(*nodes));
	json_t *steps = json_array(), *chain = json_array(), *path = json_object();
	uint64_t length;

	for (size_t i = 0; i < count; i++)
		told[i] = &report->steps.at[i];
	if (count > 1)
		qsort(told, count, sizeof(*told), by_number);
	for (size_t i = 0; i < count; i++)
		nodes[i] = (struct critical_step){ .number = told[i]->number,
						   .duration = told[i]->status == BUILD_CACHED ?
								       0 :
								       told[i]->duration,
						   .inputs = told[i]->inputs.at,
						   .input_count = told[i]->inputs.len,
						   .aside = told[i]->aside };
	length = critical_path(nodes, count);
	for (size_t i = 0; i < count; i++) {
		json_push(steps, format_step(report, told[i], nodes[i].critical));
		if (nodes[i].critical)
			json_push(chain, json_integer(told[i]->number));
	}
	json_set(document, "steps", steps);
	set_number(path, "duration", length);
	json_set(path, "steps", chain);
	json_set(document, "critical_path", path);
}

/* The text of the row of a config's history that made its layer `index`, or NULL. */
static const char *made_by(const json_t *config, size_t index)
{
	const json_t *history = json_object_get(config, "history");
	size_t layer = 0;

	for (size_t i = 0; i < json_array_size(history); i++) {
		const json_t *row = json_array_get(history, i);

		if (json_is_true(json_object_get(row, "empty_layer")))
			continue;
		if (layer++ == index)
			return json_string_value(json_object_get(row, "created_by"));
	}
	return NULL;
}

static json_t *format_layer(struct store *store, const struct image *image, size_t index)
{
	const struct image_layer *layer = &image->layers[index];
	const struct digest *chain = index > 0 ? &image->layers[index - 1].chain_id : NULL;
	struct layer_meta meta = { 0 };
	bool found = false;
	json_t *object = json_object();
	AUTO(err) struct err *err = layer_find(store, &layer->diff_id, chain, &found, &meta);

	set_number(object, "layer", index + 1);
	set_digest(object, "digest", &layer->blob.digest);
	set_digest(object, "diff_id", &layer->diff_id);
	set_text(object, "created_by", made_by(image->config, index));
	set_number(object, "size", layer->blob.size);
	if (!err && found) { /* a layer that nobody has unpacked is not known from within */
		set_number(object, "uncompressed", meta.bytes);
		set_number(object, "entries", meta.entries);
	}
	return object;
}

/* What of each layer nobody can see, and the biggest files of it. */
static void format_waste(const struct waste *waste, json_t *object, json_t *layers)
{
	static const char *const kinds[] = { NULL, "overwritten", "deleted" };
	struct waste_file biggest[REPORT_BIGGEST];
	const size_t count = waste_biggest(waste, biggest, REPORT_BIGGEST);
	json_t *whole = json_object(), *list = json_array();
	size_t files;

	for (size_t i = 0; i < json_array_size(layers); i++) {
		json_t *layer = json_array_get(layers, i);

		set_number(layer, "wasted", waste_bytes(waste, i, &files));
		set_number(layer, "wasted_files", files);
	}
	set_number(whole, "bytes", waste_bytes(waste, SIZE_MAX, &files));
	set_number(whole, "files", files);
	for (size_t i = 0; i < count; i++) {
		json_t *file = json_object();

		json_set_text(file, "path", biggest[i].path);
		set_number(file, "size", biggest[i].size);
		set_number(file, "layer", biggest[i].layer + 1);
		set_number(file, "by", biggest[i].by + 1);
		json_set_text(file, "kind", kinds[biggest[i].kind]);
		json_push(list, file);
	}
	json_set(whole, "biggest", list);
	json_set(object, "waste", whole);
}

static json_t *format_image(struct store *store, const struct report *report, size_t index,
			    const struct build_image *built)
{
	json_t *object = json_object(), *layers = json_array();
	AUTO(image) struct image *image = NULL;
	AUTO(waste) struct waste *waste = waste_new();
	AUTO(err) struct err *err = image_open(store, &built->manifest, NULL, &image);
	AUTO(err) struct err *unread = NULL;

	if (index < report->opts->target_count)
		set_text(object, "target", report->opts->targets[index].stage);
	set_digest(object, "image", build_image_id(built));
	set_digest(object, "manifest", &built->top.digest);
	for (size_t i = 0; !err && i < image->layer_count; i++)
		json_push(layers, format_layer(store, image, i));
	json_set(object, "layers", layers);
	if (!err)
		unread = waste_read(waste, store, image);
	if (!err && !unread)
		format_waste(waste, object, layers);
	return object;
}

static void format_request(const struct report *report, const struct build_result *result,
			   json_t *document)
{
	const struct build_opts *opts = report->opts;
	const char *name = opts->recipe ? opts->recipe : result->recipe;
	AUTO(mem) char *recipe = name ? url_redacted(name) : NULL;
	AUTO(mem) char *context = opts->context ? url_redacted(opts->context) : NULL;
	json_t *platforms = json_array();

	set_text(document, "recipe", recipe);
	set_text(document, "context", context);
	if (opts->context_mode != CONTEXT_MODE_EXACT)
		set_text(document, "context_mode", context_mode_names[opts->context_mode]);
	for (size_t i = 0; i < (opts->platform_count ? opts->platform_count : 1); i++) {
		AUTO(mem)
		char *platform = platform_format(opts->platform_count ? &opts->platforms[i] :
									&opts->platform);

		json_push(platforms, json_text(str_of(platform)));
	}
	json_set(document, "platforms", platforms);
	set_text(document, "driver", report->storage);
	set_number(document, "jobs", opts->jobs ? opts->jobs : pool_default_threads());
}

json_t *report_make(const struct report *report, struct store *store,
		    const struct build_result *result)
{
	json_t *document = json_object(), *images = json_array();
	char started[CLOCK_TEXT_SIZE];

	set_number(document, "version", REPORT_VERSION);
	json_set_text(document, "cairn", CAIRN_VERSION);
	json_set_text(document, "status", build_status_name(report->status));
	set_text(document, "error", report->error);
	set_text(document, "build", report->journal);
	json_set_text(document, "started", clock_format(report->started, started));
	set_number(document, "duration", report->duration);
	format_request(report, result, document);
	for (size_t i = 0; i < result->image_count; i++)
		json_push(images, format_image(store, report, i, &result->images[i]));
	json_set(document, "images", images);
	format_steps(report, document);
	json_set(document, "warnings", json_incref(report->warnings));
	return document;
}
