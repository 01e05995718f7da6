/*
 * builder/provenance-private.h - the parts of a provenance predicate.
 *
 *	provenance.c        what it was made from, how it was asked for, and how it went
 *	provenance_steps.c  mode max: the steps, the Recipe, the layers
 */
#ifndef BUILDER_PROVENANCE_PRIVATE_H
#define BUILDER_PROVENANCE_PRIVATE_H

#include "builder/provenance.h"

struct plan;

/* The Recipe's name without a directory; NULL if it has none. Owned. */
char *provenance_recipe_name(const struct plan *plan) MUST_USE;

/* The steps of a plan in the form of BuildKit's LLB, each with an id and the ids of what it starts from
 * and reads; the caller's. `extra` gets the Recipe, the lines of each step and its layer. */
json_t *provenance_steps(const struct plan *plan, json_t *extra) MUST_USE;

#endif
