/* tests/unit/test_image.c - documents of images are read strictly, and written as others do. */

#include "tests/unit/unit.h"

#include <string.h>

#include "store/blob.h"
#include "store/image-private.h"
#include "tests/unit/images.h"

#define LAYER_GZIP MEDIA_OCI_LAYER "+gzip"
/* Any digests will do where nothing is read. */
#define D1 "sha256:1111111111111111111111111111111111111111111111111111111111111111"
#define D2 "sha256:2222222222222222222222222222222222222222222222222222222222222222"
#define D3 "sha256:3333333333333333333333333333333333333333333333333333333333333333"

#define DESCRIPTOR(type, digest) "{\"mediaType\":\"" type "\",\"digest\":\"" digest "\",\"size\":7}"
#define CONFIG_D DESCRIPTOR(MEDIA_OCI_CONFIG, D1)
#define LAYER_D DESCRIPTOR(LAYER_GZIP, D2)

/* ---- which document it is ---- */

TEST(type_and_shape_of_a_document_must_agree)
{
#define V2 "{\"schemaVersion\":2"
#define MANIFEST_BODY ",\"config\":" CONFIG_D ",\"layers\":[]}"
#define INDEX_BODY ",\"manifests\":[]}"
	static const struct {
		const char *text, *announced;
		enum err_kind want;
		bool is_index;
	} cases[] = {
		{ V2 MANIFEST_BODY, "", ERR_NONE, false },
		{ V2 MANIFEST_BODY, MEDIA_OCI_MANIFEST, ERR_NONE, false },
		{ V2 MANIFEST_BODY, MEDIA_DOCKER_MANIFEST, ERR_NONE, false },
		{ V2 ",\"mediaType\":\"" MEDIA_OCI_MANIFEST "\"" MANIFEST_BODY, "", ERR_NONE,
		  false },
		{ V2 INDEX_BODY, "", ERR_NONE, true },
		{ V2 INDEX_BODY, MEDIA_OCI_INDEX, ERR_NONE, true },
		{ V2 INDEX_BODY, MEDIA_DOCKER_LIST, ERR_NONE, true },
		/* CVE-2021-41190: one document, two meanings. */
		{ V2 ",\"manifests\":[]" MANIFEST_BODY, "", ERR_INVALID, false },
		{ V2 ",\"manifests\":[]" MANIFEST_BODY, MEDIA_OCI_MANIFEST, ERR_INVALID, false },
		{ V2 ",\"manifests\":[],\"layers\":[]}", MEDIA_OCI_INDEX, ERR_INVALID, false },
		{ V2 MANIFEST_BODY, MEDIA_OCI_INDEX, ERR_INVALID, false },
		{ V2 INDEX_BODY, MEDIA_OCI_MANIFEST, ERR_INVALID, false },
		{ V2 ",\"mediaType\":\"" MEDIA_OCI_INDEX "\"" MANIFEST_BODY, "", ERR_INVALID,
		  false },
		{ V2 ",\"mediaType\":\"" MEDIA_OCI_MANIFEST "\"" MANIFEST_BODY,
		  MEDIA_DOCKER_MANIFEST, ERR_INVALID, false },
		{ V2 "}", "", ERR_INVALID, false },
		{ V2 MANIFEST_BODY, "application/json", ERR_UNSUPPORTED, false },
		{ "{\"schemaVersion\":1" MANIFEST_BODY, "", ERR_UNSUPPORTED, false },
		{ "{\"schemaVersion\":3" MANIFEST_BODY, "", ERR_UNSUPPORTED, false },
		{ "{\"schemaVersion\":\"2\"" MANIFEST_BODY, "", ERR_INVALID, false },
		{ "{\"config\":{},\"layers\":[]}", "", ERR_INVALID, false },
		{ "[]", "", ERR_INVALID, false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(json) json_t *doc = parse(cases[i].text);
		const struct json_at root = json_root(doc, "test");
		bool is_index = false;

		assert_fails(image_document_kind(&root, cases[i].announced, &is_index),
			     cases[i].want);
		assert_int_equal(is_index, cases[i].is_index);
	}
}

/* ---- an index ---- */

#define ENTRY(digest, platform)                                                                   \
	"{\"mediaType\":\"" MEDIA_OCI_MANIFEST "\",\"digest\":\"" digest "\",\"size\":7" platform \
	"}"
#define PLATFORM(os, arch, variant)                                                             \
	",\"platform\":{\"os\":\"" os "\",\"architecture\":\"" arch "\",\"variant\":\"" variant \
	"\"}"

TEST(an_index_gives_the_entry_that_fits_best)
{
	static const char index[] =
		"{\"manifests\":[" ENTRY(D3, PLATFORM("unknown", "unknown", "")) "," ENTRY(D1, PLATFORM("linux", "arm", "v6")) "," ENTRY(
			D2,
			PLATFORM(
				"linux", "arm",
				"v7")) "," ENTRY(D3,
						 PLATFORM(
							 "linux",
							 "arm64",
							 "v8")) "," ENTRY(D1,
									  PLATFORM(
										  "linux",
										  "amd64",
										  "")) "," ENTRY(D2,
												 PLATFORM(
													 "linux",
													 "amd64",
													 "")) "]}";
	static const struct {
		const char *want, *digest;
	} cases[] = {
		{ "linux/amd64", D1 }, /* the first of two equals */
		{ "linux/amd64/v3", D1 }, { "linux/arm64", D3 },
		{ "linux/arm/v7", D2 },   { "linux/arm/v6", D1 },
	};
	AUTO(json) json_t *doc = parse(index);
	const struct json_at root = json_root(doc, "test");
	AUTO(err) struct err *err = NULL;
	struct descriptor chosen;
	struct platform want;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char text[DIGEST_TEXT_SIZE];

		assert_ok(platform_parse(cases[i].want, &want));
		assert_ok(image_choose(&root, &want, &chosen));
		assert_string_equal(digest_format(&chosen.digest, text), cases[i].digest);
	}
	assert_ok(platform_parse("linux/s390x", &want));
	err = image_choose(&root, &want, &chosen);
	assert_int_equal(err_kind(err), ERR_NOT_FOUND);
	assert_string_equal(err_text(err),
			    "the image has nothing for linux/s390x, only for linux/arm/v6, "
			    "linux/arm/v7, linux/arm64, linux/amd64, linux/amd64");
	assert_ok(platform_parse("linux/arm/v5", &want));
	assert_fails(image_choose(&root, &want, &chosen), ERR_NOT_FOUND);
}

