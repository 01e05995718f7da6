/* tests/unit/test_cache.c - entries in a registry and in a directory: found, written, and not believed. */

#include "tests/unit/unit.h"

#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/pool.h"
#include "base/vec.h"
#include "registry/cache.h"
#include "store/blob.h"
#include "store/image.h"
#include "tests/unit/room.h"

#include "tests/unit/fake_registry.h"

static const struct platform platform = { "linux", "amd64", "" };

static void open_one(struct fake_registry *registry, enum cache_way way, const char *text,
		     struct cache_specs *specs, struct cache **ret)
{
	assert_ok(cache_specs_add(specs, way, text));
	assert_ok(
		cache_open(&specs->at[0], way, registry ? registry->client : NULL, &platform, ret));
}

static struct digest key_of(unsigned number)
{
	struct digest key = { 0 };

	key.bytes[0] = (uint8_t)number;
	return key;
}

/* The entry of a step whose layer's blob is in the store. */
static struct cache_entry make_entry(unsigned number, const char *bytes)
{
	struct cache_entry entry = { .key = key_of(number),
				     .created = { 1700000000, 5 },
				     .duration = 7,
				     .has_layer = bytes != NULL };

	if (bytes) {
		assert_ok(blob_put(store, str_of(bytes), &entry.blob.digest));
		entry.blob.size = strlen(bytes);
		snprintf(entry.blob.media_type, sizeof(entry.blob.media_type), "%s",
			 MEDIA_OCI_LAYER "+zstd");
		entry.diff_id = key_of(99);
	}
	return entry;
}

static void write_entry(struct fake_registry *registry, const char *text,
			const struct cache_entry *entry, bool replace, bool want)
{
	AUTO(cache_specs) struct cache_specs specs = { 0 };
	AUTO(cache) struct cache *cache = NULL;
	bool written = false;

	open_one(registry, CACHE_TO, text, &specs, &cache);
	assert_ok(cache_put(cache, store, entry, replace, NULL, &written));
	assert_ok(cache_finish(cache));
	assert_int_equal(written, want);
}

static bool read_entry(struct fake_registry *registry, const char *text, unsigned number,
		       struct cache_entry *ret)
{
	AUTO(cache_specs) struct cache_specs specs = { 0 };
	AUTO(cache) struct cache *cache = NULL;
	const struct digest key = key_of(number);
	bool found = false;

	open_one(registry, CACHE_FROM, text, &specs, &cache);
	assert_ok(cache_find(cache, &key, &found, ret));
	return found;
}

static void check_round_trip(struct fake_registry *registry, const char *to, const char *from)
{
	const struct cache_entry with = make_entry(1, "the bytes of a layer");
	const struct cache_entry without = make_entry(2, NULL);
	struct cache_entry found;

	write_entry(registry, to, &with, false, true);
	write_entry(registry, to, &without, false, true);
	assert_true(read_entry(registry, from, 1, &found));
	assert_int_equal(found.created.tv_sec, 1700000000);
	assert_int_equal(found.created.tv_nsec, 5);
	assert_int_equal(found.duration, 7);
	assert_true(found.has_layer && descriptor_equal(&found.blob, &with.blob));
	assert_true(digest_equal(&found.diff_id, &with.diff_id));
	assert_true(read_entry(registry, from, 2, &found));
	assert_false(found.has_layer);
	assert_false(read_entry(registry, from, 3, &found));
	/* what is there stays, unless it is to be made anew */
	write_entry(registry, to, &with, false, false);
	write_entry(registry, to, &with, true, true);
}

TEST(what_is_written_is_found_wherever_it_is)
{
	AUTO(fake_registry) struct fake_registry registry = { 0 };
	AUTO(mem) char *to = xasprintf("type=local,dest=%s/cache", tmp_path);
	AUTO(mem) char *from = xasprintf("type=local,src=%s/cache", tmp_path);

	fake_open(&registry);
	check_round_trip(&registry, FAKE_HOST "/team/cache", FAKE_HOST "/team/cache");
	check_round_trip(&registry, FAKE_HOST "/team/cache:main", FAKE_HOST "/team/cache:main");
	check_round_trip(&registry, to, from);
}

TEST(a_question_is_one_request)
{
	AUTO(fake_registry) struct fake_registry registry = { 0 };
	const struct cache_entry entry = make_entry(1, "the bytes of a layer");
	struct cache_entry found;
	uint64_t before;

	fake_open(&registry);
	write_entry(&registry, FAKE_HOST "/team/cache", &entry, false, true);
	before = client_requests(registry.client);
	assert_true(read_entry(&registry, FAKE_HOST "/team/cache", 1, &found));
	assert_int_equal(client_requests(registry.client) - before, 1);
	assert_false(read_entry(&registry, FAKE_HOST "/team/cache", 2, &found));
	assert_int_equal(client_requests(registry.client) - before, 2);
}

/* ---- registries that do not answer as they should ---- */

static bool answers(struct fake_registry *registry, const char *line, struct str body,
		    struct fake_answer *ret)
{
	(void)line;
	(void)body;
	*ret = registry->counter ? (struct fake_answer){ .status = registry->counter } :
				   (struct fake_answer){ .trouble = HTTP_NO_HOST };
	return true;
}

struct question {
	struct cache *cache;
	unsigned number;
	atomic_uint *errors;
};

static struct err *ask(void *arg)
{
	const struct question *question = arg;
	const struct digest key = key_of(question->number);
	struct cache_entry found;
	bool is_found = true;
	AUTO(err)
	struct err *err = cache_find(question->cache, &key, &is_found, &found);

	assert_false(is_found);
	if (err)
		atomic_fetch_add(question->errors, 1);
	return NULL;
}

