/*
 * store/lease.c - what a living process uses and makes.
 *
 * A lease is the file leases/<id>, locked by flock(2) for as long as its process
 * lives: the kernel drops the lock however the process ends. It holds one line
 * about the owner and then one line per pin:
 *
 *	cairn-lease 1 pid 4711 boot 0f5b6b6e-...
 *
 *	L <lid>
 *	B <hex digest>
 *
 *	S <hex key>
 *
 * A last line without its newline was torn and does not count. Each write begins
 * with an empty line, so that one which a full disk has torn spoils no other.
 * tmp/<id> belongs to the lease; it is made after the lease and goes before it, so
 * that what lies in tmp/ without a lease is rubbish.
 *
 * The file is visible before it is locked. A sweeper that comes in between takes
 * it for dead and deletes it; so the owner looks, with the lock held, whether the
 * file still has a name, and otherwise makes another.
 *
 * A full disk has no room for a lease, nor for one more pin. Whoever only reads
 * goes on all the same: it holds the prune lock, shared, until the end.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "store/store-private.h"

#define LEASE_TRIES 16
#define DRAIN_SHARE 8                        /* one part in so many of our time goes to the trash */
#define DRAIN_LEAST ((uint64_t)1000000)      /* 1 ms */
#define DRAIN_MOST ((uint64_t)500 * 1000000) /* half a second */

/* ---- sweeping ---- */

static void lease_path(const char *id, char buf[static STORE_PATH_SIZE])
{
	snprintf(buf, STORE_PATH_SIZE, "leases/%.64s", id);
}

/* Everything staged below tmp/<id> into the trash. */
static struct err *trash_staging(struct store *store, const char *id)
{
	char path[STORE_PATH_SIZE];

	snprintf(path, sizeof(path), "tmp/%.64s", id);
	return trash_put(store, store->root_fd, path);
}

/* Remove a lease if its owner is dead. */
static struct err *sweep_lease(struct store *store, const char *id)
{
	AUTO(lock) struct lock lock = LOCK_INIT;
	char path[STORE_PATH_SIZE];
	bool dead = false;

	lease_path(id, path);
	TRY(lock_try_file(store->root_fd, path, LOCK_EXCLUSIVE, &lock, &dead));
	if (!dead)
		return NULL;
	TRY(trash_staging(store, id));
	if (unlinkat(store->root_fd, path, 0) < 0 && errno != ENOENT)
		return err_sys("remove %s", path);
	return NULL;
}

/* Remove dead leases, and staging whose lease is gone. */
struct err *lease_sweep(struct store *store)
{
	AUTO(strings) struct strings leases = { 0 };
	AUTO(strings) struct strings staged = { 0 };

	TRY(file_list(store->root_fd, "leases", &leases));
	vec_foreach (&leases, id)
		if (strcmp(*id, store->lease_id) != 0)
			TRY(sweep_lease(store, *id));
	TRY(file_list(store->root_fd, "tmp", &staged));
	vec_foreach (&staged, id) {
		char path[STORE_PATH_SIZE];

		lease_path(*id, path);
		/* Asked after listing: whoever stages something has a lease first. */
		if (faccessat(store->root_fd, path, F_OK, AT_SYMLINK_NOFOLLOW) < 0 &&
		    errno == ENOENT)
			TRY(trash_staging(store, *id));
	}
	return NULL;
}

/* ---- making ---- */

/* Make and lock a lease file. `*ret_fd` is -1 if a sweeper was faster. */
static struct err *make_lease(struct store *store, int *ret_fd)
{
	AUTO(fd) int fd = -1;
	char path[STORE_PATH_SIZE];
	struct stat st;

	TRY(store_random_id(store->lease_id));
	lease_path(store->lease_id, path);
	fd = openat(store->root_fd, path, O_WRONLY | O_APPEND | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_sys("create %s", path);
	*ret_fd = -1;
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) /* a sweeper has it, and is about to delete it */
		return errno == EWOULDBLOCK ? NULL : err_sys("lock %s", path);
	if (fstat(fd, &st) < 0)
		return err_sys("look at %s", path);
	if (st.st_nlink)
		*ret_fd = STEAL_FD(fd);
	return NULL;
}

