/* builder/events.c - see builder/events.h. */

#include "builder/events.h"

#include <jansson.h>
#include <openssl/evp.h>

#include "base/clock.h"
#include "base/json.h"

#define EVENT_FORMAT 1 /* of the JSON; grows when a field changes its meaning or goes away */

void events_emit(const struct build_events *events, const struct build_event *event)
{
	struct build_event stamped;

	if (!events || !events->emit)
		return;
	stamped = *event;
	if (!stamped.when)
		stamped.when = clock_monotonic();
	events->emit(events->self, &stamped);
}

static void tee_emit(void *self, const struct build_event *event)
{
	const struct build_events *const *pair = self;

	events_emit(pair[0], event);
	events_emit(pair[1], event);
}

struct build_events events_tee(const struct build_events *pair[static 2])
{
	return (struct build_events){ .emit = tee_emit, .self = pair };
}

const char *build_status_name(enum build_status status)
{
	static const char *const names[] = { "done", "cached", "failed", "cancelled" };

	return names[status];
}

/* ---- lines ---- */

static void emit_line(const struct event_lines *lines, struct str line)
{
	events_emit(lines->events, &(struct build_event){ .kind = EVENT_STEP_LOG,
							  .step = lines->step,
							  .stream = lines->stream,
							  .bytes = line });
}

/* Emit what was kept from before, and `more`, as one line. */
static void emit_joined(struct event_lines *lines, struct str more)
{
	if (lines->rest.len == 0) {
		emit_line(lines, more); /* the usual case copies nothing */
		return;
	}
	buf_add_str(&lines->rest, more);
	emit_line(lines, buf_str(&lines->rest));
	buf_reset(&lines->rest);
}

void event_lines_feed(struct event_lines *lines, struct str bytes)
{
	while (bytes.len > 0) {
		size_t room = EVENT_LINE_MAX - lines->rest.len;
		const char *newline = memchr(bytes.at, '\n', bytes.len < room ? bytes.len : room);
		size_t len = newline ? (size_t)(newline - bytes.at) : bytes.len;

		if (newline) {
			/* the newline of a line that was cut at its very end adds nothing */
			if (len > 0 || lines->rest.len > 0 || !lines->cut)
				emit_joined(lines, (struct str){ bytes.at, len });
			lines->cut = false;
			len++;
		} else if (len >= room) {
			len = room;
			emit_joined(lines, (struct str){ bytes.at, len });
			lines->cut = true;
		} else {
			buf_add_str(&lines->rest, bytes);
		}
		bytes = (struct str){ bytes.at + len, bytes.len - len };
	}
}

void event_lines_end(struct event_lines *lines)
{
	if (lines->rest.len > 0)
		emit_line(lines, buf_str(&lines->rest));
	buf_release(&lines->rest);
}

/* ---- JSON ---- */

static void set_text(json_t *object, const char *key, const char *text)
{
	if (text)
		json_set(object, key, json_stringn_nocheck(text, strlen(text)));
}

static void set_number(json_t *object, const char *key, uint64_t number)
{
	json_set(object, key, json_integer((json_int_t)number));
}

/* Outside bytes: `key` if they are UTF-8, else `key` in base64 under its own name, so that
 * nothing is lost and the document stays valid. */
static void set_bytes(json_t *object, const char *key, const char *base64_key, struct str bytes)
{
	json_t *text = json_stringn(bytes.len ? bytes.at : "", bytes.len);
	AUTO(mem) unsigned char *encoded = NULL;

	if (text) {
		json_set(object, key, text);
		return;
	}
	encoded = xcalloc(bytes.len / 3 * 4 + 5, 1);
	EVP_EncodeBlock(encoded, (const unsigned char *)bytes.at, (int)bytes.len);
	json_set_text(object, base64_key, (const char *)encoded);
}

static void set_outside_text(json_t *object, const char *text)
{
	if (text)
		set_bytes(object, "text", "base64", str_of(text));
}

static void set_digest(json_t *object, const char *key, const struct digest *digest)
{
	char text[DIGEST_TEXT_SIZE];

	if (digest)
		set_text(object, key, digest_format(digest, text));
}

static void set_end(json_t *object, const struct build_event *event)
{
	set_text(object, "status", build_status_name(event->status));
	set_number(object, "duration", event->duration);
	if (event->exit_code)
		set_number(object, "exit_code", (uint64_t)event->exit_code);
	if (event->memory_peak)
		set_number(object, "memory_peak", event->memory_peak);
	if (event->cpu_time)
		set_number(object, "cpu_time", event->cpu_time);
	set_digest(object, "image", event->image);
	set_digest(object, "manifest", event->manifest);
	set_outside_text(object, event->text);
}

