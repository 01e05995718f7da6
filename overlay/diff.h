/*
 * overlay/diff.h - a directory becomes a canonical tar: layers and whole root filesystems.
 *
 * The walk goes depth first in byte order, a directory before its children,
 * whiteouts first among them. What it writes is a function of the tree (and,
 * for a layer, of which names exist below), never of readdir order, clock or
 * host. Section 2.2 of the storage reference has the rules; `base/tar` the bytes.
 *
 * A layer's upper directory is read as overlayfs left it: a whiteout is written
 * only if something below has the name; an opaque directory becomes explicit
 * whiteouts for every name that it hides; a directory that was copied up without
 * a change and without a written child is left out; the parents of everything
 * written are written. The root is written ("./") only if it differs from below.
 * Sockets are left out. A file called ".wh.*" is refused: it cannot be said.
 */
#ifndef OVERLAY_DIFF_H
#define OVERLAY_DIFF_H

#include <stdbool.h>
#include <stdint.h>

#include "base/codec.h"
#include "base/digest.h"
#include "base/mem.h"
#include "store/layer.h"

struct err;
struct sink;
struct store;
struct tar_entry;

struct diff_opts {
	int below_fd; /* view of what lies below the layer; -1: nothing (every entry is new) */
	bool flat;    /* a merged tree, not a layer: all of it, "./" first; below_fd is ignored */
	/* Called for each entry after its content was hashed, in order; may be NULL. `digest` is
	 * NULL unless it is a regular file with content of its own. */
	void (*each)(void *arg, const struct tar_entry *entry, const struct digest *digest);
	void *arg;
};

struct diff_result {
	uint64_t entries, bytes; /* entries written, bytes of content */
};

/* Write the tar of the tree at `fs_fd`, with its end, into `out` (borrowed, not finished: what goes
 * wrong there shows when it is). ERR_INVALID "... has changed" for a file that grows or shrinks
 * while it is read. Errors name the path. */
struct err *diff_write(int fs_fd, const struct diff_opts *opts, struct sink *out,
		       struct diff_result *ret) MUST_USE;

/* Whether the tar of a layer would hold no entry at all. Stops at the first that it would. */
struct err *diff_is_empty(int fs_fd, int below_fd, bool *ret) MUST_USE;

/* Set times later than `epoch` (seconds) to it, in the whole tree; symlinks and directories too. */
struct err *diff_clamp_times(int fs_fd, int64_t epoch) MUST_USE;

/* Make the blob of a sealed layer, in one pass by a pipeline of threads with bounded buffers:
 * walk -> tar -> SHA-256 (diff id) -> compress -> SHA-256 (digest) -> file; and write the layer's
 * `list`. Records the result with layer_update() and in `meta`. Does nothing if the layer has a
 * blob in the store already, whatever its compression. `workers`: threads for compressing. */
struct err *diff_commit_blob(struct store *store, struct layer_meta *meta, int below_fd,
			     const struct compression *how, unsigned workers) MUST_USE;

#endif
