/*
 * builder/duration.h - durations as Go writes them: "1h30m", "500ms", "1.5s".
 */
#ifndef BUILDER_DURATION_H
#define BUILDER_DURATION_H

#include <stdint.h>

#include "base/mem.h"
#include "base/str.h"

struct err;

/* Nanoseconds of a signed sequence of decimal numbers with a unit each (ns, us, ms, s, m, h, and
 * the two spellings of us with a mu); "0" needs none. ERR_INVALID for anything else, and for what
 * does not fit. */
struct err *duration_parse(struct str text, int64_t *ret) MUST_USE;

#endif
