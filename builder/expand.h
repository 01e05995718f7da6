/*
 * builder/expand.h - variables, quotes and escapes in the words of a Recipe.
 *
 * The forms are those of frontend 1.26:
 *
 *	$n ${n}  ${n:-w} ${n-w}  ${n:+w} ${n+w}  ${n:?m} ${n?m}
 *	${n#p} ${n##p} ${n%p} ${n%%p}  ${n/p/r} ${n//p/r}
 *
 * `w`, `p` and `r` may hold quotes and further forms. In the patterns `p` only
 * `*` and `?` are special. A result above EXPAND_MAX is an error, and so is a
 * nesting above EXPAND_DEPTH: a value can make neither time nor memory explode.
 */
#ifndef BUILDER_EXPAND_H
#define BUILDER_EXPAND_H

#include <stdbool.h>
#include <stddef.h>

#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/vec.h"

struct err;

#define EXPAND_MAX ((size_t)32 * 1024 * 1024) /* bytes of one result; a heredoc may be long */
#define EXPAND_DEPTH 100                      /* forms within forms */

/* What was asked for: for lint, and for keys. The keys of the maps are the names, in order; the
 * values are NULL. */
struct expand_report {
	struct map used;      /* names that were set */
	struct map unset;     /* names that were not */
	struct map undefined; /* those of them that no form gave a meaning: neither ${n:-w}, nor
			       * ${n:+w}, nor ${n:?m} */
};

void expand_report_release(struct expand_report *report);

/* AUTO(expand_report) struct expand_report report = { 0 }; */
static inline void expand_report_auto_(struct expand_report *report)
{
	expand_report_release(report);
}

struct expander {
	char escape; /* the recipe's; always '\\' in heredocs */
	/* The value of `name`, or NULL if it is not set. Must stay valid until the expansion is
	 * done. */
	const char *(*get)(const void *arg, struct str name);
	const void *arg;
	struct expand_report *report; /* may be NULL */
};

enum expand_mode {
	EXPAND_WORD,    /* quotes are removed, escapes processed */
	EXPAND_HEREDOC, /* the content of a heredoc: quotes stay, escapes are processed */
};

/* Expand `text` into `*ret`, owned by the caller. ERR_INVALID for a form that is none, for
 * ${n:?m} ("n: m"), and above the limits. */
struct err *expand_text(const struct expander *expander, struct str text, enum expand_mode mode,
			char **ret) MUST_USE;

/* Expand as EXPAND_WORD and split at blanks that neither quotes nor escapes protect, those from
 * values included; appended to `ret`. What EXPOSE does. */
struct err *expand_words(const struct expander *expander, struct str text, struct strings *ret)
	MUST_USE;

#endif
