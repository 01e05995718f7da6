/* tests/unit/test_download.c - blobs that come in one piece, in several, or not at all. */

#include "tests/unit/unit.h"

#include <stdlib.h>
#include <string.h>

#include "registry/download.h"
#include "store/blob.h"
#include "tests/unit/room.h"

#include "tests/unit/fake_registry.h"

#define BLOB_SIZE ((size_t)5 * 1024 * 1024)

static char *blob_bytes; /* of the tests; not compressible, no matter */

static struct str the_blob(void)
{
	if (!blob_bytes) {
		uint32_t x = 1;

		blob_bytes = xcalloc(1, BLOB_SIZE);
		for (size_t i = 0; i < BLOB_SIZE; i++) {
			x = x * 1664525 + 1013904223;
			blob_bytes[i] = (char)(x >> 24);
		}
	}
	return (struct str){ blob_bytes, BLOB_SIZE };
}

struct seen {
	struct buf bytes;
	int calls;
	struct err *fails; /* given out, once */
	bool picky;        /* the first bytes must be those of the blob */
};

static struct err *take(void *self, const struct descriptor *blob, struct source *bytes)
{
	struct seen *seen = self;
	char data[10000];
	size_t n;

	(void)blob;
	seen->calls++;
	buf_reset(&seen->bytes);
	while ((n = source_read(bytes, data, sizeof(data)))) {
		if (seen->picky && !seen->bytes.len && data[0] != blob_bytes[0])
			return err_new(ERR_CORRUPT, "no tar");
		buf_add(&seen->bytes, data, n);
	}
	TRY(source_check(bytes));
	return STEAL(seen->fails);
}

static const struct strings *urls; /* of the blob */

static struct err *fetch(struct fake_registry *registry, const struct descriptor *blob,
			 struct seen *seen)
{
	struct repository repo = { .client = registry->client, .place = &registry->place };
	struct taker taker = { .take = take, .self = seen };
	const struct sources sources = { &repo, 1 };
	const struct download_from from = { .sources = &sources, .urls = urls };
	bool fetched;

	seen->bytes = BUF_INIT(2 * BLOB_SIZE);
	return download_blob(store, &from, blob, &taker, NULL, &fetched);
}

static void expect_blob(const struct descriptor *blob, struct seen *seen)
{
	bool there = false;

	assert_int_equal(seen->bytes.len, BLOB_SIZE);
	assert_memory_equal(seen->bytes.at, blob_bytes, BLOB_SIZE);
	assert_ok(blob_has(store, blob, &there));
	assert_true(there);
	assert_false(room_has("partial/x"));
	buf_release(&seen->bytes);
}

static void expect_nothing(struct err *error, enum err_kind kind, const char *part,
			   const struct descriptor *blob, struct seen *seen)
{
	AUTO(err) struct err *err = error;
	bool there = true;

	if (err_kind(err) != kind || !strstr(err_text(err), part))
		fail_msg("kind %d: %s", (int)err_kind(err), err ? err_text(err) : "success");
	assert_ok(blob_has(store, blob, &there));
	assert_false(there);
	buf_release(&seen->bytes);
}

TEST(a_blob_comes_whole_and_is_taken_on_the_way)
{
	AUTO(fake_registry) struct fake_registry registry = { 0 };
	struct descriptor blob;
	struct seen seen = { 0 };

	fake_open(&registry);
	blob = fake_add_blob(&registry, "team/app", the_blob());
	assert_ok(fetch(&registry, &blob, &seen));
	expect_blob(&blob, &seen);
	assert_int_equal(seen.calls, 1);

	/* what is here is not asked for */
	assert_ok(fetch(&registry, &blob, &seen));
	assert_int_equal(seen.calls, 1);
	assert_int_equal(registry.fake.lines.len, 1);
	buf_release(&seen.bytes);
}

/* The connection breaks at 1, 3 and then 4 MiB of the blob. */
static bool breaking(struct fake_registry *registry, const char *line, struct str body,
		     struct fake_answer *ret)
{
	static const size_t cuts[] = { 1 << 20, 2 << 20, 1 << 20 };
	struct fake_path path;

	(void)body;
	if (registry->counter > 2 || !fake_parse(line, &path))
		return false;
	*ret = fake_get(registry, &path, false);
	ret->cut = cuts[registry->counter++];
	fake_path_release(&path);
	return true;
}