TEST(an_entry_without_a_platform_serves_when_nothing_else_does)
{
	static const char index[] =
		"{\"manifests\":[" ENTRY(D1, "") "," ENTRY(D2, PLATFORM("linux", "amd64", "")) "]}";
	AUTO(json) json_t *doc = parse(index);
	const struct json_at root = json_root(doc, "test");
	struct descriptor chosen;
	struct platform want;
	char text[DIGEST_TEXT_SIZE];

	assert_ok(platform_parse("linux/amd64", &want));
	assert_ok(image_choose(&root, &want, &chosen));
	assert_string_equal(digest_format(&chosen.digest, text), D2);
	assert_ok(platform_parse("linux/s390x", &want));
	assert_ok(image_choose(&root, &want, &chosen));
	assert_string_equal(digest_format(&chosen.digest, text), D1);
}

/* ---- a manifest ---- */

TEST(manifests_are_read_strictly)
{
#define WITH(config, layers) "{\"config\":" config ",\"layers\":" layers "}"
	static const struct {
		const char *text;
		enum err_kind want;
	} cases[] = {
		{ WITH(CONFIG_D, "[]"), ERR_NONE },
		{ WITH(CONFIG_D, "[" LAYER_D "," LAYER_D "]"), ERR_NONE },
		{ WITH(CONFIG_D,
		       "[" DESCRIPTOR("application/vnd.docker.image.rootfs.diff.tar.gzip", D2) "]"),
		  ERR_NONE },
		{ WITH(DESCRIPTOR(MEDIA_DOCKER_CONFIG, D1), "[" LAYER_D "]"), ERR_NONE },
		{ WITH(DESCRIPTOR("application/vnd.cncf.helm.config.v1+json", D1), "[]"),
		  ERR_UNSUPPORTED },
		{ WITH(CONFIG_D, "[" DESCRIPTOR("application/vnd.in-toto+json", D2) "]"),
		  ERR_INVALID },
		{ WITH(CONFIG_D, "[{}]"), ERR_INVALID },
		{ WITH(CONFIG_D, "[null]"), ERR_INVALID },
		{ WITH(CONFIG_D, "{}"), ERR_INVALID },
		{ WITH(CONFIG_D, "null"), ERR_INVALID },
		{ WITH("[]", "[]"), ERR_INVALID },
		{ WITH("null", "[]"), ERR_INVALID },
		{ WITH(DESCRIPTOR(MEDIA_OCI_CONFIG, "sha512:00"), "[]"), ERR_INVALID },
		{ WITH(DESCRIPTOR(MEDIA_OCI_CONFIG, "sha256:../../etc/passwd"), "[]"),
		  ERR_INVALID },
		{ "{\"config\":{\"mediaType\":\"" MEDIA_OCI_CONFIG "\",\"digest\":\"" D1
		  "\",\"size\":-1},\"layers\":[]}",
		  ERR_INVALID },
		{ "{\"config\":" CONFIG_D ",\"layers\":[],\"annotations\":[]}", ERR_INVALID },
		{ "{\"config\":" CONFIG_D ",\"layers\":[],\"annotations\":{\"a\":\"b\"}}",
		  ERR_NONE },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(json) json_t *doc = parse(cases[i].text);
		AUTO(image) struct image *image = xcalloc(1, sizeof(*image));
		const struct json_at root = json_root(doc, "test");

		assert_fails(image_parse_manifest(&root, image), cases[i].want);
	}
}

