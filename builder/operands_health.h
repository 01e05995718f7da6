/*
 * builder/operands_health.h - what follows HEALTHCHECK: NONE, or times and a command.
 */
#ifndef BUILDER_OPERANDS_HEALTH_H
#define BUILDER_OPERANDS_HEALTH_H

#include "base/mem.h"
#include "builder/recipe.h"

struct err;
struct request;

/* Fill ret->healthcheck. ERR_INVALID without a place. */
struct err *operands_parse_healthcheck(const struct request *request, struct instruction *ret)
	MUST_USE;

#endif