TEST(a_registry_that_cannot_be_asked_is_asked_by_one_thread_and_told_once)
{
	static const int statuses[] = { 0, 403, 503 };

	for (size_t i = 0; i < ARRAY_SIZE(statuses); i++) {
		AUTO(fake_registry)
		struct fake_registry registry = { .fault = answers, .counter = statuses[i] };
		AUTO(cache_specs) struct cache_specs specs = { 0 };
		AUTO(cache) struct cache *cache = NULL;
		AUTO(pool) struct pool *pool = pool_new(6);
		AUTO(group) struct group *group = group_new(pool);
		struct question questions[20];
		atomic_uint errors = 0;

		fake_open(&registry);
		open_one(&registry, CACHE_FROM, FAKE_HOST "/team/cache", &specs, &cache);
		for (unsigned n = 0; n < ARRAY_SIZE(questions); n++) {
			questions[n] = (struct question){ cache, n, &errors };
			group_run(group, ask, NULL, &questions[n]);
		}
		assert_ok(group_wait(group));
		assert_int_equal(atomic_load(&errors), 1);
		assert_int_equal(client_requests(registry.client), 1);
	}
}

static bool sends_html(struct fake_registry *registry, const char *line, struct str body,
		       struct fake_answer *ret)
{
	(void)registry;
	(void)body;
	if (strncmp(line, "GET ", 4) != 0 || !strstr(line, "/manifests/"))
		return false;
	*ret = (struct fake_answer){ .status = 200, .body = "<html>" };
	return true;
}

TEST(an_entry_that_cannot_be_read_is_of_no_harm_to_others_and_written_anew)
{
	AUTO(fake_registry) struct fake_registry registry = { .fault = sends_html };
	const struct cache_entry entry = make_entry(1, "the bytes of a layer");
	AUTO(cache_specs) struct cache_specs specs = { 0 };
	AUTO(cache) struct cache *cache = NULL;
	struct cache_entry found;
	bool is_found;

	fake_open(&registry);
	open_one(&registry, CACHE_FROM, FAKE_HOST "/team/cache", &specs, &cache);
	for (int i = 0; i < 2; i++) {
		AUTO(err)
		struct err *err = cache_find(cache, &entry.key, &is_found, &found);

		assert_true(err && cache_err_is_of_entry(err));
		assert_false(is_found);
	}
	write_entry(&registry, FAKE_HOST "/team/cache", &entry, false, true);
	registry.fault = NULL;
	assert_ok(cache_find(cache, &entry.key, &is_found, &found));
	assert_true(is_found);
}

TEST(what_else_lies_in_a_directory_is_of_no_harm)
{
	AUTO(mem) char *to = xasprintf("type=local,dest=%s/mess", tmp_path);
	AUTO(mem) char *from = xasprintf("type=local,src=%s/mess", tmp_path);
	const struct cache_entry one = make_entry(1, NULL), two = make_entry(2, NULL);
	AUTO(mem) char *large = xcalloc(1, CACHE_ENTRY_MAX + 2);
	struct cache_entry found;
	AUTO(fd) int fd = -1;

	memset(large, 'x', CACHE_ENTRY_MAX + 1);
	write_entry(NULL, to, &one, false, true);
	assert_int_equal(mkdirat(tmp_fd, "mess/cairn-cache/notes", 0700), 0);
	assert_int_equal(mkfifoat(tmp_fd, "mess/cairn-cache/pipe", 0600), 0);
	assert_int_equal(symlinkat("nowhere", tmp_fd, "mess/cairn-cache/link"), 0);
	assert_ok(file_open_dir(tmp_fd, "mess/cairn-cache", &fd));
	assert_ok(file_replace(fd, "large", str_of(large), 0600, FILE_QUICK));
	write_entry(NULL, to, &two, false, true);
	assert_true(read_entry(NULL, from, 1, &found));
	assert_true(read_entry(NULL, from, 2, &found));
}

TEST(bytes_of_another_digest_do_not_enter_the_store)
{
	AUTO(fake_registry) struct fake_registry registry = { 0 };
	const struct cache_entry entry = make_entry(1, "the bytes of a layer");
	AUTO(cache_specs) struct cache_specs specs = { 0 };
	AUTO(cache) struct cache *cache = NULL;
	struct descriptor wanted = entry.blob;
	bool here = true;

	fake_open(&registry);
	write_entry(&registry, FAKE_HOST "/team/cache", &entry, false, true);
	wanted.digest = key_of(7);
	{
		char text[DIGEST_TEXT_SIZE];
		AUTO(mem)
		char *key = xasprintf("team/cache@%s", digest_format(&wanted.digest, text));

		fake_put(&registry.blobs, key, STR("the bytes of a Layer"));
	}
	open_one(&registry, CACHE_FROM, FAKE_HOST "/team/cache", &specs, &cache);
	assert_fails(cache_fetch(cache, store, &wanted, NULL, NULL), ERR_CORRUPT);
	assert_ok(blob_has(store, &wanted, &here));
	assert_false(here);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ROOM_TEST(what_is_written_is_found_wherever_it_is),
		ROOM_TEST(a_question_is_one_request),
		ROOM_TEST(a_registry_that_cannot_be_asked_is_asked_by_one_thread_and_told_once),
		ROOM_TEST(an_entry_that_cannot_be_read_is_of_no_harm_to_others_and_written_anew),
		ROOM_TEST(what_else_lies_in_a_directory_is_of_no_harm),
		ROOM_TEST(bytes_of_another_digest_do_not_enter_the_store),
	};

	return cmocka_run_group_tests(tests, tmp_setup, tmp_teardown);
}
