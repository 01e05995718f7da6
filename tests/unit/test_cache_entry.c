/* tests/unit/test_cache_entry.c - what a cache says of a step, and what is not believed. */

#include "tests/unit/unit.h"

#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "base/vec.h"
#include "registry/cache_entry.h"
#include "store/image.h"

#define A64 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B64 "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define C64 "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"
#define EMPTY "5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef"

/* The entry that the format of registry/cache_entry.h describes, written by hand. */
#define HEAD                                                                                 \
	"{\"schemaVersion\":2,\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\"," \
	"\"config\":{\"mediaType\":\"application/vnd.oci.image.config.v1+json\","            \
	"\"digest\":\"sha256:" C64 "\",\"size\":7},"
#define LAYER                                                                         \
	"\"layers\":[{\"mediaType\":\"application/vnd.oci.image.layer.v1.tar+zstd\"," \
	"\"digest\":\"sha256:" B64 "\",\"size\":98}],"
#define NO_LAYER                                                                 \
	"\"layers\":[{\"mediaType\":\"application/vnd.oci.image.layer.v1.tar\"," \
	"\"digest\":\"sha256:" EMPTY "\",\"size\":1024}],"
#define KEY "\"cairn.cache.key\":\"sha256:" A64 "\","
#define TIME "\"cairn.cache.created\":\"2026-11-23T16:11:59.80584883Z\","
#define DURATION "\"cairn.cache.duration\":\"2722771\""
#define DIFF_ID ",\"cairn.cache.diff-id\":\"sha256:" C64 "\""
#define NOTES "\"annotations\":{"

static struct digest key(void)
{
	struct digest digest;

	assert_ok(digest_parse("sha256:" A64, &digest));
	return digest;
}

static struct err *parse(const char *text, struct cache_entry *ret)
{
	const struct digest want = key();

	return cache_entry_parse(str_of(text), &want, ret);
}

TEST(an_entry_is_what_its_manifest_says)
{
	struct cache_entry entry;
	struct descriptor config = { .media_type = MEDIA_OCI_CONFIG, .size = 7 };
	char text[DIGEST_TEXT_SIZE];
	AUTO(mem) char *again = NULL;

	assert_ok(parse(HEAD LAYER NOTES KEY TIME DURATION DIFF_ID "}}", &entry));
	assert_int_equal(entry.created.tv_nsec, 805848830);
	assert_int_equal(entry.duration, 2722771);
	assert_true(entry.has_layer);
	assert_int_equal(entry.blob.size, 98);
	assert_string_equal(digest_format(&entry.blob.digest, text), "sha256:" B64);
	assert_string_equal(digest_format(&entry.diff_id, text), "sha256:" C64);
	config.digest = entry.diff_id;
	again = cache_entry_format(&entry, &config);
	assert_string_equal(again, HEAD LAYER NOTES KEY TIME DURATION DIFF_ID "}}");
}

TEST(a_step_without_a_layer_has_an_empty_tar)
{
	struct cache_entry entry;
	struct descriptor config = { .media_type = MEDIA_OCI_CONFIG, .size = 7 };
	AUTO(mem) char *again = NULL;

	assert_ok(parse(HEAD NO_LAYER NOTES KEY TIME DURATION "}}", &entry));
	assert_false(entry.has_layer);
	assert_ok(digest_parse("sha256:" C64, &config.digest));
	again = cache_entry_format(&entry, &config);
	assert_string_equal(again, HEAD NO_LAYER NOTES KEY TIME DURATION "}}");
}