TEST(an_image_has_at_most_512_layers)
{
	for (size_t count = IMAGE_LAYERS_MAX; count <= IMAGE_LAYERS_MAX + 1; count++) {
		AUTO(buf) struct buf text = BUF_INIT(1 << 20);
		AUTO(image) struct image *image = xcalloc(1, sizeof(*image));
		AUTO(json) json_t *doc = NULL;
		struct json_at root;

		buf_adds(&text, "{\"config\":" CONFIG_D ",\"layers\":[");
		for (size_t i = 0; i < count; i++)
			buf_adds(&text, i ? "," LAYER_D : LAYER_D);
		buf_adds(&text, "]}");
		doc = parse(text.at);
		root = json_root(doc, "test");
		assert_fails(image_parse_manifest(&root, image),
			     count > IMAGE_LAYERS_MAX ? ERR_INVALID : ERR_NONE);
	}
}

/* ---- a config ---- */

TEST(a_config_names_as_many_diff_ids_as_there_are_layers)
{
#define ROOTFS(ids) "{\"rootfs\":{\"type\":\"layers\",\"diff_ids\":" ids "}}"
	static const struct {
		const char *text;
		size_t layers;
		enum err_kind want;
	} cases[] = {
		{ ROOTFS("[\"" D1 "\",\"" D2 "\"]"), 2, ERR_NONE },
		{ ROOTFS("[]"), 0, ERR_NONE },
		{ ROOTFS("null"), 0, ERR_NONE },
		{ ROOTFS("[\"" D1 "\"]"), 2, ERR_INVALID },
		{ ROOTFS("[\"" D1 "\",\"" D2 "\"]"), 1, ERR_INVALID },
		{ ROOTFS("null"), 1, ERR_INVALID },
		{ ROOTFS("[\"sha256:00\"]"), 1, ERR_INVALID },
		{ ROOTFS("[7]"), 1, ERR_INVALID },
		{ "{\"rootfs\":{\"type\":\"tar\",\"diff_ids\":[]}}", 0, ERR_INVALID },
		{ "{\"rootfs\":{\"diff_ids\":[]}}", 0, ERR_INVALID },
		{ "{\"rootfs\":[]}", 0, ERR_INVALID },
		{ "{}", 0, ERR_INVALID },
		{ "[]", 0, ERR_INVALID },
		{ "{\"os\":7,\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[]}}", 0, ERR_INVALID },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(json) json_t *doc = parse(cases[i].text);
		AUTO(image) struct image *image = xcalloc(1, sizeof(*image));
		const struct json_at root = json_root(doc, "test");

		image->layers = xcalloc(cases[i].layers, sizeof(*image->layers));
		image->layer_count = cases[i].layers;
		assert_fails(image_parse_config(&root, image), cases[i].want);
	}
}

