/* tests/unit/test_events.c - lines are cut once, and events read as documented JSON. */

#include "tests/unit/unit.h"

#include <string.h>

#include "builder/events.h"

/* A listener that writes down what it hears: "step.stream:bytes|". */
static void note(void *self, const struct build_event *event)
{
	struct buf *heard = self;

	assert_int_not_equal(event->when, 0);
	if (event->kind == EVENT_STEP_LOG)
		buf_addf(heard, "%u.%d:%.*s|", event->step, (int)event->stream,
			 STR_ARG(event->bytes));
	else
		buf_addf(heard, "%d|", (int)event->kind);
}

TEST(output_is_cut_at_newlines_only)
{
	AUTO(buf) struct buf heard = BUF_INIT(4096);
	const struct build_events listener = { .emit = note, .self = &heard };
	struct event_lines lines = EVENT_LINES_INIT(&listener, 3, BUILD_STDERR);

	event_lines_feed(&lines, STR("one\ntw"));
	event_lines_feed(&lines, STR("o"));
	event_lines_feed(&lines, STR("\n\nthree\r"));
	event_lines_feed(&lines, STR(""));
	event_lines_feed(&lines, STR("3\nrest"));
	event_lines_end(&lines);
	assert_string_equal(heard.at, "3.2:one|3.2:two|3.2:|3.2:three\r3|3.2:rest|");
}

/* The lengths of the lines that are cut from `total` bytes, a newline and one byte more. */
static void lengths_of(size_t total, size_t piece, struct buf *ret)
{
	AUTO(buf) struct buf heard = BUF_INIT((size_t)1024 * 1024);
	const struct build_events listener = { .emit = note, .self = &heard };
	struct event_lines lines = EVENT_LINES_INIT(&listener, 1, BUILD_STDOUT);
	AUTO(mem) char *text = xcalloc(total + 3, 1);
	struct str rest;

	memset(text, 'x', total);
	strcpy(text + total, "\ny"); /* NOLINT */
	rest = str_of(text);
	while (rest.len > 0) {
		size_t n = rest.len < piece ? rest.len : piece;

		event_lines_feed(&lines, (struct str){ rest.at, n });
		rest = (struct str){ rest.at + n, rest.len - n };
	}
	event_lines_end(&lines);
	buf_reset(ret);
	rest = buf_str(&heard);
	while (rest.len > 0)
		buf_addf(ret, "%zu ", str_cut(&rest, '|').len - strlen("1.1:"));
}

TEST(a_line_without_end_is_cut_at_the_limit)
{
	static const struct {
		size_t total;
		const char *want;
	} cases[] = {
		{ EVENT_LINE_MAX - 1, "65535 1 " },
		{ EVENT_LINE_MAX, "65536 1 " },
		{ EVENT_LINE_MAX + 1, "65536 1 1 " },
		{ 3 * EVENT_LINE_MAX, "65536 65536 65536 1 " },
	};
	static const size_t pieces[] = { 1000, EVENT_LINE_MAX - 1, EVENT_LINE_MAX,
					 10 * EVENT_LINE_MAX };
	AUTO(buf) struct buf got = BUF_INIT(4096);

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		for (size_t k = 0; k < ARRAY_SIZE(pieces); k++) {
			lengths_of(cases[i].total, pieces[k], &got);
			assert_string_equal(got.at, cases[i].want);
		}
}

TEST(both_listeners_of_a_tee_hear_everything)
{
	AUTO(buf) struct buf first = BUF_INIT(4096);
	AUTO(buf) struct buf second = BUF_INIT(4096);
	const struct build_events a = { .emit = note, .self = &first };
	const struct build_events b = { .emit = note, .self = &second };
	const struct build_events *pair[] = { &a, &b };
	const struct build_events *half[] = { NULL, &b };
	struct build_events tee = events_tee(pair);
	struct build_events one = events_tee(half);

	events_emit(&tee, &(struct build_event){ .kind = EVENT_BUILD_BEGIN });
	events_emit(&one, &(struct build_event){ .kind = EVENT_BUILD_END });
	events_emit(NULL, &(struct build_event){ .kind = EVENT_BUILD_END });
	assert_string_equal(first.at, "0|");
	assert_string_equal(second.at, "0|11|");
}

