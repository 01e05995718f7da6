/*
 * base/json.h - reading JSON documents with a path in every error.
 *
 * A thin layer over jansson, which parses and owns the tree. Documents are
 * parsed with JSON_REJECT_DUPLICATES, with a ceiling on size and depth. A
 * cursor remembers how it was reached, so that an accessor can say
 *
 *	manifest sha256:9f86...: layers[2].size: not a number
 *
 * Documents with a digest are kept as received bytes and never re-serialised;
 * json_format() is for documents that we make: compact, keys in insertion
 * order, UTF-8 as it is, no trailing newline.
 */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/mem.h"
#include "base/str.h"

struct err;

#define JSON_MAX ((size_t)8 * 1024 * 1024)

/* AUTO(json) json_t *doc = NULL; */
static inline void json_auto_(json_t **doc)
{
	json_decref(*doc);
}

/* Parse `text` (at most `max` bytes). ERR_INVALID "<what>: line L column C: ...". The caller
 * owns the tree and releases it with json_decref(). */
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
struct json_at json_element(const struct json_at *at, size_t index);
size_t json_length(const struct json_at *at); /* 0 unless an array */

/* Typed values. Wrong type or, unless `optional` in the name, absent: ERR_INVALID with the path.
 * Strings are borrowed from the document; they hold no NUL. Absent optionals leave *ret alone. */
struct err *json_get_text(const struct json_at *at, const char **ret) MUST_USE;
struct err *json_get_optional_text(const struct json_at *at, const char **ret) MUST_USE;
struct err *json_get_size(const struct json_at *at, uint64_t *ret) MUST_USE; /* integer >= 0 */
struct err *json_expect_object(const struct json_at *at) MUST_USE;
struct err *json_expect_array(const struct json_at *at) MUST_USE;
/* ERR_INVALID "<path>: <message>", for checks that only the caller can make. */
struct err *json_error(const struct json_at *at, const char *fmt, ...) PRINTF_LIKE(2, 3) MUST_USE;

/* Compact text of a tree that we made, owned by the caller. */
char *json_format(const json_t *doc) MUST_USE;
/* The same, indented by two spaces, for people. */
char *json_format_pretty(const json_t *doc) MUST_USE;

#endif
