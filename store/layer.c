/*
 * store/layer.c - see store/layer.h: staging, sealing, finding and amending layers.
 *
 * A layer comes into view by one rename, with its record inside, and only then
 * is it linked from diffs/. Whoever follows a link therefore finds a layer, and
 * checks all the same that it is trusted and has the diff id that led there: a
 * link may outlive what it names. Only such a dead link is ever replaced.
 */

#include "store/layer.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/err.h"
#include "store/meta-private.h"
#include "store/store-private.h"

#define LINK_TARGET "../layers/"

static_assert(LAYER_ID_SIZE == STORE_ID_SIZE, "a lid is an id");

/* ---- staging ---- */

/* Make a directory with exactly this mode and open it. */
static struct err *make_dir(int dir_fd, const char *name, mode_t mode, int *ret_fd)
{
	if (mkdirat(dir_fd, name, mode) < 0)
		return err_sys("make directory %s", name);
	TRY(file_open_dir(dir_fd, name, ret_fd));
	return fchmod(*ret_fd, mode) < 0 ? err_sys("change the mode of %s", name) : NULL;
}

struct err *layer_begin(struct store *store, struct layer_stage **ret)
{
	AUTO(layer_stage) struct layer_stage *stage = xcalloc(1, sizeof(*stage));
	int tmp_fd = -1;

	*stage = (struct layer_stage){ .store = store, .dir_fd = -1, .fs_fd = -1, .work_fd = -1 };
	TRY(store_lease(store, &tmp_fd));
	stage->name = store_temp_name(store);
	TRY(err_wrap(make_dir(tmp_fd, stage->name, 0700, &stage->dir_fd), "stage a layer"));
	TRY(err_wrap(make_dir(stage->dir_fd, "fs", 0755, &stage->fs_fd), "stage a layer"));
	TRY(err_wrap(make_dir(stage->dir_fd, "work", 0700, &stage->work_fd), "stage a layer"));
	*ret = STEAL(stage);
	return NULL;
}

struct err *layer_scratch(struct store *store, int *ret_fd)
{
	AUTO(mem) char *name = NULL;
	int tmp_fd = -1;

	TRY(store_lease(store, &tmp_fd));
	name = store_temp_name(store);
	return err_wrap(make_dir(tmp_fd, name, 0755, ret_fd), "make a scratch directory");
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void layer_stage_free(struct layer_stage *stage)
{
	if (!stage)
		return;
	close_fd(&stage->work_fd);
	close_fd(&stage->fs_fd);
	close_fd(&stage->dir_fd);
	if (stage->name) /* what cannot be moved to the trash now goes with the lease */
		err_free(trash_put(stage->store, atomic_load(&stage->store->tmp_fd), stage->name));
	free(stage->name);
	free(stage);
}

/* ---- diff ids ---- */

/* "diffs/<hex diff id>" or, with a chain, "diffs/<hex diff id>.<hex chain id>". */
static char *diff_path(const struct digest *diff_id, const struct digest *chain,
		       char buf[static STORE_PATH_SIZE])
{
	char below[STORE_PATH_SIZE];
	size_t len;

	store_hex_path("diffs/", diff_id, buf);
	len = strlen(buf);
	if (chain)
		snprintf(buf + len, STORE_PATH_SIZE - len, "%s", store_hex_path(".", chain, below));
	return buf;
}

/* The trusted layer that a link in diffs/ leads to, not pinned. */
static struct err *follow_diff(struct store *store, const struct digest *diff_id,
			       const struct digest *chain, bool *ret_found,
			       struct layer_meta *ret_meta)
{
	char path[STORE_PATH_SIZE];
	char target[sizeof(LINK_TARGET) + LAYER_ID_SIZE] = "";
	const size_t skip = sizeof(LINK_TARGET) - 1;
	struct meta_record record;
	bool found = false;
	ssize_t len;

	*ret_found = false;
	len = readlinkat(store->root_fd, diff_path(diff_id, chain, path), target,
			 sizeof(target) - 1);
	if (len < 0 && errno != ENOENT && errno != EINVAL)
		return err_sys("read link %s", path);
	if (len < 0 || !str_starts(str_of(target), LINK_TARGET))
		return NULL;
	TRY(meta_find(store, target + skip, &found, &record));
	if (!found || !record.meta.has_diff_id || !digest_equal(&record.meta.diff_id, diff_id) ||
	    record.meta.dependent != (chain != NULL))
		return NULL;
	*ret_meta = record.meta;
	*ret_found = true;
	return NULL;
}

/* Let a link in diffs/ that leads nowhere lead to this layer. */
static struct err *replace_link(struct store *store, const char *target, const char *path)
{
	AUTO(mem) char *temp = store_temp_name(store);
	int tmp_fd = -1;

