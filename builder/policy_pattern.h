/*
 * builder/policy_pattern.h - what a rule of a source policy looks for, and what it makes of it.
 *
 *	EXACT     the text itself
 *	WILDCARD  the whole text; each "*" is any bytes, as many as can be, and "$1", "${2}" in what it
 *	          becomes. "**" is refused, as BuildKit does
 *	REGEX     an extended regular expression that fits anywhere; in what it becomes likewise, and every
 *	          place where it fits is replaced
 *
 * Regular expressions are POSIX's, with \d, \w, \s and their opposites as other languages have them. What of
 * theirs POSIX does not know (groups with "?", lazy repetitions) is refused, not read as something else.
 */
#ifndef BUILDER_POLICY_PATTERN_H
#define BUILDER_POLICY_PATTERN_H

#include <stdbool.h>

#include "base/mem.h"

struct err;
struct policy_pattern;

enum policy_match { POLICY_WILDCARD, POLICY_EXACT, POLICY_REGEX };

#define POLICY_TEXT_MAX ((size_t)2048) /* bytes of a pattern, and of what is compared with it */

/* ERR_INVALID for a pattern that is none, ERR_UNSUPPORTED for one that POSIX does not have. */
struct err *policy_pattern_new(enum policy_match match, const char *text,
			       struct policy_pattern **ret) MUST_USE;
void policy_pattern_free(struct policy_pattern *pattern);
DEFINE_AUTO(policy_pattern)

/* Whether `text` fits; with `becomes` (it may be NULL) also what that makes of it, owned by the caller. A
 * text above POLICY_TEXT_MAX fits nothing but itself. */
bool policy_pattern_fits(const struct policy_pattern *pattern, const char *text,
			 const char *becomes, char **ret);

#endif
