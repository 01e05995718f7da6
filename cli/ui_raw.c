/* cli/ui_raw.c - see cli/ui_raw.h. */

#include "cli/ui_raw.h"

#include <string.h>

#include "base/base64.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/json.h"
#include "base/text.h"
#include "builder/events.h"
#include "cli/ui_model.h"

#define NUMBER_MAX 100000u /* of a step that is shown */
#define NAME_MAX_ ((size_t)64 * 1024)
#define SECOND INT64_C(1000000000)

enum { PLACE_RECIPE, PLACE_EXPORT };

/* ---- values ---- */

static void set_time(const struct ui_raw *raw, json_t *object, const char *key, uint64_t when)
{
	int64_t nanoseconds = raw->wall.tv_nsec + (int64_t)(when - raw->begin);
	struct timespec t = { .tv_sec = raw->wall.tv_sec + nanoseconds / SECOND,
			      .tv_nsec = nanoseconds % SECOND };
	char text[CLOCK_TEXT_SIZE];

	if (t.tv_nsec < 0) { /* it was before the first event */
		t.tv_sec--;
		t.tv_nsec += SECOND;
	}
	json_set_text(object, key, clock_format(t, text));
}

/* The digest by which a vertex is known: a name for it, of nothing that could be asked for. */
static char *digest_of(const struct ui_raw *raw, unsigned place, char ret[DIGEST_TEXT_SIZE])
{
	AUTO(mem) char *text = xasprintf("%s %u", raw->id ? raw->id : "", place);
	AUTO(hasher) struct hasher *hasher = hasher_new();
	struct digest digest = { { 0 } };

	hasher_update(hasher, text, strlen(text));
	err_free(hasher_finish(hasher,
			       &digest)); /* then all vertices are one, and all else is right */
	return digest_format(&digest, ret);
}

static void set_vertex(const struct ui_raw *raw, json_t *object, const char *key, unsigned place)
{
	char text[DIGEST_TEXT_SIZE];

	json_set_text(object, key, digest_of(raw, place, text));
}

static void set_base64(json_t *object, const char *key, struct str bytes)
{
	AUTO(mem) char *text = base64_encode(bytes);

	json_set_text(object, key, text);
}

static void write_line(const char *key, json_t *object, struct buf *out)
{
	AUTO(json) json_t *line = json_object();
	AUTO(mem) char *text = NULL;
	json_t *list = json_array();

	json_push(list, object);
	json_set(line, key, list);
	text = json_format(line);
	buf_addf(out, "%s\n", text);
}

/* ---- vertices ---- */

static unsigned place_of(const struct build_event *event)
{
	if (event->step > NUMBER_MAX || event->transfer > NUMBER_MAX)
		return PLACE_RECIPE;
	return event->transfer ? 2 * event->transfer + 1 : 2 * event->step;
}

static struct ui_raw_vertex *vertex_at(struct ui_raw *raw, unsigned place)
{
	while (raw->at.len <= place)
		vec_push(&raw->at, (struct ui_raw_vertex){ 0 });
	return &raw->at.at[place];
}

static void set_inputs(const struct ui_raw *raw, json_t *object, const char *inputs)
{
	struct str rest = str_of(inputs);
	json_t *list = json_array();

	while (rest.at && rest.len > 0) {
		struct str number = str_cut(&rest, ' ');
		char text[DIGEST_TEXT_SIZE];
		uint64_t step = 0;

		err_free(num_parse(number, 1, NUMBER_MAX, &step)); /* we wrote it */
		json_push(list, json_text(str_of(digest_of(raw, (unsigned)(2 * step), text))));
	}
	json_set(object, "inputs", list);
}

/* What is told of a vertex, before it ends. The caller ends it and writes it. */
static json_t *vertex_json(const struct ui_raw *raw, unsigned place,
			   const struct ui_raw_vertex *vertex)
{
	json_t *object = json_object();

	set_vertex(raw, object, "digest", place);
	if (vertex->inputs)
		set_inputs(raw, object, vertex->inputs);
	json_set_text(object, "name", vertex->name);
	set_time(raw, object, "started", vertex->begin);
	return object;
}

