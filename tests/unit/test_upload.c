/* tests/unit/test_upload.c - blobs into a repository, by the shortest way that works. */

#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "registry/upload.h"
#include "store/elsewhere.h"
#include "tests/unit/room.h"

#include "tests/unit/fake_registry.h"

#define MEBIBYTE ((size_t)1024 * 1024)
#define BLOB_SIZE (70 * MEBIBYTE)

/* ---- a blob in a file ---- */

struct content {
	char *bytes;
	size_t size;
	int fd;
	struct descriptor blob;
};

static void content_release(struct content *content)
{
	free(content->bytes);
	close(content->fd);
}

static void content_auto_(struct content *content)
{
	content_release(content);
}

static void content_make(struct content *content, size_t size)
{
	char digest[DIGEST_TEXT_SIZE];

	content->bytes = xcalloc(1, size + 1);
	content->size = size;
	for (size_t i = 0; i < size; i++)
		content->bytes[i] = (char)(i * 7 + i / 251);
	content->fd = memfd_create("blob", MFD_CLOEXEC);
	assert_return_code(content->fd, errno);
	assert_int_equal(write(content->fd, content->bytes, size), size);
	fake_digest((struct str){ content->bytes, size }, digest);
	assert_ok(digest_parse(digest, &content->blob.digest));
	content->blob.size = size;
}

static struct err *upload(struct fake_registry *registry, const struct content *content,
			  enum upload_way *ret)
{
	struct repository repo = { .client = registry->client, .place = &registry->place };
	struct upload_source src = { .fd = content->fd };

	return upload_blob(&repo, store, &content->blob, &src, NULL, ret);
}

static void expect_way(struct fake_registry *registry, const struct content *content,
		       enum upload_way want)
{
	enum upload_way way = UPLOAD_PRESENT;

	assert_ok(upload(registry, content, &way));
	assert_int_equal(way, want);
	assert_true(fake_has_blob(registry, "team/app", &content->blob.digest));
}

static void expect_error(struct fake_registry *registry, const struct content *content,
			 enum err_kind kind, const char *part)
{
	enum upload_way way;
	AUTO(err) struct err *err = upload(registry, content, &way);

	if (err_kind(err) != kind || !err || !strstr(err_text(err), part))
		fail_msg("kind %d: %s", (int)err_kind(err), err ? err_text(err) : "success");
	assert_false(fake_has_blob(registry, "team/app", &content->blob.digest));
}

/* ---- when all goes well ---- */

TEST(a_blob_takes_three_requests_and_one_that_is_there_takes_one)
{
	AUTO(fake_registry) struct fake_registry registry = { 0 };
	AUTO(content) struct content content;
	char text[DIGEST_TEXT_SIZE];
	AUTO(mem) char *head = NULL;
	AUTO(mem) char *put = NULL;

	fake_open(&registry);
	content_make(&content, 1000);
	digest_format(&content.blob.digest, text);
	head = xasprintf("HEAD https://reg.example.com/v2/team/app/blobs/%s", text);
	put = xasprintf("PUT https://reg.example.com/v2/team/app/blobs/uploads/"
			"1?_state=a%%2Bb%%3D&digest=%s <1000 bytes>",
			text);
	expect_way(&registry, &content, UPLOAD_SENT);
	expect_way(&registry, &content, UPLOAD_PRESENT);
	expect_lines(&registry.fake,
		     (const char *const[]){
			     head, "POST https://reg.example.com/v2/team/app/blobs/uploads/", put,
			     head, NULL });
}

TEST(an_empty_blob_can_be_sent)
{
	AUTO(fake_registry) struct fake_registry registry = { 0 };
	AUTO(content) struct content content;

	fake_open(&registry);
	content_make(&content, 0);
	expect_way(&registry, &content, UPLOAD_SENT);
}

TEST(a_blob_that_is_in_another_repository_is_mounted)
{
	AUTO(fake_registry) struct fake_registry registry = { 0 };
	AUTO(content) struct content content;

	fake_open(&registry);
	content_make(&content, 1000);
	(void)fake_add_blob(&registry, "base", (struct str){ content.bytes, content.size });
	elsewhere_add(store, &content.blob.digest, FAKE_HOST "/base");
	elsewhere_add(store, &content.blob.digest, FAKE_HOST "/team/app"); /* it is not */
	elsewhere_add(store, &content.blob.digest, "other.example.com/base");
	expect_way(&registry, &content, UPLOAD_MOUNTED);
	assert_int_equal(registry.fake.lines.len, 2);
	assert_int_equal(fake_count(&registry, "&from=base"), 1);
}

