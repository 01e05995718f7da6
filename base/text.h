/*
 * base/text.h - text for people: escaping, sizes, durations, near misses.
 *
 * Nothing here depends on the locale.
 */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/mem.h"
#include "base/str.h"

/* Append `s` so that a terminal shows it and obeys nothing: C0 and C1 controls, DEL, invalid
 * UTF-8 and bidirectional controls become \xNN or \u{NNNN}; newline and tab too, unless they
 * are in `keep` (NULL keeps none). A backslash stays as it is, so escaping twice changes
 * nothing; the text is for reading, it cannot be turned back. */
void text_escape(struct buf *out, struct str s, const char *keep);
/* The same in fresh memory, nothing kept. */
char *text_escaped(struct str s) MUST_USE;

/* Append one line of a build step's output, without its newline, as a terminal would have left
 * it: of a line written over by carriage returns the last piece is shown, and well-formed escape
 * sequences (ECMA-48: cursor, titles, clipboard and all others) are left out. With `colours`, SGR
 * sequences pass and a final reset follows where one is missing. Tabs pass; everything else is
 * treated as by text_escape(). */
void text_escape_output(struct buf *out, struct str line, bool colours);

/* "0 B", "4.2 kB", "1.5 MB", "17 GB": powers of 1000, at most three digits. */
#define TEXT_SIZE_MAX 16
char *text_size(uint64_t bytes, char buf[static TEXT_SIZE_MAX]);

/* "3.2ms" below 0.1 s, then "0.8s", "12.3s", "4m07s", "1h02m". */
#define TEXT_DURATION_MAX 24
char *text_duration(uint64_t nanoseconds, char buf[static TEXT_DURATION_MAX]);

/* Of `names`, the first of those nearest to `wrong`, or NULL if none is within a third of its
 * length (at least 1). Distance is in single-character edits and swaps of neighbours
 * (Damerau-Levenshtein), case ignored in ASCII. Names of one or two bytes are near only to the same
 * letters; text above 64 bytes is near nothing. */
const char *text_nearest(struct str wrong, const char *const *names, size_t count);

#endif