/* Takes ownership of `name` and `inputs`. */
static void begin_vertex(struct ui_raw *raw, unsigned place, char *name, char *inputs,
			 uint64_t when, struct buf *out)
{
	struct ui_raw_vertex *vertex = vertex_at(raw, place);

	free(vertex->name);
	free(vertex->inputs);
	vertex->name = name;
	vertex->inputs = inputs;
	vertex->begin = when;
	vertex->ended = false;
	write_line("vertexes", vertex_json(raw, place, vertex), out);
}

static void end_vertex(struct ui_raw *raw, unsigned place, const struct build_event *event,
		       const char *error, struct buf *out)
{
	struct ui_raw_vertex *vertex = vertex_at(raw, place);
	AUTO(mem) char *text = error ? text_escaped(str_of(error)) : NULL;
	json_t *object;

	if (!vertex->name || vertex->ended)
		return;
	vertex->ended = true;
	object = vertex_json(raw, place, vertex);
	set_time(raw, object, "completed", event->when);
	if (event->status == BUILD_CACHED)
		json_set(object, "cached", json_true());
	if (text)
		json_set_text(object, "error", text);
	write_line("vertexes", object, out);
}

static void begin_of_event(struct ui_raw *raw, const struct build_event *event, struct buf *out)
{
	AUTO(buf) struct buf name = BUF_INIT(NAME_MAX_);
	AUTO(buf) struct buf inputs = BUF_INIT(NAME_MAX_);

	ui_label(event, &name);
	for (size_t i = 0; i < event->input_count; i++)
		buf_addf(&inputs, "%s%u", i ? " " : "", event->inputs[i]);
	begin_vertex(raw, place_of(event), buf_steal(&name), inputs.len ? buf_steal(&inputs) : NULL,
		     event->when, out);
}

/* BuildKit has an error for all that did not end well, by which it knows what was stopped. */
static const char *error_of(const struct build_event *event)
{
	return event->status == BUILD_CANCELLED ? "context canceled" :
	       event->status == BUILD_FAILED    ? event->text ? event->text : "failed" :
						  NULL;
}

/* ---- statuses, logs, warnings ---- */

/* How far something within a vertex is; with `ended` it is done. */
static void write_status(const struct ui_raw *raw, unsigned place, const char *id,
			 const struct build_event *event, bool ended, struct buf *out)
{
	AUTO(mem) char *text = text_escaped(str_of(id));
	json_t *object = json_object();

	json_set_text(object, "id", text);
	set_vertex(raw, object, "vertex", place);
	if (event->total)
		json_set(object, "total", json_integer((json_int_t)event->total));
	json_set(object, "current", json_integer((json_int_t)event->done));
	set_time(raw, object, "timestamp", event->when);
	set_time(raw, object, "started", raw->at.at[place].begin);
	if (ended)
		set_time(raw, object, "completed", event->when);
	write_line("statuses", object, out);
}

static void write_log(const struct ui_raw *raw, const struct build_event *event, struct buf *out)
{
	AUTO(buf) struct buf line = BUF_INIT(EVENT_LINE_MAX + 1);
	json_t *object = json_object();

	buf_add_str(&line, event->bytes);
	buf_addc(&line, '\n');
	set_vertex(raw, object, "vertex", place_of(event));
	json_set(object, "stream", json_integer(event->stream));
	set_base64(object, "data", buf_str(&line));
	set_time(raw, object, "timestamp", event->when);
	write_line("logs", object, out);
}

static void write_warning(const struct ui_raw *raw, const struct build_event *event,
			  struct buf *out)
{
	AUTO(mem)
	char *text =
		event->rule ? xasprintf("%s: %s", event->rule, event->text) : xstrdup(event->text);
	struct str rest = str_of(event->excerpt);
	json_t *object = json_object();
	json_t *detail = json_array();

