/*
 * builder/squash.h - the layers of an image as one: all of them, or those that the build made.
 */
#ifndef BUILDER_SQUASH_H
#define BUILDER_SQUASH_H

#include <stdbool.h>

#include "base/mem.h"

struct err;
struct image_layer;
struct plan;
struct plan_stage;

/* The layer that takes the place of those above the base of `target`, or with `all` of those of the base, too. It
 * is compressed as the options say. `*ret_empty`: there would be nothing in it. After execute(). */
struct err *squash_stage(struct plan *plan, struct plan_stage *target, bool all,
			 struct image_layer *ret, bool *ret_empty) MUST_USE;

#endif
