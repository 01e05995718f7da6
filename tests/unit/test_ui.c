/* tests/unit/test_ui.c - what a build looks like, at fixed widths and a fixed clock. */

#include "tests/unit/unit.h"

#include <stdlib.h>
#include <string.h>

#include "builder/events.h"
#include "cli/ui_frame.h"
#include "cli/ui_model.h"
#include "cli/ui_paint.h"
#include "cli/ui_plain.h"
#include "cli/width.h"

#define S UINT64_C(1000000000)
#define MS UINT64_C(1000000)

/* ---- a build to look at ---- */

#define BEGIN(id, at, name, i, n, what)                                                          \
	{                                                                                        \
		.kind = EVENT_STEP_BEGIN, .when = 100 * S + (at), .step = (id), .stage = (name), \
		.index = (i), .count = (n), .text = (what)                                       \
	}
#define LINE(id, at, words)                                                   \
	{                                                                     \
		.kind = EVENT_STEP_LOG, .when = 100 * S + (at), .step = (id), \
		.stream = BUILD_STDOUT, .bytes = {                            \
			(words),                                              \
			sizeof(words) - 1                                     \
		}                                                             \
	}
#define END(id, at, how, took, why)                                                            \
	{                                                                                      \
		.kind = EVENT_STEP_END, .when = 100 * S + (at), .step = (id), .status = (how), \
		.duration = (took), .text = (why)                                              \
	}

static const struct build_event story[] = {
	{ .kind = EVENT_BUILD_BEGIN, .when = 100 * S },
	{ .kind = EVENT_BUILD_PLAN, .when = 100 * S, .stages = 2, .steps = 6 },
	BEGIN(1, 0, NULL, 0, 0, "load context"),
	END(1, 50 * MS, BUILD_DONE, 50 * MS, NULL),
	BEGIN(2, 60 * MS, "build", 1, 3, "FROM debian"),
	END(2, 61 * MS, BUILD_CACHED, MS, NULL),
	BEGIN(3, 1 * S, "build", 2, 3, "RUN make"),
	LINE(3, 1200 * MS, "cc one.c"),
	LINE(3, 1300 * MS, "cc\ttwo.c \033[31mred\033[0m\033]0;title\a"),
	LINE(3, 1400 * MS, ""),
	LINE(3, 1500 * MS, "10%\r20%\r30%"),
	BEGIN(4, 2 * S, "stage-1", 1, 2, "RUN apt-get install \xe2\x80\xae evil"),
	{ .kind = EVENT_STEP_PROGRESS,
	  .when = 102 * S,
	  .step = 4,
	  .text = "unpack",
	  .done = 4200000,
	  .total = 17000000 },
	END(3, 4 * S, BUILD_FAILED, 3 * S, "exit code 2"),
	END(4, 4 * S, BUILD_CANCELLED, 2 * S, NULL),
	{ .kind = EVENT_BUILD_END, .when = 104 * S, .status = BUILD_FAILED, .duration = 4 * S },
};

static void tell(struct ui_model *model, size_t events)
{
	for (size_t i = 0; i < events; i++)
		ui_model_apply(model, &story[i]);
}

static size_t index_of(enum build_event_kind kind, unsigned step)
{
	for (size_t i = 0; i < ARRAY_SIZE(story); i++)
		if (story[i].kind == kind && story[i].step == step)
			return i;
	fail_msg("no such event");
	return 0;
}

/* ---- the picture ---- */

TEST(a_frame_shows_what_runs_and_what_is_done)
{
	struct ui_model model = { 0 };
	AUTO(buf) struct buf out = BUF_INIT(65536);
	const struct term_size size = { 60, 24 };

	tell(&model, index_of(EVENT_STEP_END, 3));
	assert_int_equal(ui_frame(&model, size, 103 * S, &out), 9);
	assert_string_equal(out.at, "building  3.0s  2 of 6 steps, 1 cached\n"
				    " 50.0ms  load context\n"
				    " cached  [build 1/3] FROM debian\n"
				    "   2.0s  [build 2/3] RUN make\n"
				    "         cc one.c\n"
				    "         cc two.c red\n"
				    "         30%\n"
				    "   1.0s  [stage-1 1/2] RUN apt-get install \\u{202e} evil\n"
				    "         unpack 4.2 MB of 17 MB\n");
	ui_model_release(&model);
}

