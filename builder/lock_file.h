/*
 * builder/lock_file.h - the Recipe.lock of a build: where it lies, and what is read from and written to it.
 *
 * It lies beside the Recipe and has its name with ".lock" behind it. A Recipe that came through standard input, alone as a
 * context or by -f URL has none; that of a context that was fetched is read and never written.
 */
#ifndef BUILDER_LOCK_FILE_H
#define BUILDER_LOCK_FILE_H

#include <stddef.h>

#include "base/mem.h"

struct build_opts;
struct context;
struct err;
struct plan;
struct source_lock;

enum lock_wish {
	LOCK_USE,     /* what is locked counts, and the rest is resolved */
	LOCK_REQUIRE, /* everything has to be locked */
	LOCK_UPDATE,  /* nothing counts; written once the build has succeeded */
	LOCK_ONLY,    /* nothing counts; written, and nothing is built */
};

/* Read the lock of the Recipe called `name` as opts->lock_wish wants it; `*ret` is the caller's, and NULL if there is none
 * or it does not count. ERR_NOT_FOUND if there has to be one; ERR_USAGE if it shall be written and has no place. */
struct err *lock_file_open(const struct build_opts *opts, const struct context *context,
			   const char *name, struct source_lock **ret) MUST_USE;

/* Say which sources of the plans opts->lock lacks. */
void lock_file_tell(const struct build_opts *opts, struct plan *const *plans, size_t count);

/* Write all sources of the plans, atomically. */
struct err *lock_file_write(const struct build_opts *opts, const char *name,
			    struct plan *const *plans, size_t count) MUST_USE;

#endif
