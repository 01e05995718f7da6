/* cli/ui_frame.c - see cli/ui_frame.h. */

#include "cli/ui_frame.h"

#include <stdbool.h>

#include "base/text.h"
#include "cli/ui_model.h"
#include "cli/width.h"

#define STATUS_COLUMNS 7 /* "cached", or a duration, to the right */
#define TEXT_COLUMN (STATUS_COLUMNS + 2)
#define LINE_BYTES ((size_t)512 * 1024)
#define ENDED_MIN 2 /* steps that have ended keep this much room from logs */

/* The text of one line, cut to the width, in a colour or in none (""). */
static void add_line(struct buf *out, const char *colour, struct str text, struct term_size size)
{
	buf_adds(out, colour);
	width_fit(out, text, size.columns - 1);
	buf_adds(out, colour[0] ? TERM_RESET "\n" : "\n");
}

static const char *paint(const struct ui_model *model, const char *colour)
{
	return model->colours ? colour : "";
}

/* ---- the lines ---- */

static void add_header(const struct ui_model *model, struct term_size size, uint64_t now,
		       struct buf *out)
{
	static const char *const verbs[] = { "built", "built", "failed", "cancelled" };
	AUTO(buf) struct buf line = BUF_INIT(4096);
	char elapsed[TEXT_DURATION_MAX];
	uint64_t duration = model->ended ? model->duration : now - model->begin;

	buf_addf(&line, "%s  %s", model->ended ? verbs[model->status] : "building",
		 text_duration(duration, elapsed));
	if (model->planned)
		buf_adds(&line, "  ");
	if (model->planned && (model->finished < model->steps || !model->ended))
		buf_addf(&line, "%u of ", model->finished);
	if (model->planned)
		buf_addf(&line, "%u step%s", model->steps, model->steps == 1 ? "" : "s");
	if (model->cached > 0)
		buf_addf(&line, ", %u cached", model->cached);
	if (model->ended && model->isolation)
		buf_addf(&line, ", %s%s", model->isolation,
			 model->mixed ? ", and in other ways" : "");
	add_line(out, paint(model, TERM_BOLD), buf_str(&line), size);
}

static const char *step_colour(const struct ui_model *model, const struct ui_step *step)
{
	if (!step->ended)
		return "";
	switch (step->status) {
	case BUILD_DONE:
		return paint(model, TERM_GREEN);
	case BUILD_CACHED:
		return paint(model, TERM_BLUE);
	case BUILD_FAILED:
		return paint(model, TERM_RED);
	case BUILD_CANCELLED:
		return paint(model, TERM_YELLOW);
	}
	return "";
}

static void add_step(const struct ui_model *model, const struct ui_step *step,
		     struct term_size size, uint64_t now, struct buf *out)
{
	AUTO(buf) struct buf line = BUF_INIT(LINE_BYTES);
	const char *colour = step_colour(model, step);
	char elapsed[TEXT_DURATION_MAX];
	const char *status;

	if (!step->ended)
		status = text_duration(now - step->begin, elapsed);
	else if (step->status == BUILD_DONE)
		status = text_duration(step->duration, elapsed);
	else
		status = step->status == BUILD_CANCELLED ? "stopped" :
							   build_status_name(step->status);
	buf_addf(&line, "%s%*s%s  %s", colour, STATUS_COLUMNS, status, colour[0] ? TERM_RESET : "",
		 step->label);
	if (step->ended && step->message)
		buf_addf(&line, ": %s", step->message);
	add_line(out, "", buf_str(&line), size);
}

static void add_detail(const struct ui_model *model, const char *text, struct term_size size,
		       struct buf *out)
{
	AUTO(buf) struct buf line = BUF_INIT(LINE_BYTES);

	buf_addf(&line, "%*s%s", TEXT_COLUMN, "", text);
	add_line(out, paint(model, TERM_FAINT), buf_str(&line), size);
}

static void add_progress(const struct ui_model *model, const struct ui_step *step,
			 struct term_size size, struct buf *out)
{
	const char *space = step->work[0] ? " " : "";
	char done[TEXT_SIZE_MAX], total[TEXT_SIZE_MAX];
	AUTO(mem)
	char *text = step->total ?
			     xasprintf("%s%s%s of %s", step->work, space,
				       text_size(step->done, done), text_size(step->total, total)) :
		     step->done ?
			     xasprintf("%s%s%s", step->work, space, text_size(step->done, done)) :
			     xstrdup(step->work);

	add_detail(model, text, size, out);
}

/* ---- what fits ---- */

/* How the lines below the header are spent. */
struct room {
	size_t ended;   /* steps that have ended: the newest of them */
	size_t running; /* running steps: the oldest of them */
	size_t details; /* lines below each running step, at most */
};

static void count_steps(const struct ui_model *model, size_t *ret_ended, size_t *ret_running)
{
	*ret_ended = 0;
	*ret_running = 0;
	vec_foreach (&model->order, number) {
		if (model->at.at[*number].ended)
			++*ret_ended;
		else
			++*ret_running;
	}
}

static struct room share_room(const struct ui_model *model, size_t lines)
{
	struct room room = { 0 };
	size_t kept;

	count_steps(model, &room.ended, &room.running);
	if (room.running > lines)
		room.running = lines;
	lines -= room.running;
	kept = room.ended < ENDED_MIN ? room.ended : ENDED_MIN;
	if (room.running > 0 && lines > kept)
		room.details = (lines - kept) / room.running;
	if (room.details > UI_TAIL)
		room.details = UI_TAIL;
	lines -= room.running * room.details;
	if (room.ended > lines)
		room.ended = lines;
	return room;
}

/* The details of a running step; returns how many lines they are. */
static size_t add_details(const struct ui_model *model, const struct ui_step *step, size_t lines,
			  struct term_size size, struct buf *out)
{
	size_t used = 0;

	if (lines > 0 && step->work) {
		add_progress(model, step, size, out);
		used++;
	}
	for (size_t back = lines - used; back-- > 0;) {
		const char *line = ui_step_line(step, (unsigned)back);

		if (!line)
			continue;
		add_detail(model, line, size, out);
		used++;
	}
	return used;
}

size_t ui_frame(const struct ui_model *model, struct term_size size, uint64_t now, struct buf *out)
{
	size_t lines = size.rows > 2 ? size.rows - 2 : 0; /* the header, and where the cursor is */
	struct room room = share_room(model, lines);
	size_t ended, running;
	size_t hidden;
	size_t used = 1;

	count_steps(model, &ended, &running);
	hidden = ended - room.ended;
	add_header(model, size, now, out);
	vec_foreach (&model->order, number) {
		const struct ui_step *step = &model->at.at[*number];

		if (step->ended && hidden > 0) {
			hidden--;
		} else if (step->ended) {
			add_step(model, step, size, now, out);
			used++;
		} else if (room.running > 0) {
			room.running--;
			add_step(model, step, size, now, out);
			used += 1 + add_details(model, step, room.details, size, out);
		}
	}
	return used;
}

void ui_summary(const struct ui_model *model, struct term_size size, uint64_t now, struct buf *out)
{
	vec_foreach (&model->order, number)
		add_step(model, &model->at.at[*number], size, now, out);
	add_header(model, size, now, out);
}
