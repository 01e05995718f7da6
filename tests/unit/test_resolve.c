/* tests/unit/test_resolve.c - an image is found by its names and its ids, and by nothing else. */

#include "store/resolve.h"
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "store/id.h"
#include "store/ref.h"
#include "tests/unit/images.h"

#define D1 "sha256:1111111111111111111111111111111111111111111111111111111111111111"

#define APP "docker.io/library/app:latest"

static bool resolves(const char *text, const char *canonical, const struct descriptor *want)
{
	struct descriptor got;

	assert_ok(image_resolve(store, text, canonical, &got));
	return descriptor_equal(&got, want);
}

TEST(an_image_is_found_by_name_and_by_the_beginning_of_its_ids)
{
	struct descriptor config;
	struct descriptor manifest = put_image("amd64", "one", &config);
	char text[DIGEST_TEXT_SIZE];
	struct descriptor got;

	assert_ok(ref_set(store, APP, &manifest));
	assert_ok(ref_set(store, "localhost/other:1", &manifest));
	assert_true(resolves("app", APP, &manifest));
	for (size_t len = 4; len <= 64; len += 20) {
		AUTO(mem) char *by_config = NULL;
		AUTO(mem) char *by_manifest = NULL;

		by_config = xasprintf("%.*s", (int)len, digest_format(&config.digest, text) + 7);
		assert_true(resolves(by_config, "docker.io/library/nothing:latest", &manifest));
		by_manifest = xasprintf("sha256:%.*s", (int)len,
					digest_format(&manifest.digest, text) + 7);
		assert_true(resolves(by_manifest, NULL, &manifest));
	}
	/* Too short, not hex, not there. */
	digest_format(&manifest.digest, text);
	text[7 + 3] = '\0';
	assert_fails(image_resolve(store, text, NULL, &got), ERR_NOT_FOUND);
	assert_fails(image_resolve(store, "xyzw", NULL, &got), ERR_NOT_FOUND);
	assert_fails(image_resolve(store, D1, NULL, &got), ERR_NOT_FOUND);
}

TEST(a_name_wins_over_an_id)
{
	struct descriptor config;
	struct descriptor one = put_image("amd64", "one", &config);
	struct descriptor two = put_image("amd64", "two", &config);
	char text[DIGEST_TEXT_SIZE];
	AUTO(mem) char *name = NULL;

	digest_format(&one.digest, text);
	text[7 + 8] = '\0';
	name = xasprintf("docker.io/library/%s:latest", text + 7);
	assert_ok(ref_set(store, APP, &one));
	assert_true(resolves(text + 7, name, &one));
	assert_ok(ref_set(store, name, &two));
	assert_true(resolves(text + 7, name, &two));
}

TEST(an_id_that_may_be_two_images_is_refused)
{
	struct descriptor images[2], config, got;
	AUTO(err) struct err *err = NULL;
	char first[DIGEST_TEXT_SIZE], other[DIGEST_TEXT_SIZE];
	unsigned i = 0;

	/* Look for an index whose digest begins like the image's: 1 of 65536 does. */
	images[0] = put_image("amd64", "one", &config);
	digest_format(&images[0].digest, first);
	do {
		AUTO(mem)
		char *text = xasprintf("{\"schemaVersion\":2,\"manifests\":[],\"n\":%u}", i++);
		AUTO(hasher) struct hasher *h = hasher_new();
		struct digest d;

		hasher_update(h, text, strlen(text));
		assert_ok(hasher_finish(h, &d));
		digest_format(&d, other);
		if (strncmp(first, other, 7 + 4) == 0)
			images[1] = put_text(MEDIA_OCI_INDEX, text);
	} while (strncmp(first, other, 7 + 4) != 0);
	assert_ok(ref_set(store, APP, &images[0]));
	assert_ok(ref_set(store, "docker.io/library/b:1", &images[1]));
	assert_ok(ref_set(store, "docker.io/library/b:1", &images[0])); /* takes the name away */
	first[7 + 4] = '\0';
	err = image_resolve(store, first, NULL, &got);
	assert_int_equal(err_kind(err), ERR_INVALID);
	assert_non_null(strstr(err_text(err), "the ids of 2 images begin"));
	assert_non_null(strstr(err_notes(err), "app:latest"));
	assert_non_null(strstr(err_notes(err), "(without a name)"));
}

