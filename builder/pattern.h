/*
 * builder/pattern.h - the patterns of ${n#p}, ${n%p} and ${n/p/r}.
 *
 * `*` is any run of characters and `?` one character, '/' included but not a
 * newline. A backslash makes `*`, `?` and itself ordinary; in front of '/' and
 * '}' it only protects them from ending the form and is dropped; in front of
 * anything else it is an error. All work is bounded by pattern times value;
 * beyond PATTERN_WORK it is refused.
 */
#ifndef BUILDER_PATTERN_H
#define BUILDER_PATTERN_H

#include <stdbool.h>

#include "base/mem.h"
#include "base/str.h"

struct err;

#define PATTERN_WORK ((size_t)1 << 30)

enum pattern_end { PATTERN_PREFIX, PATTERN_SUFFIX };

/* `value` without the shortest or the longest prefix or suffix that matches, a part of `value`.
 * ERR_INVALID for a bad pattern. */
struct err *pattern_strip(struct str pattern, struct str value, enum pattern_end end, bool longest,
			  struct str *ret) MUST_USE;

/* Append `value` to `out` with its first match, or all of them, replaced; a match is as far left
 * and then as long as possible. With `all`, `$0` in the replacement is what was matched, `$$` a
 * dollar, and any other $name nothing. ERR_INVALID for a bad pattern. */
struct err *pattern_replace(struct str pattern, struct str value, struct str replacement, bool all,
			    struct buf *out) MUST_USE;

#endif
