/*
 * overlay/xattr.h - the extended attributes that belong to an image.
 *
 * Kept are user.* but for user.cairn.* (overlay/owner.h) and user.fuseoverlayfs.*, file capabilities, IMA signatures and POSIX ACLs. The rest
 * speaks of one machine (SELinux labels, EVM seals) or of one kernel's bookkeeping
 * (trusted.*), and neither enters a blob nor leaves one. What overlayfs itself
 * keeps is told apart by overlay/whiteout.
 *
 * Only regular files and directories have attributes here: user.* exists on
 * nothing else, and neither do the others that are kept, but for the ACLs of device
 * nodes and fifos, which no tool writes to an image.
 */
#ifndef OVERLAY_XATTR_H
#define OVERLAY_XATTR_H

#include <stdbool.h>
#include <stddef.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/tar.h"

struct err;

/* What fuse-overlayfs believes whoever wrote it, in every layer: that a directory hides those below it. No blob has
 * them, and no layer made of one. A step under another driver can leave them in the layer that it makes here: if
 * fuse-overlayfs mounts that later, it hides from this Recipe's own steps what they say. */
#define FUSE_XATTR_PREFIX "user.fuseoverlayfs."

#define XATTR_DEFAULT_ACL "system.posix_acl_default"

/* A set, sorted by name. One is used again and again, so that files without attributes cost one
 * system call and no memory. All zero is empty. */
struct xattrs {
	struct tar_xattr *at; /* points into `text` */
	size_t len, cap;
	char *text; /* owned: names with their NULs, and values */
	size_t text_len, text_cap;
};

void xattrs_release(struct xattrs *set);

/* How a directory tree spells its attributes. */
enum xattr_side {
	XATTR_LAYER, /* a directory of the store: overlayfs's own are dropped, escapes undone */
	XATTR_VIEW,  /* a mounted tree: names are what they seem */
};

/* True for a name that is kept. */
bool xattr_kept(const char *name);

/* The kept attributes of the file or directory `fd` (not O_PATH) replace the content of `set`.
 * A value above TAR_XATTR_MAX is ERR_UNSUPPORTED. */
struct err *xattrs_read(int fd, enum xattr_side side, struct xattrs *set) MUST_USE;

bool xattrs_equal(const struct xattrs *a, const struct xattrs *b);

/* The attribute called `name` among `count` sorted ones, or NULL. */
const struct tar_xattr *xattrs_find(const struct tar_xattr *at, size_t count, const char *name);

/* Set those of `count` attributes that are kept on `fd`, `side` says in which spelling. With
 * `skip` (may be NULL) the one of that name is left out. */
struct err *xattrs_apply(int fd, enum xattr_side side, const struct tar_xattr *at, size_t count,
			 const char *skip) MUST_USE;

/* Take all kept attributes from `fd`. */
struct err *xattrs_clear(int fd, enum xattr_side side) MUST_USE;

/* Give `to_fd`, in a tree as it is seen (XATTR_VIEW), what a file of a tree of this side has: all
 * user.* and the others that are kept. */
struct err *xattrs_transfer(int from_fd, enum xattr_side side, int to_fd) MUST_USE;

/* The record of an owner (overlay/owner.h) that a link or fifo may have, for its copy of the same name. */
struct err *xattrs_transfer_record(int from_dir, const char *name, int to_dir) MUST_USE;

/* What a step has set in a tree as it is seen becomes what it is in a layer: names of the kind that
 * overlayfs keeps are escaped. */
struct err *xattrs_escape(int fd) MUST_USE;

/* Whether `name` in `dir_fd` has an attribute of the kind that overlayfs keeps, which a layer and a
 * view call differently; no link is followed. */
struct err *xattrs_look_for_ours(int dir_fd, const char *name, bool *ret) MUST_USE;

static inline void xattrs_auto_(struct xattrs *set)
{
	xattrs_release(set);
}

#endif
