/*
 * store/store.h - the store: one directory that many processes share without a daemon.
 *
 *	store.json            format version and features
 *	oci-layout index.json the store is an OCI image layout; index.json is a view (store/ref.h)
 *	blobs/sha256/<hex>    store/blob.h
 *	refs/<name>           store/ref.h
 *	ids/<xx>/<hex>        store/id.h
 *	layers/<lid>/         store/layer.h
 *	diffs/<hex>           store/layer.h
 *	steps/<xx>/<key>      store/step.h
 *	contexts/<id>         the builder's stat caches; lost without harm
 *	mounts/<id>/          store/cache_dir.h; lost without harm
 *	volumes/<name>/       store/volume_dir.h
 *	builds/<id>/          store/journal.h
 *	leases/<id>           one per running process, locked while it lives
 *	tmp/<lease>/          staging of that process
 *	partial/<hex>         a blob that is still being fetched, or was when its maker died (store/blob.h)
 *	elsewhere/<hex>       store/elsewhere.h; lost without harm
 *	failed/<id>           store/failed.h; lost without harm
 *	git/<hex>/            builder/git_cache.h; lost without harm
 *	web/<hex>             store/web_record.h; lost without harm
 *	trash/                taken out of view, being deleted
 *	limit                 store/prune.h: how large the store may become
 *	lock/                 prune, index, single
 *
 * What always holds (design section 2, the five laws): names appear last;
 * layers and step records are trusted by boot or by a `synced` marker; what is
 * used is pinned under the shared prune lock in the instant of its look-up; one
 * worker per key; an unreadable record is an absent record.
 *
 * A `struct store` may be used by any number of threads at once. Lock order:
 * a key lock (store_single), then the prune lock (taken and dropped inside
 * look-ups), then lock/index.
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include <stdbool.h>

#include "base/digest.h"
#include "base/lock.h"
#include "base/mem.h"

struct err;
struct store;

#define STORE_FORMAT 1

/* The directory that a user means: `given` if not NULL, else $CAIRN_ROOT, else /var/lib/cairn for
 * root, else $XDG_DATA_HOME/cairn, else ~/.local/share/cairn. Owned by the caller. */
struct err *store_find_root(const char *given, char **ret) MUST_USE;

/* Open the store at `root`, making it if it is absent or an empty directory (mode 0700).
 * ERR_UNSUPPORTED for a newer format, ERR_INVALID for a directory that is something else,
 * ERR_SYSTEM (EROFS, EACCES, ENOSPC) with the path and what to do. Cheap: a dozen system
 * calls; no lease is taken until something is pinned or staged. What somebody deleted from its top
 * (layers/, refs/, index.json, ...) is made again. A store on a read-only file system opens for
 * reading. */
struct err *store_open(const char *root, struct store **ret) MUST_USE;
/* Drops the lease and removes this process's staging. */
void store_close(struct store *store);

const char *store_path(const struct store *store); /* absolute; borrowed */
int store_fd(const struct store *store);           /* the root directory; borrowed */
const char *store_boot_id(const struct store *store);

/* How layers are stacked, a number of overlay/driver.h; 0 until it is known. */
int store_driver(const struct store *store);
void store_set_driver(struct store *store, int driver);
/* Set it unless it is known: true for the one caller that did. */
bool store_choose_driver(struct store *store, int driver);

/* Hold the lock of one key: whoever makes the object of that key holds it while making it, and
 * looks again after getting it. Give it back with lock_release(). `wait` (may be NULL) hears that
 * somebody else, a process or a thread of this one, has the key, and may call the wait off:
 * ERR_CANCELLED then. */
struct err *store_single(struct store *store, const struct digest *key,
			 const struct lock_wait *wait, struct lock *ret) MUST_USE;

/* Make everything committed so far survive a power cut: one syncfs, then `synced` markers on
 * this process's layers. A write-back error means no markers and ERR_SYSTEM. Slow (disk). */
struct err *store_sync(struct store *store) MUST_USE;
/* The same by a process of its own, for which nobody waits: within `period` nanoseconds, and at
 * once when the store is closed or this process dead. That process is started by the first call
 * that finds a layer without a marker, but not before the store has been open for `period`: until
 * then the call does nothing, as no more work than that is at stake. It holds nothing but the
 * store's directory, and ends soon after us. A write-back error shows in that layers are missing.
 * Cheap: for the end of every step. */
void store_sync_later(struct store *store, uint64_t period);

static inline void store_auto_(struct store **store)
{
	store_close(*store);
}

/* Say what can be done about a full disk or a quota that is used up, in the one wording that there is.
 * `detail` ("4096 bytes are free") may be NULL. */
struct err *store_note_full(struct err *err, const char *detail) MUST_USE;

#endif
