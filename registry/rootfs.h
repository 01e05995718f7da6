/*
 * registry/rootfs.h - an image of one layer, from the tar of a root filesystem.
 *
 * The tar becomes the layer as it is: its diff id is the digest of the
 * (decompressed) bytes. It is read on its way, so that what is no tar is
 * refused, and what could not be unpacked later. An empty tar is an image
 * without files.
 */
#ifndef REGISTRY_ROOTFS_H
#define REGISTRY_ROOTFS_H

#include <time.h>

#include "base/codec.h"
#include "base/mem.h"
#include "store/descriptor.h"
#include "store/platform.h"

struct err;
struct source;
struct store;

struct rootfs_opts {
	struct platform platform;
	struct compression compression; /* of the blob */
	unsigned workers;               /* threads that compress; 0: one per CPU */
	struct timespec created;
	uint64_t bytes;   /* that the tar may have, with the holes of its files; 0: the usual */
	const char *name; /* of the tar, for a remedy; NULL: none is known */
};

/* Make the image from `tar`, compressed or not; takes ownership of it. `ret_config` is the image
 * id. ERR_INVALID and ERR_CORRUPT name the entry; ERR_UNSUPPORTED says what it is instead of a tar,
 * with a command in the notes that makes one of it. */
struct err *rootfs_import(struct store *store, struct source *tar, const struct rootfs_opts *opts,
			  struct descriptor *ret_manifest, struct descriptor *ret_config) MUST_USE;

#endif
