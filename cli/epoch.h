/*
 * cli/epoch.h - the time that a reproducible image claims to be from.
 */
#ifndef CLI_EPOCH_H
#define CLI_EPOCH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/mem.h"

struct build_args;
struct err;

/* Seconds since 1970: of --timestamp if it is given, else of SOURCE_DATE_EPOCH if it is set and
 * not empty. ERR_USAGE for what is no time. */
struct err *epoch_find(const char *option, bool *ret_found, int64_t *ret) MUST_USE;

/* The same for a build, whose argument SOURCE_DATE_EPOCH counts more than the environment; an empty
 * one says that there is no epoch. What is found becomes that argument if it was not given, so that
 * an ARG can ask for it. */
struct err *epoch_find_for_build(const char *option, struct build_args *args, bool *ret_found,
				 int64_t *ret) MUST_USE;

#endif
