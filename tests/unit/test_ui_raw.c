/* tests/unit/test_ui_raw.c - the events of a build in the form of BuildKit's client.SolveStatus. */

#include "tests/unit/unit.h"

#include <string.h>

#include "base/json.h"
#include "builder/events.h"
#include "cli/ui_raw.h"

#define S UINT64_C(1000000000)

static const unsigned inputs_of_two[] = { 1 };

static const struct build_event story[] = {
	{ .kind = EVENT_BUILD_BEGIN, .when = 100 * S, .text = "id" },
	{ .kind = EVENT_TRANSFER_BEGIN,
	  .when = 100 * S,
	  .transfer = 1,
	  .verb = "pull",
	  .name = "base" },
	{ .kind = EVENT_TRANSFER_PROGRESS,
	  .when = 100 * S + S / 2,
	  .transfer = 1,
	  .verb = "pull",
	  .name = "base",
	  .done = 10,
	  .total = 40 },
	{ .kind = EVENT_TRANSFER_END,
	  .when = 101 * S,
	  .transfer = 1,
	  .verb = "pull",
	  .name = "base",
	  .status = BUILD_DONE,
	  .done = 40 },
	{ .kind = EVENT_BUILD_PLAN, .when = 102 * S, .stages = 1, .steps = 2 },
	{ .kind = EVENT_STEP_BEGIN,
	  .when = 103 * S,
	  .step = 1,
	  .stage = "one",
	  .index = 1,
	  .count = 2,
	  .text = "COPY a b" },
	{ .kind = EVENT_STEP_END, .when = 103 * S, .step = 1, .status = BUILD_CACHED },
	{ .kind = EVENT_STEP_BEGIN,
	  .when = 103 * S,
	  .step = 2,
	  .stage = "one",
	  .index = 2,
	  .count = 2,
	  .inputs = inputs_of_two,
	  .input_count = 1,
	  .text = "RUN \xff\n" },
	{ .kind = EVENT_STEP_LOG,
	  .when = 104 * S,
	  .step = 2,
	  .stream = BUILD_STDERR,
	  .bytes = { "\xff\x01", 2 } },
	{ .kind = EVENT_STEP_END,
	  .when = 105 * S,
	  .step = 2,
	  .status = BUILD_FAILED,
	  .text = "exit code 2" },
	{ .kind = EVENT_WARNING,
	  .when = 105 * S,
	  .rule = "StageNameCasing",
	  .text = "Recipe:1: it is not",
	  .excerpt = "one\ntwo\n" },
	{ .kind = EVENT_BUILD_END, .when = 106 * S, .status = BUILD_FAILED, .text = "exit code 2" },
};

/* What all events become: an array of the objects, one of each line. */
static json_t *format(const struct build_event *events, size_t count)
{
	const struct timespec wall = { .tv_sec = 1000, .tv_nsec = 700000000 };
	AUTO(buf) struct buf text = BUF_INIT((size_t)1024 * 1024);
	struct ui_raw raw = { 0 };
	json_t *all = json_array();
	struct str rest;

	for (size_t i = 0; i < count; i++)
		ui_raw_format(&raw, &events[i], wall, &text);
	ui_raw_release(&raw);
	rest = buf_str(&text);
	while (rest.len > 0) {
		struct str line = str_cut(&rest, '\n');
		json_t *object = json_loadb(line.at, line.len, 0, NULL);

		assert_non_null(object);
		json_array_append_new(all, object);
	}
	return all;
}

/* Everything of one kind, in order. */
static json_t *all_of(const json_t *lines, const char *key)
{
	json_t *found = json_array();

	for (size_t i = 0; i < json_array_size(lines); i++)
		json_array_extend(found, json_object_get(json_array_get(lines, i), key));
	return found;
}

static const char *text_at(const json_t *list, size_t i, const char *key)
{
	return json_string_value(json_object_get(json_array_get(list, i), key));
}

