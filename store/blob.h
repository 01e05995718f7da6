/*
 * store/blob.h - content-addressed bytes: manifests, configs, compressed layers.
 *
 * A blob has its name only after its bytes were hashed on their way in, and
 * its data is on disk (fdatasync) before it has the name. The directory's entries
 * are flushed once per batch, by blob_sync(), before anything durable names
 * them. Blobs are files of mode 0444 below blobs/sha256.
 */
#ifndef STORE_BLOB_H
#define STORE_BLOB_H

#include <stdbool.h>
#include <stdint.h>

#include "base/digest.h"
#include "base/mem.h"
#include "base/str.h"
#include "store/descriptor.h"

struct err;
struct sink;
struct store;

/* Open for reading and pin. ERR_NOT_FOUND "blob sha256:... is not in the store"; ERR_CORRUPT if what has its
 * name is no regular file. */
struct err *blob_open(struct store *store, const struct digest *digest, int *ret_fd,
		      uint64_t *ret_size) MUST_USE;
/* Whether it is there, with its size; pins it if so. `ret_size` may be NULL. */
struct err *blob_find(struct store *store, const struct digest *digest, bool *ret_found,
		      uint64_t *ret_size) MUST_USE;
/* Whether it is there, with the size that it must have; pins it if so. */
struct err *blob_has(struct store *store, const struct descriptor *blob, bool *ret) MUST_USE;
/* Reading a blob ended with `err`, or NULL. If that is ERR_CORRUPT, the blob is hashed once more,
 * and if its bytes are not its own it is taken out of view: from then on it is absent, so that
 * who needs it makes it anew, and the error names it and the remedy. Takes ownership of `err`. */
struct err *blob_doubt(struct store *store, const struct digest *digest, struct err *err) MUST_USE;
/* Hash it, and pin it. `*ret_good` is false only if its bytes are certainly not its own; with `discard` it is
 * then taken out of view. ERR_NOT_FOUND if it is absent. */
struct err *blob_verify(struct store *store, const struct digest *digest, bool discard,
			bool *ret_good) MUST_USE;
/* A small document, verified against its digest. ERR_CORRUPT names the blob and the remedy. */
struct err *blob_read(struct store *store, const struct digest *digest, size_t max, struct buf *ret)
	MUST_USE;

struct blob_writer;

/* A blob in the making, below tmp/<lease>. Write through the sink (borrowed), then commit. */
struct err *blob_begin(struct store *store, struct blob_writer **ret) MUST_USE;
struct sink *blob_sink(struct blob_writer *writer);
/* Flush, verify and name it. `want` (may be NULL) is the digest that it must have: ERR_CORRUPT
 * otherwise. A blob that exists already is fine, and keeps its file. Pins it. The writer is
 * spent, free it. */
struct err *blob_commit(struct blob_writer *writer, const struct digest *want,
			struct digest *ret_digest, uint64_t *ret_size) MUST_USE;
void blob_writer_free(struct blob_writer *writer); /* without commit: nothing remains */
DEFINE_AUTO(blob_writer)

/* The same for a blob that comes from far away: its bytes so far are kept as partial/<hex> when
 * the writer is freed without a commit, or the process dies, and the next one goes on there. The
 * caller holds the key lock of `want` (store_single). `*ret_have` bytes are there: read them
 * back by blob_read_back() and write them to the sink, in order and first, where they are hashed
 * and not written again. What nobody has continued for a week is removed. */
struct err *blob_resume(struct store *store, const struct digest *want, struct blob_writer **ret,
			uint64_t *ret_have) MUST_USE;
/* Up to `len` bytes of what is there, at `offset`; 0 at its end. */
struct err *blob_read_back(struct blob_writer *writer, uint64_t offset, void *data, size_t len,
			   size_t *ret) MUST_USE;
/* What is there is wrong: nothing of it is kept when the writer is freed. */
void blob_forget(struct blob_writer *writer);

/* Store a small document and tell its digest. */
struct err *blob_put(struct store *store, struct str data, struct digest *ret) MUST_USE;

/* Flush the names of all blobs committed by this process to disk. Cheap if there are none. */
struct err *blob_sync(struct store *store) MUST_USE;

#endif
