/*
 * builder/operands_run.h - what follows RUN: mounts, devices, network, a command, heredocs.
 */
#ifndef BUILDER_OPERANDS_RUN_H
#define BUILDER_OPERANDS_RUN_H

#include "base/mem.h"
#include "builder/recipe.h"

struct err;
struct request;

/* Fill ret->run. ERR_INVALID without a place. */
struct err *operands_parse_run(const struct request *request, struct instruction *ret) MUST_USE;

#endif
