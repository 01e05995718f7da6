/*
 * cli/ui.c - see cli/ui.h.
 *
 * Two locks, taken in this order: `screen` for whoever writes to the terminal
 * and for what is on it, then `lock` for the state that events change. Events of
 * the live display take `lock` alone and never wait for a terminal; its thread
 * copies a frame under `lock` and writes it without.
 */

#include "cli/ui.h"

#include <pthread.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "base/log.h"
#include "cli/message.h"
#include "cli/term.h"
#include "cli/ui_frame.h"
#include "cli/ui_model.h"
#include "cli/ui_paint.h"
#include "cli/ui_plain.h"
#include "cli/ui_raw.h"

#define OUT_MAX ((size_t)16 * 1024 * 1024)
#define FRAME_PERIOD 100000000 /* nanoseconds between two frames */

const char *const ui_mode_names[] = { "auto",  "tty",     "plain", "json",
				      "quiet", "rawjson", "none",  NULL };

struct ui {
	enum ui_mode mode; /* never UI_AUTO */
	struct build_events events;
	bool colours;

	pthread_mutex_t screen;
	struct ui_paint paint; /* guarded by screen */

	pthread_mutex_t lock;
	pthread_cond_t stop_asked;
	struct ui_model model; /* guarded by lock */
	struct ui_plain plain; /* guarded by lock */
	struct ui_raw raw;     /* guarded by lock */
	struct buf above;      /* guarded by lock; remarks for the next frame to scroll up */
	struct event_clock json_clock; /* guarded by lock */
	bool stop;                     /* guarded by lock */

	pthread_t thread; /* of the live display */
	bool has_thread;
};

/* What a terminal or a pipe does not take is lost: the build is more important. */
static void put(const struct buf *text)
{
	if (text->len > 0)
		err_free(file_write_all(STDERR_FILENO, text->at, text->len, "standard error"));
}

/* ---- the live display ---- */

static void draw(struct ui *ui)
{
	AUTO(buf) struct buf frame = BUF_INIT(OUT_MAX);
	AUTO(buf) struct buf above = BUF_INIT(OUT_MAX);
	AUTO(buf) struct buf out = BUF_INIT(4 * OUT_MAX);
	struct term_size size = term_get_size(STDERR_FILENO);

	pthread_mutex_lock(&ui->screen);
	pthread_mutex_lock(&ui->lock);
	if (ui->model.begun)
		ui_frame(&ui->model, size, clock_monotonic(), &frame);
	buf_add_str(&above, buf_str(&ui->above));
	buf_reset(&ui->above);
	pthread_mutex_unlock(&ui->lock);
	if (frame.len > 0 || above.len > 0) {
		ui_paint_frame(&ui->paint, buf_str(&above), buf_str(&frame), size, &out);
		put(&out);
	}
	pthread_mutex_unlock(&ui->screen);
}

/* Wait for the time of the next frame; false if there is to be none. */
static bool wait_for_frame(struct ui *ui)
{
	struct timespec until;
	bool stop;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += FRAME_PERIOD;
	if (until.tv_nsec >= 1000000000) {
		until.tv_nsec -= 1000000000;
		until.tv_sec++;
	}
	pthread_mutex_lock(&ui->lock);
	while (!ui->stop && pthread_cond_timedwait(&ui->stop_asked, &ui->lock, &until) == 0)
		;
	stop = ui->stop;
	pthread_mutex_unlock(&ui->lock);
	return !stop;
}

static void *run_display(void *arg)
{
	struct ui *ui = arg;

	while (wait_for_frame(ui))
		draw(ui);
	return NULL;
}

/* The last frame gives way to the list of all steps. */
static void draw_end(struct ui *ui)
{
	AUTO(buf) struct buf text = BUF_INIT(OUT_MAX);
	AUTO(buf) struct buf out = BUF_INIT(4 * OUT_MAX);
	struct term_size size = term_get_size(STDERR_FILENO);

	buf_add_str(&text, buf_str(&ui->above));
	if (ui->model.begun)
		ui_summary(&ui->model, size, clock_monotonic(), &text);
	if (text.len == 0 && ui->paint.lines == 0)
		return;
	ui_paint_frame(&ui->paint, buf_str(&text), STR(""), size, &out);
	put(&out);
}

/* ---- what comes in ---- */

static void show_warning(const struct ui *ui, const struct build_event *event, struct buf *out)
{
	message_format_remark(event->rule, event->text, event->excerpt, ui->colours, out);
}

static void emit_tty(void *self, const struct build_event *event)
{
	struct ui *ui = self;

	pthread_mutex_lock(&ui->lock);
	ui_model_apply(&ui->model, event);
	if (event->kind == EVENT_WARNING)
		show_warning(ui, event, &ui->above);
	pthread_mutex_unlock(&ui->lock);
}