TEST(events_read_as_documented)
{
	static const struct digest digest = { .bytes = { 0xab } };
	static const struct {
		struct build_event event;
		const char *json;
	} cases[] = {
		{ { .kind = EVENT_BUILD_BEGIN, .text = "b1" },
		  "{\"event\":\"build-begin\",\"at\":5,\"format\":1,\"id\":\"b1\"}" },
		{ { .kind = EVENT_BUILD_PLAN, .stages = 2, .steps = 7 },
		  "{\"event\":\"build-plan\",\"at\":5,\"stages\":2,\"steps\":7}" },
		{ { .kind = EVENT_TRANSFER_BEGIN, .transfer = 1, .verb = "pull", .name = "a" },
		  "{\"event\":\"transfer-begin\",\"at\":5,\"transfer\":1,\"verb\":\"pull\","
		  "\"name\":\"a\"}" },
		{ { .kind = EVENT_TRANSFER_PROGRESS,
		    .transfer = 2,
		    .verb = "push",
		    .name = "a\xff",
		    .done = 1,
		    .total = 2 },
		  "{\"event\":\"transfer-progress\",\"at\":5,\"transfer\":2,\"verb\":\"push\","
		  "\"name_base64\":\"Yf8=\",\"done\":1,\"total\":2}" },
		{ { .kind = EVENT_TRANSFER_END,
		    .transfer = 1,
		    .verb = "pull",
		    .name = "a",
		    .status = BUILD_FAILED,
		    .duration = 9,
		    .done = 3,
		    .text = "no" },
		  "{\"event\":\"transfer-end\",\"at\":5,\"transfer\":1,\"verb\":\"pull\","
		  "\"name\":\"a\",\"done\":3,\"status\":\"failed\",\"duration\":9,"
		  "\"text\":\"no\"}" },
		{ { .kind = EVENT_STEP_BEGIN,
		    .step = 3,
		    .stage = "build",
		    .index = 2,
		    .count = 5,
		    .text = "RUN make" },
		  "{\"event\":\"step-begin\",\"at\":5,\"step\":3,\"stage\":\"build\",\"index\":2,"
		  "\"count\":5,\"text\":\"RUN make\"}" },
		{ { .kind = EVENT_STEP_BEGIN, .step = 1, .text = "load context" },
		  "{\"event\":\"step-begin\",\"at\":5,\"step\":1,\"text\":\"load context\"}" },
		{ { .kind = EVENT_ISOLATION,
		    .step = 3,
		    .userns = "private",
		    .network = "private",
		    .carrier = "pasta",
		    .storage = "overlay" },
		  "{\"event\":\"isolation\",\"at\":5,\"step\":3,\"userns\":\"private\","
		  "\"network\":\"private\",\"carrier\":\"pasta\",\"storage\":\"overlay\"}" },
		{ { .kind = EVENT_ISOLATION,
		    .step = 3,
		    .userns = "single",
		    .network = "none",
		    .storage = "copy" },
		  "{\"event\":\"isolation\",\"at\":5,\"step\":3,\"userns\":\"single\","
		  "\"network\":\"none\",\"storage\":\"copy\"}" },
		{ { .kind = EVENT_STEP_LOG,
		    .step = 3,
		    .stream = BUILD_STDERR,
		    .bytes = { "a\"\033[31m\xc3\xa4", 9 } },
		  "{\"event\":\"log\",\"at\":5,\"step\":3,\"stream\":\"stderr\","
		  "\"text\":\"a\\\"\\u001B[31m\xc3\xa4\"}" },
		{ { .kind = EVENT_STEP_LOG,
		    .step = 3,
		    .stream = BUILD_STDOUT,
		    .bytes = { "a\xff", 2 } },
		  "{\"event\":\"log\",\"at\":5,\"step\":3,\"stream\":\"stdout\","
		  "\"base64\":\"Yf8=\"}" },
		{ { .kind = EVENT_STEP_LOG, .step = 3, .stream = BUILD_STDOUT },
		  "{\"event\":\"log\",\"at\":5,\"step\":3,\"stream\":\"stdout\",\"text\":\"\"}" },
		{ { .kind = EVENT_STEP_PROGRESS,
		    .step = 3,
		    .text = "unpack",
		    .done = 10,
		    .total = 20 },
		  "{\"event\":\"progress\",\"at\":5,\"step\":3,\"text\":\"unpack\",\"done\":10,"
		  "\"total\":20}" },
		{ { .kind = EVENT_STEP_END,
		    .step = 3,
		    .status = BUILD_FAILED,
		    .duration = 9,
		    .exit_code = 2,
		    .text = "exit code 2" },
		  "{\"event\":\"step-end\",\"at\":5,\"step\":3,\"status\":\"failed\",\"duration\":9,"
		  "\"exit_code\":2,\"text\":\"exit code 2\"}" },
		{ { .kind = EVENT_WARNING, .rule = "StageNameCasing", .text = "t" },
		  "{\"event\":\"warning\",\"at\":5,\"rule\":\"StageNameCasing\",\"text\":\"t\"}" },
		{ { .kind = EVENT_BUILD_END,
		    .status = BUILD_DONE,
		    .duration = 9,
		    .image = &digest },
		  "{\"event\":\"build-end\",\"at\":5,\"status\":\"done\",\"duration\":9,"
		  "\"image\":\"sha256:ab00000000000000000000000000000000000000000000000000000000000000"
		  "\"}" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(buf) struct buf got = BUF_INIT(4096);
		struct build_event event = cases[i].event;

		event_format_json(&event, 5, &got);
		assert_string_equal(got.at, cases[i].json);
	}
}

static void times_of_written_events_never_go_back(void **state)
{
	static const struct {
		uint64_t when, at;
	} told[] = { { 1000, 0 }, { 1005, 5 }, { 1003, 5 }, { 999, 5 }, { 1009, 9 } };
	struct event_clock clock = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(told); i++) {
		struct build_event event = { .kind = i ? EVENT_STEP_LOG : EVENT_BUILD_BEGIN,
					     .when = told[i].when };

		assert_int_equal(event_clock_at(&clock, &event), told[i].at);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(output_is_cut_at_newlines_only),
		cmocka_unit_test(a_line_without_end_is_cut_at_the_limit),
		cmocka_unit_test(both_listeners_of_a_tee_hear_everything),
		cmocka_unit_test(events_read_as_documented),
		cmocka_unit_test(times_of_written_events_never_go_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
