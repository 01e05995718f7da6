/* tests/unit/test_statcache.c - a digest is believed only for the very file it was taken from. */

#include "tests/unit/unit.h"

#include <time.h>

#include "builder/statcache.h"
#include "tests/unit/room.h"

static const struct statcache_key old_key = { .dev = 1,
					      .ino = 2,
					      .size = 3,
					      .mtime_sec = 1000,
					      .ctime_sec = 1000,
					      .mtime_nsec = 5,
					      .ctime_nsec = 6 };

static struct digest digest_of(uint8_t fill)
{
	struct digest d;

	memset(d.bytes, fill, sizeof(d.bytes));
	return d;
}

static struct statcache *open_cache(void)
{
	struct statcache *cache = NULL;

	assert_ok(statcache_open(store, tmp_fd, &cache));
	return cache;
}

static bool knows(const struct statcache *cache, const char *dir, const char *name,
		  const struct statcache_key *key, uint8_t fill)
{
	struct digest want = digest_of(fill), got = digest_of(0);

	return statcache_find(cache, str_of(dir), str_of(name), key, &got) &&
	       digest_equal(&want, &got);
}

static void put(struct statcache *cache, const char *dir, const char *name,
		const struct statcache_key *key, uint8_t fill)
{
	struct statcache_entry entry = { name, *key, digest_of(fill) };

	statcache_put(cache, str_of(dir), &entry, 1);
}

TEST(remembers_across_runs_and_keeps_what_was_not_visited)
{
	AUTO(statcache) struct statcache *first = open_cache();
	AUTO(statcache) struct statcache *second = NULL;
	AUTO(statcache) struct statcache *third = NULL;

	put(first, "src", "a", &old_key, 1);
	put(first, "", "a", &old_key, 2);
	put(first, "src-more", "a", &old_key, 3);
	assert_ok(statcache_save(first, NULL, NULL));
	second = open_cache();
	assert_true(knows(second, "src", "a", &old_key, 1));
	assert_true(knows(second, "", "a", &old_key, 2));
	assert_true(knows(second, "src-more", "a", &old_key, 3));
	assert_false(knows(second, "src", "b", &old_key, 1));
	assert_false(knows(second, "sr", "a", &old_key, 1));
	put(second, "src", "b", &old_key, 4); /* the directory as it is now: `a` is gone */
	assert_ok(statcache_save(second, NULL, NULL));
	third = open_cache();
	assert_false(knows(third, "src", "a", &old_key, 1));
	assert_true(knows(third, "src", "b", &old_key, 4));
	assert_true(knows(third, "src-more", "a", &old_key, 3));
}

TEST(believes_nothing_when_any_part_of_the_key_differs)
{
	AUTO(statcache) struct statcache *cache = open_cache();
	AUTO(statcache) struct statcache *again = NULL;
	struct statcache_key keys[7];

	put(cache, "", "a", &old_key, 1);
	assert_ok(statcache_save(cache, NULL, NULL));
	again = open_cache();
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		keys[i] = old_key;
	keys[0].dev++;
	keys[1].ino++;
	keys[2].size++;
	keys[3].mtime_sec++;
	keys[4].ctime_sec++;
	keys[5].mtime_nsec++;
	keys[6].ctime_nsec++;
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		assert_false(knows(again, "", "a", &keys[i], 1));
	assert_true(knows(again, "", "a", &old_key, 1));
}

TEST(does_not_keep_what_changed_a_moment_ago)
{
	AUTO(statcache) struct statcache *cache = NULL;
	AUTO(statcache) struct statcache *again = NULL;
	struct statcache_key fresh = old_key, whole = old_key;
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	cache = open_cache();
	fresh.ctime_sec = now.tv_sec;
	fresh.ctime_nsec = (uint32_t)now.tv_nsec;
	whole.mtime_nsec = whole.ctime_nsec = 0; /* a clock of whole seconds */
	whole.mtime_sec = whole.ctime_sec = now.tv_sec - 1;
	put(cache, "a", "fresh", &fresh, 1);
	put(cache, "b", "whole", &whole, 2);
	put(cache, "c", "old", &old_key, 3);
	assert_ok(statcache_save(cache, NULL, NULL));
	again = open_cache();
	assert_false(knows(again, "a", "fresh", &fresh, 1));
	assert_false(knows(again, "b", "whole", &whole, 2));
	assert_true(knows(again, "c", "old", &old_key, 3));
}

TEST(a_damaged_file_is_an_empty_cache)
{
	AUTO(strings) struct strings names = { 0 };
	AUTO(statcache) struct statcache *cache = open_cache();
	AUTO(mem) char *path = NULL;
	AUTO(buf) struct buf bytes = BUF_INIT(65536);

	put(cache, "", "a", &old_key, 1);
	assert_ok(statcache_save(cache, NULL, NULL));
	assert_ok(file_list(store_fd(store), "contexts", &names));
	assert_int_equal(names.len, 1);
	path = xasprintf("contexts/%s", names.at[0]);
	assert_ok(file_read(store_fd(store), path, 65536, &bytes));
	for (size_t cut = 0; cut < bytes.len; cut += 7) { /* torn, then one byte turned over */
		AUTO(statcache) struct statcache *torn = NULL;
		AUTO(statcache) struct statcache *turned = NULL;

		room_put(path, bytes.at, cut);
		torn = open_cache();
		assert_false(knows(torn, "", "a", &old_key, 1));
		bytes.at[cut] = (char)~bytes.at[cut];
		room_put(path, bytes.at, bytes.len);
		bytes.at[cut] = (char)~bytes.at[cut];
		turned = open_cache();
		assert_false(knows(turned, "", "a", &old_key, 1));
	}
	statcache_free(STEAL(cache));
	room_put(path, bytes.at, bytes.len);
	cache = open_cache();
	assert_true(knows(cache, "", "a", &old_key, 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ROOM_TEST(remembers_across_runs_and_keeps_what_was_not_visited),
		ROOM_TEST(believes_nothing_when_any_part_of_the_key_differs),
		ROOM_TEST(does_not_keep_what_changed_a_moment_ago),
		ROOM_TEST(a_damaged_file_is_an_empty_cache),
	};

	return cmocka_run_group_tests(tests, tmp_setup, tmp_teardown);
}
