/*
 * builder/syntax_expand.h - the words of a Recipe with the values of its variables.
 *
 * What `cairn parse --expand` shows: the words that a build would expand are
 * expanded, quotes and escapes in them gone; all others are as written. ARG
 * shows the value that it takes. What base images set is not known, and is
 * empty; PATH is the default one.
 */
#ifndef BUILDER_SYNTAX_EXPAND_H
#define BUILDER_SYNTAX_EXPAND_H

#include <stdbool.h>

#include "base/mem.h"
#include "base/str.h"

struct build_args;
struct err;
struct include_root;
struct platform;
struct syntax;

struct syntax_values {
	struct build_args *args; /* borrowed */
	const struct platform *platform;
	const char *target;              /* only the stages that it needs are kept; NULL: all are */
	bool expand;                     /* false: words stay as they are written */
	struct str bytes;                /* of the Recipe that includes files, */
	const struct include_root *root; /* and where it lies; NULL: what there is is all */
};

/* Change `syntax` in place. All of the Recipe must be right, not its syntax alone: ERR_INVALID as
 * recipe_parse(); ERR_USAGE for a target that there is not. */
struct err *syntax_expand(struct syntax *syntax, const struct syntax_values *values) MUST_USE;

#endif