	set_vertex(raw, object, "vertex", place_of(event));
	json_set(object, "level", json_integer(1));
	set_base64(object, "short", str_of(text));
	while (event->excerpt && rest.len > 0) {
		struct str line = str_cut(&rest, '\n');
		AUTO(mem) char *encoded = base64_encode(line);

		json_push(detail, json_text(str_of(encoded)));
	}
	if (json_array_size(detail) > 0)
		json_set(object, "detail", detail);
	else
		json_decref(detail);
	write_line("warnings", object, out);
}

/* ---- the whole ---- */

static void write_digest(struct ui_raw *raw, const char *what, const struct digest *digest,
			 const struct build_event *event, struct buf *out)
{
	char text[DIGEST_TEXT_SIZE];
	AUTO(mem) char *id = xasprintf("exporting %s %s", what, digest_format(digest, text));

	write_status(raw, PLACE_EXPORT, id, event, true, out);
}

static void end_build(struct ui_raw *raw, const struct build_event *event, struct buf *out)
{
	end_vertex(raw, PLACE_RECIPE, event, error_of(event), out);
	if (!event->image)
		return;
	begin_vertex(raw, PLACE_EXPORT, xstrdup("exporting to image"), NULL, event->when, out);
	for (size_t i = 0; i < event->image_count; i++) {
		const struct build_event_image *one = &event->images[i];

		if (one->image != one->manifest)
			write_digest(raw, "config", one->image, event, out);
		write_digest(raw, one->image == one->manifest ? "manifest list" : "manifest",
			     one->manifest, event, out);
	}
	end_vertex(raw, PLACE_EXPORT,
		   &(struct build_event){ .when = event->when, .status = BUILD_DONE }, NULL, out);
}

static void begin_build(struct ui_raw *raw, const struct build_event *event, struct buf *out)
{
	free(raw->id);
	raw->id = event->text ? xstrdup(event->text) : NULL;
	begin_vertex(raw, PLACE_RECIPE, xstrdup("[internal] load build definition"), NULL,
		     event->when, out);
}

/* A status that is done at once: clients show it below its vertex. */
static void format_isolation(struct ui_raw *raw, const struct build_event *event, struct buf *out)
{
	AUTO(buf) struct buf text = BUF_INIT(NAME_MAX_);

	ui_isolation(event, false, &text);
	write_status(raw, place_of(event), text.at, event, true, out);
}

static void format_work(struct ui_raw *raw, const struct build_event *event, struct buf *out)
{
	const char *what = event->text ? event->text : event->name;

	if (what)
		write_status(raw, place_of(event), what, event, false, out);
}

void ui_raw_format(struct ui_raw *raw, const struct build_event *event, struct timespec now,
		   struct buf *out)
{
	if (!raw->begin) {
		raw->begin = event->when;
		raw->wall = now;
	}
	vertex_at(raw, place_of(event));
	switch (event->kind) {
	case EVENT_BUILD_BEGIN:
		begin_build(raw, event, out);
		break;
	case EVENT_BUILD_PLAN:
		end_vertex(raw, PLACE_RECIPE, event, NULL, out);
		break;
	case EVENT_STEP_BEGIN:
	case EVENT_TRANSFER_BEGIN:
		begin_of_event(raw, event, out);
		break;
	case EVENT_STEP_PROGRESS:
	case EVENT_TRANSFER_PROGRESS:
		format_work(raw, event, out);
		break;
	case EVENT_ISOLATION:
		format_isolation(raw, event, out);
		break;
	case EVENT_STEP_LOG:
		write_log(raw, event, out);
		break;
	case EVENT_TRANSFER_END:
		write_status(raw, place_of(event), event->name, event, true, out);
		end_vertex(raw, place_of(event), event, error_of(event), out);
		break;
	case EVENT_STEP_END:
		end_vertex(raw, place_of(event), event, error_of(event), out);
		break;
	case EVENT_WARNING:
		write_warning(raw, event, out);
		break;
	case EVENT_BUILD_END:
		end_build(raw, event, out);
		break;
	}
}

void ui_raw_release(struct ui_raw *raw)
{
	vec_foreach (&raw->at, vertex) {
		free(vertex->name);
		free(vertex->inputs);
	}
	vec_release(&raw->at);
	free(raw->id);
}
