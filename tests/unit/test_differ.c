/* tests/unit/test_differ.c - the first difference of two images, in words. */

#include "tests/unit/tree.h"

#include "builder/differ.h"
#include "tests/unit/images.h"

#define STEP "\"RUN make\""

/* An image of these layers, each the lines of an archive (NULL ends them), and the rest of its config. */
static struct image *make_image(const char *const *layers, const char *rest)
{
	struct image_layer rows[4] = { 0 };
	AUTO(buf) struct buf text = BUF_INIT(JSON_MAX);
	AUTO(json) json_t *doc = NULL;
	struct descriptor manifest, config;
	struct image *image = NULL;
	size_t count = 0;

	buf_addf(&text,
		 "{\"architecture\":\"amd64\",\"os\":\"linux\",%s,\"rootfs\":{\"type\":\"layers\","
		 "\"diff_ids\":[",
		 rest);
	for (; layers[count]; count++) {
		AUTO(buf) struct buf tar = BUF_INIT(BUF_MAX);
		struct descriptor *blob = &rows[count].blob;
		char digest[DIGEST_TEXT_SIZE];

		tree_archive(&tar, layers[count]);
		*blob = (struct descriptor){ .media_type = MEDIA_OCI_LAYER, .size = tar.len };
		assert_ok(blob_put(store, buf_str(&tar), &blob->digest));
		buf_addf(&text, "%s\"%s\"", count ? "," : "", digest_format(&blob->digest, digest));
	}
	buf_adds(&text, "]}}");
	doc = parse(text.at);
	assert_ok(image_put(store, doc, rows, count, NULL, &manifest, &config));
	assert_ok(image_open(store, &manifest, NULL, &image));
	return image;
}

static void assert_difference(const char *const *layers, const char *const *others,
			      const char *rest, const char *other_rest, const char *want)
{
	AUTO(image) struct image *first = make_image(layers, rest);
	AUTO(image) struct image *second = make_image(others, other_rest);
	AUTO(buf) struct buf got = BUF_INIT((size_t)64 * 1024);

	buf_adds(&got, "");
	assert_ok(differ_images(store, first, second, &got));
	assert_string_equal(got.at, want);
}

#define HISTORY                                                 \
	"\"config\":{},\"history\":[{\"created_by\":" STEP "}," \
	"{\"created_by\":\"ENV a\",\"empty_layer\":true},{\"created_by\":\"COPY b\"}]"

TEST(the_first_entry_that_differs_is_named)
{
	static const struct {
		const char *a, *b, *want;
	} cases[] = {
		{ F("a"), F("a"), "" },
		{ D("d/") F("d/a"), D("d/") F("d/a"), "" },
		{ "f 644 0:0 3 1 a xyz\n", "f 644 0:0 3 1 a xYz\n",
		  "'a' differs: content from byte 1 to 2" },
		{ "f 644 0:0 5 1 a 01234\n", "f 644 0:0 5 1 a 0xx3x\n",
		  "'a' differs: content from byte 1 to 3" },
		{ "f 644 0:0 2 1 a 01\n", "f 644 0:0 4 1 a 0123\n",
		  "'a' differs: content from byte 2 to 4, size 2 and 4" },
		{ "f 644 0:0 1 1 a x\n", "f 4755 0:0 1 1 a x\n",
		  "'a' differs: mode 0644 and 4755" },
		{ "f 644 0:0 1 1 a x\n", "f 644 1:2 1 9 a x\n",
		  "'a' differs: owner 0:0 and 1:2, mtime 1 and 9" },
		{ "f 644 0:0 1 1 a x\n", "f 644 0:0 1 1 a x user.mime=text\n",
		  "'a' differs: xattr" },
		{ "f 644 0:0 1 1 a x user.mime=test\n", "f 644 0:0 1 1 a x user.mime=text\n",
		  "'a' differs: xattr" },
		{ "l 777 0:0 0 1 a -> b\n", "l 777 0:0 0 1 a -> c\n", "'a' differs: link" },
		{ "c 600 0:0 0 1 a 1,3\n", "c 600 0:0 0 1 a 1,5\n", "'a' differs: device" },
		{ "c 600 0:0 0 1 a 1,3\n", "p 600 0:0 0 1 a\n", "'a' differs: type, device" },
		{ F("a") F("b"), F("a") F("b") F("c"), "'c' is only in the second image" },
		{ F("a") F("b") F("c"), F("a") F("c"), "'b' is only in the first image" },
		{ F("b"), F("a") F("b"), "'a' is only in the second image" },
		{ F("a") F("x"), F("a"), "'x' is only in the first image" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const char *const a[] = { F("same"), cases[i].a, NULL };
		const char *const b[] = { F("same"), cases[i].b, NULL };
		AUTO(mem)
		char *want = xasprintf("%s%s", *cases[i].want ? "layer 2 (COPY b): " : "",
				       cases[i].want);

		assert_difference(a, b, HISTORY, HISTORY, want);
	}
}

TEST(a_run_of_bytes_goes_over_blocks)
{
	/* Blocks are of 32 KiB: the bytes around the first border differ. */
	const char *const a[] = { "f 644 0:0 40000 1 a x*40000\n", NULL };
	const char *const b[] = { "f 644 0:0 40000 1 a x*32766y*5x*7229\n", NULL };
	const char *const c[] = { "f 644 0:0 40001 1 a x*40001\n", NULL };

	assert_difference(a, b, HISTORY, HISTORY,
			  "layer 1 (RUN make): 'a' differs: content from byte 32766 to 32771");
	assert_difference(
		a, c, HISTORY, HISTORY,
		"layer 1 (RUN make): 'a' differs: content from byte 40000 to 40001, size 40000 and 40001");
}

TEST(configs_and_numbers_of_layers)
{
	const char *const one[] = { F("a"), NULL };
	const char *const two[] = { F("a"), F("b"), NULL };

	assert_difference(one, two, HISTORY, HISTORY, "the images have 1 and 2 layers");
	assert_difference(one, one, "\"created\":\"a\",\"config\":{\"User\":\"x\",\"Env\":[]}",
			  "\"created\":\"b\",\"config\":{\"User\":\"x\",\"Env\":[\"a=b\"],"
			  "\"StopSignal\":\"9\"}",
			  "config differs: created, config.Env, config.StopSignal");
	assert_difference(one, one, "\"author\":\"x\",\"config\":{}", "\"config\":{}",
			  "config differs: author");
}

TEST(a_layer_whose_step_is_not_told)
{
	const char *const a[] = { F("a"), NULL }, *const b[] = { F("b"), NULL };

	assert_difference(a, b, "\"config\":{}", "\"config\":{}",
			  "layer 1 (no step is told): 'a' is only in the first image");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ROOM_TEST(the_first_entry_that_differs_is_named),
		ROOM_TEST(a_run_of_bytes_goes_over_blocks),
		ROOM_TEST(configs_and_numbers_of_layers),
		ROOM_TEST(a_layer_whose_step_is_not_told),
	};

	return cmocka_run_group_tests(tests, tmp_setup, tmp_teardown);
}