TEST(chain_ids_are_those_of_the_specification)
{
	struct digest one, two, chain;
	char text[DIGEST_TEXT_SIZE];

	assert_ok(digest_parse(D1, &one));
	assert_ok(digest_parse(D2, &two));
	assert_ok(chain_id_next(NULL, &one, &chain));
	assert_true(digest_equal(&chain, &one));
	assert_ok(chain_id_next(&one, &two, &chain));
	/* printf '%s %s' D1 D2 | sha256sum */
	assert_string_equal(
		digest_format(&chain, text),
		"sha256:9932074217c35353d2e03a3f5a86549f7c67bfeb0ba53e23d69f4d4c8f7958f5");
}

/* ---- whole images ---- */

TEST(an_image_that_is_put_can_be_opened)
{
	struct descriptor config;
	struct descriptor manifest = put_image("amd64", "not really a tar", &config);
	AUTO(image) struct image *image = NULL;

	assert_string_equal(manifest.media_type, MEDIA_OCI_MANIFEST);
	assert_string_equal(config.media_type, MEDIA_OCI_CONFIG);
	assert_ok(image_open(store, &manifest, NULL, &image));
	assert_true(descriptor_equal(&image->manifest, &manifest));
	assert_true(descriptor_equal(&image->config_blob, &config));
	assert_string_equal(image->platform.arch, "amd64");
	assert_int_equal(image->layer_count, 1);
	assert_true(digest_equal(&image->layers[0].diff_id, &image->layers[0].blob.digest));
	assert_true(digest_equal(&image->layers[0].chain_id, &image->layers[0].diff_id));
	assert_string_equal(json_string_value(json_object_get(image->annotations, "key")), "value");
	assert_non_null(json_object_get(image->config, "rootfs"));
	image_free(NULL);
}

TEST(an_image_that_nobody_could_open_is_not_put)
{
	const size_t max = (size_t)8 * 1024 * 1024; /* of store/image.h */
	AUTO(mem) char *text = xcalloc(max + 1, 1);
	AUTO(json) json_t *config = json_object();
	struct descriptor manifest, config_blob = { .media_type = MEDIA_OCI_CONFIG };

	memset(text, 'x', max);
	json_set_text(config, "author", text);
	assert_fails(image_put(store, config, NULL, 0, NULL, &manifest, &config_blob), ERR_INVALID);
	config_blob.size = max + 1;
	assert_fails(image_put_manifest(store, &config_blob, NULL, 0, NULL, &manifest),
		     ERR_INVALID);
	assert_int_equal(room_count("blobs/sha256"), 0);
}

TEST(a_manifest_has_its_members_in_the_usual_order)
{
	struct descriptor config;
	struct descriptor manifest = put_image("amd64", "x", &config);
	AUTO(buf) struct buf text = BUF_INIT(4096);

	assert_ok(blob_read(store, &manifest.digest, 4096, &text));
	/* Sizes and digests by wc -c and sha256sum of the config as it stands in put_image(). */
	assert_string_equal(
		text.at,
		"{\"schemaVersion\":2,\"mediaType\":\"" MEDIA_OCI_MANIFEST "\","
		"\"config\":{\"mediaType\":\"" MEDIA_OCI_CONFIG
		"\",\"digest\":\"sha256:2b30a091556efa789b8b32e5032ba077545fd49e7ecb0c202bb829a4aa2198ad\",\"size\":163},"
		"\"layers\":[{\"mediaType\":\"" MEDIA_OCI_LAYER
		"\",\"digest\":\"sha256:2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881\",\"size\":1}],"
		"\"annotations\":{\"key\":\"value\"}}");
}

/* Put a document as it stands. */
TEST(an_index_is_opened_for_the_platform_that_is_wanted)
{
	struct descriptor config;
	struct descriptor one = put_image("amd64", "one", &config);
	struct descriptor two = put_image("s390x", "two", &config);
	struct descriptor index = put_index(&one, &two);
	AUTO(image) struct image *image = NULL;
	struct platform want;

	assert_ok(platform_parse("linux/s390x", &want));
	assert_ok(image_open(store, &index, &want, &image));
	assert_true(descriptor_equal(&image->manifest, &two));
	assert_string_equal(image->platform.arch, "s390x");
	image_free(STEAL(image));
	assert_ok(platform_parse("linux/mips", &want));
	assert_fails(image_open(store, &index, &want, &image), ERR_NOT_FOUND);
}