	TRY(store_lease(store, &tmp_fd));
	if (symlinkat(target, tmp_fd, temp) < 0)
		return err_sys("link %s", path);
	if (renameat(tmp_fd, temp, store->root_fd, path) < 0)
		return err_sys("link %s", path);
	return NULL;
}

/* Link the layer from diffs/, unless a good layer is linked there: `*ret_other` then is that
 * layer, and its lid is empty otherwise. The caller holds the prune lock. */
static struct err *link_diff(struct store *store, const struct layer_meta *meta,
			     const struct digest *chain, struct layer_meta *ret_other)
{
	const struct digest *below = meta->dependent ? chain : NULL;
	char target[sizeof(LINK_TARGET) + LAYER_ID_SIZE];
	char path[STORE_PATH_SIZE];
	bool found = false;

	ret_other->lid[0] = '\0';
	snprintf(target, sizeof(target), LINK_TARGET "%s", meta->lid);
	if (symlinkat(target, store->root_fd, diff_path(&meta->diff_id, below, path)) == 0)
		return NULL;
	if (errno != EEXIST)
		return err_sys("link %s", path);
	TRY(follow_diff(store, &meta->diff_id, below, &found, ret_other));
	if (found && strcmp(ret_other->lid, meta->lid) == 0)
		ret_other->lid[0] = '\0';
	return found ? NULL : replace_link(store, target, path);
}

static struct err *pin_layer(struct store *store, const char *lid)
{
	return store_pin(store, &(struct pin){ PIN_LAYER, lid }, 1);
}

/* As layer_find(); the caller holds the prune lock. */
static struct err *find_diff(struct store *store, const struct digest *diff_id,
			     const struct digest *chain, bool *ret_found, struct layer_meta *ret)
{
	bool found = false;

	TRY(follow_diff(store, diff_id, NULL, &found, ret));
	if (!found && chain)
		TRY(follow_diff(store, diff_id, chain, &found, ret));
	if (found)
		TRY(pin_layer(store, ret->lid));
	*ret_found = found;
	return NULL;
}

struct err *layer_find(struct store *store, const struct digest *diff_id,
		       const struct digest *chain, bool *ret_found, struct layer_meta *ret_meta)
{
	AUTO(lock) struct lock hold = LOCK_INIT;
	struct layer_meta meta;

	TRY(store_hold(store, &hold));
	TRY(find_diff(store, diff_id, chain, ret_found, &meta));
	if (*ret_found && ret_meta)
		*ret_meta = meta;
	return NULL;
}

/* ---- sealing ---- */

/* Nobody else sees the stage yet, so the record is written in place. */
static struct err *write_record(const struct layer_stage *stage, const struct layer_meta *meta)
{
	AUTO(buf) struct buf text = BUF_INIT(META_MAX);
	struct meta_record record = { .meta = *meta };
	AUTO(fd) int fd = -1;

	memcpy(record.boot, stage->store->boot_id, sizeof(record.boot));
	TRY(meta_format(&record, &text));
	fd = openat(stage->dir_fd, "meta", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_sys("create the record");
	return file_write_all(fd, text.at, text.len, "the record");
}

/* Give the stage its name in layers/. */
static struct err *publish(struct layer_stage *stage, const char *lid)
{
	struct store *store = stage->store;
	char path[STORE_PATH_SIZE];

	TRY(pin_layer(store, lid));
	snprintf(path, sizeof(path), "layers/%s", lid);
	if (renameat(atomic_load(&store->tmp_fd), stage->name, store->root_fd, path) < 0)
		return err_sys("rename to %s", path);
	free(STEAL(stage->name)); /* it is no stage any more */
	store_note_unsynced(store, lid);
	return NULL;
}

/* Link a new layer. If an equal one is linked already, that is the one to go on with. */
static struct err *link_or_yield(struct store *store, const struct digest *chain,
				 struct layer_meta *meta)
{
	struct layer_meta other;

	TRY(link_diff(store, meta, chain, &other));
	if (!other.lid[0])
		return NULL;
	TRY(pin_layer(store, other.lid));
	TRY(layer_discard(store, meta->lid));
	*meta = other;
	return NULL;
}

static struct err *seal(struct layer_stage *stage, const struct digest *chain,
			struct layer_meta *meta)
{
	struct store *store = stage->store;
	AUTO(lock) struct lock hold = LOCK_INIT;
	struct layer_meta other;
	bool found = false;

