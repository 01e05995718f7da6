/*
 * builder/review_values.h - the doubtful things that show once variables have values.
 *
 * A survey (builder/survey.h) with the remarks of builder/review.h's kind:
 * variables that nobody set, ports, working directories, sources that the ignore
 * file hides, images that only --build-arg makes names of. What no build takes
 * (builder/demands.h) is an error.
 */
#ifndef BUILDER_REVIEW_VALUES_H
#define BUILDER_REVIEW_VALUES_H

#include "base/mem.h"
#include "builder/survey.h"

struct build_context;
struct ignore;

struct review_values {
	/* What the survey needs; its `visit` and `self` are filled in, `self` may be that of `base`. */
	struct survey survey;
	const struct platform *platform;      /* of the build */
	const struct ignore *ignore;          /* of the context; NULL: it is not known */
	const struct build_context *contexts; /* what stands in the place of images */
	size_t context_count;
};

/* Add to the lints of the recipe, and put them in order. An error is one of the Recipe, with its place;
 * what was found before it stands. */
struct err *review_values(const struct review_values *values) MUST_USE;

#endif
