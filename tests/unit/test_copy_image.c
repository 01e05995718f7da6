/* tests/unit/test_copy_image.c - images from any place to any other. */

#include "tests/unit/unit.h"

#include <stdlib.h>
#include <string.h>

#include "registry/copy.h"
#include "store/blob.h"
#include "store/image.h"
#include "store/ref.h"
#include "tests/unit/room.h"

#include "tests/unit/fake_registry.h"
#include "tests/unit/remote.h"

#define APP "docker://" FAKE_HOST "/team/app"
#define OTHER "docker://" FAKE_HOST "/other/app"

static struct err *copy(struct fake_registry *registry, const char *source, const char *target,
			const struct copy_opts *opts, struct copy_result *ret)
{
	AUTO(location) struct location from = { 0 };
	AUTO(location) struct location to = { 0 };
	const struct copy_side one = { &from, registry->client };
	const struct copy_side other = { &to, registry->client };

	assert_ok(location_parse(source, &from));
	assert_ok(location_parse(target, &to));
	return copy_image(store, &one, &other, opts, ret);
}

static void must_copy(struct fake_registry *registry, const char *source, const char *target,
		      bool all, const struct descriptor *want)
{
	const struct copy_opts opts = { .all = all };
	struct copy_result result;

	assert_ok(copy(registry, source, target, &opts, &result));
	assert_true(digest_equal(&result.target.digest, &want->digest));
}

static void expect_error(struct err *error, enum err_kind kind, const char *part)
{
	AUTO(err) struct err *err = error;

	if (err_kind(err) != kind || !err || !strstr(err_text(err), part))
		fail_msg("kind %d: %s", (int)err_kind(err), err ? err_text(err) : "success");
}

/* What the registry has under a tag is `want`. */
static void must_be_tagged(struct fake_registry *registry, const char *key,
			   const struct descriptor *want)
{
	const struct fake_blob *blob = map_get(&registry->manifests, str_of(key));
	char have[DIGEST_TEXT_SIZE], text[DIGEST_TEXT_SIZE];

	assert_non_null(blob);
	fake_digest(buf_str(&blob->bytes), have);
	assert_string_equal(have, digest_format(&want->digest, text));
}

static size_t count_blobs(const struct fake_registry *registry, const char *path)
{
	size_t count = 0;

	map_foreach (&registry->blobs, entry)
		count += strncmp(entry->key, path, strlen(path)) == 0;
	return count;
}

TEST(within_a_registry_blobs_are_mounted)
{
	AUTO(fake_registry) struct fake_registry registry = { 0 };
	struct descriptor index;

	fake_open(&registry);
	index = add_index(&registry, "team/app");
	tag(&registry, "team/app", "1", &index);
	must_copy(&registry, APP ":1", OTHER ":2", true, &index);
	must_be_tagged(&registry, "other/app:2", &index);
	assert_int_equal(count_blobs(&registry, "other/app@"), count_blobs(&registry, "team/app@"));
	assert_int_equal(fake_count(&registry, "GET https://reg.example.com/v2/team/app/blobs/"),
			 0);
	assert_int_equal(fake_count(&registry, "mount="), 5); /* 2 configs, 3 layers */
}

static bool refuse_mounts(struct fake_registry *registry, const char *line, struct str body,
			  struct fake_answer *ret)
{
	(void)registry;
	(void)body;
	*ret = (struct fake_answer){ .status = 405 };
	return strstr(line, "mount=") != NULL;
}

/* The session of the fake registry is only one: one image of one layer at a time. */
TEST(blobs_are_streamed_and_not_kept)
{
	AUTO(fake_registry) struct fake_registry registry = { .fault = refuse_mounts };
	AUTO(mem) char *config_told = NULL;
	AUTO(mem) char *text = NULL;
	struct descriptor config, image;
	bool found = true;

	fake_open(&registry);
	config = fake_add_blob(&registry, "team/app",
			       STR("{\"os\":\"linux\",\"architecture\":\"amd64\",\"rootfs\":{"
				   "\"type\":\"layers\",\"diff_ids\":[]}}"));
	config_told = told(&config, MEDIA_OCI_CONFIG);
	text = xasprintf("{\"schemaVersion\":2,\"mediaType\":\"" MEDIA_OCI_MANIFEST
			 "\",\"config\":%s,\"layers\":[]}",
			 config_told);
	image = add_document(&registry, "team/app", text, MEDIA_OCI_MANIFEST);
	tag(&registry, "team/app", "1", &image);
	must_copy(&registry, APP ":1", OTHER ":2", false, &image);
	must_be_tagged(&registry, "other/app:2", &image);
	assert_true(fake_has_blob(&registry, "other/app", &config.digest));
	assert_ok(blob_find(store, &config.digest, &found, NULL));
	assert_false(found);
}

static bool lie_about_blobs(struct fake_registry *registry, const char *line, struct str body,
			    struct fake_answer *ret)
{
	if (refuse_mounts(registry, line, body, ret))
		return true;
	*ret = (struct fake_answer){ .status = 200, .body = "something else" };
	return strstr(line, "GET https://reg.example.com/v2/team/app/blobs/") != NULL;
}

