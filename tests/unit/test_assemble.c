/* tests/unit/test_assemble.c - config and history of the finished image.
 *
 * Expectations follow the reference's sections on metadata instructions and on what lands in
 * config and history.
 */

#include "tests/unit/kitchen.h"

#include "base/clock.h"
#include "builder/assemble.h"

#define EPOCH 1000000000
#define EPOCH_TEXT "2001-09-09T01:46:40Z"
#define COMMENT "\"comment\":\"buildkit.dockerfile.v0\""
/* A row without a layer, and one with. */
#define ROW(by)                                                              \
	"{\"created\":\"" EPOCH_TEXT "\",\"created_by\":\"" by "\"," COMMENT \
	",\"empty_layer\":true}"
#define LAYER_ROW(by) "{\"created\":\"" EPOCH_TEXT "\",\"created_by\":\"" by "\"," COMMENT "}"

static struct image *image; /* the last one that was built */

static int open_assembly(void **state)
{
	kitchen_open(state);
	assert_ok(platform_parse("linux/amd64", &opts.platform));
	opts.compression = (struct compression){ .codec = CODEC_NONE };
	opts.compression_given = true; /* so that the blob of a layer is its tar */
	return 0;
}

static int close_assembly(void **state)
{
	image_free(image);
	image = NULL;
	strings_release(&opts.labels);
	return kitchen_close(state);
}

static struct digest build_image(const char *text)
{
	image_free(STEAL(image));
	if (!pool)
		pool = pool_new(2);
	must_plan(text);
	must_execute();
	assert_ok(assemble(plan, &plan->targets[0]));
	assert_ok(image_open(store, &plan->targets[0].manifest, &opts.platform, &image));
	return plan->targets[0].manifest.digest;
}

/* `want` is a config document, in which "@N" stands for the diff id of layer N. */
static void assert_config(const char *want)
{
	AUTO(buf) struct buf text = BUF_INIT(65536);
	AUTO(json) json_t *document = NULL;

	for (const char *at = want; *at; at++) {
		char digest[DIGEST_TEXT_SIZE];

		if (*at == '@') {
			size_t index = (size_t)(*++at - '0');

			assert_true(index < image->layer_count);
			buf_adds(&text, digest_format(&image->layers[index].diff_id, digest));
		} else {
			buf_addc(&text, *at);
		}
	}
	assert_ok(json_parse(buf_str(&text), JSON_MAX, "expected", &document));
	if (!json_equal(document, image->config)) {
		AUTO(mem) char *got = json_format(image->config);

		fail_msg("%s\n  instead of\n%s", got, text.at);
	}
}

static const json_t *row(size_t index)
{
	return json_array_get(json_object_get(image->config, "history"), index);
}

static const char *row_text(size_t index, const char *key)
{
	const char *text = json_string_value(json_object_get(row(index), key));

	assert_non_null(text);
	return text;
}

static const char *created(void)
{
	return json_string_value(json_object_get(image->config, "created"));
}

/* What is in the blob of a layer. */
static void assert_layer(size_t index, const char *want)
{
	AUTO(buf) struct buf tar = BUF_INIT(BUF_MAX), got = BUF_INIT(BUF_MAX);

	assert_true(digest_equal(&image->layers[index].diff_id, &image->layers[index].blob.digest));
	assert_ok(blob_read(store, &image->layers[index].blob.digest, BUF_MAX, &tar));
	assert_ok(list(buf_str(&tar), NULL, 65536, &got));
	assert_text("the layer", &got, want);
}

