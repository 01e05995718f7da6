/*
 * registry/toml.h - TOML 1.0, read into the tree that base/json.h walks.
 *
 * Tables become objects with their members in order, arrays arrays, strings
 * strings, integers integers, booleans booleans; dates and times become strings as
 * they were written. So the accessors of base/json.h, with the path in every
 * error, read both formats.
 *
 * Strict: what the specification calls invalid is refused, above all a key
 * that is defined twice. Beyond it nothing may be larger than TOML_MAX or nest
 * deeper than TOML_MAX_DEPTH, no string holds a NUL, and inf and nan, which JSON
 * does not have, are refused.
 */
#ifndef REGISTRY_TOML_H
#define REGISTRY_TOML_H

#include <jansson.h>
#include <stddef.h>

#include "base/mem.h"
#include "base/str.h"

struct err;

#define TOML_MAX ((size_t)512 * 1024)
#define TOML_MAX_DEPTH 64 /* tables and arrays within each other */

/* Parse `text` into an object, which the caller releases with json_decref(). ERR_INVALID "<what>:
 * line L column C: ..."; columns count characters. */
struct err *toml_parse(struct str text, const char *what, json_t **ret) MUST_USE;

#endif