static struct err *introduce(struct store *store, int fd)
{
	AUTO(mem)
	char *line = xasprintf("cairn-lease 1 pid %ld boot %s\n", (long)getpid(), store->boot_id);

	return file_write_all(fd, line, strlen(line), "the lease");
}

static struct err *take_lease(struct store *store)
{
	AUTO(fd) int fd = -1;
	struct err *err;

	for (int tries = 0; fd < 0; tries++) {
		TRY(make_lease(store, &fd));
		if (tries == LEASE_TRIES)
			return err_new(ERR_INTERNAL, "every lease is swept at once");
	}
	atomic_store(&store->lease_fd, fd); /* from here on lease_drop() removes it */
	TRY(introduce(store, STEAL_FD(fd)));
	err = lease_sweep(store);
	if (err)
		log_debug("sweep of dead leases: %s", err_text(err));
	err_free(err); /* what stays is found again by the next process */
	return NULL;
}

static struct err *make_staging(struct store *store)
{
	char path[STORE_PATH_SIZE];
	int fd = -1;

	snprintf(path, sizeof(path), "tmp/%s", store->lease_id);
	if (mkdirat(store->root_fd, path, 0700) < 0 && errno != EEXIST)
		return err_sys("make directory %s", path);
	TRY(file_open_dir(store->root_fd, path, &fd));
	atomic_store(&store->tmp_fd, fd);
	return NULL;
}

/* The lease, and its staging directory too if that is wanted. */
static struct err *ensure_lease(struct store *store, bool staging)
{
	struct err *err = NULL;

	if (atomic_load(staging ? &store->tmp_fd : &store->lease_fd) >= 0)
		return NULL;
	pthread_mutex_lock(&store->lease_lock);
	if (atomic_load(&store->lease_fd) < 0)
		err = take_lease(store);
	if (!err && staging && atomic_load(&store->tmp_fd) < 0)
		err = make_staging(store);
	pthread_mutex_unlock(&store->lease_lock);
	return err_wrap(err, "store %s: take a lease", store_path(store));
}

struct err *store_lease(struct store *store, int *ret_dir)
{
	TRY(ensure_lease(store, true));
	*ret_dir = atomic_load(&store->tmp_fd);
	return NULL;
}

char *store_temp_name(struct store *store)
{
	return xasprintf("%u", atomic_fetch_add(&store->temp_names, 1));
}

/* When the trash must be left alone: a short command stays short. */
static uint64_t drain_deadline(const struct store *store)
{
	uint64_t now = clock_monotonic();
	uint64_t share = (now - store->opened) / DRAIN_SHARE;

	if (share < DRAIN_LEAST)
		share = DRAIN_LEAST;
	return now + (share < DRAIN_MOST ? share : DRAIN_MOST);
}

void lease_drop(struct store *store)
{
	int lease_fd = atomic_load(&store->lease_fd);
	int tmp_fd = atomic_load(&store->tmp_fd);
	char path[STORE_PATH_SIZE];

	lease_let_go(store);
	if (lease_fd < 0)
		return;
	if (tmp_fd >= 0) {
		snprintf(path, sizeof(path), "tmp/%s", store->lease_id);
		if (unlinkat(store->root_fd, path, AT_REMOVEDIR) < 0)
			err_free(trash_staging(store, store->lease_id)); /* or it is swept */
		close(tmp_fd);
	}
	lease_path(store->lease_id, path);
	unlinkat(store->root_fd, path, 0);
	close(lease_fd);
	trash_drain(store, drain_deadline(store));
}

/* ---- pins ---- */

/* Learn that the store cannot be written, by anyone: a fact, not a failure. */
static struct err *forgive_read_only(struct store *store, struct err *err)
{
	if (err_errno(err) != EROFS)
		return err;
	atomic_store(&store->read_only, true);
	err_free(err);
	return NULL;
}