TEST(the_config_is_what_the_instructions_say_on_top_of_the_base)
{
	kitchen_image(
		"base", F("a"),
		"\"created\":\"2001-02-03T04:05:06Z\",\"author\":\"them\",\"x-other\":{\"k\":[1]},"
		"\"history\":[{\"created\":\"2001-02-03T04:05:06Z\",\"created_by\":\"theirs\","
		"\"x-row\":1}],"
		"\"config\":{\"Env\":[\"PATH=/p\"],\"Labels\":{\"l\":\"base\"},"
		"\"Entrypoint\":[\"e\"],\"Cmd\":[\"old\"],\"x-setting\":true},");
	opts.has_epoch = true;
	opts.epoch = EPOCH;
	vec_push(&opts.labels, xstrdup("l=$HOME"));
	vec_push(&opts.labels, xstrdup("only=a=b"));
	vec_push(&opts.labels, xstrdup("bare"));
	build_image("FROM localhost/base\n"
		    "ARG v=1\n"
		    "ENV A=b\n"
		    "RUN [\"write\", \"/r\"]\n"
		    "LABEL l=recipe z=1\n"
		    "WORKDIR /w\n"
		    "USER 1:2\n"
		    "EXPOSE 80\n"
		    "VOLUME /v\n"
		    "CMD [\"x\", \"y z\"]\n");
	assert_config(
		"{\"created\":\"" EPOCH_TEXT "\",\"author\":\"them\",\"architecture\":\"amd64\","
		"\"os\":\"linux\",\"x-other\":{\"k\":[1]},"
		"\"config\":{\"User\":\"1:2\",\"Env\":[\"PATH=/p\",\"A=b\"],"
		"\"Entrypoint\":[\"e\"],\"Cmd\":[\"x\",\"y z\"],\"ArgsEscaped\":true,"
		"\"WorkingDir\":\"/w\",\"ExposedPorts\":{\"80/tcp\":{}},\"Volumes\":{\"/v\":{}},"
		"\"Labels\":{\"l\":\"$HOME\",\"only\":\"a=b\",\"bare\":\"\",\"z\":\"1\"},"
		"\"x-setting\":true},"
		"\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"@0\",\"@1\",\"@2\"]},"
		"\"history\":["
		"{\"created\":\"2001-02-03T04:05:06Z\",\"created_by\":\"theirs\",\"x-row\":1}," ROW("ARG v=1") "," ROW("ENV A=b") "," LAYER_ROW("RUN |1 v=1 write /r # buildkit") "," ROW(
			"LABEL l=recipe z=1") "," LAYER_ROW("WORKDIR /w") "," ROW("USER 1:2") "," ROW("EXPOSE [80/tcp]") "," ROW("VOLUME [/v]") "," ROW("CMD [\\\"x\\\" \\\"y z\\\"]") "]}");
	assert_int_equal(image->layer_count, 3);
	assert_layer(0, F("a"));
	assert_layer(1, "f 644 0:0 2 1000000000 r /r\n");
	assert_layer(2, "d 755 0:0 0 1000000000 w/\n");
}

TEST(a_stage_has_the_rows_of_the_stage_that_it_is_built_on_before_its_own)
{
	fill_context("f 644 c x\n");
	opts.has_epoch = true;
	opts.epoch = EPOCH;
	build_image("FROM scratch AS one\n"
		    "COPY c /one\n"
		    "ENV a=1\n"
		    "FROM scratch AS beside\n"
		    "COPY c /beside\n"
		    "FROM one\n"
		    "COPY --from=beside /beside /\n");
	assert_config(
		"{\"created\":\"" EPOCH_TEXT "\",\"architecture\":\"amd64\",\"os\":\"linux\","
		"\"config\":{\"Env\":[\"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:"
		"/sbin:/bin\",\"a=1\"],\"WorkingDir\":\"/\"},"
		"\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"@0\",\"@1\"]},"
		"\"history\":[" LAYER_ROW("COPY c /one # buildkit") "," ROW(
			"ENV a=1") "," LAYER_ROW("COPY /beside / # buildkit") "]}");
}

TEST(a_step_that_changes_nothing_has_a_row_and_no_layer)
{
	build_image("FROM scratch\nRUN [\"write\", \"/a\"]\nRUN [\"nothing\"]\n");
	assert_int_equal(image->layer_count, 1);
	assert_null(json_object_get(row(0), "empty_layer"));
	assert_true(json_is_true(json_object_get(row(1), "empty_layer")));
}

/* The base's rows of the image that is built on it, as "comment" or "created_by", "-" behind those
 * without a layer. */