TEST(an_image_without_a_name_is_found_by_its_ids)
{
	struct descriptor config, other, got;
	struct descriptor manifest = put_image("amd64", "one", &config);
	AUTO(id_matches) struct id_matches all = { 0 };
	char text[DIGEST_TEXT_SIZE];
	bool known;

	put_image("amd64", "two", &other);
	assert_true(resolves(digest_format(&manifest.digest, text), NULL, &manifest));
	assert_true(resolves(digest_format(&config.digest, text), NULL, &manifest));
	text[20] = '\0';
	assert_true(resolves(text, NULL, &manifest));
	assert_true(resolves(text + 7, NULL, &manifest));
	assert_ok(id_list(store, &all));
	assert_int_equal(all.len, 2);
	assert_ok(id_forget(store, &manifest, &known));
	assert_true(known);
	assert_fails(image_resolve(store, text, NULL, &got), ERR_NOT_FOUND);
	assert_ok(id_forget(store, &manifest, &known));
	assert_false(known);
	/* What is no image has no id. */
	assert_fails(image_resolve(store, digest_format(&config.digest, text), NULL, &got),
		     ERR_NOT_FOUND);
}

TEST(an_image_that_loses_its_last_name_loses_its_ids)
{
	struct descriptor config, got;
	struct descriptor manifest = put_image("amd64", "one", &config);
	char text[DIGEST_TEXT_SIZE];

	digest_format(&config.digest, text);
	assert_ok(ref_set(store, APP, &manifest));
	assert_ok(ref_set(store, "localhost/other:1", &manifest));
	assert_ok(ref_delete(store, APP));
	assert_true(resolves(text, NULL, &manifest));
	assert_ok(ref_delete(store, "localhost/other:1"));
	assert_fails(image_resolve(store, text, NULL, &got), ERR_NOT_FOUND);
}

TEST(an_image_whose_name_is_taken_keeps_its_ids)
{
	struct descriptor config, other;
	struct descriptor one = put_image("amd64", "one", &config);
	struct descriptor two = put_image("amd64", "two", &other);
	char text[DIGEST_TEXT_SIZE];

	assert_ok(ref_set(store, APP, &one));
	assert_ok(ref_set(store, APP, &two));
	assert_true(resolves(digest_format(&config.digest, text), NULL, &one));
}

TEST(every_image_of_an_index_has_its_id)
{
	struct descriptor configs[2];
	struct descriptor one = put_image("amd64", "one", &configs[0]);
	struct descriptor two = put_image("s390x", "two", &configs[1]);
	struct descriptor index = put_index(&one, &two);
	AUTO(id_matches) struct id_matches all = { 0 };
	char text[DIGEST_TEXT_SIZE];
	struct platform host;
	bool known;

	/* As if they had come with the index: as bytes. */
	assert_ok(id_forget(store, &one, &known));
	assert_ok(id_forget(store, &two, &known));
	assert_ok(ref_set(store, APP, &index));
	platform_host(&host);
	assert_true(resolves(digest_format(&configs[0].digest, text), NULL,
			     strcmp(host.arch, "amd64") == 0 ? &index : &one));
	assert_true(resolves(digest_format(&configs[1].digest, text), NULL,
			     strcmp(host.arch, "s390x") == 0 ? &index : &two));
	assert_ok(id_list(store, &all));
	assert_int_equal(all.len, 1);
	assert_true(digest_equal(&all.at[0].target, &index.digest));
}

TEST(ids_of_named_images_are_made_again_when_they_are_lost)
{
	struct descriptor config;
	struct descriptor manifest = put_image("amd64", "one", &config);
	char text[DIGEST_TEXT_SIZE], path[STORE_PATH_SIZE];

	assert_ok(ref_set(store, APP, &manifest));
	assert_ok(file_remove_tree(store_fd(store), "ids"));
	digest_format(&config.digest, text);
	snprintf(path, sizeof(path), "ids/%.2s/%s", text + 7, text + 7);
	text[20] = '\0';
	assert_true(resolves(text, NULL, &manifest));
	assert_true(room_has(path));
}

TEST(an_id_that_leads_astray_is_not_followed)
{
	struct descriptor configs[2], got;
	struct descriptor one = put_image("amd64", "one", &configs[0]);
	struct descriptor two = put_image("amd64", "two", &configs[1]);
	char text[DIGEST_TEXT_SIZE], path[STORE_PATH_SIZE];

	assert_ok(id_put(store, &configs[0].digest, &two.digest));
	digest_format(&configs[0].digest, text);
	assert_fails(image_resolve(store, text, NULL, &got), ERR_NOT_FOUND);
	/* A blob that is gone, a link to somewhere else, a file: all of them are no id. */
	assert_ok(id_put(store, &configs[0].digest, &one.digest));
	assert_true(resolves(text, NULL, &one));
	assert_int_equal(
		unlinkat(store_fd(store), store_hex_path("blobs/sha256/", &one.digest, path), 0),
		0);
	assert_fails(image_resolve(store, text, NULL, &got), ERR_NOT_FOUND);
	snprintf(path, sizeof(path), "ids/%.2s/%s", text + 7, text + 7);
	assert_int_equal(unlinkat(store_fd(store), path, 0), 0);
	assert_int_equal(symlinkat("/etc/passwd", store_fd(store), path), 0);
	assert_fails(image_resolve(store, text, NULL, &got), ERR_NOT_FOUND);
	assert_int_equal(unlinkat(store_fd(store), path, 0), 0);
	room_put(path, "", 0);
	assert_fails(image_resolve(store, text, NULL, &got), ERR_NOT_FOUND);
}

