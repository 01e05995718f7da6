/*
 * store/store-private.h - what the files of store/ share: the open store, the
 * lease, pins, the trash, and small files written aside.
 *
 * Everything is reached from the one open directory of the store, by relative
 * paths such as "layers/<lid>/meta".
 *
 * A process that only reads needs nothing but that directory. The first pin makes
 * the lease, the first file staged makes its directory below tmp/; both last until
 * store_close(), or until another process sweeps what a dead one left.
 */
#ifndef STORE_STORE_PRIVATE_H
#define STORE_STORE_PRIVATE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/digest.h"
#include "base/file.h"
#include "base/map.h"
#include "base/str.h"
#include "base/vec.h"
#include "store/store.h"

#define STORE_ID_SIZE 27    /* 26 characters [a-z2-7] and the NUL: 130 random bits */
#define STORE_BOOT_SIZE 37  /* a UUID and the NUL */
#define STORE_PATH_SIZE 160 /* of "diffs/<hex>.<hex>", the longest relative path */

struct lid {
	char text[STORE_ID_SIZE];
};

struct lids {
	struct lid *at;
	size_t len, cap;
};

struct store {
	char *path;  /* absolute, owned */
	int root_fd; /* opened before anything is written: syncfs(2) tells of errors since */
	char boot_id[STORE_BOOT_SIZE];
	uint64_t opened; /* monotonic nanoseconds */

	atomic_int driver;       /* see store_driver() */
	atomic_uint temp_names;  /* how many were given out */
	atomic_bool read_only;   /* learned from EROFS: nobody can prune, so pins are not needed */
	atomic_bool blobs_dirty; /* names in blobs/sha256 that no directory flush has seen */
	atomic_bool sync_failed; /* a write-back error was reported: nothing can be marked */

	/* Both descriptors are -1 until made, and stay once made. */
	atomic_int lease_fd; /* leases/<id>, locked, append only */
	atomic_int tmp_fd;   /* tmp/<id> */
	char lease_id[STORE_ID_SIZE];
	pthread_mutex_t lease_lock; /* held while they are made: once, so I/O under it is fine */
	struct lock keep; /* guarded by lease_lock: the prune lock, shared, while pins are owed */
	struct buf owed;  /* guarded by lease_lock: lines of pins that there was no room for */

	pthread_mutex_t lock;
	struct map pinned;       /* guarded by lock: "<kind><name>" of every pin written */
	struct lids unsynced;    /* guarded by lock: layers that had no `synced` marker yet */
	struct map unsynced_set; /* guarded by lock: these and those of earlier flushes, to ask */
	uint8_t ids_dirty[32];   /* guarded by lock: a bit for each ids/XX with a changed link */

	int flusher_fd;               /* guarded by flusher_lock: its socket, -1 before it runs */
	pthread_mutex_t flusher_lock; /* held while it is started and talked to: rarely, so I/O
				       * under it is fine */
};

/* 26 random characters. */
struct err *store_random_id(char ret[static STORE_ID_SIZE]) MUST_USE;
bool store_id_is_valid(struct str text);

/* "<dir><hex of the digest>" in `buf`; `dir` ends in a slash. Returns `buf`. */
char *store_hex_path(const char *dir, const struct digest *digest,
		     char buf[static STORE_PATH_SIZE]);

/* Another boot, for tests. At most 36 characters [a-z0-9-]. */
void store_set_boot_id(struct store *store, const char *boot_id);

/* ---- layout.c ---- */

/* Check the format of the store, or lay out a new one in an empty directory. */
struct err *layout_open(struct store *store) MUST_USE;

/* ---- lease.c ---- */

/* The staging directory of this process, tmp/<lease>, made with the lease on first use. Dead
 * leases found on the way are swept. `*ret_dir` is borrowed. */
struct err *store_lease(struct store *store, int *ret_dir) MUST_USE;
/* Remove what dead processes left, without a lease of our own. */
struct err *lease_sweep(struct store *store) MUST_USE;
/* Give everything back: staging, lease. Also of a store that has none. */
void lease_drop(struct store *store);

/* A fresh name below tmp/<lease>, owned by the caller. */
char *store_temp_name(struct store *store) MUST_USE;

/* The prune lock, shared. Nothing is held, without an error, in a store that is read-only. */
struct err *store_hold(struct store *store, struct lock *ret) MUST_USE;

enum pin_kind { PIN_LAYER = 'L', PIN_BLOB = 'B', PIN_STEP = 'S' };

struct pin {
	enum pin_kind kind;
	const char *name; /* a lid or 64 hex digits */
};

/* Record in the lease that this process uses these objects, in one write. The caller holds the
 * prune lock, shared, since before it looked them up. What is pinned already costs nothing. On a full
 * disk, where no lease can be written, that lock is kept instead until a later pin finds room for
 * these as well, or until store_close(): nobody prunes until then. */
struct err *store_pin(struct store *store, const struct pin *pins, size_t count) MUST_USE;
/* What is not pinned because the disk is full may go from now on: before this process prunes itself, which
 * would wait for its own lock. */
void lease_let_go(struct store *store);

/* ---- files.c ---- */

/* Read a small file below the root. One that is absent, too large, no regular file, or that the
 * disk cannot give back is not found: an unreadable record is an absent record. */
struct err *store_read(struct store *store, const char *path, size_t max, struct buf *buf,
		       bool *ret_found) MUST_USE;

/* The same, and why what is there cannot be read: `*ret_why`, the caller's, NULL where there is nothing. */
struct err *store_read_or_why(struct store *store, const char *path, size_t max, struct buf *buf,
			      bool *ret_found, struct err **ret_why) MUST_USE;

/* Whether it is known that there is nothing at this path: not if it cannot be told, for want of
 * memory or because the disk does not answer. What somebody may need is deleted by this answer, never
 * by that of file_exists(). */
bool store_is_gone(const struct store *store, const char *path);

/* Whether the disk did not give back what it holds of a file (EIO, EUCLEAN, EBADMSG). */
bool store_is_lost(const struct err *err);

/* The same, only opened, for reading: `*ret_fd` is -1 for an absent one. */
struct err *store_open_record(struct store *store, const char *path, int *ret_fd) MUST_USE;

/* Put `data` at `path` below the root: written in tmp/<lease>, then renamed. The directory must
 * exist; with FILE_DURABLE flushing its entries is still the caller's. */
struct err *store_write(struct store *store, const char *path, struct str data, mode_t mode,
			enum file_durability durability) MUST_USE;

/* Flush the entries of a directory below the root ("." is the root itself). */
struct err *store_sync_dir(struct store *store, const char *path) MUST_USE;

/* ---- sync.c ---- */

/* Note that a layer has no `synced` marker yet, as far as is known. */
void store_note_unsynced(struct store *store, const char *lid);

/* ERR_SYSTEM once store_sync() has failed: what was written before may be gone, so nothing that
 * this process writes can be relied on any more. */
struct err *store_check_sync(const struct store *store) MUST_USE;

/* ---- trash.c ---- */

/* Take `path` (a file or a tree) out of view: rename it into trash/. Absent is fine. */
struct err *trash_put(struct store *store, int dir_fd, const char *path) MUST_USE;
/* Delete what lies in trash/, until `deadline` (clock_monotonic()). What is left, or cannot be
 * deleted, stays for another time. */
void trash_drain(struct store *store, uint64_t deadline);

#endif
