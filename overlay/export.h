/*
 * overlay/export.h - a merged root filesystem leaves the store: as a tar, or into a directory.
 *
 * `view_fd` is a stack's view. The tar is canonical (overlay/diff.h), flat, with
 * "./" first (its time is 0: it depends on how the layers came here) and no
 * whiteouts. A directory gets the same tree, in addition to what it holds: files
 * replace files, directories merge and take over the attributes; a file in the
 * place of a directory, or the other way round, is an error, since nobody asked
 * to have either deleted. The directory itself keeps its attributes. Links in the
 * destination are replaced, never followed.
 *
 * Owners, devices, capabilities and set-id bits come along when we are root;
 * otherwise everything is the caller's own, and a warning says what was left
 * out. So it is with extended attributes on a file system without them.
 */
#ifndef OVERLAY_EXPORT_H
#define OVERLAY_EXPORT_H

#include "base/mem.h"

struct err;
struct sink;

/* Write the tar to `out`, which is not finished: its owner hears there whether it took
 * everything. */
struct err *export_tar(int view_fd, struct sink *out) MUST_USE;
/* The same below a directory `name` of the tar, without its end: more may follow, then tar_write_end(). */
struct err *export_tar_below(int view_fd, const char *name, struct sink *out) MUST_USE;
/* `dest_fd` is the directory. On error it holds a part. ERR_INVALID names what is in the way. */
struct err *export_dir(int view_fd, int dest_fd) MUST_USE;
/* The same, but everything is the caller's own whoever that is, and nothing is said about it. */
struct err *export_dir_as_own(int view_fd, int dest_fd) MUST_USE;

#endif