static void assert_base_rows(const char *members, const char *want)
{
	const json_t *history;
	AUTO(buf) struct buf got = BUF_INIT(1000);
	size_t layers = 0;

	kitchen_image("base", F("a"), members);
	build_image("FROM localhost/base\nENV a=1\nRUN [\"write\", \"/r\"]\n");
	history = json_object_get(image->config, "history");
	for (size_t i = 0; i < json_array_size(history); i++) {
		const char *by = json_string_value(json_object_get(row(i), "created_by"));
		const bool empty = json_is_true(json_object_get(row(i), "empty_layer"));

		layers += !empty;
		buf_addf(&got, "%s%s%s", i ? "|" : "", by ? by : row_text(i, "comment"),
			 empty ? "-" : "");
	}
	assert_string_equal(got.at, want);
	assert_int_equal(layers, image->layer_count);
}

TEST(there_are_as_many_rows_with_layers_as_layers)
{
#define OWN "|ENV a=1-|RUN write /r # buildkit"
#define FILLER "buildkit.exporter.image.v0"
	static const char *const cases[][2] = {
		{ "", FILLER OWN },
		{ "\"history\":[],", FILLER OWN },
		{ "\"history\":[{\"created_by\":\"x\"}],", "x" OWN },
		{ "\"history\":[{\"created_by\":\"x\",\"empty_layer\":true}],", "x-|" FILLER OWN },
		{ "\"history\":[{\"created_by\":\"x\"},{\"created_by\":\"y\",\"empty_layer\":false},"
		  "{\"created_by\":\"z\",\"empty_layer\":true}],",
		  "x|y-|z-" OWN },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_base_rows(cases[i][0], cases[i][1]);
	assert_base_rows("\"created\":\"2001-02-03T04:05:06Z\",", FILLER OWN);
	assert_string_equal(row_text(0, "created"), "2001-02-03T04:05:06Z");
}

/* BuildKit makes an empty layer for it; ours is a row without one. */
TEST(a_directory_that_is_there_is_worked_in_without_a_layer)
{
	kitchen_image("base", "d 700 3:4 0 100 w\n",
		      "\"history\":[{\"created_by\":\"theirs\"}],"
		      "\"config\":{\"User\":\"5:6\"},");
	build_image("FROM localhost/base\nWORKDIR /w\nWORKDIR /\nWORKDIR w/x\n");
	assert_int_equal(image->layer_count, 2);
	assert_string_equal(row_text(1, "created_by"), "WORKDIR /w");
	assert_true(json_is_true(json_object_get(row(1), "empty_layer")));
	assert_string_equal(row_text(2, "created_by"), "WORKDIR /");
	assert_true(json_is_true(json_object_get(row(2), "empty_layer")));
	assert_null(json_object_get(row(3), "empty_layer"));
	opts.has_epoch = true;
	opts.epoch = 100;
	build_image("FROM localhost/base\nWORKDIR w/x\n");
	assert_layer(1, "d 700 3:4 0 100 w/\nd 755 5:6 0 100 w/x/\n");
}

TEST(layers_hold_what_copies_make_and_their_parents)
{
	static const struct {
		const char *line, *want;
	} cases[] = {
		{ "COPY a.c /o/x/", "d 700 3:4 0 100 o/\n"
				    "d 755 0:0 0 100 o/x/\n"
				    "f 644 0:0 1 100 o/x/a.c x\n" },
		/* made on nothing, so what it brings goes over what is there */
		{ "COPY --link a.c /o/x/", "d 755 0:0 0 100 o/\n"
					   "d 755 0:0 0 100 o/x/\n"
					   "f 644 0:0 1 100 o/x/a.c x\n" },
		{ "COPY --link --chown=7 a.c /o/b", "d 755 7:7 0 100 o/\n"
						    "f 644 7:7 1 100 o/b x\n" },
		{ "COPY --chown=root:8 a.c /o/b", "d 700 3:4 0 100 o/\n"
						  "f 644 0:8 1 100 o/b x\n" },
		/* several matches of one pattern are several sources */
		{ "COPY *.c /t", "d 755 0:0 0 100 t/\n"
				 "f 644 0:0 1 100 t/a.c x\n"
				 "f 644 0:0 1 100 t/b.c y\n" },
		{ "ADD a* /t", "f 644 0:0 1 100 t x\n" },
	};

	kitchen_image("base", "d 700 3:4 0 100 o\n", "");
	fill_context("f 644 a.c x\nf 644 b.c y\n");
	opts.has_epoch = true;
	opts.epoch = 100;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(mem) char *text = xasprintf("FROM localhost/base\n%s\n", cases[i].line);

		build_image(text);
		assert_int_equal(image->layer_count, 2);
		assert_layer(1, cases[i].want);
	}
}

