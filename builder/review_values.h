/*
 * builder/review_values.h - the doubtful things that show once variables have values.
 *
 * A survey (builder/survey.h) with the remarks of builder/review.h's kind:
 * variables that nobody set, ports, working directories, sources that the ignore
 * file hides, images that only --build-arg makes names of.
 */
#ifndef BUILDER_REVIEW_VALUES_H
#define BUILDER_REVIEW_VALUES_H

#include "base/mem.h"
#include "builder/survey.h"

struct ignore;

struct review_values {
	/* What the survey needs; its `visit` and `self` are filled in, `self` may be that of `base`. */
	struct survey survey;
	const struct platform *platform; /* of the build */
	const struct ignore *ignore;     /* of the context; NULL: it is not known */
};

/* Add to the lints of the recipe, and put them in order. An error is one of the Recipe, with its place;
 * what was found before it stands. */
struct err *review_values(const struct review_values *values) MUST_USE;

#endif
