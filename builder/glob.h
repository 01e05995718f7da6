/*
 * builder/glob.h - one name against one pattern: the patterns of COPY sources.
 *
 * The rules of Go's filepath.Match: `*` is any run of characters but '/', `?`
 * one character but '/', `[a-z]` and `[^a-z]` one of a set, `\` takes the next
 * character as it is. A leading dot is nothing special. Characters are those of
 * UTF-8; a byte that is none is a character of its own. A match takes at most
 * time pattern times name.
 */
#ifndef BUILDER_GLOB_H
#define BUILDER_GLOB_H

#include <stdbool.h>

#include "base/mem.h"
#include "base/str.h"

struct err;

/* ERR_INVALID unless all of `pattern` is well formed. */
struct err *glob_check(struct str pattern) MUST_USE;
/* True if all of `name` matches `pattern`, which has passed glob_check(). */
bool glob_match(struct str pattern, struct str name);
/* True if a special character makes it more than a name. */
bool glob_is_pattern(struct str pattern);
/* The one name that a pattern without `*`, `?` and `[` matches: its escapes removed. */
char *glob_literal(struct str pattern) MUST_USE;

#endif
