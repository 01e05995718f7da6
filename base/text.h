/*
 * base/text.h - text for people: escaping, sizes, durations, near misses.
 */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stddef.h>
#include <stdint.h>

#include "base/mem.h"
#include "base/str.h"

/* Append `s` so that a terminal shows it and obeys nothing: C0 and C1 controls, DEL, invalid
 * UTF-8 and bidirectional controls become \xNN or \u{NNNN}; newline and tab too, unless they
 * are in `keep`. */
void text_escape(struct buf *out, struct str s, const char *keep);
/* The same in fresh memory, nothing kept. */
char *text_escaped(struct str s) MUST_USE;

/* Append output of a build step for a terminal: as text_escape(), but SGR colour sequences
 * pass when `colours`, and a carriage return starts the line over (the last piece wins). */
void text_escape_output(struct buf *out, struct str line, int colours);

/* "0 B", "4.2 kB", "1.5 MB", "17 GB": powers of 1000, at most three digits. */
#define TEXT_SIZE_MAX 16
char *text_size(uint64_t bytes, char buf[static TEXT_SIZE_MAX]);

/* "3.2ms", "0.8s", "12.3s", "4m07s", "1h02m". */
#define TEXT_DURATION_MAX 24
char *text_duration(uint64_t nanoseconds, char buf[static TEXT_DURATION_MAX]);

/* Of `names`, the one nearest to `wrong` by edit distance (case ignored), or NULL if none is
 * within a third of its length (at least 1). */
const char *text_nearest(struct str wrong, const char *const *names, size_t count);

#endif