	TRY(store_check_sync(store));
	close_fd(&stage->work_fd);
	TRY(file_remove_tree(stage->dir_fd, "work"));
	TRY(store_random_id(meta->lid));
	TRY(write_record(stage, meta));
	TRY(store_hold(store, &hold));
	if (meta->has_diff_id)
		TRY(find_diff(store, &meta->diff_id, chain, &found, &other));
	if (found) { /* the stage goes when it is freed */
		*meta = other;
		return NULL;
	}
	TRY(publish(stage, meta->lid));
	return meta->has_diff_id ? link_or_yield(store, chain, meta) : NULL;
}

struct err *layer_seal(struct layer_stage *stage, const struct digest *chain,
		       struct layer_meta *meta)
{
	assert(stage->name); /* sealed once */
	assert(!meta->has_diff_id || !meta->dependent || chain);
	return err_wrap(seal(stage, chain, meta), "seal a layer");
}

/* ---- using and amending ---- */

static struct err *no_layer(const char *lid)
{
	return err_new(ERR_NOT_FOUND, "layer %.40s is not in the store", lid);
}

struct err *layer_open(struct store *store, const char *lid, int *ret_fd,
		       struct layer_meta *ret_meta)
{
	AUTO(lock) struct lock hold = LOCK_INIT;
	char path[STORE_PATH_SIZE];
	struct meta_record record;
	AUTO(fd) int fd = -1;
	bool found = false;

	TRY(store_hold(store, &hold));
	TRY(meta_find(store, lid, &found, &record));
	if (!found)
		return no_layer(lid);
	TRY(file_open_dir(store->root_fd, meta_path(lid, "fs", path), &fd));
	TRY(pin_layer(store, lid));
	*ret_fd = STEAL_FD(fd);
	if (ret_meta)
		*ret_meta = record.meta;
	return NULL;
}

struct err *layer_open_dir(struct store *store, const char *lid, int *ret_fd)
{
	char path[STORE_PATH_SIZE];

	if (!store_id_is_valid(str_of(lid)))
		return no_layer(lid);
	return file_open_dir(store->root_fd, meta_path(lid, ".", path), ret_fd);
}

/* Add what `meta` knows to the record. */
static void amend(struct layer_meta *record, const struct layer_meta *meta)
{
	if (meta->entries || meta->bytes) {
		record->entries = meta->entries;
		record->bytes = meta->bytes;
	}
	if (meta->has_diff_id) {
		record->has_diff_id = true;
		record->diff_id = meta->diff_id;
		record->dependent = meta->dependent;
	}
	if (meta->has_blob) {
		record->has_blob = true;
		record->blob = meta->blob;
	}
	record->has_root = record->has_root || meta->has_root;
}

/* The boot stays: it tells when the tree was written. */
static struct err *rewrite_record(struct store *store, const struct layer_meta *meta,
				  struct layer_meta *ret_now)
{
	AUTO(buf) struct buf before = BUF_INIT(META_MAX);
	AUTO(buf) struct buf after = BUF_INIT(META_MAX);
	char path[STORE_PATH_SIZE];
	struct meta_record record;
	bool found = false;

	TRY(meta_find(store, meta->lid, &found, &record));
	if (!found)
		return no_layer(meta->lid);
	TRY(meta_format(&record, &before));
	amend(&record.meta, meta);
	TRY(meta_format(&record, &after));
	*ret_now = record.meta;
	if (str_equal(buf_str(&before), buf_str(&after)))
		return NULL;
	return store_write(store, meta_path(meta->lid, "meta", path), buf_str(&after), 0600,
			   FILE_QUICK);
}

struct err *layer_update(struct store *store, const struct layer_meta *meta)
{
	AUTO(lock) struct lock hold = LOCK_INIT;
	struct layer_meta now = { .lid = "" }, other;
	AUTO(fd) int dir_fd = -1;

	TRY(store_hold(store, &hold));
	TRY(layer_open_dir(store, meta->lid, &dir_fd));
	/* One amendment at a time, or one would undo the other. The lock ends with dir_fd. */
	while (flock(dir_fd, LOCK_EX) < 0)
		if (errno != EINTR)
			return err_sys("lock layer %s", meta->lid);
	TRY(rewrite_record(store, meta, &now));
	if (!now.has_diff_id || now.dependent)
		return NULL;
	return link_diff(store, &now, NULL, &other);
}

struct err *layer_discard(struct store *store, const char *lid)
{
	char path[STORE_PATH_SIZE];

	if (!store_id_is_valid(str_of(lid)))
		return NULL;
	snprintf(path, sizeof(path), "layers/%s", lid);
	return trash_put(store, store->root_fd, path);
}
