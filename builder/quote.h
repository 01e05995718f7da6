/*
 * builder/quote.h - values as BuildKit writes them into the history of an image.
 *
 * It formats them with Go's %q, and tools that read an image's history know
 * that form, so ours is the same: strings and characters in quotes with Go's
 * escapes, lists in brackets, their items separated by blanks.
 */
#ifndef BUILDER_QUOTE_H
#define BUILDER_QUOTE_H

#include <stdint.h>

#include "base/str.h"
#include "base/vec.h"

struct healthcheck;

/* A string: "a \"b\"\n". */
void quote_text(struct buf *out, const char *text);
/* A list of strings: ["a" "b"]. */
void quote_list(struct buf *out, const struct strings *list);
/* A number as the character that it is the code point of: 3 is '\x03', 97 is 'a'. */
void quote_number(struct buf *out, int64_t number);
/* &{["CMD-SHELL" "true"] "30s" "0s" "0s" "0s" '\x00'}: the test, the interval, the timeout, the
 * start period, the start interval and the retries. */
void quote_healthcheck(struct buf *out, const struct strings *test,
		       const struct healthcheck *timing);

#endif
