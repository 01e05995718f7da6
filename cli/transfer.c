/*
 * cli/transfer.c - see cli/transfer.h.
 *
 * Two locks, taken in this order: `screen` for whoever writes to the terminal, then `lock` for
 * the model. Work that moves bytes takes `lock` alone where there is a live display, and never
 * waits for a terminal; lines are rare, and their order counts, so they are written under
 * `screen`.
 */

#include "cli/transfer.h"

#include <pthread.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/progress.h"
#include "cli/message.h"
#include "cli/term.h"
#include "cli/transfer_frame.h"
#include "cli/ui_paint.h"

#define OUT_MAX ((size_t)16 * 1024 * 1024)
#define SECOND UINT64_C(1000000000)
#define FRAME_PERIOD (SECOND / 10)
#define LINE_PERIOD (10 * SECOND)
#define EVENT_PERIOD (SECOND / 2)

const char *const transfer_mode_names[] = { "auto", "tty", "plain", "json", "quiet", NULL };

struct transfer_ui {
	enum ui_mode mode; /* never UI_AUTO */
	bool colours;
	struct progress progress;
	uint64_t begin; /* clock_monotonic() */

	pthread_mutex_t screen;
	struct ui_paint paint; /* guarded by screen */

	pthread_mutex_t lock;
	pthread_cond_t stop_asked;
	struct transfer_model model; /* guarded by lock */
	struct buf above;            /* guarded by lock; remarks for the next frame to scroll up */
	bool stop;                   /* guarded by lock */

	pthread_t thread; /* of the live display */
	bool has_thread;
};

/* What a terminal or a pipe does not take is lost: the work is more important. */
static void put(const struct buf *text)
{
	if (text->len > 0)
		err_free(file_write_all(STDERR_FILENO, text->at, text->len, "standard error"));
}

/* ---- the live display ---- */

static void draw(struct transfer_ui *t, bool last)
{
	AUTO(buf) struct buf frame = BUF_INIT(OUT_MAX);
	AUTO(buf) struct buf above = BUF_INIT(OUT_MAX);
	AUTO(buf) struct buf out = BUF_INIT(4 * OUT_MAX);
	struct term_size size = term_get_size(STDERR_FILENO);
	uint64_t now = clock_monotonic();

	pthread_mutex_lock(&t->screen);
	pthread_mutex_lock(&t->lock);
	buf_add_str(&above, buf_str(&t->above));
	buf_reset(&t->above);
	if (last)
		transfer_summary(&t->model, size, now, &above);
	else
		transfer_frame(&t->model, size, now, &frame);
	pthread_mutex_unlock(&t->lock);
	if (frame.len > 0 || above.len > 0 || t->paint.lines > 0) {
		ui_paint_frame(&t->paint, buf_str(&above), buf_str(&frame), size, &out);
		put(&out);
	}
	pthread_mutex_unlock(&t->screen);
}

/* Wait for the time of the next frame; false if there is to be none. */
static bool wait_for_frame(struct transfer_ui *t)
{
	struct timespec until;
	bool stop;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += (long)FRAME_PERIOD;
	if (until.tv_nsec >= (long)SECOND) {
		until.tv_nsec -= (long)SECOND;
		until.tv_sec++;
	}
	pthread_mutex_lock(&t->lock);
	while (!t->stop && pthread_cond_timedwait(&t->stop_asked, &t->lock, &until) == 0)
		;
	stop = t->stop;
	pthread_mutex_unlock(&t->lock);
	return !stop;
}

static void *run_display(void *arg)
{
	struct transfer_ui *t = arg;

	while (wait_for_frame(t))
		draw(t, false);
	return NULL;
}

static void start_display(struct transfer_ui *t)
{
	pthread_condattr_t monotonic;

	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&t->stop_asked, &monotonic);
	pthread_condattr_destroy(&monotonic);
	t->has_thread = pthread_create(&t->thread, NULL, run_display, t) == 0;
}

static void stop_display(struct transfer_ui *t)
{
	pthread_mutex_lock(&t->lock);
	t->stop = true;
	pthread_cond_signal(&t->stop_asked);
	pthread_mutex_unlock(&t->lock);
	if (t->has_thread)
		pthread_join(t->thread, NULL);
	pthread_cond_destroy(&t->stop_asked);
	draw(t, true);
}

/* ---- events ---- */

static json_t *event_new(const struct transfer_ui *t, const char *name)
{
	json_t *event = json_object();

	json_set_text(event, "event", name);
	json_set(event, "at", json_integer((json_int_t)(clock_monotonic() - t->begin)));
	return event;
}

static void set_number(json_t *event, const char *key, uint64_t number)
{
	json_set(event, key, json_integer((json_int_t)number));
}

/* Owns `event`. */
static void event_put(json_t *event, struct buf *out)
{
	AUTO(mem) char *text = json_format(event);

	buf_addf(out, "%s\n", text);
	json_decref(event);
}

static void event_begin(const struct transfer_ui *t, uint64_t id, const char *what, uint64_t total,
			struct buf *out)
{
	json_t *event = event_new(t, "blob-begin");

	set_number(event, "blob", id);
	json_set_text(event, "name", what);
	if (total)
		set_number(event, "total", total);
	event_put(event, out);
}

static void event_about(const struct transfer_ui *t, const char *name, uint64_t id,
			const struct transfer_item *item, struct buf *out)
{
	json_t *event = event_new(t, name);

	set_number(event, "blob", id);
	set_number(event, "done", item->done);
	if (item->ended) {
		json_set_text(event, "status",
			      !item->ok                  ? "failed" :
			      item->total && !item->done ? "cached" :
							   "done");
		set_number(event, "duration", item->duration);
	}
	event_put(event, out);
}

