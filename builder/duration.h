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

#define DURATION_TEXT_SIZE 32 /* "-2562047h47m16.854775808s" and the NUL */

/* The inverse, as Go writes it: hours, minutes and seconds without leading zero units ("1h0m0s"),
 * below a second the unit that leaves a whole part ("1.5ms"); nothing is "0s". Returns `buf`. */
char *duration_format(int64_t nanoseconds, char buf[static DURATION_TEXT_SIZE]);

#endif
