/* tests/unit/test_image_index.c - indexes of our own (image-spec, image-index). */

#include "tests/unit/unit.h"

#include "registry/index.h"
#include "tests/unit/images.h"

static json_t *entries_of(const json_t *index)
{
	return json_object_get(index, "manifests");
}

static void expect_platforms(const json_t *index, const char *const *want)
{
	size_t count = 0;

	for (; want[count]; count++) {
		AUTO(mem)
		char *platform = index_entry_platform(json_array_get(entries_of(index), count));

		assert_string_equal(platform, want[count]);
	}
	assert_int_equal(json_array_size(entries_of(index)), count);
}

TEST(an_entry_has_size_digest_and_platform)
{
	AUTO(json) json_t *index = index_new();
	struct descriptor config, image = put_image("arm64", "layer", &config);
	char digest[DIGEST_TEXT_SIZE];
	AUTO(mem) char *got = NULL;
	AUTO(mem) char *want = NULL;

	assert_ok(index_add(store, index, &image));
	got = json_format(index);
	want = xasprintf("{\"schemaVersion\":2,\"mediaType\":\"" MEDIA_OCI_INDEX
			 "\",\"manifests\":[{\"mediaType\":\"" MEDIA_OCI_MANIFEST
			 "\",\"digest\":\"%s\",\"size\":%ju,\"platform\":{\"architecture\":"
			 "\"arm64\",\"os\":\"linux\"}}]}",
			 digest_format(&image.digest, digest), (uintmax_t)image.size);
	assert_string_equal(got, want);
}

/* As BuildKit's document about the storage of attestations has it. */
TEST(what_is_said_about_an_image_stands_beside_it)
{
	AUTO(json) json_t *index = index_new();
	struct descriptor config, other_config, image = put_image("amd64", "layer", &config);
	struct descriptor said = put_image("arm64", "said", &other_config);
	struct descriptor more = put_image("arm", "more", &other_config);
	char digest[DIGEST_TEXT_SIZE], about[DIGEST_TEXT_SIZE];
	AUTO(mem) char *got = NULL;
	AUTO(mem) char *want = NULL;

	assert_ok(index_add(store, index, &image));
	assert_ok(index_add_attestation(index, &said, &image.digest));
	assert_ok(index_add_attestation(index, &more, &image.digest));
	expect_platforms(index, (const char *const[]){ "linux/amd64", "unknown", "unknown", NULL });
	got = json_format(json_array_get(entries_of(index), 1));
	want = xasprintf("{\"mediaType\":\"" MEDIA_OCI_MANIFEST
			 "\",\"digest\":\"%s\",\"size\":%ju,\"platform\":{\"architecture\":"
			 "\"unknown\",\"os\":\"unknown\"},\"annotations\":{"
			 "\"vnd.docker.reference.digest\":\"%s\","
			 "\"vnd.docker.reference.type\":\"attestation-manifest\"}}",
			 digest_format(&said.digest, digest), (uintmax_t)said.size,
			 digest_format(&image.digest, about));
	assert_string_equal(got, want);
}

TEST(a_platform_is_there_once_and_the_last_one_counts)
{
	AUTO(json) json_t *index = index_new();
	struct descriptor config;
	struct descriptor old = put_image("amd64", "old", &config);
	struct descriptor other = put_image("s390x", "other", &config);
	struct descriptor fresh = put_image("amd64", "fresh", &config);
	char digest[DIGEST_TEXT_SIZE];

	assert_ok(index_add(store, index, &old));
	assert_ok(index_add(store, index, &other));
	assert_ok(index_add(store, index, &fresh));
	expect_platforms(index, (const char *const[]){ "linux/amd64", "linux/s390x", NULL });
	assert_string_equal(
		json_string_value(json_object_get(json_array_get(entries_of(index), 0), "digest")),
		digest_format(&fresh.digest, digest));
}

TEST(entries_of_an_index_are_taken_as_they_are)
{
	AUTO(json) json_t *index = index_new();
	AUTO(json) json_t *again = NULL;
	struct descriptor config, put;
	struct descriptor image = put_image("amd64", "layer", &config);
	char digest[DIGEST_TEXT_SIZE];
	AUTO(mem)
	char *text = xasprintf(
		"{\"schemaVersion\":2,\"mediaType\":\"" MEDIA_OCI_INDEX
		"\",\"manifests\":[{\"mediaType\":\"" MEDIA_OCI_MANIFEST
		"\",\"digest\":\"%s\",\"size\":%ju,\"platform\":{\"architecture\":\"arm\","
		"\"os\":\"linux\",\"variant\":\"v6\"},\"annotations\":{\"a\":\"b\"}},"
		"{\"mediaType\":\"" MEDIA_OCI_MANIFEST
		"\",\"digest\":\"sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789"
		"abcdef\",\"size\":7,\"platform\":{\"architecture\":\"unknown\",\"os\":\"unknown\"}"
		"}]}",
		digest_format(&image.digest, digest), (uintmax_t)image.size);
	struct descriptor other = put_text(MEDIA_OCI_INDEX, text);
	AUTO(mem) char *got = NULL;

	assert_ok(index_add(store, index, &other));
	expect_platforms(index, (const char *const[]){ "linux/arm/v6", "unknown", NULL });
	got = json_format(index);
	assert_string_equal(got, text);
	assert_ok(index_put(store, index, &put));
	assert_true(digest_equal(&put.digest, &other.digest));
	assert_ok(index_read(store, &put, &again));
	assert_true(json_equal(again, index));
}

TEST(annotations_are_names_and_values)
{
	AUTO(json) json_t *index = index_new();
	AUTO(err) struct err *bad = index_annotate(index, "=x");
	AUTO(err) struct err *worse = index_annotate(index, "x");

	assert_int_equal(err_kind(bad), ERR_INVALID);
	assert_int_equal(err_kind(worse), ERR_INVALID);
	assert_ok(index_annotate(index, "org.example.a=b=c"));
	assert_string_equal(json_string_value(json_object_get(json_object_get(index, "annotations"),
							      "org.example.a")),
			    "b=c");
}

TEST(an_index_of_nothing_is_refused_and_so_is_an_image_for_one)
{
	AUTO(json) json_t *index = index_new();
	AUTO(json) json_t *read = NULL;
	struct descriptor put, config, image = put_image("amd64", "layer", &config);
	AUTO(err) struct err *empty = index_put(store, index, &put);
	AUTO(err) struct err *wrong = index_read(store, &image, &read);

	assert_int_equal(err_kind(empty), ERR_INVALID);
	assert_int_equal(err_kind(wrong), ERR_INVALID);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ROOM_TEST(an_entry_has_size_digest_and_platform),
		ROOM_TEST(what_is_said_about_an_image_stands_beside_it),
		ROOM_TEST(a_platform_is_there_once_and_the_last_one_counts),
		ROOM_TEST(entries_of_an_index_are_taken_as_they_are),
		ROOM_TEST(annotations_are_names_and_values),
		ROOM_TEST(an_index_of_nothing_is_refused_and_so_is_an_image_for_one),
	};

	return cmocka_run_group_tests(tests, tmp_setup, tmp_teardown);
}