/* What is fetched before there is a plan. */
static const struct build_event pulls[] = {
	{ .kind = EVENT_BUILD_BEGIN, .when = 100 * S },
	{ .kind = EVENT_TRANSFER_BEGIN,
	  .when = 100 * S,
	  .transfer = 1,
	  .verb = "pull",
	  .name = "debian:trixie" },
	{ .kind = EVENT_TRANSFER_BEGIN,
	  .when = 100 * S,
	  .transfer = 2,
	  .verb = "pull",
	  .name = "evil\033[0m" },
	{ .kind = EVENT_TRANSFER_PROGRESS,
	  .when = 101 * S,
	  .transfer = 1,
	  .verb = "pull",
	  .name = "debian:trixie",
	  .done = 4200000,
	  .total = 17000000 },
	{ .kind = EVENT_TRANSFER_END,
	  .when = 101 * S,
	  .transfer = 2,
	  .verb = "pull",
	  .name = "evil\033[0m",
	  .status = BUILD_FAILED,
	  .duration = 1 * S,
	  .text = "there is no such image" },
};

TEST(a_frame_shows_what_is_pulled)
{
	struct ui_model model = { 0 };
	AUTO(buf) struct buf out = BUF_INIT(65536);

	for (size_t i = 0; i < ARRAY_SIZE(pulls); i++)
		ui_model_apply(&model, &pulls[i]);
	ui_frame(&model, (struct term_size){ 60, 24 }, 102 * S, &out);
	assert_string_equal(out.at, "building  2.0s\n"
				    "   2.0s  pull debian:trixie\n"
				    "         4.2 MB of 17 MB\n"
				    " failed  pull evil\\x1b[0m: there is no such image\n");
	ui_model_release(&model);
}

TEST(lines_tell_what_is_pulled)
{
	struct ui_plain plain = { 0 };
	AUTO(buf) struct buf out = BUF_INIT(65536);

	for (size_t i = 0; i < ARRAY_SIZE(pulls); i++)
		ui_plain_format(&plain, &pulls[i], &out);
	ui_plain_format(&plain,
			&(struct build_event){ .kind = EVENT_TRANSFER_END,
					       .when = 103 * S,
					       .transfer = 1,
					       .verb = "pull",
					       .name = "debian:trixie",
					       .done = 17000000,
					       .duration = 3 * S },
			&out);
	assert_string_equal(out.at, "pull debian:trixie\n"
				    "pull evil\\x1b[0m\n"
				    "pull debian:trixie: 4.2 MB / 17 MB\n"
				    "pull evil\\x1b[0m: ERROR there is no such image\n"
				    "pull debian:trixie: DONE 17 MB in 3.0s\n");
	ui_plain_release(&plain);
}

TEST(the_end_lists_every_step)
{
	struct ui_model model = { 0 };
	AUTO(buf) struct buf out = BUF_INIT(65536);
	const struct term_size size = { 40, 4 }; /* the list may be longer than the screen */

	tell(&model, ARRAY_SIZE(story));
	ui_summary(&model, size, 0, &out);
	assert_string_equal(out.at, " 50.0ms  load context\n"
				    " cached  [build 1/3] FROM debian\n"
				    " failed  [build 2/3] RUN make: exit co\u2026\n"
				    "stopped  [stage-1 1/2] RUN apt-get ins\u2026\n"
				    "failed  4.0s  2 of 6 steps, 1 cached\n");
	ui_model_release(&model);
}

