/*
 * store/sync.c - flushing layers to disk, and marking those that got there.
 *
 * A layer is not flushed when it is sealed. Whatever this process seals, or finds
 * trusted by its boot alone, is noted, and one syncfs(2) for all of them earns
 * each its `synced` marker; so layers of a process that was killed before its own
 * flush get theirs from whoever uses them next. When nothing is without a marker
 * nothing is flushed.
 */

#include <errno.h>
#include <fcntl.h>

#include "base/err.h"
#include "store/layer.h"
#include "store/meta-private.h"
#include "store/store-private.h"

void store_note_unsynced(struct store *store, const char *lid)
{
	pthread_mutex_lock(&store->lock);
	if (!map_put(&store->unsynced_set, str_of(lid), store))
		strings_push(&store->unsynced, lid);
	pthread_mutex_unlock(&store->lock);
}

static bool is_marked(struct store *store, const char *lid)
{
	char path[STORE_PATH_SIZE];

	return file_exists(store->root_fd, meta_path(lid, "synced", path));
}

/* The layers that still want a marker. Whatever is sealed from now on waits for the next flush. */
static void take_unsynced(struct store *store, struct strings *ret)
{
	AUTO(strings) struct strings lids = { 0 };

	pthread_mutex_lock(&store->lock);
	lids = store->unsynced;
	store->unsynced = (struct strings){ 0 };
	pthread_mutex_unlock(&store->lock);
	vec_foreach (&lids, lid)
		if (!is_marked(store, *lid))
			strings_push(ret, *lid);
}

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
static struct err *distrust(struct store *store, struct strings *lids)
{
	struct err *err = err_sys("flush the store to disk");

	atomic_store(&store->sync_failed, true);
	vec_foreach (lids, lid)
		err_free(layer_discard(store, *lid)); /* the first error is the one to report */
	return err;
}

struct err *store_sync(struct store *store)
{
	AUTO(strings) struct strings lids = { 0 };

	TRY(store_check_sync(store));
	take_unsynced(store, &lids);
	if (lids.len == 0)
		return NULL;
	if (syncfs(store->root_fd) < 0)
		return distrust(store, &lids);
	vec_foreach (&lids, lid)
		TRY(mark(store, *lid));
	return NULL;
}

struct err *store_check_sync(const struct store *store)
{
	if (!atomic_load(&store->sync_failed))
		return NULL;
	errno = EIO;
	return err_sys("the disk has lost data of this process");
}