/* ---- mounts that do not work ---- */

static bool no_mounts(struct fake_registry *registry, const char *line, struct str body,
		      struct fake_answer *ret)
{
	(void)body;
	if (!strstr(line, "mount="))
		return false;
	*ret = registry->counter ? (struct fake_answer){ .status = registry->counter } :
				   (struct fake_answer){ .trouble = HTTP_BROKEN };
	return true;
}

TEST(a_mount_that_fails_in_any_way_is_an_upload_and_not_tried_again)
{
	static const int statuses[] = { 0, 400, 401, 403, 404, 405, 500, 502, 503 };

	for (size_t i = 0; i < ARRAY_SIZE(statuses); i++) {
		AUTO(fake_registry)
		struct fake_registry registry = { .fault = no_mounts, .counter = statuses[i] };
		AUTO(content) struct content one, two;

		fake_open(&registry);
		content_make(&one, 1000);
		content_make(&two, 1001);
		elsewhere_add(store, &one.blob.digest, FAKE_HOST "/base");
		elsewhere_add(store, &two.blob.digest, FAKE_HOST "/base");
		expect_way(&registry, &one, UPLOAD_SENT);
		expect_way(&registry, &two, UPLOAD_SENT);
		assert_int_equal(fake_count(&registry, "mount="), 1);
		/* a 401 that does not say what it wants costs a look at /v2/ */
		assert_int_equal(registry.fake.lines.len, statuses[i] == 401 ? 8 : 7);
	}
}

TEST(a_mount_that_opens_an_upload_instead_is_used_as_one)
{
	AUTO(fake_registry) struct fake_registry registry = { 0 };
	AUTO(content) struct content content;

	fake_open(&registry);
	content_make(&content, 1000);
	elsewhere_add(store, &content.blob.digest, FAKE_HOST "/base"); /* not any more */
	expect_way(&registry, &content, UPLOAD_SENT);
	assert_int_equal(fake_count(&registry, "POST"), 1);
}

/* ---- limits ---- */

/* Refuses what is larger than `counter` MiB. */
static bool limited(struct fake_registry *registry, const char *line, struct str body,
		    struct fake_answer *ret)
{
	(void)line;
	if (body.len <= (size_t)registry->counter * MEBIBYTE)
		return false;
	*ret = (struct fake_answer){ .status = 413 };
	return true;
}

TEST(a_limit_on_the_size_of_requests_is_respected_by_pieces)
{
	static const struct {
		int limit;
		size_t patches;
	} cases[] = { { 64, 2 }, { 20, 2 + 5 - 1 }, { 1, 0 } };

	for (int i = 0; i < 3; i++) {
		AUTO(fake_registry)
		struct fake_registry registry = { .fault = limited, .counter = cases[i].limit };
		AUTO(content) struct content content;

		fake_open(&registry);
		content_make(&content, BLOB_SIZE);
		expect_way(&registry, &content, UPLOAD_SENT);
		if (cases[i].patches)
			assert_int_equal(fake_count(&registry, "PATCH"), cases[i].patches);
		assert_true(registry.said.len > 0);
	}
}

TEST(a_registry_that_takes_nothing_is_given_up)
{
	AUTO(fake_registry) struct fake_registry registry = { .fault = limited, .counter = 0 };
	AUTO(content) struct content content;

	fake_open(&registry);
	content_make(&content, BLOB_SIZE);
	expect_error(&registry, &content, ERR_INVALID, "takes no request of");
}

/* ---- breaks ---- */

/* The first PUT breaks after half of it has come. */
static bool breaks(struct fake_registry *registry, const char *line, struct str body,
		   struct fake_answer *ret)
{
	if (strncmp(line, "PUT ", 4) != 0 || registry->counter++)
		return false;
	buf_add(&registry->upload, body.at, body.len / 2);
	*ret = (struct fake_answer){ .trouble = HTTP_BROKEN };
	return true;
}

/* A proxy that breaks the connection behind so many MiB, give or take what was on its way. */
static bool counts(struct fake_registry *registry, const char *line, struct str body,
		   struct fake_answer *ret)
{
	static unsigned times;