TEST(a_transfer_that_breaks_goes_on_where_it_was)
{
	AUTO(fake_registry) struct fake_registry registry = { .fault = breaking };
	struct descriptor blob;
	struct seen seen = { 0 };

	fake_open(&registry);
	blob = fake_add_blob(&registry, "team/app", the_blob());
	assert_ok(fetch(&registry, &blob, &seen));
	expect_blob(&blob, &seen);
	assert_int_equal(seen.calls, 1);
	assert_int_equal(registry.fake.lines.len, 4);
}

/* Breaks after a MiB, for ever; `counter` says how often it was asked. */
static bool always_breaking(struct fake_registry *registry, const char *line, struct str body,
			    struct fake_answer *ret)
{
	struct fake_path path;

	(void)body;
	if (!fake_parse(line, &path))
		return false;
	*ret = fake_get(registry, &path, false);
	ret->cut = registry->counter++ ? 1 : 3 << 20;
	fake_path_release(&path);
	return true;
}

/* Behaves, and notes from where on it was asked. */
static bool noting(struct fake_registry *registry, const char *line, struct str body,
		   struct fake_answer *ret)
{
	const char *range = fake_header(registry->fake.request, "Range: bytes=");

	(void)line, (void)body, (void)ret;
	registry->counter = range ? (int)strtol(range, NULL, 10) : 0;
	return false;
}

/* Never gives the blob; `counter` says how often it was asked. */
static bool overloaded(struct fake_registry *registry, const char *line, struct str body,
		       struct fake_answer *ret)
{
	(void)line, (void)body;
	registry->counter++;
	*ret = (struct fake_answer){ .status = 503 };
	return true;
}

static bool silent(struct fake_registry *registry, const char *line, struct str body,
		   struct fake_answer *ret)
{
	(void)line, (void)body;
	registry->counter++;
	*ret = (struct fake_answer){ .trouble = HTTP_BROKEN };
	return true;
}

TEST(what_the_client_gave_up_is_not_tried_all_over_again)
{
	bool (*const faults[])(struct fake_registry *, const char *, struct str,
			       struct fake_answer *) = { overloaded, silent };

	for (size_t i = 0; i < ARRAY_SIZE(faults); i++) {
		AUTO(fake_registry) struct fake_registry registry = { .fault = faults[i] };
		struct descriptor blob;
		struct seen seen = { 0 };

		fake_open(&registry);
		blob = fake_add_blob(&registry, "team/app", the_blob());
		expect_nothing(fetch(&registry, &blob, &seen), ERR_NETWORK, "", &blob, &seen);
		assert_int_equal(registry.counter, 6); /* once, and five repeats */
	}
}

/* Breaks after two MiB, and then answers from a place of its own, once. */
static bool elsewhere(struct fake_registry *registry, const char *line, struct str body,
		      struct fake_answer *ret)
{
	struct fake_path path;

	(void)body;
	if (registry->counter > 1 || !fake_parse(line, &path))
		return false;
	*ret = fake_get(registry, &path, false);
	if (registry->counter++ == 0)
		ret->cut = 2 << 20;
	else
		ret->headers[0] = "Content-Range: bytes 0-99/5242880";
	fake_path_release(&path);
	return true;
}

TEST(another_range_than_was_asked_for_is_a_reason_to_begin_again)
{
	AUTO(fake_registry) struct fake_registry registry = { .fault = elsewhere };
	struct descriptor blob;
	struct seen seen = { 0 };

	fake_open(&registry);
	blob = fake_add_blob(&registry, "team/app", the_blob());
	assert_ok(fetch(&registry, &blob, &seen));
	expect_blob(&blob, &seen);
	assert_int_equal(registry.fake.lines.len, 3);
}

TEST(what_has_come_is_kept_for_the_next_time)
{
	AUTO(fake_registry) struct fake_registry registry = { .fault = always_breaking };
	struct descriptor blob;
	struct seen seen = { 0 };
	int asked;

	fake_open(&registry);
	blob = fake_add_blob(&registry, "team/app", the_blob());
	expect_nothing(fetch(&registry, &blob, &seen), ERR_NETWORK, "the connection broke", &blob,
		       &seen);
	/* three MiB, and a byte of each attempt but the first */
	asked = registry.counter;
	registry.fault = noting;
	assert_ok(fetch(&registry, &blob, &seen));
	expect_blob(&blob, &seen);
	assert_int_equal(registry.counter, (3 << 20) + asked - 1);
}