TEST(the_use_of_an_image_is_noted_once_an_hour)
{
	struct timespec old[2] = { { .tv_sec = 1000 }, { .tv_sec = 1000 } };
	struct descriptor config;
	struct descriptor manifest = put_image("amd64", "one", &config);
	char text[DIGEST_TEXT_SIZE];
	AUTO(mem) char *path = NULL;
	struct timespec now = id_last_use(store, &manifest.digest), t;

	assert_true(now.tv_sec > 1000);
	digest_format(&manifest.digest, text);
	path = xasprintf("ids/%.2s/%s", text + 7, text + 7);
	assert_int_equal(utimensat(store_fd(store), path, old, AT_SYMLINK_NOFOLLOW), 0);
	put_image("amd64", "one", &config);
	t = id_last_use(store, &manifest.digest);
	assert_true(t.tv_sec >= now.tv_sec);
	put_image("amd64", "one", &config);
	assert_int_equal(id_last_use(store, &manifest.digest).tv_sec, t.tv_sec);
	assert_int_equal(id_last_use(store, &manifest.digest).tv_nsec, t.tv_nsec);
}

TEST(a_name_that_is_nearly_right_is_suggested)
{
	struct descriptor config;
	struct descriptor manifest = put_image("amd64", "one", &config);
	AUTO(err) struct err *err = NULL;
	struct descriptor got;

	assert_ok(ref_set(store, APP, &manifest));
	err = image_resolve(store, "apq", "docker.io/library/apq:latest", &got);
	assert_int_equal(err_kind(err), ERR_NOT_FOUND);
	assert_string_equal(err_text(err), "no image 'apq' in the store");
	assert_string_equal(err_notes(err), "did you mean 'app:latest'?");
	err_free(STEAL(err));
	err = image_resolve(store, "something-else", "docker.io/library/something-else:latest",
			    &got);
	assert_null(err_notes(err));
}

TEST(a_tag_alone_makes_no_name_near)
{
	static const struct {
		const char *wanted, *notes;
	} cases[] = {
		{ "app:latst", "did you mean 'app:latest'?" },
		{ "app:1.0", "did you mean 'app:latest'?" }, /* the only one of that name */
		{ "team/ap:lates", NULL },
		{ "xyz:latest", NULL },
		{ "ap:latest", NULL }, /* short names are near each other */
	};
	struct descriptor config;
	struct descriptor manifest = put_image("amd64", "one", &config);

	assert_ok(ref_set(store, APP, &manifest));
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(mem)
		char *name =
			xasprintf("docker.io/%s%s", strchr(cases[i].wanted, '/') ? "" : "library/",
				  cases[i].wanted);
		struct descriptor got;
		AUTO(err) struct err *err = image_resolve(store, cases[i].wanted, name, &got);

		assert_int_equal(err_kind(err), ERR_NOT_FOUND);
		if (!cases[i].notes)
			assert_null(err_notes(err));
		else
			assert_string_equal(err_notes(err), cases[i].notes);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ROOM_TEST(an_image_is_found_by_name_and_by_the_beginning_of_its_ids),
		ROOM_TEST(a_name_wins_over_an_id),
		ROOM_TEST(an_id_that_may_be_two_images_is_refused),
		ROOM_TEST(an_image_without_a_name_is_found_by_its_ids),
		ROOM_TEST(an_image_that_loses_its_last_name_loses_its_ids),
		ROOM_TEST(an_image_whose_name_is_taken_keeps_its_ids),
		ROOM_TEST(every_image_of_an_index_has_its_id),
		ROOM_TEST(ids_of_named_images_are_made_again_when_they_are_lost),
		ROOM_TEST(an_id_that_leads_astray_is_not_followed),
		ROOM_TEST(the_use_of_an_image_is_noted_once_an_hour),
		ROOM_TEST(a_name_that_is_nearly_right_is_suggested),
		ROOM_TEST(a_tag_alone_makes_no_name_near),
	};

	return cmocka_run_group_tests(tests, tmp_setup, tmp_teardown);
}