TEST(indexes_do_not_nest_without_end)
{
	struct descriptor config;
	struct descriptor at = put_image("amd64", "one", &config);
	struct platform want;
	AUTO(image) struct image *image = NULL;

	assert_ok(platform_parse("linux/amd64", &want));
	for (int depth = 0; depth < IMAGE_INDEX_DEPTH; depth++)
		at = put_index(&at, &at);
	assert_ok(image_open(store, &at, &want, &image));
	image_free(STEAL(image));
	at = put_index(&at, &at);
	assert_fails(image_open(store, &at, &want, &image), ERR_INVALID);
}

TEST(what_a_descriptor_says_must_be_true)
{
	struct descriptor config;
	struct descriptor manifest = put_image("amd64", "one", &config);
	struct descriptor wrong;
	AUTO(image) struct image *image = NULL;
	char path[STORE_PATH_SIZE];

	wrong = manifest;
	wrong.size++;
	assert_fails(image_open(store, &wrong, NULL, &image), ERR_INVALID);
	wrong = manifest;
	memcpy(wrong.media_type, MEDIA_OCI_INDEX, sizeof(MEDIA_OCI_INDEX));
	assert_fails(image_open(store, &wrong, NULL, &image), ERR_INVALID);
	wrong = manifest;
	wrong.digest.bytes[0] ^= 1;
	assert_fails(image_open(store, &wrong, NULL, &image), ERR_NOT_FOUND);
	wrong = put_text(MEDIA_OCI_MANIFEST, "{\"schemaVersion\":2");
	assert_fails(image_open(store, &wrong, NULL, &image), ERR_INVALID);
	room_put(store_hex_path("blobs/sha256/", &config.digest, path), "{}", 2);
	assert_fails(image_open(store, &manifest, NULL, &image), ERR_CORRUPT);
}

TEST(a_layer_is_called_as_the_format_of_its_manifest_has_it)
{
	static const struct {
		const char *oci, *docker; /* NULL: there is no such layer */
	} cases[] = {
		{ MEDIA_OCI_LAYER, "application/vnd.docker.image.rootfs.diff.tar" },
		{ LAYER_GZIP, "application/vnd.docker.image.rootfs.diff.tar.gzip" },
		{ MEDIA_OCI_LAYER "+zstd", NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const char *docker = image_layer_media_type_in(IMAGE_DOCKER, cases[i].oci);

		assert_string_equal(image_layer_media_type_in(IMAGE_OCI, cases[i].oci),
				    cases[i].oci);
		if (!cases[i].docker) {
			assert_null(docker);
			continue;
		}
		assert_string_equal(docker, cases[i].docker);
		assert_string_equal(image_layer_media_type_in(IMAGE_DOCKER, docker), docker);
		assert_string_equal(image_layer_media_type_in(IMAGE_OCI, docker), cases[i].oci);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(type_and_shape_of_a_document_must_agree),
		cmocka_unit_test(an_index_gives_the_entry_that_fits_best),
		cmocka_unit_test(an_entry_without_a_platform_serves_when_nothing_else_does),
		cmocka_unit_test(manifests_are_read_strictly),
		cmocka_unit_test(an_image_has_at_most_512_layers),
		cmocka_unit_test(a_config_names_as_many_diff_ids_as_there_are_layers),
		cmocka_unit_test(chain_ids_are_those_of_the_specification),
		ROOM_TEST(an_image_that_is_put_can_be_opened),
		ROOM_TEST(an_image_that_nobody_could_open_is_not_put),
		ROOM_TEST(a_manifest_has_its_members_in_the_usual_order),
		ROOM_TEST(an_index_is_opened_for_the_platform_that_is_wanted),
		ROOM_TEST(indexes_do_not_nest_without_end),
		ROOM_TEST(what_a_descriptor_says_must_be_true),
		cmocka_unit_test(a_layer_is_called_as_the_format_of_its_manifest_has_it),
	};

	return cmocka_run_group_tests(tests, tmp_setup, tmp_teardown);
}
