/*
 * overlay/export.h - a merged root filesystem leaves the store: as a tar, or into a directory.
 *
 * `view_fd` is a stack's view. The tar is canonical (overlay/diff.h), flat, with "./" first and
 * no whiteouts. A directory gets the same tree: owners and devices when we are root, otherwise
 * the caller's own, said once. Symbolic links of the tree are never followed on the way in or
 * out; the destination is made if absent, and must not hold a non-directory where the tree has a
 * directory.
 */
#ifndef OVERLAY_EXPORT_H
#define OVERLAY_EXPORT_H

#include "base/mem.h"

struct err;
struct sink;

/* The mount points that only the skeleton brings are not part of it. */
struct err *export_tar(int view_fd, struct sink *out) MUST_USE;
struct err *export_dir(int view_fd, int dest_fd) MUST_USE;

#endif
