/*
 * overlay/fuse.h - layers stacked by the program fuse-overlayfs.
 *
 * The storage driver for where the kernel does not stack layers for us, but lets us mount
 * FUSE: in a user namespace since Linux 4.18. The mount is ours, detached as all are, and the
 * program gets nothing but its end of it, a descriptor of /dev/fuse: when the last
 * descriptor of the mount is closed, however we end, its connection breaks and it ends.
 *
 * The upper directory is in its spelling until fuse_settle(): whiteouts are devices 0:0 or
 * `.wh.` files, opaque directories have a file `.wh..wh..opq` and attributes by several
 * names, and a directory in which a file was copied up has another time than it had.
 */
#ifndef OVERLAY_FUSE_H
#define OVERLAY_FUSE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/mem.h"

struct copies;
struct err;
struct overlay_spec;

#define FUSE_PROGRAM "fuse-overlayfs"
#define FUSE_MISSING "the program " FUSE_PROGRAM " is not installed" /* in errors that say so */

bool fuse_is_installed(void);

extern unsigned fuse_patience; /* milliseconds that it has to begin its work; less in tests */

/* As overlay_mount(). ERR_UNSUPPORTED with the reason if there is no program or no /dev/fuse, or with an
 * idmap, which the program cannot show. ERR_SYSTEM without an errno for what another try may
 * not meet: it was killed, was short of something, or does not begin to work. */
struct err *fuse_mount(const struct overlay_spec *spec, int *ret_fd) MUST_USE;

/* Spell the upper directory of such a mount, to which nobody writes any more, as overlayfs would have
 * left it. `lower_fds` are those of the mount; `copies` (may be NULL) learns of regular files and directories. */
struct err *fuse_settle(int upper_fd, const int *lower_fds, size_t lower_count,
			struct copies *copies) MUST_USE;

#endif
