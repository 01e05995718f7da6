/*
 * overlay/whiteout.h - the two spellings of "this was deleted", and the only place that knows both.
 *
 * In blobs (OCI image-spec, layer): an empty file ".wh.NAME" hides NAME of the
 * layers below; ".wh..wh..opq" hides all that lies below its directory. In the
 * store (overlayfs, mounted with userxattr): a character device 0:0 called NAME;
 * a directory with the xattr user.overlay.opaque = "y". Where the file system of the
 * store can hold neither, because it is itself an overlay or knows no attributes,
 * they are marks: files called as in blobs, empty and of mode 0, with an xattr that
 * overlayfs lets nobody set (user.overlay.cairn-mark) if there can be any. Overlayfs does
 * not read them, so it is no storage driver there (overlay/driver.h). Every other xattr
 * user.overlay.* and trusted.overlay.* is overlayfs's own: it is never written
 * to a blob, and one found in a blob is escaped on unpacking (user.overlay.X ->
 * user.overlay.overlay.X), so that no layer can speak to the kernel.
 */
#ifndef OVERLAY_WHITEOUT_H
#define OVERLAY_WHITEOUT_H

#include <stdbool.h>
#include <sys/stat.h>

#include "base/mem.h"

struct err;

enum whiteout_kind { WHITEOUT_NONE, WHITEOUT_FILE, WHITEOUT_OPAQUE };

/* What the last component of a tar path means. For WHITEOUT_FILE `*ret_name` points behind the
 * prefix, into `name`. ERR_INVALID for a name that hides nothing that can exist: ".wh.",
 * ".wh..", ".wh...", and ".wh..wh." names other than the opaque mark. */
struct err *whiteout_parse(const char *name, enum whiteout_kind *ret, const char **ret_name)
	MUST_USE;
/* True for a name that cannot be written to a blob because it would read as a whiteout. */
bool whiteout_reserved(const char *name);

bool whiteout_is(const struct stat *st); /* a character device 0:0 */
/* What the file `name` of a layer's directory, with these data, is as a mark; as whiteout_parse(). A
 * file that only looks like one, as a step can make it, is none. */
enum whiteout_kind whiteout_mark(int dir_fd, const char *name, const struct stat *st,
				 const char **ret_name);
/* ERR_SYSTEM with EEXIST if the name is taken, ERR_UNSUPPORTED on a file system that lets nobody see it. */
struct err *whiteout_make(int dir_fd, const char *name) MUST_USE;
struct err *whiteout_set_opaque(int dir_fd) MUST_USE;
struct err *whiteout_is_opaque(int dir_fd, bool *ret) MUST_USE;

/* True for an xattr of the kind that overlayfs keeps, its own or an escaped one. */
bool whiteout_xattr_is_ours(const char *name);
/* True for an xattr that belongs to overlayfs and must not leave the store. */
bool whiteout_xattr_is_private(const char *name);
/* The name under which a foreign xattr is kept in the store, owned by the caller. */
char *whiteout_xattr_escape(const char *name) MUST_USE;
/* The inverse, for writing a blob: NULL if it is private. Borrowed from `name`'s memory or
 * static: valid while `name` is. `buf` has room for strlen(name) + 1. */
const char *whiteout_xattr_unescape(const char *name, char *buf);

#endif
