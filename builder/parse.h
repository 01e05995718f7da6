/*
 * builder/parse.h - from the bytes of a Recipe to its tree.
 *
 * The language is that of the Dockerfile frontend 1.26. Three layers do the
 * work: builder/lex cuts lines, comments, continuations and heredocs;
 * builder/words and builder/flags cut one joined line; this file and
 * builder/operands know the instructions. What is malformed or unknown is
 * ERR_INVALID with file, line and excerpt; what is legal but doubtful becomes a
 * lint of the recipe.
 */
#ifndef BUILDER_PARSE_H
#define BUILDER_PARSE_H

#include "base/mem.h"
#include "base/str.h"
#include "builder/recipe.h"

struct err;
struct include_root;
struct script_pieces;

/* What counts instead of the directives of the file; a member may be NULL. */
struct recipe_override {
	const char *syntax;                 /* of `# syntax=` */
	const char *check;                  /* of `# check=` */
	const struct include_root *root;    /* where INCLUDE finds files; NULL: nowhere */
	const struct script_pieces *pieces; /* the files that it was put together from; NULL: one */
};

/* Parse `bytes`, called `name` in errors; both are copied. */
struct err *recipe_parse_as(const char *name, struct str bytes,
			    const struct recipe_override *override, struct recipe **ret) MUST_USE;
/* The same, with the directives of the file. */
struct err *recipe_parse(const char *name, struct str bytes, struct recipe **ret) MUST_USE;

/* Parse one ONBUILD text of a base image, as struct onbuild's `text` holds it. Its memory belongs
 * to `recipe`, its position is nowhere. Errors are ERR_INVALID "ONBUILD TEXT: ..."; FROM, ONBUILD
 * and MAINTAINER are refused. The escape character is the backslash, whatever the recipe's is. */
struct err *recipe_parse_trigger(struct recipe *recipe, const char *text, struct instruction **ret)
	MUST_USE;

#endif
