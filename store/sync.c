/*
 * store/sync.c - flushing layers to disk, and marking those that got there.
 *
 * A layer is not flushed when it is sealed. Whatever this process seals, or finds
 * trusted by its boot alone, is noted, and one syncfs(2) for all of them earns
 * each its `synced` marker; so layers of a process that was killed before its own
 * flush get theirs from whoever uses them next. When nothing is without a marker
 * nothing is flushed.
 *
 * A flush may take long, and nobody should wait for it: store_sync_later() leaves
 * it to a process that outlives us, the flusher. It is told of layers and until when
 * they are to be flushed, and flushes all that it knows of when that time has come,
 * or when nobody is there any more to tell it of others. It alone flushes then,
 * because the kernel tells of a write error once: whatever it hears of after an
 * error it discards.
 */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/ready.h"
#include "store/layer.h"
#include "store/meta-private.h"
#include "store/store-private.h"

#define ORDER_LIDS 1024
#define NEVER UINT64_MAX
#define MILLISECOND ((uint64_t)1000000)

/* A message to the flusher. */
struct order {
	uint64_t deadline; /* of the flush, monotonic nanoseconds */
	size_t count;
	struct lid lids[ORDER_LIDS];
};

/* ---- what is to be flushed ---- */

void store_note_unsynced(struct store *store, const char *lid)
{
	pthread_mutex_lock(&store->lock);
	if (!map_put(&store->unsynced_set, str_of(lid), store))
		memcpy(vec_add(&store->unsynced)->text, lid, STORE_ID_SIZE);
	pthread_mutex_unlock(&store->lock);
}

static bool is_marked(struct store *store, const char *lid)
{
	char path[STORE_PATH_SIZE];

	return file_exists(store->root_fd, meta_path(lid, "synced", path));
}

/* All that was noted. Whatever is sealed from now on waits for the next flush. */
static void take_unsynced(struct store *store, struct lids *ret)
{
	pthread_mutex_lock(&store->lock);
	*ret = store->unsynced;
	store->unsynced = (struct lids){ 0 };
	pthread_mutex_unlock(&store->lock);
}

/* ---- flushing ---- */

/* A marker that is lost in a power cut costs a cache miss, so it is not flushed itself. */
static struct err *mark(struct store *store, const char *lid)
{
	char path[STORE_PATH_SIZE];
	AUTO(fd) int fd = -1;

	fd = openat(store->root_fd, meta_path(lid, "synced", path),
		    O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0 && errno != ENOENT) /* ENOENT: the layer was discarded */
		return err_sys("create %s", path);
	return NULL;
}

/* Data was lost on its way to the disk, nobody can tell whose: nothing that was in memory only
 * may be found again. */
static struct err *distrust(struct store *store, const struct lids *lids)
{
	struct err *err = err_sys("flush the store to disk");

	atomic_store(&store->sync_failed, true);
	vec_foreach (lids, lid)
		err_free(layer_discard(store, lid->text)); /* the first error is to be reported */
	return err;
}

/* Flush and mark those that have no marker yet; `lids` is changed. */
static struct err *flush(struct store *store, struct lids *lids)
{
	size_t count = 0;

	vec_foreach (lids, lid)
		if (!is_marked(store, lid->text))
			lids->at[count++] = *lid;
	lids->len = count;
	if (count == 0)
		return store_check_sync(store);
	errno = EIO; /* of the time before, if it has failed already */
	if (atomic_load(&store->sync_failed) || syncfs(store->root_fd) < 0)
		return distrust(store, lids);
	vec_foreach (lids, lid)
		TRY(mark(store, lid->text));
	return NULL;
}

struct err *store_sync(struct store *store)
{
	struct lids lids = { 0 };
	struct err *err;

	take_unsynced(store, &lids);
	err = flush(store, &lids);
	vec_release(&lids);
	return err;
}

struct err *store_check_sync(const struct store *store)
{
	if (!atomic_load(&store->sync_failed))
		return NULL;
	errno = EIO;
	return err_sys("the disk has lost data of this process");
}

/* ---- the flusher ---- */