TEST(a_vertex_is_told_when_it_begins_and_when_it_ends)
{
	static const struct {
		const char *name, *started, *completed, *error;
		bool cached;
	} want[] = {
		{ "[internal] load build definition", "1970-01-01T00:16:40.7Z", NULL, NULL, false },
		{ "pull base", "1970-01-01T00:16:40.7Z", NULL, NULL, false },
		{ "pull base", "1970-01-01T00:16:40.7Z", "1970-01-01T00:16:41.7Z", NULL, false },
		{ "[internal] load build definition", "1970-01-01T00:16:40.7Z",
		  "1970-01-01T00:16:42.7Z", NULL, false },
		{ "[one 1/2] COPY a b", "1970-01-01T00:16:43.7Z", NULL, NULL, false },
		{ "[one 1/2] COPY a b", "1970-01-01T00:16:43.7Z", "1970-01-01T00:16:43.7Z", NULL,
		  true },
		{ "[one 2/2] RUN \\xff\\x0a", "1970-01-01T00:16:43.7Z", NULL, NULL, false },
		{ "[one 2/2] RUN \\xff\\x0a", "1970-01-01T00:16:43.7Z", "1970-01-01T00:16:45.7Z",
		  "exit code 2", false },
	};
	AUTO(json) json_t *lines = format(story, ARRAY_SIZE(story));
	AUTO(json) json_t *list = all_of(lines, "vertexes");

	assert_int_equal(json_array_size(list), ARRAY_SIZE(want));
	for (size_t i = 0; i < ARRAY_SIZE(want); i++) {
		const json_t *vertex = json_array_get(list, i);
		AUTO(mem) char *completed = str_dup(str_of(text_at(list, i, "completed")));
		AUTO(mem) char *error = str_dup(str_of(text_at(list, i, "error")));

		assert_string_equal(text_at(list, i, "name"), want[i].name);
		assert_string_equal(text_at(list, i, "started"), want[i].started);
		assert_string_equal(completed, want[i].completed ? want[i].completed : "");
		assert_string_equal(error, want[i].error ? want[i].error : "");
		assert_int_equal(json_is_true(json_object_get(vertex, "cached")), want[i].cached);
	}
	/* the same digest each time, another one for each, and inputs are known by theirs */
	assert_string_equal(text_at(list, 4, "digest"), text_at(list, 5, "digest"));
	assert_string_not_equal(text_at(list, 4, "digest"), text_at(list, 6, "digest"));
	assert_memory_equal(text_at(list, 4, "digest"), "sha256:", 7);
	assert_null(json_object_get(json_array_get(list, 4), "inputs"));
	assert_string_equal(json_string_value(json_array_get(
				    json_object_get(json_array_get(list, 6), "inputs"), 0)),
			    text_at(list, 4, "digest"));
}

TEST(logs_statuses_and_warnings_name_their_vertex)
{
	AUTO(json) json_t *lines = format(story, ARRAY_SIZE(story));
	AUTO(json) json_t *vertices = all_of(lines, "vertexes");
	AUTO(json) json_t *statuses = all_of(lines, "statuses");
	AUTO(json) json_t *logs = all_of(lines, "logs");
	AUTO(json) json_t *warnings = all_of(lines, "warnings");
	const json_t *status = json_array_get(statuses, 0);

	assert_int_equal(json_array_size(statuses), 2);
	assert_string_equal(text_at(statuses, 0, "id"), "base");
	assert_string_equal(text_at(statuses, 0, "vertex"), text_at(vertices, 1, "digest"));
	assert_int_equal(json_integer_value(json_object_get(status, "current")), 10);
	assert_int_equal(json_integer_value(json_object_get(status, "total")), 40);
	assert_null(json_object_get(status, "completed"));
	assert_string_equal(text_at(statuses, 1, "completed"), "1970-01-01T00:16:41.7Z");

	assert_int_equal(json_array_size(logs), 1);
	assert_string_equal(text_at(logs, 0, "vertex"), text_at(vertices, 6, "digest"));
	assert_string_equal(text_at(logs, 0, "data"), "/wEK"); /* with its newline */
	assert_int_equal(json_integer_value(json_object_get(json_array_get(logs, 0), "stream")), 2);
	assert_string_equal(text_at(logs, 0, "timestamp"), "1970-01-01T00:16:44.7Z");

	assert_int_equal(json_array_size(warnings), 1);
	assert_string_equal(text_at(warnings, 0, "vertex"), text_at(vertices, 0, "digest"));
	assert_string_equal(text_at(warnings, 0, "short"),
			    "U3RhZ2VOYW1lQ2FzaW5nOiBSZWNpcGU6MTogaXQgaXMgbm90");
	assert_int_equal(json_array_size(json_object_get(json_array_get(warnings, 0), "detail")),
			 2);
}

