/*
 * builder/review.h - the doubtful things that a Recipe shows by itself.
 *
 * Lints that need neither values nor images: casing, names of stages,
 * instructions that undo each other. What needs more is found by the plan.
 */
#ifndef BUILDER_REVIEW_H
#define BUILDER_REVIEW_H

#include "builder/lex.h"
#include "builder/recipe.h"

/* A FROM line while its operands are at hand. */
void review_from(struct recipe *recipe, const struct stage *stage, const struct words *operands);
/* A FROM or an ARG while its comments are at hand. */
struct description {
	const struct logical_line *line;
	const char *keyword;
	const char *const *names; /* what is defined; of a stage without a name nothing */
	size_t name_count;
};
void review_description(struct recipe *recipe, const struct description *description);
/* The whole. Adds to the recipe's lints and puts them in order of their lines. */
void review_recipe(struct recipe *recipe);

#endif