static bool ignoring_ranges(struct fake_registry *registry, const char *line, struct str body,
			    struct fake_answer *ret)
{
	struct fake_path path;

	(void)body;
	if (!fake_parse(line, &path))
		return false;
	registry->fake.request = &(struct http_request){ 0 };
	*ret = fake_get(registry, &path, false);
	if (registry->counter++ == 0)
		ret->cut = 2 << 20;
	fake_path_release(&path);
	return true;
}

TEST(a_registry_without_ranges_is_read_past_what_is_here)
{
	AUTO(fake_registry) struct fake_registry registry = { .fault = ignoring_ranges };
	struct descriptor blob;
	struct seen seen = { 0 };

	fake_open(&registry);
	blob = fake_add_blob(&registry, "team/app", the_blob());
	assert_ok(fetch(&registry, &blob, &seen));
	expect_blob(&blob, &seen);
	assert_int_equal(seen.calls, 1);
}

/* Wrong in a way that `counter` says. */
static bool wrong(struct fake_registry *registry, const char *line, struct str body,
		  struct fake_answer *ret)
{
	static char other[BLOB_SIZE + 10];
	struct fake_path path;

	(void)body;
	if (!fake_parse(line, &path))
		return false;
	*ret = fake_get(registry, &path, false);
	fake_path_release(&path);
	memcpy(other, blob_bytes, BLOB_SIZE);
	ret->body = other;
	switch (registry->counter) {
	case 0: /* the right size, another content */
		other[BLOB_SIZE - 1] ^= 1;
		break;
	case 1: /* more than there should be, unannounced */
		ret->headers[1] = "X: y";
		ret->body_size = BLOB_SIZE + 1;
		break;
	case 2: /* announced otherwise */
		ret->headers[1] = "Content-Length: 7";
		break;
	case 3:
		ret->headers[3] = "Content-Encoding: gzip";
		break;
	case 4: /* less than announced, and no word about it, ever */
		ret->body_size = 1000;
		break;
	default:
		return false;
	}
	return true;
}

TEST(bytes_that_are_not_the_blob_get_no_name_and_are_not_kept)
{
	static const struct {
		enum err_kind kind;
		const char *part;
	} cases[] = {
		{ ERR_CORRUPT, "has the content of" }, { ERR_CORRUPT, "more than" },
		{ ERR_CORRUPT, "should have" },        { ERR_INVALID, "encoding 'gzip'" },
		{ ERR_NETWORK, "sends only" },
	};

	for (int i = 0; i < 5; i++) {
		AUTO(fake_registry)
		struct fake_registry registry = { .fault = wrong, .counter = i };
		char text[DIGEST_TEXT_SIZE];
		struct descriptor blob;
		struct seen seen = { 0 };
		AUTO(mem) char *partial = NULL;

		fake_open(&registry);
		blob = fake_add_blob(&registry, "team/app", the_blob());
		expect_nothing(fetch(&registry, &blob, &seen), cases[i].kind, cases[i].part, &blob,
			       &seen);
		partial = xasprintf("partial/%s", digest_format(&blob.digest, text) + 7);
		assert_int_equal(room_has(partial), i == 4);
		if (i == 4)
			assert_return_code(unlinkat(store_fd(store), partial, 0), 0);
	}
}

TEST(a_partial_download_that_is_wrong_is_fetched_once_more_in_one)
{
	AUTO(fake_registry) struct fake_registry registry = { 0 };
	AUTO(blob_writer) struct blob_writer *writer = NULL;
	struct descriptor blob;
	struct seen seen = { 0 };
	uint64_t have;

	fake_open(&registry);
	blob = fake_add_blob(&registry, "team/app", the_blob());
	assert_ok(blob_resume(store, &blob.digest, &writer, &have));
	sink_write(blob_sink(writer), "garbage", 7);
	blob_writer_free(STEAL(writer));

	assert_ok(fetch(&registry, &blob, &seen));
	expect_blob(&blob, &seen);
	assert_int_equal(seen.calls, 2);
	assert_int_equal(registry.fake.lines.len, 2);
}

