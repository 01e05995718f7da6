/*
 * base/utf8.h - UTF-8 as RFC 3629 defines it, one character at a time.
 */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stddef.h>
#include <stdint.h>

#include "base/mem.h"
#include "base/str.h"

/* The length of the character that `s` begins with and, into `*ret`, its code point; or 0 if `s`
 * is empty or does not begin with a well-formed one: nothing overlong, no surrogates, nothing
 * above U+10FFFF. */
size_t utf8_decode(struct str s, uint32_t *ret);

#endif