TEST(the_ignore_file_is_for_the_context_alone)
{
	fill_context("f 644 .dockerignore f\nf 644 f hidden\nf 644 g x\n");
	opts.has_epoch = true;
	opts.epoch = 100;
	build_image("FROM scratch AS s\nRUN [\"write\", \"/f\"]\n"
		    "FROM scratch\nCOPY --from=s f /\n");
	assert_layer(0, "f 644 0:0 2 100 f /f\n");
	assert_fails(make_plan("FROM scratch\nCOPY f /\n"), ERR_NOT_FOUND);
}

TEST(rows_have_the_time_of_the_layer_that_they_follow)
{
	static const size_t like[] = { 1, 1, 1, 3, 3 };
	char before[CLOCK_TEXT_SIZE], after[CLOCK_TEXT_SIZE];
	struct timespec at, from = clock_now(), to;

	build_image("FROM scratch\nENV a=1\nRUN [\"write\", \"/a\"]\nENV b=1\n"
		    "RUN [\"write\", \"/b\"]\nENV c=1\n");
	to = clock_now();
	for (size_t i = 0; i < ARRAY_SIZE(like); i++)
		assert_string_equal(row_text(i, "created"), row_text(like[i], "created"));
	assert_string_not_equal(row_text(1, "created"), row_text(3, "created"));
	assert_string_equal(created(), row_text(4, "created"));
	assert_ok(clock_parse(str_of(created()), &at));
	clock_format(from, before);
	clock_format(to, after);
	if (at.tv_sec < from.tv_sec || at.tv_sec > to.tv_sec)
		fail_msg("%s is not within %s and %s", created(), before, after);
}

TEST(an_epoch_is_the_time_of_what_is_new_and_leaves_the_bases)
{
	kitchen_image("base", F("a"),
		      "\"created\":\"2099-01-01T00:00:00Z\",\"history\":[{\"created\":"
		      "\"2099-01-01T00:00:00Z\",\"created_by\":\"theirs\"}],");
	opts.has_epoch = true;
	opts.epoch = EPOCH;
	build_image("FROM localhost/base\nRUN [\"write\", \"/a\"]\nENV a=1\n");
	assert_string_equal(row_text(0, "created"), "2099-01-01T00:00:00Z");
	assert_string_equal(row_text(1, "created"), EPOCH_TEXT);
	assert_string_equal(row_text(2, "created"), EPOCH_TEXT);
	assert_string_equal(created(), EPOCH_TEXT);
	opts.epoch = INT64_C(4102444799); /* later than now, too */
	build_image("FROM scratch\nRUN [\"write\", \"/b\"]\n");
	assert_string_equal(created(), "2099-12-31T23:59:59Z");
	assert_string_equal(row_text(0, "created"), "2099-12-31T23:59:59Z");
}

TEST(metadata_alone_has_the_time_of_the_base)
{
	kitchen_image("base", F("a"), "\"created\":\"2001-02-03T04:05:06.789Z\",");
	build_image("FROM localhost/base\nENV a=1\n");
	assert_string_equal(created(), "2001-02-03T04:05:06.789Z");
	assert_string_equal(row_text(0, "created"), "2001-02-03T04:05:06.789Z");
}

TEST(without_any_time_below_an_image_has_that_of_its_first_build)
{
	static const char *const texts[] = { "FROM scratch\nENV a=1\n",
					     "FROM localhost/timeless\nENV a=1\n" };

	kitchen_image("timeless", F("b"), "\"created\":\"some day\",");
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct timespec at, from = clock_now();
		struct digest first = build_image(texts[i]), second;

		assert_ok(clock_parse(str_of(created()), &at));
		assert_true(at.tv_sec >= from.tv_sec && at.tv_sec <= from.tv_sec + 100);
		room_reopen();
		second = build_image(texts[i]);
		assert_true(digest_equal(&first, &second));
	}
	opts.has_epoch = true;
	opts.epoch = EPOCH;
	build_image(texts[0]);
	assert_string_equal(created(), EPOCH_TEXT);
}