TEST(what_is_streamed_is_verified)
{
	AUTO(fake_registry) struct fake_registry registry = { .fault = lie_about_blobs };
	const struct copy_opts opts = { 0 };
	struct descriptor image;
	struct copy_result result;

	fake_open(&registry);
	image = add_image(&registry, "team/app", "amd64");
	tag(&registry, "team/app", "1", &image);
	expect_error(copy(&registry, APP ":1", OTHER ":2", &opts, &result), ERR_CORRUPT, "blob");
	assert_false(map_has(&registry.manifests, str_of("other/app:2")));
	assert_int_equal(count_blobs(&registry, "other/app@"), 0);
}

TEST(of_an_index_one_image_is_copied)
{
	AUTO(fake_registry) struct fake_registry registry = { 0 };
	struct platform platform = { .os = "linux", .arch = "s390x" };
	const struct copy_opts opts = { .platform = &platform };
	struct descriptor index, image;
	struct copy_result result;

	fake_open(&registry);
	index = add_index(&registry, "team/app");
	image = add_image(&registry, "team/app", "s390x");
	tag(&registry, "team/app", "1", &index);
	assert_ok(copy(&registry, APP ":1", OTHER, &opts, &result));
	assert_true(digest_equal(&result.target.digest, &image.digest));
	must_be_tagged(&registry, "other/app:latest", &image);
}

TEST(a_digest_survives_every_place)
{
	AUTO(fake_registry) struct fake_registry registry = { 0 };
	AUTO(mem) char *dir = xasprintf("oci:%s/layout:v1", tmp_path);
	AUTO(mem) char *archive = xasprintf("oci-archive:%s/app.tar:team/app:2", tmp_path);
	struct descriptor index, named;

	fake_open(&registry);
	index = add_index(&registry, "team/app");
	tag(&registry, "team/app", "1", &index);
	must_copy(&registry, APP ":1", dir, true, &index);
	must_copy(&registry, dir, archive, true, &index);
	must_copy(&registry, archive, "app:3", true, &index);
	assert_ok(ref_get(store, "docker.io/library/app:3", &named));
	must_copy(&registry, "app:3", OTHER ":4", true, &index);
	must_be_tagged(&registry, "other/app:4", &index);
}

TEST(which_image_of_a_layout_is_meant_must_be_clear)
{
	AUTO(fake_registry) struct fake_registry registry = { 0 };
	AUTO(mem) char *dir = xasprintf("oci:%s/two", tmp_path);
	AUTO(mem) char *one = xasprintf("%s:v1", dir);
	AUTO(mem) char *two = xasprintf("%s:v2", dir);
	AUTO(mem) char *three = xasprintf("%s:v3", dir);
	const struct copy_opts opts = { 0 };
	struct descriptor first, second;
	struct copy_result result;
	struct err *err;

	fake_open(&registry);
	first = add_image(&registry, "team/app", "amd64");
	second = add_image(&registry, "team/app", "s390x");
	tag(&registry, "team/app", "1", &first);
	tag(&registry, "team/app", "2", &second);
	must_copy(&registry, APP ":1", one, false, &first);
	must_copy(&registry, APP ":2", two, false, &second);
	must_copy(&registry, two, "second", false, &second);
	err = copy(&registry, dir, "third", &opts, &result);
	assert_non_null(strstr(err_notes(err), "v2\nv1"));
	expect_error(err, ERR_INVALID, "more than one");
	expect_error(copy(&registry, three, "third", &opts, &result), ERR_NOT_FOUND,
		     "of that name");
}

TEST(of_a_layout_what_is_named_is_loaded_and_nothing_else)
{
	AUTO(fake_registry) struct fake_registry registry = { 0 };
	AUTO(mem) char *dir = xasprintf("oci:%s/pair", tmp_path);
	AUTO(mem) char *one = xasprintf("%s:v1", dir);
	AUTO(mem) char *two = xasprintf("%s:v2", dir);
	struct descriptor first, second;
	char digest[DIGEST_TEXT_SIZE];
	AUTO(mem) char *path = NULL;

	fake_open(&registry);
	first = add_image(&registry, "team/app", "amd64");
	second = add_image(&registry, "team/app", "s390x");
	tag(&registry, "team/app", "1", &first);
	tag(&registry, "team/app", "2", &second);
	must_copy(&registry, APP ":1", one, false, &first);
	must_copy(&registry, APP ":2", two, false, &second);
	path = xasprintf("blobs/sha256/%s", digest_format(&first.digest, digest) + 7);
	assert_return_code(unlinkat(store_fd(store), path, 0), 0);
	must_copy(&registry, two, "second", false, &second);
	assert_false(room_has(path));
	must_copy(&registry, one, "first", false, &first);
	assert_true(room_has(path));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ROOM_TEST(within_a_registry_blobs_are_mounted),
		ROOM_TEST(blobs_are_streamed_and_not_kept),
		ROOM_TEST(what_is_streamed_is_verified),
		ROOM_TEST(of_an_index_one_image_is_copied),
		ROOM_TEST(a_digest_survives_every_place),
		ROOM_TEST(of_a_layout_what_is_named_is_loaded_and_nothing_else),
		ROOM_TEST(which_image_of_a_layout_is_meant_must_be_clear),
	};

	return cmocka_run_group_tests(tests, tmp_setup, tmp_teardown);
}