/* A taker that unpacks sees damage before the digest can tell of it. */
TEST(a_partial_download_that_the_taker_refuses_is_fetched_once_more_in_one)
{
	AUTO(fake_registry) struct fake_registry registry = { 0 };
	AUTO(blob_writer) struct blob_writer *writer = NULL;
	struct descriptor blob;
	struct seen seen = { .picky = true };
	uint64_t have;

	fake_open(&registry);
	blob = fake_add_blob(&registry, "team/app", the_blob());
	assert_ok(blob_resume(store, &blob.digest, &writer, &have));
	sink_write(blob_sink(writer), "garbage", 7);
	blob_writer_free(STEAL(writer));

	assert_ok(fetch(&registry, &blob, &seen));
	expect_blob(&blob, &seen);
	assert_int_equal(seen.calls, 2);
	/* Where no piece can be at fault, it is said at once. */
	blob_bytes[0]++;
	blob = fake_add_blob(&registry, "team/app", the_blob());
	blob_bytes[0]--;
	expect_nothing(fetch(&registry, &blob, &seen), ERR_CORRUPT, "no tar", &blob, &seen);
	assert_int_equal(seen.calls, 3);
}

TEST(what_the_taker_says_is_told_and_the_blob_is_kept)
{
	AUTO(fake_registry) struct fake_registry registry = { 0 };
	struct descriptor blob;
	struct seen seen = { .fails = err_new(ERR_CORRUPT, "no tar") };
	AUTO(err) struct err *err = NULL;
	bool there = false;

	fake_open(&registry);
	blob = fake_add_blob(&registry, "team/app", the_blob());
	err = fetch(&registry, &blob, &seen);
	assert_non_null(strstr(err_text(err), "no tar"));
	assert_int_equal(registry.fake.lines.len, 1);
	assert_ok(blob_has(store, &blob, &there));
	assert_true(there);
	buf_release(&seen.bytes);
}

TEST(a_place_that_fails_gives_way_to_the_next)
{
	AUTO(fake_registry) struct fake_registry registry = { 0 };
	AUTO(fake_registry) struct fake_registry mirror = { .fault = wrong };
	struct seen seen = { .bytes = BUF_INIT(2 * BLOB_SIZE) };
	struct taker taker = { .take = take, .self = &seen };

	fake_open(&registry);
	fake_open(&mirror);
	for (int i = 0; i < 6; i++) {
		/* the mirror is wrong in each way, or does not have it */
		struct repository repos[] = { { .client = mirror.client, .place = &mirror.place },
					      { .client = registry.client,
						.place = &registry.place } };
		const struct sources sources = { repos, 2 };
		const struct download_from from = { .sources = &sources };
		struct descriptor blob = fake_add_blob(&registry, "team/app", the_blob());
		char text[DIGEST_TEXT_SIZE];
		AUTO(mem)
		char *path = xasprintf("blobs/sha256/%s", digest_format(&blob.digest, text) + 7);
		bool fetched;

		mirror.counter = i;
		if (i < 5)
			(void)fake_add_blob(&mirror, "team/app", the_blob());
		else
			map_release(&mirror.blobs, fake_blob_free);
		assert_ok(download_blob(store, &from, &blob, &taker, NULL, &fetched));
		assert_true(fetched);
		assert_memory_equal(seen.bytes.at, blob_bytes, BLOB_SIZE);
		assert_return_code(unlinkat(store_fd(store), path, 0), 0);
	}
	buf_release(&seen.bytes);
}

/* ---- outside of registries ---- */

/* A server that has the blob below /layer, in two answers; the registry has not. */
static bool outside(struct fake_registry *registry, const char *line, struct str body,
		    struct fake_answer *ret)
{
	const char *range = fake_header(registry->fake.request, "Range: bytes=");
	size_t from = range ? strtoul(range, NULL, 10) : 0;

