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
#include <stddef.h>
#include <stdint.h>

#include "base/mem.h"
#include "base/str.h"

struct err;

/* ERR_INVALID unless all of `pattern` is well formed. */
struct err *glob_check(struct str pattern) MUST_USE;
/* True if all of `name` matches `pattern`, which has passed glob_check(). */
bool glob_match(struct str pattern, struct str name);
/* The length of the set `[...]` that `pattern` begins with, and whether it holds `character` (of
 * utf8_next()); 0 if the set is malformed. A set never holds '/'. */
size_t glob_match_set(struct str pattern, uint32_t character, bool *ret_matches);
/* True if a special character makes it more than a name. */
bool glob_is_pattern(struct str pattern);
/* The one name that a pattern without `*`, `?` and `[` matches: its escapes removed. */
char *glob_literal(struct str pattern) MUST_USE;

#endif
