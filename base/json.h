/*
 * base/json.h - JSON documents: reading with a path in every error, making without checks.
 *
 * A thin layer over jansson, which parses and owns the tree. What comes from
 * outside is parsed strictly: no member twice, no NUL in a string, nothing
 * behind the document, and with a ceiling on size, depth and number of values,
 * because jansson's parser and its json_decref() recurse and a tree needs up to
 * a hundred times the memory of its text. A cursor remembers how it was
 * reached, so that an accessor can say
 *
 *	manifest sha256:9f86...: layers[2].size: not a number
 *
 * Documents with a digest are kept as received bytes and never re-serialised;
 * json_format() is for documents that we make: compact, members in the order in
 * which they were set, UTF-8 as it is ('<', '>', '&' and '/' too), no trailing
 * newline. Equal trees give equal bytes.
 */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/mem.h"
#include "base/str.h"

struct err;
struct strings;

#define JSON_MAX ((size_t)8 * 1024 * 1024)
#define JSON_MAX_DEPTH 100     /* objects and arrays within each other */
#define JSON_MAX_VALUES 500000 /* commas and opening brackets, in all */

/* AUTO(json) json_t *doc = NULL; */
static inline void json_auto_(json_t **doc)
{
	json_decref(*doc);
}

/* ---- reading ---- */

/* Parse `text` (at most `max` bytes), an object or an array. ERR_INVALID "<what>: line L
 * column C: ...", or with the ceiling that it breaks. The caller owns the tree and releases it
 * with json_decref(). */
struct err *json_parse(struct str text, size_t max, const char *what, json_t **ret) MUST_USE;

/* A place in a document. Borrowed: valid while the document and the parent cursor live. */
struct json_at {
	json_t *value; /* NULL if the optional member is absent */
	const struct json_at *parent;
	const char *key; /* NULL for an array element or the root */
	size_t index;
	const char *what; /* only at the root: what the document is */
};

struct json_at json_root(json_t *doc, const char *what);
/* A member; absent or null gives `value` NULL, a parent that is no object is treated as absent. */
struct json_at json_member(const struct json_at *at, const char *key);
/* An element; beyond the end or null gives `value` NULL. */
struct json_at json_element(const struct json_at *at, size_t index);
size_t json_length(const struct json_at *at); /* 0 unless an array */

/* Typed values. Wrong type or, unless `optional` in the name, absent: ERR_INVALID with the path;
 * what is absent is said of the outermost ancestor that is. Strings are borrowed from the
 * document; they hold no NUL. Absent optionals leave *ret alone. */
struct err *json_get_text(const struct json_at *at, const char **ret) MUST_USE;
struct err *json_get_optional_text(const struct json_at *at, const char **ret) MUST_USE;
struct err *json_get_size(const struct json_at *at, uint64_t *ret) MUST_USE; /* integer >= 0 */
struct err *json_get_optional_size(const struct json_at *at, uint64_t *ret) MUST_USE;
struct err *json_get_optional_flag(const struct json_at *at, bool *ret) MUST_USE;
/* An array of strings, appended as copies; nothing is on failure. */
struct err *json_get_optional_texts(const struct json_at *at, struct strings *ret) MUST_USE;
struct err *json_expect_object(const struct json_at *at) MUST_USE;
struct err *json_expect_array(const struct json_at *at) MUST_USE;
/* ERR_INVALID "<path>: <message>", for checks that only the caller can make. */
struct err *json_error(const struct json_at *at, const char *fmt, ...) PRINTF_LIKE(2, 3) MUST_USE;

/* ---- making ---- */

/* These never fail. Text and keys may hold any byte: what is no UTF-8, and NUL, becomes U+FFFD for
 * each byte, as Go writes it, so that every tree can be formatted, and read again. */
json_t *json_text(struct str text) MUST_USE;                   /* a new string */
json_t *json_texts(const struct strings *list) MUST_USE;       /* a new array of strings */
void json_set(json_t *object, const char *key, json_t *value); /* takes ownership of `value` */
void json_set_text(json_t *object, const char *key, const char *text);
void json_push(json_t *array, json_t *value); /* appends; takes ownership of `value` */

/* Compact text of a tree that we made, owned by the caller. */
char *json_format(const json_t *doc) MUST_USE;
/* The same, indented by two spaces, for people. */
char *json_format_pretty(const json_t *doc) MUST_USE;

#endif