	(void)body;
	if (strstr(line, FAKE_HOST))
		return false;
	assert_int_equal(registry->fake.request->nearest, ADDRESS_PUBLIC);
	assert_null(fake_header(registry->fake.request, "Authorization"));
	assert_null(fake_header(registry->fake.request, "X-Secret"));
	if (strstr(line, "/inside")) {
		*ret = (struct fake_answer){ .status = 302,
					     .headers = { "Location: https://169.254.169.254/" } };
	} else if (strstr(line, "/plain")) {
		*ret = (struct fake_answer){
			.status = 302, .headers = { "Location: http://files.example.net/layer" }
		};
	} else if (strstr(line, "/moved")) {
		*ret = (struct fake_answer){ .status = 307,
					     .headers = { "Location: //cdn.example.net/layer" } };
	} else if (strstr(line, "/layer")) {
		*ret = (struct fake_answer){ .status = from ? 206 : 200,
					     .body = blob_bytes + from,
					     .body_size = BLOB_SIZE - from,
					     .cut = from ? 0 : BLOB_SIZE / 2 };
		if (from)
			ret->headers[0] =
				fake_keep(registry, xasprintf("Content-Range: bytes %zu-%zu/%zu",
							      from, BLOB_SIZE - 1, BLOB_SIZE));
	}
	return ret->status != 404;
}

TEST(a_layer_may_be_outside_of_the_registry)
{
	static const struct {
		const char *urls[3];
		const char *part; /* of the error; NULL: it comes */
	} cases[] = {
		{ { "https://files.example.net/layer" }, NULL },
		{ { "https://files.example.net/moved" }, NULL },
		{ { "https://files.example.net/none", "https://files.example.net/layer" }, NULL },
		{ { "http://files.example.net/layer" }, "which is not https" },
		{ { "https://10.0.0.1/layer" }, "inside this network" },
		{ { "https://localhost/layer" }, "inside this network" },
		{ { "https://files.example.net/inside" }, "inside this network" },
		{ { "https://files.example.net/plain" }, "which is not https" },
		{ { "https://user:pass@files.example.net/layer" }, "URL" },
		{ { "file:///etc/passwd" }, "URL" },
		{ { "https://files.example.net/none" }, "404" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(fake_registry) struct fake_registry registry = { .fault = outside };
		AUTO(strings) struct strings list = { 0 };
		struct descriptor blob = { .size = BLOB_SIZE };
		struct strings headers = { 0 };
		struct seen seen = { 0 };
		char digest[DIGEST_TEXT_SIZE];
		AUTO(mem) char *path = NULL;

		fake_open(&registry);
		strings_push(&headers, "X-Secret: for the registry");
		registry.place.headers = headers;
		fake_digest(the_blob(), digest);
		assert_ok(digest_parse(digest, &blob.digest));
		for (size_t k = 0; k < 3 && cases[i].urls[k]; k++)
			strings_push(&list, cases[i].urls[k]);
		urls = &list;
		if (cases[i].part) {
			expect_nothing(fetch(&registry, &blob, &seen),
				       cases[i].part[0] == '4' ? ERR_NOT_FOUND : ERR_INVALID,
				       cases[i].part, &blob, &seen);
		} else {
			assert_ok(fetch(&registry, &blob, &seen));
			expect_blob(&blob, &seen);
			path = xasprintf("blobs/sha256/%s", digest + 7);
			assert_return_code(unlinkat(store_fd(store), path, 0), 0);
		}
		/* the registry was asked first */
		assert_non_null(strstr(registry.fake.lines.at[0], FAKE_HOST));
		urls = NULL;
		strings_release(&headers);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ROOM_TEST(a_blob_comes_whole_and_is_taken_on_the_way),
		ROOM_TEST(a_transfer_that_breaks_goes_on_where_it_was),
		ROOM_TEST(what_the_client_gave_up_is_not_tried_all_over_again),
		ROOM_TEST(another_range_than_was_asked_for_is_a_reason_to_begin_again),
		ROOM_TEST(what_has_come_is_kept_for_the_next_time),
		ROOM_TEST(a_registry_without_ranges_is_read_past_what_is_here),
		ROOM_TEST(bytes_that_are_not_the_blob_get_no_name_and_are_not_kept),
		ROOM_TEST(a_partial_download_that_is_wrong_is_fetched_once_more_in_one),
		ROOM_TEST(a_partial_download_that_the_taker_refuses_is_fetched_once_more_in_one),
		ROOM_TEST(what_the_taker_says_is_told_and_the_blob_is_kept),
		ROOM_TEST(a_place_that_fails_gives_way_to_the_next),
		ROOM_TEST(a_layer_may_be_outside_of_the_registry),
	};
	int failed = cmocka_run_group_tests(tests, tmp_setup, tmp_teardown);

	free(blob_bytes);
	return failed;
}