TEST(what_is_no_entry_of_the_key_is_refused)
{
	static const char *const cases[] = {
		"",
		"{}",
		"[1]",
		"{\"schemaVersion\":1}",
		/* of another step, or of none */
		HEAD LAYER NOTES "\"cairn.cache.key\":\"sha256:" B64 "\"," TIME DURATION DIFF_ID
				 "}}",
		HEAD LAYER NOTES TIME DURATION DIFF_ID "}}",
		HEAD LAYER NOTES "\"cairn.cache.key\":7," TIME DURATION DIFF_ID "}}",
		HEAD LAYER "\"annotations\":[]}",
		/* twice: which one counts? */
		HEAD LAYER NOTES KEY KEY TIME DURATION DIFF_ID "}}",
		/* times and durations that cannot be */
		HEAD LAYER NOTES KEY DURATION DIFF_ID "}}",
		HEAD LAYER NOTES KEY "\"cairn.cache.created\":\"yesterday\"," DURATION DIFF_ID "}}",
		HEAD LAYER NOTES KEY
		"\"cairn.cache.created\":\"1969-12-31T23:59:59Z\"," DURATION DIFF_ID "}}",
		HEAD LAYER NOTES KEY TIME "\"cairn.cache.duration\":\"-1\"" DIFF_ID "}}",
		HEAD LAYER NOTES KEY TIME
		"\"cairn.cache.duration\":\"99999999999999999999\"" DIFF_ID "}}",
		HEAD LAYER NOTES KEY TIME "\"cairn.cache.duration\":2722771" DIFF_ID "}}",
		/* diff ids that are none; a layer without one; one without a layer */
		HEAD LAYER NOTES KEY TIME DURATION ",\"cairn.cache.diff-id\":\"sha256:abc\"}}",
		HEAD LAYER NOTES KEY TIME DURATION
		",\"cairn.cache.diff-id\":\"../../../etc/passwd\"}}",
		HEAD LAYER NOTES KEY TIME DURATION "}}",
		HEAD "\"layers\":[]," NOTES KEY TIME DURATION DIFF_ID "}}",
		HEAD NOTES KEY TIME DURATION DIFF_ID "}}",
		/* layers that no step makes */
		HEAD "\"layers\":[{\"mediaType\":\"application/vnd.oci.image.layer.v1.tar+zstd\","
		     "\"digest\":\"sha256:" B64 "\",\"size\":0}]," NOTES KEY TIME DURATION DIFF_ID
		     "}}",
		HEAD "\"layers\":[{\"mediaType\":\"application/vnd.oci.image.layer.v1.tar+zstd\","
		     "\"digest\":\"sha256:" B64 "\",\"size\":-98}]," NOTES KEY TIME DURATION DIFF_ID
		     "}}",
		HEAD "\"layers\":[{\"mediaType\":\"application/vnd.oci.image.layer.v1.tar+zstd\","
		     "\"digest\":\"sha256:" B64
		     "\",\"size\":9223372036854775807}]," NOTES KEY TIME DURATION DIFF_ID "}}",
		HEAD "\"layers\":[{\"mediaType\":\"application/vnd.oci.image.layer.v1.tar+zstd\","
		     "\"digest\":\"sha512:" B64 B64
		     "\",\"size\":98}]," NOTES KEY TIME DURATION DIFF_ID "}}",
		HEAD "\"layers\":[{\"mediaType\":\"text/html\",\"digest\":\"sha256:" B64
		     "\",\"size\":98}]," NOTES KEY TIME DURATION DIFF_ID "}}",
		HEAD "\"layers\":[{\"mediaType\":"
		     "\"application/vnd.oci.image.layer.nondistributable.v1.tar+gzip\","
		     "\"digest\":\"sha256:" B64 "\",\"size\":98}]," NOTES KEY TIME DURATION DIFF_ID
		     "}}",
		/* an index, and what is both */
		"{\"schemaVersion\":2,\"mediaType\":\"application/vnd.oci.image.index.v1+json\","
		"\"manifests\":[]," NOTES KEY TIME DURATION DIFF_ID "}}",
		HEAD LAYER "\"manifests\":[]," NOTES KEY TIME DURATION DIFF_ID "}}",
		HEAD LAYER NOTES KEY TIME DURATION DIFF_ID "}}}",
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct cache_entry entry;
		AUTO(err) struct err *err = parse(cases[i], &entry);

		if (err_kind(err) != ERR_INVALID && err_kind(err) != ERR_UNSUPPORTED)
			fail_msg("%s: %s", cases[i], err ? err_text(err) : "taken");
	}
}

TEST(an_entry_of_more_bytes_than_any_has_is_refused)
{
	AUTO(buf) struct buf text = BUF_INIT(1 << 20);
	struct cache_entry entry;

	buf_adds(&text, HEAD LAYER NOTES KEY TIME DURATION DIFF_ID ",\"more\":\"");
	while (text.len < CACHE_ENTRY_MAX)
		buf_addc(&text, 'x');
	buf_adds(&text, "\"}}");
	assert_fails(parse(text.at, &entry), ERR_INVALID);
}

TEST(a_tag_is_the_key_and_the_scope)
{
	const struct digest digest = key();
	char tag[CACHE_TAG_SIZE];

	assert_string_equal(cache_entry_tag("", &digest, tag), "v1-" A64);
	assert_string_equal(cache_entry_tag("main", &digest, tag), "main-v1-" A64);
	assert_string_equal(cache_entry_tag("0123456789012345678901234567890123456789"
					    "01234567890123456789",
					    &digest, tag),
			    "012345678901234567890123456789012345678901234567890123456789-v1-" A64);
}

