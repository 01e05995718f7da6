/* cli/transfer_frame.c - see cli/transfer_frame.h. */

#include "cli/transfer_frame.h"

#include <string.h>

#include "base/digest.h"
#include "base/err.h"
#include "base/text.h"
#include "cli/width.h"

#define SECOND UINT64_C(1000000000)
#define SAMPLE (SECOND / 2) /* how often a rate is looked at */
#define LABEL_BYTES 200
#define SHORT_HEX 12
#define BAR_MIN 8
#define BAR_MAX 32
#define LINE_MAX_BYTES ((size_t)64 * 1024)

/* ---- the model ---- */

void transfer_model_release(struct transfer_model *model)
{
	vec_foreach (&model->at, item)
		free(item->label);
	vec_release(&model->at);
}

/* A digest is called by its first digits, as images are. */
static char *label_of(const char *what)
{
	struct str text = str_of(what);
	struct digest digest;
	AUTO(err) struct err *err = digest_parse(what, &digest);

	if (!err) {
		const char *hex = strchr(what, ':') + 1;

		text = (struct str){ hex, SHORT_HEX };
	}
	if (text.len > LABEL_BYTES)
		text.len = LABEL_BYTES;
	return text_escaped(text);
}

struct transfer_item *transfer_item_begin(struct transfer_model *model, uint64_t id,
					  const char *what, uint64_t total, uint64_t now)
{
	struct transfer_item *item;

	while (model->at.len < id)
		(void)vec_add(&model->at);
	item = &model->at.at[id - 1];
	*item = (struct transfer_item){
		.begun = true,
		.label = label_of(what),
		.total = total,
		.begin = now,
		.sampled = now,
		.told = now,
	};
	if (!model->begin)
		model->begin = model->sampled = now;
	return item;
}

struct transfer_item *transfer_item_find(struct transfer_model *model, uint64_t id)
{
	return &model->at.at[id - 1];
}

void transfer_item_end(struct transfer_item *item, bool ok, uint64_t now)
{
	item->ended = true;
	item->ok = ok;
	item->duration = now - item->begin;
}

/* Bytes per second of late: what came since the last look, and some of what was known before. */
static void sample(uint64_t done, uint64_t now, uint64_t *sampled, uint64_t *sampled_done,
		   double *rate)
{
	double fresh;

	if (now < *sampled + SAMPLE)
		return;
	fresh = (double)(done - *sampled_done) * (double)SECOND / (double)(now - *sampled);
	*rate = *rate > 0 ? 0.6 * *rate + 0.4 * fresh : fresh;
	*sampled = now;
	*sampled_done = done;
}

/* ---- pieces of lines ---- */

static void add_rate(struct buf *out, const char *before, double rate)
{
	char text[TEXT_SIZE_MAX];

	if (rate >= 1)
		buf_addf(out, "%s%s/s", before, text_size((uint64_t)rate, text));
}

/* "12.3 MB of 45.2 MB  4.2 MB/s  8s left" */
static void add_numbers(struct buf *out, const struct transfer_item *item, const char *between)
{
	char done[TEXT_SIZE_MAX], total[TEXT_SIZE_MAX], left[TEXT_DURATION_MAX];

	buf_adds(out, text_size(item->done, done));
	if (item->total)
		buf_addf(out, " of %s", text_size(item->total, total));
	add_rate(out, between, item->rate);
	if (item->rate >= 1 && item->total > item->done) {
		double seconds = (double)(item->total - item->done) / item->rate;

		if (seconds < 1e6)
			buf_addf(out, "%s%s left", between,
				 text_duration((uint64_t)(seconds * (double)SECOND), left));
	}
}

static void add_bar(struct buf *out, const struct transfer_item *item, size_t width)
{
	uint64_t done = item->done < item->total ? item->done : item->total;
	size_t full =
		item->total ? (size_t)((double)done / (double)item->total * (double)width) : 0;

	for (size_t i = 0; i < width; i++)
		buf_addc(out, i < full ? '#' : '-');
	buf_adds(out, "  ");
}

static void put_line(struct buf *out, const char *colour, const struct buf *line,
		     struct term_size size)
{
	buf_adds(out, colour);
	width_fit(out, buf_str(line), size.columns - 1);
	buf_adds(out, colour[0] ? TERM_RESET "\n" : "\n");
}

