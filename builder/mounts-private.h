/*
 * builder/mounts-private.h - what mounts.c and mounts_tell.c share.
 */
#ifndef BUILDER_MOUNTS_PRIVATE_H
#define BUILDER_MOUNTS_PRIVATE_H

struct mounts;

#define MOUNTS_TMPFS_MODE 01777

/* Make the list for the sandbox of the holds. */
void mounts_list(struct mounts *mounts);

#endif
