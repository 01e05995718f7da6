/*
 * builder/review.h - the doubtful things that a Recipe shows by itself.
 *
 * Lints that need neither values nor images: casing, names of stages,
 * instructions that undo each other. What needs more is found by the plan.
 */
#ifndef BUILDER_REVIEW_H
#define BUILDER_REVIEW_H

#include "builder/recipe.h"

/* A FROM line while its operands are at hand. */
void review_from(struct recipe *recipe, const struct stage *stage, const struct words *operands);
/* The whole. Adds to the recipe's lints and puts them in order of their lines. */
void review_recipe(struct recipe *recipe);

#endif