/* Those of all targets, if there are several. */
static void set_images(json_t *object, const struct build_event *event)
{
	json_t *list;

	if (event->image_count < 2)
		return;
	list = json_array();
	for (size_t i = 0; i < event->image_count; i++) {
		const struct build_event_image *image = &event->images[i];
		json_t *one = json_object();

		if (image->target)
			set_bytes(one, "target", "target_base64", str_of(image->target));
		set_digest(one, "image", image->image);
		set_digest(one, "manifest", image->manifest);
		json_push(list, one);
	}
	json_set(object, "images", list);
}

/* What only this kind of event has. */
static void set_details(json_t *object, const struct build_event *event)
{
	switch (event->kind) {
	case EVENT_BUILD_BEGIN:
		set_number(object, "format", EVENT_FORMAT);
		set_text(object, "id", event->text);
		break;
	case EVENT_BUILD_PLAN:
		set_number(object, "stages", event->stages);
		set_number(object, "steps", event->steps);
		break;
	case EVENT_STEP_BEGIN:
		set_text(object, "platform", event->platform);
		if (event->stage) {
			set_bytes(object, "stage", "stage_base64", str_of(event->stage));
			set_number(object, "index", event->index);
			set_number(object, "count", event->count);
		}
		set_outside_text(object, event->text);
		break;
	case EVENT_TRANSFER_BEGIN:
		break;
	case EVENT_TRANSFER_PROGRESS:
		set_number(object, "done", event->done);
		if (event->total)
			set_number(object, "total", event->total);
		break;
	case EVENT_ISOLATION:
		set_text(object, "userns", event->userns);
		set_text(object, "network", event->network);
		set_text(object, "carrier", event->carrier);
		set_text(object, "storage", event->storage);
		break;
	case EVENT_STEP_LOG:
		set_text(object, "stream", event->stream == BUILD_STDERR ? "stderr" : "stdout");
		set_bytes(object, "text", "base64", event->bytes);
		break;
	case EVENT_STEP_PROGRESS:
		set_outside_text(object, event->text);
		set_number(object, "done", event->done);
		if (event->total)
			set_number(object, "total", event->total);
		break;
	case EVENT_WARNING:
		set_text(object, "rule", event->rule);
		set_outside_text(object, event->text);
		set_text(object, "excerpt", event->excerpt);
		break;
	case EVENT_TRANSFER_END:
		set_number(object, "done", event->done);
		set_end(object, event);
		break;
	case EVENT_STEP_END:
		set_end(object, event);
		break;
	case EVENT_BUILD_END:
		set_images(object, event);
		set_end(object, event);
		break;
	}
}

uint64_t event_clock_at(struct event_clock *clock, const struct build_event *event)
{
	if (event->kind == EVENT_BUILD_BEGIN || !clock->begin)
		clock->begin = event->when;
	if (event->when > clock->begin && event->when - clock->begin > clock->last)
		clock->last = event->when - clock->begin;
	return clock->last;
}

void event_format_json(const struct build_event *event, uint64_t at, struct buf *out)
{
	static const char *const names[] = {
		[EVENT_BUILD_BEGIN] = "build-begin",
		[EVENT_BUILD_PLAN] = "build-plan",
		[EVENT_TRANSFER_BEGIN] = "transfer-begin",
		[EVENT_TRANSFER_PROGRESS] = "transfer-progress",
		[EVENT_TRANSFER_END] = "transfer-end",
		[EVENT_STEP_BEGIN] = "step-begin",
		[EVENT_ISOLATION] = "isolation",
		[EVENT_STEP_LOG] = "log",
		[EVENT_STEP_PROGRESS] = "progress",
		[EVENT_STEP_END] = "step-end",
		[EVENT_WARNING] = "warning",
		[EVENT_BUILD_END] = "build-end",
	};
	AUTO(json) json_t *object = json_object();
	AUTO(mem) char *text = NULL;

	set_text(object, "event", names[event->kind]);
	set_number(object, "at", at);
	if (event->step)
		set_number(object, "step", event->step);
	if (event->transfer) {
		set_number(object, "transfer", event->transfer);
		set_text(object, "verb", event->verb);
		set_bytes(object, "name", "name_base64", str_of(event->name));
	}
	set_details(object, event);
	text = json_format(object);
	buf_adds(out, text);
}