	(void)line;
	if (body.len > 64 * MEBIBYTE && registry->counter < 20) {
		*ret = (struct fake_answer){ .status = 413 };
		return true;
	}
	if (body.len <= (size_t)registry->counter * MEBIBYTE)
		return false;
	*ret = (struct fake_answer){ .trouble = HTTP_BROKEN,
				     .taken = (size_t)registry->counter * MEBIBYTE +
					      times++ % 3 * 2 * MEBIBYTE };
	if (ret->taken > body.len)
		ret->taken = body.len;
	return true;
}

TEST(who_counts_bytes_is_given_smaller_and_smaller_pieces)
{
	static const int limits[] = { 40, 20, 10, 3, 1 };

	for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
		AUTO(fake_registry)
		struct fake_registry registry = { .fault = counts, .counter = limits[i] };
		AUTO(content) struct content content;

		fake_open(&registry);
		content_make(&content, BLOB_SIZE);
		expect_way(&registry, &content, UPLOAD_SENT);
		assert_true(fake_count(&registry, "PATCH") > 1);
	}
}

TEST(an_upload_that_breaks_goes_on_where_the_registry_says)
{
	AUTO(fake_registry) struct fake_registry registry = { .fault = breaks };
	AUTO(content) struct content content;

	fake_open(&registry);
	content_make(&content, 2 * MEBIBYTE);
	expect_way(&registry, &content, UPLOAD_SENT);
	assert_int_equal(fake_count(&registry, "PATCH"), 1);
	assert_int_equal(fake_count(&registry, "<1048576 bytes>"), 1);
	assert_int_equal(fake_count(&registry, "POST"), 1);
}

static bool breaks_for_ever(struct fake_registry *registry, const char *line, struct str body,
			    struct fake_answer *ret)
{
	(void)registry, (void)body;
	if (strncmp(line, "PUT ", 4) != 0 && strncmp(line, "PATCH ", 6) != 0)
		return false;
	if (registry->upload.len == 0)
		buf_add(&registry->upload, body.at, body.len / 2);
	*ret = (struct fake_answer){ .trouble = HTTP_BROKEN };
	return true;
}

TEST(an_upload_that_was_given_up_is_continued_by_the_next)
{
	AUTO(fake_registry) struct fake_registry registry = { .fault = breaks_for_ever };
	AUTO(fake_registry) struct fake_registry later = { 0 };
	AUTO(content) struct content content;
	char *swapped;

	fake_open(&registry);
	fake_open(&later);
	content_make(&content, 2 * MEBIBYTE);
	expect_error(&registry, &content, ERR_NETWORK, "");

	/* the same registry, another process */
	swapped = registry.upload.at;
	buf_add(&later.upload, swapped, registry.upload.len);
	later.has_session = true;
	expect_way(&later, &content, UPLOAD_SENT);
	assert_int_equal(fake_count(&later, "POST"), 0);
	assert_int_equal(fake_count(&later, "<1048576 bytes>"), 1);
	assert_null(elsewhere_upload(store, &content.blob.digest, FAKE_HOST "/team/app"));
}

TEST(an_upload_that_the_registry_has_forgotten_is_begun_again)
{
	AUTO(fake_registry) struct fake_registry registry = { 0 };
	AUTO(content) struct content content;

	fake_open(&registry);
	content_make(&content, 2 * MEBIBYTE);
	elsewhere_set_upload(store, &content.blob.digest, FAKE_HOST "/team/app",
			     "https://reg.example.com/v2/team/app/blobs/uploads/9?_state=old");
	expect_way(&registry, &content, UPLOAD_SENT);
	assert_int_equal(fake_count(&registry, "POST"), 1);
}

/* Took all of it, but nobody heard. */
static bool answer_lost(struct fake_registry *registry, const char *line, struct str body,
			struct fake_answer *ret)
{
	if (strncmp(line, "PUT ", 4) != 0)
		return false;
	(void)fake_add_blob(registry, "team/app", body);
	registry->has_session = false;
	*ret = (struct fake_answer){ .trouble = HTTP_BROKEN };
	return true;
}

TEST(an_upload_whose_answer_was_lost_is_not_repeated)
{
	AUTO(fake_registry) struct fake_registry registry = { .fault = answer_lost };
	AUTO(content) struct content content;

	fake_open(&registry);
	content_make(&content, 1000);
	expect_way(&registry, &content, UPLOAD_SENT);
	assert_int_equal(fake_count(&registry, "PUT"), 1);
}

