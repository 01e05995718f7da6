/*
 * base/clock.h - what time it is, and times as text.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

#include "base/mem.h"
#include "base/str.h"

struct err;

/* Monotonic nanoseconds, for durations. */
uint64_t clock_monotonic(void);
/* Wall-clock time. */
struct timespec clock_now(void);

#define CLOCK_TEXT_SIZE 36 /* "2026-11-23T06:20:02.123456789Z" and the NUL */

/* RFC 3339 in UTC; nanoseconds only when they are not zero, without trailing zeros. Years 0
 * to 9999; outside of them the nearest end is given. Returns `buf`. */
char *clock_format(struct timespec t, char buf[static CLOCK_TEXT_SIZE]);
/* The inverse; also takes an offset such as +02:00. Digits below a nanosecond are cut off; a leap
 * second is the first second of the next day. ERR_INVALID otherwise, also if the time in UTC is
 * outside of the years 0 to 9999. */
struct err *clock_parse(struct str text, struct timespec *ret) MUST_USE;
/* A SOURCE_DATE_EPOCH: decimal seconds since 1970, up to 253402300799. */
struct err *clock_parse_epoch(struct str text, int64_t *ret) MUST_USE;

#endif
