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

struct buf;
struct err;
struct sink;
struct store;
struct tar_entry;

struct diff_opts {
	int below_fd; /* view of what lies below the layer; -1: nothing (every entry is new) */
	bool flat;    /* a merged tree, not a layer: all of it, "./" first; below_fd is ignored */
	const char *
		prefix; /* of a merged tree: "dir", in which all of it is; then the tar has no end, and
			     * more may follow. NULL: none */
	/* Of a merged tree, both may be NULL: whether it is an entry of the tar, and what is written behind an entry that
	 * is a directory, whether it is one or not. */
	bool (*wants)(void *arg, const struct tar_entry *entry);
	struct err *(*behind)(void *arg, const struct tar_entry *dir, struct sink *out);
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

/* The line of an entry in a layer's list (see diff_commit_blob()), appended with its newline. */
void diff_list_line(struct buf *line, const struct tar_entry *entry, const struct digest *digest);

/* Set times later than `epoch` (seconds) to it, in the whole tree; symlinks and directories too. */
struct err *diff_clamp_times(int fs_fd, int64_t epoch) MUST_USE;

/* Make the blob of a sealed layer, in one pass by a pipeline of threads with bounded buffers:
 * walk -> tar -> SHA-256 (diff id) -> compress -> SHA-256 (digest) -> file; and write the layer's
 * `list`. Records the result with layer_update() and in `meta`. Does nothing but fill in `meta` if
 * the layer has a blob in the store already, of the right size and whatever its compression (with
 * `exact`: of this codec), or gets one from another process meanwhile. `workers`: threads for
 * compressing.
 *
 * ERR_NOT_FOUND, with a remedy, if the layer was pulled and its blob is gone: a layer has one diff
 * id, and this would make a tar that has another.
 *
 * layers/<lid>/list is the table of contents of that tar, a line for each entry in its order:
 *
 *	f 0755 0 0 1234 1700000000 <64 hex digits of the content's SHA-256> usr/bin/x
 *	h 0755 0 0 0 1700000000 usr/bin/x usr/bin/y             a hard link and its target
 *	l 0777 0 0 0 1700000000 ../x usr/lib/y                  a symbolic link and its target
 *	d 0755 0 0 0 1700000000 - usr/                          p, a fifo, is alike
 *	c 0666 0 0 0 1700000000 1:3 dev/null                    b, a block device, is alike
 *	w 0000 0 0 0 0 - usr/.wh.gone                           a whiteout of usr/gone
 *
 * Type, mode, uid, gid, size, mtime, content, path. In paths and targets a byte up to 0x20, 0x7f
 * and the backslash are written as a backslash and three octal digits. The last line is "end".
 * Nothing flushes it: whoever reads it checks that it ends. */
struct err *diff_commit_blob(struct store *store, struct layer_meta *meta, int below_fd,
			     const struct compression *how, bool exact, unsigned workers) MUST_USE;

#endif
