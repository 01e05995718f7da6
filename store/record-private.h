/*
 * store/record-private.h - small text records that know when they are damaged.
 *
 * A record is lines of "key value". The first line is its type and version,
 * the last line is "sum" and the first 8 bytes of the SHA-256 of all that
 * stands before it, in hex. Every record has exactly one spelling: fields in
 * fixed order, numbers without leading zeros. So a record that parses formats
 * back to the same bytes, and one that is torn, cut or altered does not parse.
 */
#ifndef STORE_RECORD_PRIVATE_H
#define STORE_RECORD_PRIVATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/digest.h"
#include "base/mem.h"
#include "base/str.h"

struct err;

#define RECORD_SUM_SIZE 21 /* "sum ", 16 hex digits and the newline */

/* Append the sum line of all that is in `buf`. */
struct err *record_seal(struct buf *buf) MUST_USE;

/* `text` without its sum line, verified. ERR_CORRUPT otherwise. */
struct err *record_open(struct str text, struct str *ret_body) MUST_USE;

/* Whether this is what a power cut leaves of a record that was named before it was flushed: nothing, or
 * zeros. */
bool record_is_blank(struct str text);

/* Read the next line of `*rest`, which must be `key` and a value. ERR_CORRUPT otherwise. The
 * value is borrowed. */
struct err *record_text(struct str *rest, const char *key, struct str *ret) MUST_USE;
struct err *record_number(struct str *rest, const char *key, uint64_t *ret) MUST_USE;
struct err *record_digest(struct str *rest, const char *key, struct digest *ret) MUST_USE;

/* The same for a value that is already cut out, or for a piece of one. */
struct err *record_parse_number(struct str value, uint64_t *ret) MUST_USE;
struct err *record_parse_digest(struct str value, struct digest *ret) MUST_USE;

/* Whether the next line has this key. */
bool record_has(struct str rest, const char *key);

/* Append `text` so that it fits into a line and holds no tab: \n, \t and \\ are escaped. */
void record_escape(struct buf *buf, const char *text);
/* The inverse; the text is the caller's. ERR_CORRUPT for what record_escape() does not write. */
struct err *record_unescape(struct str value, char **ret) MUST_USE;

#endif
