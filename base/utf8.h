/*
 * base/utf8.h - UTF-8 as RFC 3629 defines it, one character at a time.
 *
 * Text that may be UTF-8 or may not is walked with utf8_next(), which never
 * fails: a byte that belongs to no well-formed sequence is a character of its
 * own, with a value above all of Unicode, so that different bytes stay
 * different and come out again as they were.
 */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/mem.h"
#include "base/str.h"

/* The length of the character that `s` begins with and, into `*ret`, its code point; or 0 if `s`
 * is empty or does not begin with a well-formed one: nothing overlong, no surrogates, nothing
 * above U+10FFFF. */
size_t utf8_decode(struct str s, uint32_t *ret);

#define UTF8_STRAY 0x110000u /* a stray byte b is the character UTF8_STRAY + b */

/* The first character of `s`, which is not empty, into `*ret`. Returns its length. */
size_t utf8_next(struct str s, uint32_t *ret);
/* Append a character that utf8_next() gave. */
void utf8_append(struct buf *out, uint32_t character);

/* The blanks that Go's unicode.IsSpace knows: those of ASCII, U+0085, U+00A0 and the rest of
 * Unicode's White_Space. */
bool utf8_is_space(uint32_t character);
/* Letters and decimal digits of any script. Not the underscore. */
bool utf8_is_alphanumeric(uint32_t character);

/* `s` without the blanks of utf8_is_space() at its start, at its end, and at both. */
struct str utf8_trim_left(struct str s);
struct str utf8_trim_right(struct str s);
struct str utf8_trim(struct str s);

#endif