static bool forgets(struct fake_registry *registry, const char *line, struct str body,
		    struct fake_answer *ret)
{
	(void)body;
	if (strncmp(line, "PUT ", 4) != 0 || registry->counter-- <= 0)
		return false;
	*ret = (struct fake_answer){ .status = 404 };
	return true;
}

TEST(a_session_that_is_lost_is_begun_again_some_times)
{
	AUTO(fake_registry) struct fake_registry registry = { .fault = forgets, .counter = 3 };
	AUTO(fake_registry) struct fake_registry worse = { .fault = forgets, .counter = 1000 };
	AUTO(content) struct content content;

	fake_open(&registry);
	fake_open(&worse);
	content_make(&content, 1000);
	expect_way(&registry, &content, UPLOAD_SENT);
	assert_int_equal(fake_count(&registry, "POST"), 4);
	expect_error(&worse, &content, ERR_NETWORK, "lost the upload");
}

/* ---- wrong bytes, wrong servers ---- */

TEST(bytes_of_ours_that_are_damaged_are_noticed)
{
	AUTO(fake_registry) struct fake_registry registry = { 0 };
	AUTO(content) struct content content;

	fake_open(&registry);
	content_make(&content, 1000);
	assert_int_equal(pwrite(content.fd, "X", 1, 500), 1);
	expect_error(&registry, &content, ERR_CORRUPT, "");
}

static bool refuses(struct fake_registry *registry, const char *line, struct str body,
		    struct fake_answer *ret)
{
	(void)registry, (void)body;
	if (strncmp(line, "PUT ", 4) != 0)
		return false;
	*ret = (struct fake_answer){ .status = 400 };
	return true;
}

TEST(a_registry_that_refuses_what_is_right_is_asked_twice)
{
	AUTO(fake_registry) struct fake_registry registry = { .fault = refuses };
	AUTO(content) struct content content;

	fake_open(&registry);
	content_make(&content, 1000);
	expect_error(&registry, &content, ERR_INVALID, "although it is whole");
	assert_int_equal(fake_count(&registry, "PUT"), 2);
}

static bool pleased(struct fake_registry *registry, const char *line, struct str body,
		    struct fake_answer *ret)
{
	(void)registry, (void)body;
	if (strncmp(line, "HEAD ", 5) == 0)
		return false;
	*ret = (struct fake_answer){ .status = 200,
				     .headers = { "Location: /hello" },
				     .body = "<html>hello" };
	return true;
}

TEST(a_web_server_that_is_pleased_with_everything_is_no_registry)
{
	AUTO(fake_registry) struct fake_registry registry = { .fault = pleased };
	AUTO(content) struct content content;

	fake_open(&registry);
	content_make(&content, 1000);
	expect_error(&registry, &content, ERR_INVALID, "is it a registry");
}

/* The upload goes on at another host, or nowhere, as `counter` says. */
static bool elsewhere(struct fake_registry *registry, const char *line, struct str body,
		      struct fake_answer *ret)
{
	static const char *const locations[] = {
		"X: y",
		"Location: http://reg.example.com/v2/team/app/blobs/uploads/1?_state=a%2Bb%3D",
		"Location: https://127.0.0.1/upload",
		"Location: https://up.example.net/v2/team/app/blobs/uploads/1?_state=a%2Bb%3D",
	};

	(void)body;
	if (strncmp(line, "POST ", 5) != 0)
		return false;
	registry->has_session = true;
	buf_reset(&registry->upload);
	*ret = (struct fake_answer){ .status = 202, .headers = { locations[registry->counter] } };
	return true;
}

TEST(an_upload_is_not_led_astray)
{
	static const char *const parts[] = { "does not say where", "plain http",
					     "inside this network" };

	for (int i = 0; i < 4; i++) {
		AUTO(fake_registry)
		struct fake_registry registry = { .fault = elsewhere, .counter = i };
		AUTO(content) struct content content;

		registry.environment[0] = NULL;
		fake_open(&registry);
		content_make(&content, 1000);
		if (i < 3) {
			expect_error(&registry, &content, ERR_INVALID, parts[i]);
			assert_int_equal(fake_count(&registry, "PUT"), 0);
		} else {
			expect_way(&registry, &content, UPLOAD_SENT);
		}
	}
}

