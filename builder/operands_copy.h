/*
 * builder/operands_copy.h - what follows COPY and ADD: flags, sources, heredocs, a destination.
 */
#ifndef BUILDER_OPERANDS_COPY_H
#define BUILDER_OPERANDS_COPY_H

#include "base/mem.h"
#include "builder/recipe.h"

struct err;
struct request;

/* Fill ret->copy, as ret->kind says. ERR_INVALID without a place. */
struct err *operands_parse_copy(const struct request *request, struct instruction *ret) MUST_USE;

#endif
