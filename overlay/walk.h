/*
 * overlay/walk.h - a tree, entry by entry, in canonical order.
 *
 * Depth first, names in byte order, a directory before what it holds. There are
 * two ways to look at a tree. As a layer: an upper directory of overlayfs
 * against what lies below it, see overlay/diff.h for what is an entry then and
 * what is not. And flat: a merged tree or any other directory, of which everything
 * is an entry, the root first, but for sockets.
 *
 * A regular file with several names is an entry once, in the place of the first
 * of them, and a hard link to that name in the others.
 */
#ifndef OVERLAY_WALK_H
#define OVERLAY_WALK_H

#include <stdbool.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "base/tar.h"

struct err;

struct walk_opts {
	bool flat;
	/* Names and stat data alone: no file is opened, no attributes read, no hard links told. */
	bool bare;
	bool first;   /* stop after the first entry */
	int below_fd; /* as a layer: a view of what lies below; -1: nothing lies below */
};

struct walk_entry {
	struct tar_entry tar;  /* as tar_encode_header() takes it; the root is "./" */
	const struct stat *st; /* NULL for a whiteout */
	int fd; /* open for reading: a regular file unless bare, a directory if flat; else -1 */
	/* Where it stands, unless it is a directory: a name in dir_fd. */
	int dir_fd;
	const char *name;
};

/* Call `visit` for every entry; all that it is given is valid during the call alone. Its error ends
 * the walk. ERR_INVALID for a name that no layer can have or a path that is too long; ERR_SYSTEM
 * and ERR_NOT_FOUND also if the tree changes under the walk. Paths are in every error. `fs_fd` and
 * below_fd may be O_PATH. */
struct err *walk(int fs_fd, const struct walk_opts *opts,
		 struct err *(*visit)(void *arg, const struct walk_entry *entry), void *arg)
	MUST_USE;

#endif