TEST(a_build_that_fails_before_its_plan_fails_in_the_recipe)
{
	const struct build_event events[] = {
		{ .kind = EVENT_BUILD_BEGIN, .when = 100 * S },
		{ .kind = EVENT_BUILD_END,
		  .when = 101 * S,
		  .status = BUILD_FAILED,
		  .text = "Recipe:1: no" },
	};
	AUTO(json) json_t *lines = format(events, ARRAY_SIZE(events));
	AUTO(json) json_t *list = all_of(lines, "vertexes");

	assert_int_equal(json_array_size(list), 2);
	assert_string_equal(text_at(list, 1, "error"), "Recipe:1: no");
}

TEST(what_was_stopped_is_told_as_buildkit_does)
{
	const struct build_event events[] = {
		{ .kind = EVENT_STEP_BEGIN, .when = 100 * S, .step = 1, .text = "RUN x" },
		{ .kind = EVENT_STEP_END, .when = 101 * S, .step = 1, .status = BUILD_CANCELLED },
		{ .kind = EVENT_STEP_END, .when = 101 * S, .step = 1, .status = BUILD_CANCELLED },
		{ .kind = EVENT_STEP_END, .when = 101 * S, .step = 200000 },
	};
	AUTO(json) json_t *lines = format(events, ARRAY_SIZE(events));
	AUTO(json) json_t *list = all_of(lines, "vertexes");

	assert_int_equal(json_array_size(list), 2);
	assert_string_equal(text_at(list, 1, "error"), "context canceled");
}

TEST(the_digests_of_images_are_those_of_the_export)
{
	const struct digest config = { { 1 } }, manifest = { { 2 } }, index = { { 3 } };
	const struct build_event_image images[] = {
		{ .image = &config, .manifest = &manifest },
		{ .image = &index, .manifest = &index },
	};
	const struct build_event events[] = {
		{ .kind = EVENT_BUILD_BEGIN, .when = 100 * S },
		{ .kind = EVENT_BUILD_END,
		  .when = 101 * S,
		  .status = BUILD_DONE,
		  .image = &config,
		  .manifest = &manifest,
		  .images = images,
		  .image_count = ARRAY_SIZE(images) },
	};
	AUTO(json) json_t *lines = format(events, ARRAY_SIZE(events));
	AUTO(json) json_t *list = all_of(lines, "vertexes");
	AUTO(json) json_t *statuses = all_of(lines, "statuses");

	assert_string_equal(text_at(list, 2, "name"), "exporting to image");
	assert_non_null(text_at(list, 3, "completed"));
	assert_int_equal(json_array_size(statuses), 3);
	assert_memory_equal(text_at(statuses, 0, "id"), "exporting config sha256:01", 26);
	assert_memory_equal(text_at(statuses, 1, "id"), "exporting manifest sha256:02", 28);
	assert_memory_equal(text_at(statuses, 2, "id"), "exporting manifest list sha256:03", 33);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_vertex_is_told_when_it_begins_and_when_it_ends),
		cmocka_unit_test(logs_statuses_and_warnings_name_their_vertex),
		cmocka_unit_test(a_build_that_fails_before_its_plan_fails_in_the_recipe),
		cmocka_unit_test(what_was_stopped_is_told_as_buildkit_does),
		cmocka_unit_test(the_digests_of_images_are_those_of_the_export),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