static void add_item(const struct transfer_item *item, struct term_size size, struct buf *out)
{
	AUTO(buf) struct buf line = BUF_INIT(LINE_MAX_BYTES);
	AUTO(buf) struct buf numbers = BUF_INIT(LINE_MAX_BYTES);
	size_t used, room;

	buf_addf(&line, "  %s  ", item->label);
	add_numbers(&numbers, item, "  ");
	used = width_of(buf_str(&line)) + width_of(buf_str(&numbers)) + 3;
	room = size.columns > used ? size.columns - used : 0;
	if (item->total && room >= BAR_MIN)
		add_bar(&line, item, room < BAR_MAX ? room : BAR_MAX);
	buf_add_str(&line, buf_str(&numbers));
	put_line(out, "", &line, size);
}

/* ---- the picture ---- */

struct sums {
	size_t begun, ended, failed;
	uint64_t done, total;
	bool has_total; /* of all that have begun */
};

static struct sums sums_of(const struct transfer_model *model)
{
	struct sums sums = { .has_total = true };

	vec_foreach (&model->at, item) {
		if (!item->begun)
			continue;
		sums.begun++;
		sums.ended += item->ended;
		sums.failed += item->ended && !item->ok;
		sums.done += item->done;
		/* What ended without a byte was there already. */
		sums.total += item->ended ? item->done : item->total;
		sums.has_total = sums.has_total && (item->ended || item->total);
	}
	return sums;
}

static void add_header(struct transfer_model *model, const struct sums *sums, struct term_size size,
		       uint64_t now, struct buf *out)
{
	AUTO(buf) struct buf line = BUF_INIT(LINE_MAX_BYTES);
	char elapsed[TEXT_DURATION_MAX], done[TEXT_SIZE_MAX], total[TEXT_SIZE_MAX];

	buf_addf(&line, "transferring  %s  %zu of %zu done, %s",
		 text_duration(now - model->begin, elapsed), sums->ended, sums->begun,
		 text_size(sums->done, done));
	if (sums->has_total)
		buf_addf(&line, " of %s", text_size(sums->total, total));
	add_rate(&line, ", ", model->rate);
	put_line(out, model->colours ? TERM_BOLD : "", &line, size);
}

void transfer_frame(struct transfer_model *model, struct term_size size, uint64_t now,
		    struct buf *out)
{
	const struct sums sums = sums_of(model);
	size_t room = size.rows > 2 ? size.rows - 2 : 0;

	if (!sums.begun)
		return;
	sample(sums.done, now, &model->sampled, &model->sampled_done, &model->rate);
	add_header(model, &sums, size, now, out);
	vec_foreach (&model->at, item) {
		if (!item->begun || item->ended || !room)
			continue;
		sample(item->done, now, &item->sampled, &item->sampled_done, &item->rate);
		add_item(item, size, out);
		room--;
	}
}

void transfer_summary(const struct transfer_model *model, struct term_size size, uint64_t now,
		      struct buf *out)
{
	const struct sums sums = sums_of(model);
	AUTO(buf) struct buf line = BUF_INIT(LINE_MAX_BYTES);
	char elapsed[TEXT_DURATION_MAX], done[TEXT_SIZE_MAX];
	uint64_t duration = now - model->begin;

	if (!sums.done)
		return;
	buf_addf(&line, "%s in %s", text_size(sums.done, done), text_duration(duration, elapsed));
	if (duration)
		add_rate(&line, ", ", (double)sums.done * (double)SECOND / (double)duration);
	if (sums.failed)
		buf_addf(&line, ", %zu failed", sums.failed);
	put_line(out, "", &line, size);
}

/* ---- lines ---- */

void transfer_line_begin(const struct transfer_item *item, struct buf *out)
{
	char total[TEXT_SIZE_MAX];

	buf_adds(out, item->label);
	if (item->total)
		buf_addf(out, " %s", text_size(item->total, total));
	buf_addc(out, '\n');
}

void transfer_line_progress(struct transfer_item *item, uint64_t now, struct buf *out)
{
	sample(item->done, now, &item->sampled, &item->sampled_done, &item->rate);
	buf_addf(out, "%s ", item->label);
	add_numbers(out, item, ", ");
	buf_addc(out, '\n');
}

void transfer_line_end(const struct transfer_item *item, struct buf *out)
{
	char elapsed[TEXT_DURATION_MAX];

	if (item->ok && item->total && !item->done) {
		buf_addf(out, "%s is there already\n", item->label);
		return;
	}
	buf_addf(out, "%s %s in %s", item->label, item->ok ? "done" : "failed",
		 text_duration(item->duration, elapsed));
	if (item->ok && item->duration)
		add_rate(out, ", ", (double)item->done * (double)SECOND / (double)item->duration);
	buf_addc(out, '\n');
}
