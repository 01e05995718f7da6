/* cli/ui_plain.c - see cli/ui_plain.h. */

#include "cli/ui_plain.h"

#include "base/text.h"
#include "builder/events.h"
#include "cli/message.h"
#include "cli/ui_model.h"

#define NUMBER_MAX 100000u
#define SECOND UINT64_C(1000000000)
#define SLOW (5 * SECOND)            /* from here on it is told what a step took */
#define PROGRESS_PERIOD (5 * SECOND) /* progress is told this often, or at every twentieth */

/* Steps have even places, transfers odd ones. */
static struct ui_plain_step *step_of(struct ui_plain *plain, const struct build_event *event)
{
	unsigned place = event->transfer ? 2 * event->transfer + 1 : 2 * event->step;

	if (event->step > NUMBER_MAX || event->transfer > NUMBER_MAX)
		place = 0;
	while (plain->at.len <= place)
		vec_push(&plain->at, (struct ui_plain_step){ 0 });
	return &plain->at.at[place];
}

/* What a line begins with. */
static void add_subject(const struct build_event *event, struct buf *out)
{
	if (!event->transfer) {
		buf_addf(out, "#%u ", event->step);
		return;
	}
	ui_label(event, out);
	buf_adds(out, ": ");
}

static void add_log(const struct ui_plain_step *step, const struct build_event *event,
		    struct buf *out)
{
	uint64_t ms = (event->when - step->begin) / (SECOND / 1000);

	buf_addf(out, "#%u %ju.%03u ", event->step, (uintmax_t)(ms / 1000), (unsigned)(ms % 1000));
	text_escape_output(out, event->bytes, false);
	buf_addc(out, '\n');
}

static void add_progress(struct ui_plain_step *step, const struct build_event *event,
			 struct buf *out)
{
	unsigned part = event->total ?
				(unsigned)(20 * (event->done / 1024) / (event->total / 1024 + 1)) :
				0;
	char done[TEXT_SIZE_MAX], total[TEXT_SIZE_MAX];

	if (!event->text && !event->transfer)
		return;
	if (part == step->told_part && event->when - step->told_when < PROGRESS_PERIOD)
		return;
	step->told_part = part;
	step->told_when = event->when;
	add_subject(event, out);
	text_escape(out, str_of(event->text), NULL);
	if (event->done || event->total)
		buf_addf(out, "%s%s", event->text ? " " : "", text_size(event->done, done));
	if (event->total)
		buf_addf(out, " / %s", text_size(event->total, total));
	buf_addc(out, '\n');
}

/* What a slow step took: " (7.1s CPU, 310 MB memory)". */
static void add_usage(const struct build_event *event, struct buf *out)
{
	char cpu[TEXT_DURATION_MAX], memory[TEXT_SIZE_MAX];

	if (event->cpu_time && event->memory_peak)
		buf_addf(out, " (%s CPU, %s memory)", text_duration(event->cpu_time, cpu),
			 text_size(event->memory_peak, memory));
}

static void add_end(const struct build_event *event, struct buf *out)
{
	static const char *const words[] = { "DONE", "CACHED", "ERROR", "CANCELED" };
	char duration[TEXT_DURATION_MAX], done[TEXT_SIZE_MAX];

	add_subject(event, out);
	buf_adds(out, words[event->status]);
	if (event->transfer && event->done && event->status == BUILD_DONE)
		buf_addf(out, " %s in", text_size(event->done, done));
	if (event->status == BUILD_DONE)
		buf_addf(out, " %s", text_duration(event->duration, duration));
	if (event->status == BUILD_DONE && event->duration >= SLOW)
		add_usage(event, out);
	if (event->text) {
		buf_addc(out, ' ');
		text_escape(out, str_of(event->text), NULL);
	}
	buf_addc(out, '\n');
}

void ui_plain_format(struct ui_plain *plain, const struct build_event *event, struct buf *out)
{
	struct ui_plain_step *step = step_of(plain, event);

	switch (event->kind) {
	case EVENT_STEP_BEGIN:
		*step = (struct ui_plain_step){ .begin = event->when, .told_when = event->when };
		buf_addf(out, "#%u ", event->step);
		ui_label(event, out);
		buf_addc(out, '\n');
		break;
	case EVENT_TRANSFER_BEGIN:
		*step = (struct ui_plain_step){ .begin = event->when, .told_when = event->when };
		ui_label(event, out);
		buf_addc(out, '\n');
		break;
	case EVENT_ISOLATION:
		buf_addf(out, "#%u ", event->step);
		ui_isolation(event, false, out);
		buf_addc(out, '\n');
		break;
	case EVENT_STEP_LOG:
		add_log(step, event, out);
		break;
	case EVENT_STEP_PROGRESS:
	case EVENT_TRANSFER_PROGRESS:
		add_progress(step, event, out);
		break;
	case EVENT_STEP_END:
	case EVENT_TRANSFER_END:
		add_end(event, out);
		break;
	case EVENT_WARNING:
		message_format_remark(event->rule, event->text, event->excerpt, false, out);
		break;
	case EVENT_BUILD_BEGIN:
	case EVENT_BUILD_PLAN:
	case EVENT_BUILD_END:
		break;
	}
}

void ui_plain_release(struct ui_plain *plain)
{
	vec_release(&plain->at);
}
