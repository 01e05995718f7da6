/* cli/ui_model.c - see cli/ui_model.h. */

#include "cli/ui_model.h"

#include "base/text.h"
#include "base/vec.h"

#define LABEL_MAX ((size_t)64 * 1024)
#define LINE_MAX_ (2 * EVENT_LINE_MAX) /* of a line of output, escaped */
#define NUMBER_MAX 100000u             /* of a step that is shown */

void ui_label(const struct build_event *event, struct buf *out)
{
	if (event->transfer) {
		buf_addf(out, "%s ", event->verb);
		text_escape(out, str_of(event->name), NULL);
		return;
	}
	if (event->stage) {
		buf_addc(out, '[');
		if (event->platform)
			buf_addf(out, "%s ", event->platform);
		text_escape(out, str_of(event->stage), NULL);
		buf_addf(out, " %u/%u] ", event->index, event->count);
	}
	text_escape(out, str_of(event->text), NULL);
}

void ui_isolation(const struct build_event *event, bool brief, struct buf *out)
{
	static const struct {
		const char *name, *text;
	} users[] = {
		{ "private", "in a user namespace" },
		{ "host", "as root of this machine" },
		{ "ranges", "rootless" },
		{ "single", "rootless with one id" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(users); i++)
		if (strcmp(event->userns, users[i].name) == 0)
			buf_adds(out, users[i].text);
	if (strcmp(event->network, "none") == 0)
		buf_adds(out, ", no network");
	else
		buf_addf(out, ", %s network", event->network);
	if (event->carrier && !brief)
		buf_addf(out, " (%s)", event->carrier);
	if (!brief || strcmp(event->storage, "overlay") != 0)
		buf_addf(out, ", %s", event->storage);
}

static char *escaped_or_null(const char *text)
{
	return text ? text_escaped(str_of(text)) : NULL;
}

/* The place of the step or transfer that an event is about; 0 for what is not shown. */
static unsigned place_of(const struct build_event *event)
{
	if (event->step > NUMBER_MAX || event->transfer > NUMBER_MAX)
		return 0;
	return event->transfer ? 2 * event->transfer + 1 : 2 * event->step;
}

/* What is in that place; made if it is new, NULL for place 0. */
static struct ui_step *step_at(struct ui_model *model, unsigned place)
{
	if (place == 0)
		return NULL;
	while (model->at.len <= place)
		vec_push(&model->at, (struct ui_step){ 0 });
	return &model->at.at[place];
}

static void begin_step(struct ui_model *model, struct ui_step *step,
		       const struct build_event *event)
{
	AUTO(buf) struct buf label = BUF_INIT(LABEL_MAX);

	if (step->begun)
		return;
	ui_label(event, &label);
	step->begun = true;
	step->begin = event->when;
	step->label = buf_steal(&label);
	vec_push(&model->order, place_of(event));
}

static void end_step(struct ui_model *model, struct ui_step *step, const struct build_event *event)
{
	if (step->ended)
		return;
	step->ended = true;
	step->status = event->status;
	step->duration = event->duration;
	step->message = escaped_or_null(event->text);
	if (event->transfer)
		return;
	model->finished += event->status == BUILD_DONE || event->status == BUILD_CACHED;
	model->cached += event->status == BUILD_CACHED;
	model->failed += event->status == BUILD_FAILED;
}

static void add_log(const struct ui_model *model, struct ui_step *step, struct str line)
{
	AUTO(buf) struct buf text = BUF_INIT(LINE_MAX_);
	char **slot = &step->tail[step->lines % UI_TAIL];

	text_escape_output(&text, line, model->colours);
	if (text.len == 0)
		return; /* an empty line tells nobody what is going on */
	for (char *tab = text.at; (tab = strchr(tab, '\t'));)
		*tab = ' ';
	free(*slot);
	*slot = buf_steal(&text);
	step->lines++;
}

static void add_progress(struct ui_step *step, const struct build_event *event)
{
	free(step->work);
	step->work = escaped_or_null(event->text);
	step->done = event->done;
	step->total = event->total;
}

static void add_transferred(struct ui_step *step, const struct build_event *event)
{
	if (!step->work)
		step->work = xstrdup("");
	step->done = event->done;
	step->total = event->total;
}

static void add_isolation(struct ui_model *model, const struct build_event *event)
{
	AUTO(buf) struct buf text = BUF_INIT(LABEL_MAX);

	ui_isolation(event, true, &text);
	if (model->isolation)
		model->mixed = true;
	else
		model->isolation = buf_steal(&text);
}

void ui_model_apply(struct ui_model *model, const struct build_event *event)
{
	struct ui_step *step = step_at(model, place_of(event));

	if (event->kind == EVENT_BUILD_BEGIN) {
		model->begun = true;
		model->begin = event->when;
	} else if (event->kind == EVENT_BUILD_PLAN) {
		model->planned = true;
		model->steps = event->steps;
	} else if (event->kind == EVENT_BUILD_END) {
		model->ended = true;
		model->status = event->status;
		model->duration = event->duration ? event->duration : event->when - model->begin;
	} else if (!step) {
		return;
	} else if (event->kind == EVENT_STEP_BEGIN || event->kind == EVENT_TRANSFER_BEGIN) {
		begin_step(model, step, event);
	} else if (event->kind == EVENT_STEP_END || event->kind == EVENT_TRANSFER_END) {
		end_step(model, step, event);
	} else if (event->kind == EVENT_ISOLATION) {
		add_isolation(model, event);
	} else if (event->kind == EVENT_STEP_LOG) {
		add_log(model, step, event->bytes);
	} else if (event->kind == EVENT_STEP_PROGRESS) {
		add_progress(step, event);
	} else if (event->kind == EVENT_TRANSFER_PROGRESS) {
		add_transferred(step, event);
	}
}

const char *ui_step_line(const struct ui_step *step, unsigned back)
{
	if (back >= UI_TAIL || back >= step->lines)
		return NULL;
	return step->tail[(step->lines - 1 - back) % UI_TAIL];
}

void ui_model_release(struct ui_model *model)
{
	vec_foreach (&model->at, step) {
		free(step->label);
		free(step->message);
		free(step->work);
		for (unsigned i = 0; i < UI_TAIL; i++)
			free(step->tail[i]);
	}
	vec_release(&model->at);
	vec_release(&model->order);
	free(model->isolation);
}
