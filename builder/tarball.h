/*
 * builder/tarball.h - archives that users and servers hand over, known by what they hold.
 *
 * Whether a file is a tar is told by its bytes and never by its name: the first block,
 * once what it is compressed with is undone (base/decompress.h), is the header of a tar or, in
 * a tar that holds nothing, zeros.
 */
#ifndef BUILDER_TARBALL_H
#define BUILDER_TARBALL_H

#include <stdint.h>

#include "base/mem.h"

struct err;
struct source;
struct store;

enum tarball_kind {
	TARBALL_NONE,   /* no tar, and not compressed */
	TARBALL_PACKED, /* compressed, but no tar */
	TARBALL_TAR,
};

/* What `inner` holds; `*ret` has its bytes from the beginning, decompressed. Owns `inner`, also after
 * an error. A file that only looks compressed is ERR_CORRUPT. */
struct err *tarball_open(struct source *inner, enum tarball_kind *ret_kind, struct source **ret)
	MUST_USE;

/* Unpack a tar (decompressed, borrowed, read to its end) into a fresh directory of the store, which goes when the
 * store is closed; `*ret_fd` is the caller's. The tar is not trusted: overlay/unpack.h, and what `packed`
 * bytes may become (0: nobody knows how many it was) is unpack_limits(). */
struct err *tarball_unpack(struct store *store, struct source *tar, uint64_t packed, int *ret_fd)
	MUST_USE;

#endif
