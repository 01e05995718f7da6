/* tests/unit/test_cache_dir.c - who gets which copy of a cache, and who has to wait. */

#include "tests/unit/unit.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/file.h"
#include "store/cache_dir.h"
#include "tests/unit/room.h"

static const struct digest one = { .bytes = { 1 } }, two = { .bytes = { 2 } };

static atomic_int fills;

static struct err *fill(__attribute__((unused)) void *self, int fs_fd)
{
	atomic_fetch_add(&fills, 1);
	return file_replace(fs_fd, "first", STR("x"), 0644, FILE_QUICK);
}

static struct err *fill_half(__attribute__((unused)) void *self, int fs_fd)
{
	TRY(file_replace(fs_fd, "half", STR("x"), 0644, FILE_QUICK));
	return err_new(ERR_INVALID, "no");
}

static struct cache_dir open_one(const struct digest *id, enum cache_sharing sharing, bool empty)
{
	const struct cache_dir_opts opts = {
		.id = id, .about = "/c", .sharing = sharing, .empty = empty, .fill = fill
	};
	struct cache_dir dir = CACHE_DIR_INIT;

	assert_ok(cache_dir_open(store, &opts, &dir));
	return dir;
}

static bool is_same(const struct cache_dir *a, const struct cache_dir *b)
{
	struct stat x, y;

	assert_int_equal(fstat(a->fd, &x) | fstat(b->fd, &y), 0);
	return x.st_ino == y.st_ino;
}

static void put(const struct cache_dir *dir, const char *name)
{
	assert_ok(file_replace(dir->fd, name, STR(""), 0644, FILE_QUICK));
}

TEST(a_cache_is_filled_once_and_keeps_what_is_put_into_it)
{
	struct cache_dir dir;

	fills = 0;
	dir = open_one(&one, CACHE_SHARED, false);
	assert_true(file_exists(dir.fd, "first"));
	put(&dir, "kept");
	cache_dir_close(&dir);
	dir = open_one(&one, CACHE_LOCKED, false);
	assert_true(file_exists(dir.fd, "kept"));
	assert_int_equal(fills, 1);
	cache_dir_close(&dir);
	dir = open_one(&two, CACHE_PRIVATE, false);
	assert_false(file_exists(dir.fd, "kept"));
	cache_dir_close(&dir);
}

TEST(one_that_is_emptied_begins_anew)
{
	static const enum cache_sharing ways[] = { CACHE_SHARED, CACHE_PRIVATE, CACHE_LOCKED };

	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		struct cache_dir dir = open_one(&one, ways[i], false);

		put(&dir, "kept");
		cache_dir_close(&dir);
		dir = open_one(&one, ways[i], true);
		assert_false(file_exists(dir.fd, "kept"));
		assert_true(file_exists(dir.fd, "first"));
		cache_dir_close(&dir);
	}
}

TEST(what_could_not_be_filled_is_filled_the_next_time)
{
	const struct cache_dir_opts opts = { .id = &one, .about = "/c", .fill = fill_half };
	struct cache_dir dir = CACHE_DIR_INIT;

	assert_fails(cache_dir_open(store, &opts, &dir), ERR_INVALID);
	assert_int_equal(dir.fd, -1);
	dir = open_one(&one, CACHE_SHARED, false);
	assert_true(file_exists(dir.fd, "first"));
	assert_false(file_exists(dir.fd, "half"));
	cache_dir_close(&dir);
}

TEST(those_who_share_have_one_copy_and_who_does_not_has_another)
{
	struct cache_dir a = open_one(&one, CACHE_SHARED, false);
	struct cache_dir b = open_one(&one, CACHE_SHARED, false);
	struct cache_dir c = open_one(&one, CACHE_PRIVATE, false);
	struct cache_dir d = open_one(&one, CACHE_PRIVATE, false);
	struct cache_dir e;

	assert_true(is_same(&a, &b));
	assert_false(is_same(&a, &c));
	assert_false(is_same(&c, &d));
	cache_dir_close(&a);
	cache_dir_close(&b);
	e = open_one(&one, CACHE_PRIVATE, false); /* the first one is free again */
	assert_false(is_same(&e, &c) || is_same(&e, &d));
	cache_dir_close(&c);
	cache_dir_close(&d);
	cache_dir_close(&e);
}

static atomic_int told, got;

static void tell(__attribute__((unused)) void *self)
{
	atomic_fetch_add(&told, 1);
}

static void *lock_it(__attribute__((unused)) void *arg)
{
	const struct cache_dir_opts opts = {
		.id = &one, .about = "/c", .sharing = CACHE_LOCKED, .waits = tell
	};
	struct cache_dir dir = CACHE_DIR_INIT;
	struct err *err = cache_dir_open(store, &opts, &dir);

	atomic_store(&got, err ? -1 : 1);
	err_free(err);
	cache_dir_close(&dir);
	return NULL;
}

TEST(who_locks_it_waits_for_whoever_has_it)
{
	static const enum cache_sharing ways[] = { CACHE_SHARED, CACHE_LOCKED };
	const struct timespec pause = { .tv_nsec = 2000000 };

	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		struct cache_dir dir = open_one(&one, ways[i], false);
		pthread_t thread;

		atomic_store(&told, 0);
		atomic_store(&got, 0);
		assert_int_equal(pthread_create(&thread, NULL, lock_it, NULL), 0);
		while (!atomic_load(&told))
			nanosleep(&pause, NULL);
		assert_int_equal(atomic_load(&got), 0);
		cache_dir_close(&dir);
		pthread_join(thread, NULL);
		assert_int_equal(atomic_load(&got), 1);
		assert_int_equal(atomic_load(&told), 1);
	}
}

static struct cache_dir shared[3];

static void *share_it(void *arg)
{
	struct cache_dir *dir = arg;
	const struct cache_dir_opts opts = { .id = &one, .about = "/c", .fill = fill };

	*dir = CACHE_DIR_INIT;
	err_free(cache_dir_open(store, &opts, dir));
	return NULL;
}

TEST(those_who_come_at_once_share_one_copy)
{
	for (int round = 0; round < 20; round++) {
		pthread_t threads[3];

		if (round % 2 == 0)
			assert_ok(file_remove_tree(store_fd(store), "mounts"));
		for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
			assert_int_equal(pthread_create(&threads[i], NULL, share_it, &shared[i]),
					 0);
		for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
			pthread_join(threads[i], NULL);
		for (size_t i = 0; i < ARRAY_SIZE(threads); i++) {
			assert_true(shared[i].fd >= 0);
			assert_true(is_same(&shared[i], &shared[0]));
		}
		for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
			cache_dir_close(&shared[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ROOM_TEST(a_cache_is_filled_once_and_keeps_what_is_put_into_it),
		ROOM_TEST(one_that_is_emptied_begins_anew),
		ROOM_TEST(what_could_not_be_filled_is_filled_the_next_time),
		ROOM_TEST(those_who_share_have_one_copy_and_who_does_not_has_another),
		ROOM_TEST(those_who_come_at_once_share_one_copy),
		ROOM_TEST(who_locks_it_waits_for_whoever_has_it),
	};

	return cmocka_run_group_tests(tests, tmp_setup, tmp_teardown);
}
