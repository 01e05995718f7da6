/*
 * cli/target.h - what a build is to make, and what to call it: --target and --tag.
 *
 * --target STAGE[=NAME] may be given more than once, each with names of its own; one that is given
 * again adds a name. Names that are given without a stage (--tag, --output name=) belong to the
 * only target, or to the only one of several that has no name yet.
 */
#ifndef CLI_TARGET_H
#define CLI_TARGET_H

#include <stddef.h>

#include "base/mem.h"
#include "builder/build.h"

struct err;

struct targets {
	struct build_target *at;
	size_t len, cap;
	struct strings stages; /* owned: what they borrow */
};

/* Read the values of --target, then give away `names`, which are canonical, so that there is at least one
 * target in the end. ERR_USAGE for what is no name, and for names that could belong to several. */
struct err *targets_read(const struct strings *values, const struct strings *names,
			 struct targets *ret) MUST_USE;
void targets_release(struct targets *targets);

static inline void targets_auto_(struct targets *targets)
{
	targets_release(targets);
}

/* The first name of the first target that has one; NULL if none has. */
const char *targets_first_name(const struct targets *targets);

#endif