/* ---- what comes in ---- */

static void take_begin(void *self, uint64_t id, const char *what, uint64_t total)
{
	AUTO(buf) struct buf text = BUF_INIT(OUT_MAX);
	struct transfer_ui *t = self;
	const bool writes = t->mode == UI_PLAIN || t->mode == UI_JSON;
	const struct transfer_item *item;

	if (writes)
		pthread_mutex_lock(&t->screen);
	pthread_mutex_lock(&t->lock);
	item = transfer_item_begin(&t->model, id, what, total, clock_monotonic());
	if (t->mode == UI_PLAIN)
		transfer_line_begin(item, &text);
	else if (t->mode == UI_JSON)
		event_begin(t, id, what, total, &text);
	pthread_mutex_unlock(&t->lock);
	put(&text);
	if (writes)
		pthread_mutex_unlock(&t->screen);
}

static void tell_progress(struct transfer_ui *t, uint64_t id)
{
	AUTO(buf) struct buf text = BUF_INIT(OUT_MAX);
	struct transfer_item *item;
	uint64_t now = clock_monotonic();

	pthread_mutex_lock(&t->screen);
	pthread_mutex_lock(&t->lock);
	item = transfer_item_find(&t->model, id);
	item->told = now;
	if (t->mode == UI_PLAIN)
		transfer_line_progress(item, now, &text);
	else
		event_about(t, "blob-progress", id, item, &text);
	pthread_mutex_unlock(&t->lock);
	put(&text);
	pthread_mutex_unlock(&t->screen);
}

static void take_advance(void *self, uint64_t id, uint64_t n)
{
	struct transfer_ui *t = self;
	const uint64_t period = t->mode == UI_PLAIN ? LINE_PERIOD : EVENT_PERIOD;
	struct transfer_item *item;
	bool tell;

	pthread_mutex_lock(&t->lock);
	item = transfer_item_find(&t->model, id);
	item->done += n;
	tell = (t->mode == UI_PLAIN || t->mode == UI_JSON) &&
	       clock_monotonic() >= item->told + period;
	pthread_mutex_unlock(&t->lock);
	if (tell)
		tell_progress(t, id);
}

static void take_end(void *self, uint64_t id, bool ok)
{
	AUTO(buf) struct buf text = BUF_INIT(OUT_MAX);
	struct transfer_ui *t = self;
	const bool writes = t->mode == UI_PLAIN || t->mode == UI_JSON;
	struct transfer_item *item;

	if (writes)
		pthread_mutex_lock(&t->screen);
	pthread_mutex_lock(&t->lock);
	item = transfer_item_find(&t->model, id);
	transfer_item_end(item, ok, clock_monotonic());
	if (t->mode == UI_PLAIN)
		transfer_line_end(item, &text);
	else if (t->mode == UI_JSON)
		event_about(t, "blob-end", id, item, &text);
	pthread_mutex_unlock(&t->lock);
	put(&text);
	if (writes)
		pthread_mutex_unlock(&t->screen);
}

/* ---- remarks ---- */

static void put_remark(struct transfer_ui *t, enum log_level level, const char *line)
{
	AUTO(buf) struct buf text = BUF_INIT(OUT_MAX);

	if (t->mode == UI_JSON) {
		json_t *event = event_new(t, level == LOG_WARN ? "warning" : "remark");

		json_set_text(event, "text", line);
		event_put(event, &text);
	} else {
		message_format_log(level, line, t->colours, &text);
	}
	if (t->mode != UI_TTY) {
		put(&text);
		return;
	}
	pthread_mutex_lock(&t->lock);
	buf_add_str(&t->above, buf_str(&text));
	pthread_mutex_unlock(&t->lock);
}

/* What base/log has, from any thread. */
static void take_remark(enum log_level level, const char *line, void *arg)
{
	struct transfer_ui *t = arg;

	if (level == LOG_WARN || (t->mode != UI_JSON && t->mode != UI_QUIET))
		put_remark(t, level, line);
}

void transfer_ui_tell(struct transfer_ui *transfer, const char *line)
{
	put_remark(transfer, LOG_INFO, line);
}

/* ---- life ---- */

static enum ui_mode mode_of(const struct transfer_values *values)
{
	if (values->quiet)
		return UI_QUIET;
	if (values->progress != UI_AUTO)
		return (enum ui_mode)values->progress;
	return term_is_capable(STDERR_FILENO) ? UI_TTY : UI_PLAIN;
}

struct transfer_ui *transfer_ui_new(const struct transfer_values *values)
{
	static const struct progress_ops ops = { take_begin, take_advance, take_end };
	struct transfer_ui *t = xcalloc(1, sizeof(*t));

	t->mode = mode_of(values);
	t->colours = term_has_colours(STDERR_FILENO);
	t->model.colours = t->colours;
	t->begin = clock_monotonic();
	t->above = BUF_INIT(OUT_MAX);
	t->progress.ops = &ops;
	t->progress.self = t;
	pthread_mutex_init(&t->screen, NULL);
	pthread_mutex_init(&t->lock, NULL);
	if (t->mode == UI_TTY)
		start_display(t);
	log_set_handler(take_remark, t);
	return t;
}

struct progress *transfer_ui_progress(struct transfer_ui *transfer)
{
	return &transfer->progress;
}

void transfer_ui_free(struct transfer_ui *transfer)
{
	if (!transfer)
		return;
	log_set_handler(message_log, NULL);
	if (transfer->mode == UI_TTY)
		stop_display(transfer);
	transfer_model_release(&transfer->model);
	ui_paint_release(&transfer->paint);
	buf_release(&transfer->above);
	pthread_mutex_destroy(&transfer->screen);
	pthread_mutex_destroy(&transfer->lock);
	free(transfer);
}