TEST(an_unchanged_rebuild_gives_the_same_image)
{
	const char *text = "FROM localhost/base\nENV a=1\nRUN [\"write\", \"/a\"]\nWORKDIR /w\n";
	struct digest first, second;

	kitchen_image("base", F("x"), "");
	first = build_image(text);
	room_reopen();
	second = build_image(text);
	assert_true(digest_equal(&first, &second));
	opts.no_cache = true;
	second = build_image(text);
	assert_false(digest_equal(&first, &second)); /* another time */
}

/* Two targets, of which one stands on the other, give the images that each gives alone. */
TEST(several_targets_share_a_graph_and_have_images_of_their_own)
{
	const char *text =
		"FROM scratch AS one\nRUN [\"write\", \"/a\"]\nFROM one AS two\n"
		"RUN [\"write\", \"/b\"]\nFROM scratch AS none\nRUN [\"write\", \"/c\"]\n";
	const struct build_target both[] = { { .stage = "two" }, { .stage = "0" } };
	struct digest alone[2];

	opts.has_epoch = true;
	opts.epoch = 1;
	strings_push(&opts.labels, "l=v");
	for (size_t i = 0; i < 2; i++) {
		wanted = both[i];
		alone[i] = build_image(text);
	}
	opts.targets = both;
	opts.target_count = 2;
	opts.no_cache = true;
	build_image(text);
	assert_int_equal(plan->steps.len, 2);
	assert_int_equal(plan->target_count, 2);
	assert_ok(assemble(plan, &plan->targets[1]));
	for (size_t i = 0; i < 2; i++)
		assert_true(digest_equal(&plan->targets[i].manifest.digest, &alone[i]));
	strings_release(&opts.labels);
}

TEST(a_base_whose_blob_is_gone_is_named_with_a_remedy)
{
	struct image_layer layer = kitchen_image("base", F("x"), "");
	char digest[DIGEST_TEXT_SIZE];
	AUTO(mem)
	char *path = xasprintf("blobs/sha256/%s", digest_format(&layer.blob.digest, digest) + 7);
	AUTO(err) struct err *err = NULL;

	build_image("FROM localhost/base\nENV a=1\n");
	assert_int_equal(unlinkat(store_fd(store), path, 0), 0);
	err = assemble(plan, &plan->targets[0]);
	assert_int_equal(err_kind(err), ERR_CORRUPT);
	assert_non_null(strstr(err_text(err), "layer 1 of image 'localhost/base'"));
	assert_non_null(strstr(err_text(err), digest));
	room_put(path, "short", 5); /* a blob that was cut is as good as gone */
	err_free(STEAL(err));
	err = assemble(plan, &plan->targets[0]);
	assert_int_equal(err_kind(err), ERR_CORRUPT);
}

#define ASSEMBLE_TEST(name) cmocka_unit_test_setup_teardown(name, open_assembly, close_assembly)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ASSEMBLE_TEST(the_config_is_what_the_instructions_say_on_top_of_the_base),
		ASSEMBLE_TEST(a_stage_has_the_rows_of_the_stage_that_it_is_built_on_before_its_own),
		ASSEMBLE_TEST(a_step_that_changes_nothing_has_a_row_and_no_layer),
		ASSEMBLE_TEST(there_are_as_many_rows_with_layers_as_layers),
		ASSEMBLE_TEST(a_directory_that_is_there_is_worked_in_without_a_layer),
		ASSEMBLE_TEST(layers_hold_what_copies_make_and_their_parents),
		ASSEMBLE_TEST(the_ignore_file_is_for_the_context_alone),
		ASSEMBLE_TEST(rows_have_the_time_of_the_layer_that_they_follow),
		ASSEMBLE_TEST(an_epoch_is_the_time_of_what_is_new_and_leaves_the_bases),
		ASSEMBLE_TEST(metadata_alone_has_the_time_of_the_base),
		ASSEMBLE_TEST(without_any_time_below_an_image_has_that_of_its_first_build),
		ASSEMBLE_TEST(an_unchanged_rebuild_gives_the_same_image),
		ASSEMBLE_TEST(several_targets_share_a_graph_and_have_images_of_their_own),
		ASSEMBLE_TEST(a_base_whose_blob_is_gone_is_named_with_a_remedy),
	};

	return cmocka_run_group_tests(tests, tmp_setup, tmp_teardown);
}
