/*
 * store/usage.h - how much disk something takes, as du(1) counts it.
 *
 * What counts is the space that the file system gave to it (st_blocks), directories
 * included; a file with several names counts where it is met first.
 */
#ifndef STORE_USAGE_H
#define STORE_USAGE_H

#include <stdint.h>

#include "base/map.h"
#include "base/mem.h"

struct err;

/* What was counted already: files with more than one name. All zero is empty. */
struct usage {
	struct map seen;
};

void usage_release(struct usage *usage);

static inline void usage_auto_(struct usage *usage)
{
	usage_release(usage);
}

/* Add the bytes that `path` below `dir_fd`, and all that lies below it, takes to `*bytes`. Links are
 * not followed, other file systems not entered, any depth is fine. What vanishes meanwhile, and what
 * is absent, counts nothing. */
struct err *usage_add(struct usage *usage, int dir_fd, const char *path, uint64_t *bytes) MUST_USE;

#endif
