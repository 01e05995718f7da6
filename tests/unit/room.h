/*
 * tests/unit/room.h - an empty store for every test.
 *
 *	cmocka_unit_test_setup_teardown(a_test, room_open, room_close)
 *
 * gives the test `store`, at `room_path`; the program's group needs tmp_setup and
 * tmp_teardown of tests/unit/tmp.h.
 */
#ifndef TESTS_UNIT_ROOM_H
#define TESTS_UNIT_ROOM_H

#include <signal.h>

#include "base/vec.h"
#include "store/store-private.h"
#include "tests/unit/child.h"
#include "tests/unit/tmp.h"
#include "tests/unit/unit.h"

#define ROOM_TEST(name) cmocka_unit_test_setup_teardown(name, room_open, room_close)

static struct store *store;
static char room_path[300];

static inline int room_open(__attribute__((unused)) void **state)
{
	static unsigned count;

	snprintf(room_path, sizeof(room_path), "%s/store-%u", tmp_path, count++);
	assert_ok(store_open(room_path, &store));
	store_close(store); /* whoever made the store has a lease already */
	assert_ok(store_open(room_path, &store));
	return 0;
}

static inline int room_close(__attribute__((unused)) void **state)
{
	store_close(store);
	store = NULL;
	assert_ok(file_remove_tree(tmp_fd, strrchr(room_path, '/') + 1));
	return 0;
}

/* Close the store and open it again, as the next command would. */
static inline void room_reopen(void)
{
	store_close(store);
	store = NULL;
	assert_ok(store_open(room_path, &store));
}

/* How many names a directory of the store has. */
static inline size_t room_count(const char *dir)
{
	AUTO(strings) struct strings names = { 0 };

	assert_ok(file_list(store_fd(store), dir, &names));
	return names.len;
}

static inline bool room_has(const char *path)
{
	return file_exists(store_fd(store), path);
}

/* The text of a file of the store, owned by the caller. */
static inline char *room_text(const char *path)
{
	AUTO(buf) struct buf text = BUF_INIT((size_t)16 * 1024 * 1024);

	assert_ok(file_read(store_fd(store), path, text.max, &text));
	return buf_steal(&text);
}

/* Write a file below `dir_fd` in place, as only an intruder or a failing disk would. */
static inline void room_put_at(int dir_fd, const char *path, const void *data, size_t len)
{
	AUTO(fd) int fd = -1;

	(void)unlinkat(dir_fd, path, 0);
	fd = openat(dir_fd, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_ok(file_write_all(fd, data, len, path));
}

static inline void room_put(const char *path, const void *data, size_t len)
{
	room_put_at(store_fd(store), path, data, len);
}

/* Run `body` in a child; with `killed` it must end by raise(SIGKILL). */
static inline void room_child(bool (*body)(void *arg), void *arg, bool killed)
{
	assert_int_equal(child_wait(child_start(body, arg)), killed ? 128 + SIGKILL : 0);
}

/* In such a body: the store, as a process of its own opens it. */
#define CHILD_STORE(name)          \
	struct store *name = NULL; \
	CHECK_OK(store_open(room_path, &name))

#endif