struct err *store_hold(struct store *store, struct lock *ret)
{
	if (atomic_load(&store->read_only))
		return NULL;
	return forgive_read_only(store, lock_file(store->root_fd, "lock/prune", LOCK_SHARED, ret));
}

static bool is_pinned(struct store *store, struct str line)
{
	bool pinned;

	pthread_mutex_lock(&store->lock);
	pinned = map_has(&store->pinned, line);
	pthread_mutex_unlock(&store->lock);
	return pinned;
}

/* Only now may others rely on these lines. */
static void note_pinned(struct store *store, struct str lines)
{
	pthread_mutex_lock(&store->lock);
	while (lines.len)
		map_put(&store->pinned, str_cut(&lines, '\n'), store);
	pthread_mutex_unlock(&store->lock);
}

/* With lease_lock held: write the lines that there was no room for, if there is now. */
static bool pay(struct store *store)
{
	const int fd = atomic_load(&store->lease_fd);
	AUTO(err) struct err *err = NULL;

	if (!store->owed.len)
		return true;
	if (fd < 0)
		return false;
	err = file_write_all(fd, store->owed.at, store->owed.len, "the lease");
	if (err)
		return false;
	buf_reset(&store->owed);
	lock_release(&store->keep);
	return true;
}

void lease_let_go(struct store *store)
{
	pthread_mutex_lock(&store->lease_lock);
	if (!pay(store)) {
		buf_reset(&store->owed);
		lock_release(&store->keep);
		pthread_mutex_lock(&store->lock);
		map_release(&store->pinned, NULL); /* whatever is needed again is pinned again */
		pthread_mutex_unlock(&store->lock);
	}
	pthread_mutex_unlock(&store->lease_lock);
}

/* For want of room for a pin: keep everything until there is some. The caller has the lock shared, so
 * that it can be had once more. */
static struct err *keep_everything(struct store *store, struct str lines)
{
	bool held = true;

	if (store->keep.fd < 0)
		TRY(lock_try_file(store->root_fd, "lock/prune", LOCK_SHARED, &store->keep, &held));
	if (!held)
		return err_new(ERR_INTERNAL,
			       "the prune lock is not held where something is pinned");
	buf_add(&store->owed, lines.at, lines.len);
	return buf_check(&store->owed, "a list of pins");
}

static struct err *owe(struct store *store, struct str lines, struct err *err)
{
	struct err *second;

	if (err_errno(err) != ENOSPC && err_errno(err) != EDQUOT)
		return err;
	pthread_mutex_lock(&store->lease_lock);
	second = keep_everything(store, lines);
	pthread_mutex_unlock(&store->lease_lock);
	if (second) {
		err_free(second);
		return err;
	}
	err_free(err);
	note_pinned(store, (struct str){ lines.at + 1, lines.len - 1 });
	return NULL;
}

static struct err *write_pins(struct store *store, struct str lines)
{
	TRY(forgive_read_only(store, ensure_lease(store, false)));
	if (atomic_load(&store->read_only))
		return NULL;
	TRY(file_write_all(atomic_load(&store->lease_fd), lines.at, lines.len, "the lease"));
	note_pinned(store, (struct str){ lines.at + 1, lines.len - 1 });
	pthread_mutex_lock(&store->lease_lock);
	(void)pay(store);
	pthread_mutex_unlock(&store->lease_lock);
	return NULL;
}

struct err *store_pin(struct store *store, const struct pin *pins, size_t count)
{
	AUTO(buf) struct buf lines = BUF_INIT(4096);

	buf_addc(&lines, '\n');
	for (size_t i = 0; i < count; i++) {
		char line[STORE_PATH_SIZE];

		snprintf(line, sizeof(line), "%c %s", (char)pins[i].kind, pins[i].name);
		if (!is_pinned(store, str_of(line)))
			buf_addf(&lines, "%s\n", line);
	}
	if (lines.len == 1 || atomic_load(&store->read_only))
		return NULL;
	TRY(buf_check(&lines, "a list of pins"));
	return owe(store, buf_str(&lines), write_pins(store, buf_str(&lines)));
}