/* An upload at another host, behind a proxy there that takes no large bodies. */
static bool pieces_elsewhere(struct fake_registry *registry, const char *line, struct str body,
			     struct fake_answer *ret)
{
	if (strncmp(line, "PATCH ", 6) == 0) {
		assert_non_null(strstr(line, "https://up.example.net/"));
		assert_non_null(fake_header(registry->fake.request, "Content-Range: "));
		assert_null(fake_header(registry->fake.request, "Authorization: "));
	}
	return limited(registry, line, body, ret) || elsewhere(registry, line, body, ret);
}

TEST(pieces_that_go_elsewhere_say_which_they_are)
{
	AUTO(fake_registry)
	struct fake_registry registry = { .fault = pieces_elsewhere, .counter = 3 };
	AUTO(content) struct content content;

	fake_open(&registry);
	content_make(&content, 5 * MEBIBYTE);
	expect_way(&registry, &content, UPLOAD_SENT);
	assert_true(fake_count(&registry, "PATCH") >= 2);
}

/* ---- from a stream ---- */

static struct err *open_content(void *self, struct source **ret)
{
	const struct content *content = self;

	*ret = source_from_memory(content->bytes, content->size);
	return NULL;
}

/* The token ends when the first PUT comes. */
static bool token_ends(struct fake_registry *registry, const char *line, struct str body,
		       struct fake_answer *ret)
{
	(void)body;
	if (strstr(line, "/token?")) {
		*ret = (struct fake_answer){ .status = 200, .body = "{\"token\":\"fresh\"}" };
		return true;
	}
	if (strncmp(line, "PUT ", 4) != 0 || registry->counter++)
		return false;
	*ret = (struct fake_answer){
		.status = 401,
		.headers = { "WWW-Authenticate: Bearer realm=\"https://" FAKE_HOST "/token\"" },
	};
	return true;
}

TEST(a_stream_is_begun_again_when_the_token_has_ended)
{
	AUTO(fake_registry) struct fake_registry registry = { .fault = token_ends };
	AUTO(content) struct content content;
	struct repository repo;
	struct upload_source src = { .fd = -1, .open = open_content, .self = &content };
	enum upload_way way;

	fake_open(&registry);
	content_make(&content, 3 * MEBIBYTE);
	repo = (struct repository){ .client = registry.client, .place = &registry.place };
	assert_ok(upload_blob(&repo, store, &content.blob, &src, NULL, &way));
	assert_true(fake_has_blob(&registry, "team/app", &content.blob.digest));
	assert_true(fake_count(&registry, "[Bearer fresh]") > 0);
	assert_int_equal(fake_count(&registry, "PUT "), 2); /* none of half a stream */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ROOM_TEST(a_blob_takes_three_requests_and_one_that_is_there_takes_one),
		ROOM_TEST(an_empty_blob_can_be_sent),
		ROOM_TEST(a_blob_that_is_in_another_repository_is_mounted),
		ROOM_TEST(a_mount_that_fails_in_any_way_is_an_upload_and_not_tried_again),
		ROOM_TEST(a_mount_that_opens_an_upload_instead_is_used_as_one),
		ROOM_TEST(a_limit_on_the_size_of_requests_is_respected_by_pieces),
		ROOM_TEST(a_registry_that_takes_nothing_is_given_up),
		ROOM_TEST(who_counts_bytes_is_given_smaller_and_smaller_pieces),
		ROOM_TEST(an_upload_that_breaks_goes_on_where_the_registry_says),
		ROOM_TEST(an_upload_that_was_given_up_is_continued_by_the_next),
		ROOM_TEST(an_upload_that_the_registry_has_forgotten_is_begun_again),
		ROOM_TEST(an_upload_whose_answer_was_lost_is_not_repeated),
		ROOM_TEST(a_session_that_is_lost_is_begun_again_some_times),
		ROOM_TEST(bytes_of_ours_that_are_damaged_are_noticed),
		ROOM_TEST(a_registry_that_refuses_what_is_right_is_asked_twice),
		ROOM_TEST(a_web_server_that_is_pleased_with_everything_is_no_registry),
		ROOM_TEST(an_upload_is_not_led_astray),
		ROOM_TEST(pieces_that_go_elsewhere_say_which_they_are),
		ROOM_TEST(a_stream_is_begun_again_when_the_token_has_ended),
	};

	return cmocka_run_group_tests(tests, tmp_setup, tmp_teardown);
}
