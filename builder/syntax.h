/*
 * builder/syntax.h - a Recipe as lines and words, before any of them means anything.
 *
 * What `cairn parse` shows, and what other tools can build on: each instruction
 * with its flags, its operands as they were written, its heredocs and the lines
 * that it takes. It is the tree of BuildKit's parser: only the line structure
 * and the way in which an instruction is cut into words are checked. An
 * instruction that does not exist is an error; flags, the number of operands,
 * names of stages and the order of instructions are not looked at, which is what
 * builder/parse.h does.
 *
 * How an instruction is cut:
 *
 *	ADD COPY VOLUME           words, or the strings of the JSON form
 *	CMD ENTRYPOINT RUN SHELL  one text, or the strings of the JSON form
 *	HEALTHCHECK               NONE or CMD, and behind it as CMD
 *	ENV LABEL                 name, value, name, value ...
 *	ARG UNSET                 NAME or NAME=VALUE each, quotes and all
 *	EXPOSE FROM               words
 *	ONBUILD                   nothing: the trigger is `sub`
 *	all others                one text
 */
#ifndef BUILDER_SYNTAX_H
#define BUILDER_SYNTAX_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/mem.h"
#include "base/str.h"
#include "builder/recipe.h"
#include "builder/script.h"

struct err;
struct include_root;

#define SYNTAX_DEPTH 100 /* ONBUILD within ONBUILD */

struct syntax_line {
	enum instruction_kind kind;
	struct words flags; /* "--name=value", without quotes */
	struct words args;
	bool json;                /* `args` were written in JSON form */
	struct heredocs heredocs; /* of an ONBUILD: those of its trigger */
	struct syntax_line *sub;  /* ONBUILD: the trigger; NULL if there is none */
	struct position position; /* of a trigger: the ONBUILD's */
};

/* All text belongs to the arena; arrays may be exchanged, as builder/survey.h does. */
struct syntax {
	struct arena arena;
	struct script *script;
	char escape;
	bool included; /* files were put in the place of INCLUDE */
	struct {
		struct syntax_line *at;
		size_t len, cap;
	} lines;
};

/* Parse `bytes`, called `name` in errors; both are copied. ERR_INVALID with file, line and excerpt. */
struct err *syntax_parse(const char *name, struct str bytes, struct syntax **ret) MUST_USE;
/* The same of a Recipe that lies at `root`: under `# syntax=cairn/1` what it includes is in the place of
 * INCLUDE. */
struct err *syntax_parse_at(const char *name, struct str bytes, const struct include_root *root,
			    struct syntax **ret) MUST_USE;
void syntax_free(struct syntax *syntax);
DEFINE_AUTO(syntax)

/* The document that docs/parse.md describes; the caller releases it. */
json_t *syntax_describe(const struct syntax *syntax) MUST_USE;

#endif
