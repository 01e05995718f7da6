/*
 * base/base64.h - bytes as text, in the standard alphabet of RFC 4648 with padding.
 */
#ifndef BASE_BASE64_H
#define BASE_BASE64_H

#include <stddef.h>

#include "base/mem.h"
#include "base/str.h"

struct err;

/* The text for `data`, owned by the caller. */
char *base64_encode(struct str data) MUST_USE;
/* The bytes, with a NUL behind them, owned by the caller. ERR_INVALID for anything but whole groups
 * of the alphabet, padded to a multiple of four, whose unused bits are 0; CR and LF are skipped.
 * The message does not show the text, which may be a secret. */
struct err *base64_decode(struct str text, char **ret, size_t *ret_len) MUST_USE;

#endif