TEST(the_end_tells_how_steps_were_kept_apart)
{
	static const struct {
		struct build_event event;
		const char *plain, *end;
	} cases[] = {
		{ { .userns = "private",
		    .network = "private",
		    .carrier = "pasta",
		    .storage = "overlay" },
		  "#3 in a user namespace, private network (pasta), overlay\n",
		  "built  1.0s, in a user namespace, private network\n" },
		{ { .userns = "host", .network = "host", .storage = "overlay" },
		  "#3 as root of this machine, host network, overlay\n",
		  "built  1.0s, as root of this machine, host network\n" },
		{ { .userns = "ranges", .network = "none", .storage = "fuse-overlayfs" },
		  "#3 rootless, no network, fuse-overlayfs\n",
		  "built  1.0s, rootless, no network, fuse-overlayfs\n" },
		{ { .userns = "single", .network = "none", .storage = "copy" },
		  "#3 rootless with one id, no network, copy\n",
		  "built  1.0s, rootless with one id, no network, copy\n" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct ui_model model = { 0 };
		struct ui_plain plain = { 0 };
		AUTO(buf) struct buf lines = BUF_INIT(65536);
		AUTO(buf) struct buf end = BUF_INIT(65536);
		struct build_event event = cases[i].event;

		event.kind = EVENT_ISOLATION;
		event.step = 3;
		ui_plain_format(&plain, &event, &lines);
		assert_string_equal(lines.at, cases[i].plain);
		ui_model_apply(&model, &event);
		ui_model_apply(&model,
			       &(struct build_event){ .kind = EVENT_BUILD_END, .duration = S });
		ui_summary(&model, (struct term_size){ 80, 24 }, 0, &end);
		assert_string_equal(end.at, cases[i].end);
		ui_plain_release(&plain);
		ui_model_release(&model);
	}
}

TEST(colours_are_closed_where_they_are_opened)
{
	struct ui_model model = { .colours = true };
	AUTO(buf) struct buf out = BUF_INIT(65536);

	tell(&model, index_of(EVENT_STEP_BEGIN, 3));
	ui_frame(&model, (struct term_size){ 60, 24 }, 101 * S, &out);
	assert_string_equal(out.at, "\033[1mbuilding  1.0s  2 of 6 steps, 1 cached\033[0m\n"
				    "\033[32m 50.0ms\033[0m  load context\n"
				    "\033[34m cached\033[0m  [build 1/3] FROM debian\n");
	ui_model_release(&model);
}

TEST(no_frame_is_larger_than_its_terminal)
{
	for (size_t events = 1; events <= ARRAY_SIZE(story); events++)
		for (unsigned columns = 2; columns < 70; columns += 7)
			for (unsigned rows = 2; rows < 12; rows++) {
				struct ui_model model = { .colours = events % 2 };
				AUTO(buf) struct buf out = BUF_INIT(65536);
				struct str rest;
				size_t lines, counted = 0;

				tell(&model, events);
				lines = ui_frame(&model, (struct term_size){ columns, rows },
						 104 * S, &out);
				rest = buf_str(&out);
				for (; rest.len > 0; counted++)
					assert_in_range(width_of(str_cut(&rest, '\n')), 0,
							columns - 1);
				assert_int_equal(lines, counted);
				assert_in_range(lines, 1, rows - 1);
				ui_model_release(&model);
			}
}

/* ---- lines for pipes ---- */

TEST(plain_tells_one_event_a_line)
{
	struct ui_plain plain = { 0 };
	AUTO(buf) struct buf out = BUF_INIT(65536);

	for (size_t i = 0; i < ARRAY_SIZE(story); i++)
		ui_plain_format(&plain, &story[i], &out);
	ui_plain_format(&plain,
			&(struct build_event){ .kind = EVENT_WARNING,
					       .rule = "StageNameCasing",
					       .text = "stage \033[2Jname" },
			&out);
	assert_string_equal(out.at, "#1 load context\n"
				    "#1 DONE 50.0ms\n"
				    "#2 [build 1/3] FROM debian\n"
				    "#2 CACHED\n"
				    "#3 [build 2/3] RUN make\n"
				    "#3 0.200 cc one.c\n"
				    "#3 0.300 cc\ttwo.c red\n"
				    "#3 0.400 \n"
				    "#3 0.500 30%\n"
				    "#4 [stage-1 1/2] RUN apt-get install \\u{202e} evil\n"
				    "#4 unpack 4.2 MB / 17 MB\n"
				    "#3 ERROR exit code 2\n"
				    "#4 CANCELED\n"
				    "warning: StageNameCasing: stage \\x1b[2Jname\n");
	ui_plain_release(&plain);
}

TEST(plain_tells_what_a_slow_step_took)
{
	struct ui_plain plain = { 0 };
	AUTO(buf) struct buf out = BUF_INIT(65536);
	struct build_event event = END(1, 50 * S, BUILD_DONE, 4 * S, NULL);

	event.cpu_time = 7100 * MS;
	event.memory_peak = 310000000;
	ui_plain_format(&plain, &event, &out);
	event.duration = 6 * S;
	ui_plain_format(&plain, &event, &out);
	event.cpu_time = event.memory_peak = 0; /* a COPY */
	ui_plain_format(&plain, &event, &out);
	assert_string_equal(out.at, "#1 DONE 4.0s\n"
				    "#1 DONE 6.0s (7.1s CPU, 310 MB memory)\n"
				    "#1 DONE 6.0s\n");
	ui_plain_release(&plain);
}

TEST(plain_tells_what_cannot_be_measured_without_a_size)
{
	struct ui_plain plain = { 0 };
	AUTO(buf) struct buf out = BUF_INIT(65536);
	struct build_event event = {
		.kind = EVENT_STEP_PROGRESS, .when = 10 * S, .step = 1, .text = "waiting for it"
	};

	ui_plain_format(&plain, &event, &out);
	event.text = NULL; /* it is over */
	event.when += 10 * S;
	ui_plain_format(&plain, &event, &out);
	assert_string_equal(out.at, "#1 waiting for it\n");
	ui_plain_release(&plain);
}

TEST(plain_tells_progress_now_and_then)
{
	struct ui_plain plain = { 0 };
	AUTO(buf) struct buf out = BUF_INIT(65536);
	struct build_event event = { .kind = EVENT_STEP_PROGRESS, .step = 1, .text = "x" };
	size_t lines = 0;

	event.total = 100000000;
	for (event.when = S; event.done < event.total; event.done += 1000, event.when += MS)
		ui_plain_format(&plain, &event, &out);
	for (size_t i = 0; i < out.len; i++)
		lines += out.at[i] == '\n';
	/* 100 s: every 5 s, and at each of 19 twentieths, which come every 5 s, too */
	assert_in_range(lines, 19, 40);
	ui_plain_release(&plain);
}

/* ---- a terminal, as far as painting needs one ---- */

#define COLUMNS 20
#define ROWS 8

struct screen {
	char cell[ROWS][COLUMNS + 1];
	unsigned row, column;
	char gone[64][COLUMNS + 1]; /* what has scrolled away */
	unsigned gone_count;
};

static void new_line(struct screen *screen)
{
	if (++screen->row < ROWS)
		return;
	screen->row = ROWS - 1;
	memcpy(screen->gone[screen->gone_count++ % 64], screen->cell[0], COLUMNS + 1);
	memmove(screen->cell[0], screen->cell[1], sizeof(screen->cell[0]) * (ROWS - 1));
	memset(screen->cell[ROWS - 1], 0, COLUMNS + 1);
}

/* One escape sequence, ECMA-48 as the painter uses it; returns its length. */
static size_t obey(struct screen *screen, const char *text)
{
	size_t len = 2 + strspn(text + 2, "?0123456789");
	unsigned number = (unsigned)strtoul(text + 2, NULL, 10);

	switch (text[len]) {
	case 'A':
		screen->row = screen->row > number ? screen->row - number : 0;
		break;
	case 'K':
		memset(&screen->cell[screen->row][screen->column], 0, COLUMNS - screen->column);
		break;
	case 'J':
		memset(&screen->cell[screen->row][screen->column], 0, COLUMNS - screen->column);
		for (unsigned row = screen->row + 1; row < ROWS; row++)
			memset(screen->cell[row], 0, COLUMNS);
		break;
	case 'l':
	case 'h':
		break;
	default:
		fail_msg("unknown sequence: %s", text + 1);
	}
	return len + 1;
}

static void show(struct screen *screen, const char *text)
{
	while (*text) {
		if (*text == '\033') {
			text += obey(screen, text);
			continue;
		}
		if (*text == '\r') {
			screen->column = 0;
		} else if (*text == '\n') {
			screen->column = 0;
			new_line(screen);
		} else {
			assert_in_range(screen->column, 0, COLUMNS - 1);
			screen->cell[screen->row][screen->column++] = *text;
		}
		text++;
	}
}

static char *contents(const struct screen *screen)
{
	AUTO(buf) struct buf text = BUF_INIT(65536);

	for (unsigned i = 0; i < screen->gone_count; i++)
		buf_addf(&text, "%s|", screen->gone[i]);
	for (unsigned row = 0; row < ROWS; row++)
		buf_addf(&text, "%s|", screen->cell[row]);
	while (text.len > 1 && text.at[text.len - 2] == '|')
		text.at[--text.len] = '\0';
	return buf_steal(&text);
}

static void paint(struct ui_paint *painter, struct screen *screen, const char *above,
		  const char *frame)
{
	AUTO(buf) struct buf out = BUF_INIT(65536);

	ui_paint_frame(painter, str_of(above), str_of(frame), (struct term_size){ COLUMNS, ROWS },
		       &out);
	show(screen, out.at);
}

TEST(a_frame_replaces_the_last_one_and_nothing_else)
{
	struct ui_paint painter = { 0 };
	struct screen screen = { 0 };
	AUTO(mem) char *first = NULL;
	AUTO(mem) char *second = NULL;
	AUTO(mem) char *last = NULL;

	show(&screen, "$ build\n");
	paint(&painter, &screen, "", "head\none long line\ntwo\n");
	first = contents(&screen);
	assert_string_equal(first, "$ build|head|one long line|two|");
	paint(&painter, &screen, "warning\n", "head\none\n");
	second = contents(&screen);
	assert_string_equal(second, "$ build|warning|head|one|");
	/* six lines more than there is room for: the shell's line scrolls away, no line twice */
	paint(&painter, &screen, "", "a\nb\nc\nd\ne\nf\n");
	paint(&painter, &screen, "w2\nw3\n", "h\n");
	paint(&painter, &screen, "the end\n", "");
	last = contents(&screen);
	assert_string_equal(last, "$ build|warning|w2|w3|the end|");
	ui_paint_release(&painter);
}

TEST(a_narrower_terminal_has_wrapped_the_last_frame)
{
	struct ui_paint painter = { 0 };
	AUTO(buf) struct buf wide = BUF_INIT(65536);
	AUTO(buf) struct buf narrow = BUF_INIT(65536);

	ui_paint_frame(&painter, STR(""), STR("123456789\n12345\n\n"), (struct term_size){ 80, 24 },
		       &wide);
	ui_paint_frame(&painter, STR(""), STR("x\n"), (struct term_size){ 5, 24 }, &narrow);
	/* nine columns are two rows of five; five are one; an empty line is one */
	assert_non_null(strstr(narrow.at, "\033[4A"));
	ui_paint_release(&painter);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_frame_shows_what_runs_and_what_is_done),
		cmocka_unit_test(a_frame_shows_what_is_pulled),
		cmocka_unit_test(lines_tell_what_is_pulled),
		cmocka_unit_test(the_end_lists_every_step),
		cmocka_unit_test(the_end_tells_how_steps_were_kept_apart),
		cmocka_unit_test(colours_are_closed_where_they_are_opened),
		cmocka_unit_test(no_frame_is_larger_than_its_terminal),
		cmocka_unit_test(plain_tells_one_event_a_line),
		cmocka_unit_test(plain_tells_what_a_slow_step_took),
		cmocka_unit_test(plain_tells_what_cannot_be_measured_without_a_size),
		cmocka_unit_test(plain_tells_progress_now_and_then),
		cmocka_unit_test(a_frame_replaces_the_last_one_and_nothing_else),
		cmocka_unit_test(a_narrower_terminal_has_wrapped_the_last_frame),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
