/*
 * builder/ignore.h - .dockerignore: which paths of a context do not exist for the build.
 *
 * Rules are tried in order and the last that matches wins. A rule matches a
 * path if it matches the path itself or any directory above it; `!` brings
 * back what an earlier rule took, also below an excluded directory. `*`, `?`
 * and `[set]` stay within one name, `**` stands for any number of directories.
 * A pattern without a slash is anchored at the root, unlike in .gitignore.
 * A match takes at most time pattern times path, whatever they hold.
 *
 * The same engine serves COPY --exclude: ignore_add() takes a single pattern.
 */
#ifndef BUILDER_IGNORE_H
#define BUILDER_IGNORE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/mem.h"
#include "base/str.h"

struct err;
struct ignore;

#define IGNORE_MAX ((size_t)8 * 1024 * 1024) /* bytes of an ignore file */

struct ignore *ignore_new(void) MUST_USE;
/* Parse an ignore file. ERR_INVALID "NAME:LINE: ..." for a bad pattern or too many bytes. */
struct err *ignore_parse(const char *name, struct str bytes, struct ignore **ret) MUST_USE;
/* Add one pattern. A leading `#` is part of it; blanks around it are not. */
struct err *ignore_add(struct ignore *ignore, struct str pattern) MUST_USE;
void ignore_free(struct ignore *ignore);
DEFINE_AUTO(ignore)

bool ignore_is_empty(const struct ignore *ignore);       /* no rule: nothing is excluded */
bool ignore_has_exceptions(const struct ignore *ignore); /* some rule begins with `!` */

/* True if `path` is excluded: relative, clean, separated by '/'. "" and "." are the root, which
 * never is. `ret_line` may be NULL; it becomes the line (or count, for ignore_add()) of the rule
 * that decided, or 0 if none matched. */
bool ignore_match(const struct ignore *ignore, const char *path, unsigned *ret_line);

/* The pattern of the rule of that line, clean, and with its `!`. Owned by the caller; NULL if there is none. */
char *ignore_pattern(const struct ignore *ignore, unsigned line) MUST_USE;

/* Of a directory that is excluded: false if nothing below it can come back, so that a walk need
 * not enter. True may be too careful. */
bool ignore_may_reinclude(const struct ignore *ignore, const char *path);

#endif
