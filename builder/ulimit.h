/*
 * builder/ulimit.h - limits that --ulimit sets for the processes of every RUN.
 */
#ifndef BUILDER_ULIMIT_H
#define BUILDER_ULIMIT_H

#include <stddef.h>

#include "base/mem.h"
#include "base/vec.h"
#include "overlay/sandbox.h"

struct err;

struct ulimits {
	struct sandbox_limit *at;
	size_t len, cap;
};

/* Add "NAME=SOFT[:HARD]", as docker has it: a number, or -1 for no limit; without HARD it is SOFT. What
 * is said last of a NAME counts. ERR_INVALID says what is wrong. */
struct err *ulimits_add(struct ulimits *ulimits, const char *text) MUST_USE;

static inline void ulimits_release(struct ulimits *ulimits)
{
	vec_release(ulimits);
}

#endif