/* Close all descriptors but these two. */
static void keep_only(int a, int b)
{
	unsigned low = (unsigned)(a < b ? a : b), high = (unsigned)(a < b ? b : a);

	if (low > 0)
		close_range(0, low - 1, 0);
	if (high - low > 1)
		close_range(low + 1, high - 1, 0);
	close_range(high + 1, ~0u, 0);
}

/* Milliseconds until the deadline, for poll(2): -1 without one. */
static int time_left(uint64_t deadline)
{
	uint64_t now = clock_monotonic();
	uint64_t left = deadline > now ? (deadline - now) / MILLISECOND + 1 : 0;

	if (deadline == NEVER)
		return -1;
	return left < INT_MAX ? (int)left : INT_MAX;
}

/* The next order, by the deadline of those before: `*ret_came` is false if none came by then.
 * False when nobody is at the other end any more. */
static bool next_order(int fd, uint64_t deadline, struct order *order, bool *ret_came)
{
	struct pollfd event = { .fd = fd, .events = POLLIN };
	unsigned failed =
		READY_TRIES; /* one that failed is enough: all is flushed then, and that is the end */
	ssize_t len = 0;
	int ready = ready_wait(&event, 1, time_left(deadline), &failed);

	*ret_came = ready > 0;
	if (ready <= 0)
		return ready == 0;
	len = recv(fd, order, sizeof(*order), 0);
	return len > (ssize_t)offsetof(struct order, lids);
}

/* Work for whoever holds the other end of the socket, until nobody does. */
static void serve(struct store *store, int fd)
{
	struct lids lids = { 0 };
	uint64_t deadline = NEVER;
	struct order order;
	bool came, more = true;

	while (more) {
		more = next_order(fd, deadline, &order, &came);
		for (size_t i = 0; more && came && i < order.count; i++)
			vec_push(&lids, order.lids[i]);
		if (more && came && order.deadline < deadline)
			deadline = order.deadline;
		if (more && clock_monotonic() < deadline)
			continue;
		err_free(flush(store, &lids)); /* what has no marker is made again one day */
		lids.len = 0;
		deadline = NEVER;
	}
	vec_release(&lids);
}

/* Start the flusher. A grandchild, so that nobody has to reap it; it holds nothing but the store,
 * so that nobody waits for it at the other end of a pipe, and no lease lives on in it. */
static bool start_flusher(struct store *store, int *ret_fd)
{
	int ends[2];
	pid_t child;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return false;
	child = fork();
	if (child == 0) {
		if (setsid() > 0 && fork() == 0) {
			keep_only(store->root_fd, ends[1]);
			serve(store, ends[1]);
		}
		_exit(0);
	}
	close(ends[1]);
	if (child < 0) {
		close(ends[0]);
		return false;
	}
	waitpid(child, NULL, 0);
	*ret_fd = ends[0];
	return true;
}

/* Give the lids to the flusher. */
static bool hand_over(int fd, const struct lids *lids, uint64_t deadline)
{
	struct order order = { .deadline = deadline };

	for (size_t at = 0; at < lids->len; at += order.count) {
		order.count = lids->len - at < ORDER_LIDS ? lids->len - at : ORDER_LIDS;
		memcpy(order.lids, lids->at + at, order.count * sizeof(*lids->at));
		if (send(fd, &order, offsetof(struct order, lids) + order.count * sizeof(*lids->at),
			 MSG_NOSIGNAL) < 0)
			return false;
	}
	return true;
}

/* Start the flusher if there is none, and give it the lids. */
static bool engage(struct store *store, const struct lids *lids, uint64_t deadline)
{
	if (store->flusher_fd < 0) {
		if (!start_flusher(store, &store->flusher_fd))
			return false;
		deadline = 0; /* these have waited for long enough */
	}
	return hand_over(store->flusher_fd, lids, deadline);
}

void store_sync_later(struct store *store, uint64_t period)
{
	const uint64_t now = clock_monotonic();
	struct lids lids = { 0 };

	pthread_mutex_lock(&store->flusher_lock);
	if (store->flusher_fd >= 0 || now - store->opened >= period)
		take_unsynced(store, &lids);
	if (lids.len > 0 && !engage(store, &lids, now + period))
		log_debug("nobody flushes the store: %s", strerror(errno));
	pthread_mutex_unlock(&store->flusher_lock);
	vec_release(&lids);
}