TEST(the_config_of_an_entry_fits_its_layer)
{
	struct cache_entry entry = { .created = { 1763914319, 0 } };
	const struct platform platform = { "linux", "amd64", "" };
	AUTO(mem) char *config = cache_entry_config(&entry, &platform);
	AUTO(mem) char *other = NULL;

	assert_string_equal(
		config,
		"{\"created\":\"2025-11-23T16:11:59Z\",\"architecture\":\"amd64\",\"os\":\"linux\","
		"\"config\":{},\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"sha256:" EMPTY
		"\"]},\"history\":[{\"created\":\"2025-11-23T16:11:59Z\","
		"\"created_by\":\"cairn cache entry\"}]}");
	entry.has_layer = true;
	assert_ok(digest_parse("sha256:" B64, &entry.diff_id));
	other = cache_entry_config(&entry, &platform);
	assert_non_null(strstr(other, "\"diff_ids\":[\"sha256:" B64 "\"]"));
}

/* ---- in the config of an image ---- */

static struct err *parse_facts(const char *config, size_t layers, struct cache_entries *ret)
{
	struct image_layer two[2] = { { .blob = { .media_type = MEDIA_OCI_LAYER, .size = 5 } },
				      { .blob = { .media_type = MEDIA_OCI_LAYER, .size = 6 } } };
	const struct image image = { .layers = two, .layer_count = layers };
	AUTO(json) json_t *doc = NULL;
	struct json_at root;

	assert_ok(json_parse(str_of(config), JSON_MAX, "config", &doc));
	root = json_root(doc, "config");
	return cache_inline_parse(&root, &image, ret);
}

#define ROOTFS ",\"rootfs\":{\"diff_ids\":[\"sha256:" B64 "\",\"sha256:" C64 "\"]}}"
#define FACT "{\"cairn.cache.v1\":[{\"key\":\"sha256:" A64 "\",\"created\":\"2026-11-23T16:11:59Z\""

TEST(facts_of_an_image_are_entries)
{
	AUTO(mem) struct cache_entry *list = NULL;
	struct cache_entries facts = { 0 };
	AUTO(json) json_t *again = NULL;
	char text[DIGEST_TEXT_SIZE];

	assert_ok(parse_facts("{\"rootfs\":{\"diff_ids\":[]}}", 0, &facts));
	assert_int_equal(facts.len, 0);
	assert_ok(parse_facts(FACT ",\"layer\":1},{\"key\":\"sha256:" B64
				   "\",\"created\":\"2026-11-23T16:11:59Z\"}]" ROOTFS,
			      2, &facts));
	list = facts.at;
	assert_int_equal(facts.len, 2);
	assert_true(list[0].has_layer && !list[1].has_layer);
	assert_int_equal(list[0].blob.size, 6);
	assert_string_equal(digest_format(&list[0].diff_id, text), "sha256:" C64);
	again = cache_inline_format(&list[0], 1);
	assert_int_equal(json_integer_value(json_object_get(again, "layer")), 1);
	assert_string_equal(json_string_value(json_object_get(again, "created")),
			    "2026-11-23T16:11:59Z");
}

TEST(facts_that_do_not_fit_their_image_are_refused)
{
	static const char *const cases[] = {
		FACT ",\"layer\":2}]" ROOTFS,
		FACT ",\"layer\":-1}]" ROOTFS,
		FACT ",\"layer\":\"1\"}]" ROOTFS,
		FACT ",\"layer\":1}]}",
		FACT ",\"layer\":1}],\"rootfs\":{\"diff_ids\":[\"sha256:" B64 "\"]}}",
		FACT ",\"layer\":1}],\"rootfs\":{\"diff_ids\":[\"sha256:" B64 "\",7]}}",
		"{\"cairn.cache.v1\":{}" ROOTFS,
		"{\"cairn.cache.v1\":[7]" ROOTFS,
		"{\"cairn.cache.v1\":[{\"key\":\"sha256:" A64 "\"}]" ROOTFS,
		"{\"cairn.cache.v1\":[{\"created\":\"2026-11-23T16:11:59Z\"}]" ROOTFS,
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct cache_entries facts = { 0 };
		AUTO(err) struct err *err = parse_facts(cases[i], 2, &facts);

		if (err_kind(err) != ERR_INVALID)
			fail_msg("%s: %s", cases[i], err ? err_text(err) : "taken");
		vec_release(&facts);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_entry_is_what_its_manifest_says),
		cmocka_unit_test(a_step_without_a_layer_has_an_empty_tar),
		cmocka_unit_test(what_is_no_entry_of_the_key_is_refused),
		cmocka_unit_test(an_entry_of_more_bytes_than_any_has_is_refused),
		cmocka_unit_test(a_tag_is_the_key_and_the_scope),
		cmocka_unit_test(the_config_of_an_entry_fits_its_layer),
		cmocka_unit_test(facts_of_an_image_are_entries),
		cmocka_unit_test(facts_that_do_not_fit_their_image_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
