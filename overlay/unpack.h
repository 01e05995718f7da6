/*
 * overlay/unpack.h - a layer's tar becomes a directory; the tar is not trusted.
 *
 * The parent of every entry is a directory beneath the layer that is held open
 * (overlay/dest.h); the entry itself is made with single-component *at calls that
 * follow nothing (overlay/place.h). Attributes of overlayfs are escaped, sizes,
 * counts and paths are bounded (base/untar.h); ".." in a name, a device that would be a
 * whiteout, and whiteouts of what cannot exist are refused.
 *
 * Image-spec rules: a directory over a directory merges attributes; anything
 * else replaces; the last of duplicate entries wins; whiteouts and opaque marks
 * act on what lies below, never on entries of the same layer, in any order.
 * Directory times are set last.
 *
 * With `plain` it is anybody's tar, not a layer's: there are no whiteouts, and a name that begins
 * with ".wh." is one like others.
 */
#ifndef OVERLAY_UNPACK_H
#define OVERLAY_UNPACK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/digest.h"
#include "base/mem.h"

#include "base/untar.h"

struct err;
struct source;
struct layer_stage;

struct unpack_opts {
	/* A view of what lies below (an empty directory: nothing does), or -1: it is not known.
	 * With it a parent directory that the layer does not bring takes its metadata from there,
	 * or is 0755 root if there is none; a parent that is a link there is followed; a hard link
	 * to a file below copies it up; a whiteout in a directory that nobody has is dropped; and
	 * an opaque root hides each name below. Without it all of this is noted in `dependent`,
	 * missing parents are made 0755 root, and such links and marks are left out. */
	int below_fd;
	bool plain;
	const struct tar_limits *limits; /* NULL: defaults */

	/* With `plain`, where `fs_fd` may hold something: an entry replaces what has its name, and a directory
	 * joins another. A tar's entry for the top is skipped, names of whiteouts are refused, as they cannot be
	 * in a layer, and nothing is digested. */
	bool merge;
	bool give_owner; /* `uid` and `gid` own every entry, whatever the tar says */
	uid_t uid;
	gid_t gid;
};

struct unpack_result {
	struct digest diff_id; /* of all bytes of the tar; zero with `merge` */
	uint64_t entries, bytes;
	bool dependent; /* needs what lies below, and got it only if below_fd was given */
	bool has_root;  /* an entry "./" set the metadata of the layer's "/" */
};

/* What a layer of `packed` bytes may become, so that a small one cannot fill the disk: 200 times as much,
 * holes of files included, but not less than 4 GiB, for a few large files of zeros are no attack, nor
 * more than any tar may have. */
struct tar_limits unpack_limits(uint64_t packed);

/* Read an uncompressed tar from `tar` (borrowed, read to its end, from another thread if it is
 * long) into `fs_fd`, an empty directory but with `merge`. On error the directory's content is undefined: drop
 * the stage. ERR_CORRUPT and ERR_INVALID name the entry. */
struct err *unpack(struct source *tar, int fs_fd, const struct unpack_opts *opts,
		   struct unpack_result *ret) MUST_USE;

#endif