static void emit_plain(void *self, const struct build_event *event)
{
	AUTO(buf) struct buf text = BUF_INIT(OUT_MAX);
	struct ui *ui = self;

	pthread_mutex_lock(&ui->screen); /* keeps the order of lines */
	pthread_mutex_lock(&ui->lock);
	ui_plain_format(&ui->plain, event, &text);
	pthread_mutex_unlock(&ui->lock);
	put(&text);
	pthread_mutex_unlock(&ui->screen);
}

static void emit_json(void *self, const struct build_event *event)
{
	AUTO(buf) struct buf text = BUF_INIT(OUT_MAX);
	struct ui *ui = self;

	pthread_mutex_lock(&ui->screen);
	pthread_mutex_lock(&ui->lock);
	event_format_json(event, event_clock_at(&ui->json_clock, event), &text);
	pthread_mutex_unlock(&ui->lock);
	buf_addc(&text, '\n');
	put(&text);
	pthread_mutex_unlock(&ui->screen);
}

static void emit_raw(void *self, const struct build_event *event)
{
	AUTO(buf) struct buf text = BUF_INIT(OUT_MAX);
	struct ui *ui = self;

	pthread_mutex_lock(&ui->screen);
	pthread_mutex_lock(&ui->lock);
	ui_raw_format(&ui->raw, event, clock_now(), &text);
	pthread_mutex_unlock(&ui->lock);
	put(&text);
	pthread_mutex_unlock(&ui->screen);
}

static void emit_quiet(void *self, const struct build_event *event)
{
	AUTO(buf) struct buf text = BUF_INIT(OUT_MAX);

	if (event->kind == EVENT_WARNING)
		show_warning(self, event, &text);
	put(&text);
}

/* Remarks of base/log, from any thread. */
static void take_remark(enum log_level level, const char *line, void *arg)
{
	AUTO(buf) struct buf text = BUF_INIT(OUT_MAX);
	struct ui *ui = arg;
	const bool for_programs = ui->mode == UI_JSON || ui->mode == UI_RAWJSON;

	if (for_programs && level == LOG_WARN) {
		events_emit(&ui->events,
			    &(struct build_event){ .kind = EVENT_WARNING, .text = line });
		return;
	}
	if (for_programs || ui->mode == UI_NONE || (ui->mode == UI_QUIET && level < LOG_WARN))
		return;
	message_format_log(level, line, ui->colours, &text);
	if (ui->mode != UI_TTY) {
		put(&text);
		return;
	}
	pthread_mutex_lock(&ui->lock);
	buf_add_str(&ui->above, buf_str(&text));
	pthread_mutex_unlock(&ui->lock);
}

/* ---- life ---- */

static void start_display(struct ui *ui)
{
	pthread_condattr_t monotonic;

	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&ui->stop_asked, &monotonic);
	pthread_condattr_destroy(&monotonic);
	ui->has_thread = pthread_create(&ui->thread, NULL, run_display, ui) == 0;
}

struct ui *ui_new(enum ui_mode mode)
{
	static void (*const emit[])(void *, const struct build_event *) = {
		[UI_TTY] = emit_tty,
		[UI_PLAIN] = emit_plain,
		[UI_JSON] = emit_json,
		[UI_RAWJSON] = emit_raw,
		[UI_QUIET] = emit_quiet,
		[UI_NONE] = NULL, /* events_emit() knows that nobody listens */
	};
	struct ui *ui = xcalloc(1, sizeof(*ui));

	if (mode == UI_AUTO)
		mode = term_is_capable(STDERR_FILENO) ? UI_TTY : UI_PLAIN;
	ui->mode = mode;
	ui->colours = term_has_colours(STDERR_FILENO);
	ui->model.colours = ui->colours;
	ui->above = BUF_INIT(OUT_MAX);
	ui->events = (struct build_events){ .emit = emit[mode], .self = ui };
	pthread_mutex_init(&ui->screen, NULL);
	pthread_mutex_init(&ui->lock, NULL);
	if (mode == UI_TTY)
		start_display(ui);
	log_set_handler(take_remark, ui);
	return ui;
}

const struct build_events *ui_events(const struct ui *ui)
{
	return &ui->events;
}

static void stop_display(struct ui *ui)
{
	pthread_mutex_lock(&ui->lock);
	ui->stop = true;
	pthread_cond_signal(&ui->stop_asked);
	pthread_mutex_unlock(&ui->lock);
	if (ui->has_thread)
		pthread_join(ui->thread, NULL);
	pthread_cond_destroy(&ui->stop_asked);
	draw_end(ui);
}

void ui_free(struct ui *ui)
{
	if (!ui)
		return;
	log_set_handler(message_log, NULL);
	if (ui->mode == UI_TTY)
		stop_display(ui);
	ui_model_release(&ui->model);
	ui_plain_release(&ui->plain);
	ui_raw_release(&ui->raw);
	ui_paint_release(&ui->paint);
	buf_release(&ui->above);
	pthread_mutex_destroy(&ui->screen);
	pthread_mutex_destroy(&ui->lock);
	free(ui);
}
