/*
 * builder/operands.h - what follows the keyword of each instruction.
 *
 * The parser has cut the line: flags, the rest, the heredocs that belong to
 * it. Here each instruction turns them into its part of the tree. Errors are
 * ERR_INVALID without a place; the parser adds it.
 */
#ifndef BUILDER_OPERANDS_H
#define BUILDER_OPERANDS_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/mem.h"
#include "base/str.h"
#include "builder/recipe.h"

struct err;

/* One line, cut. */
struct request {
	struct arena *arena;
	char escape;
	const char *keyword; /* as written */
	struct words flags;  /* as flags_split() gives them */
	struct str rest;     /* without blanks at both ends */
	bool json;           /* `rest` is a JSON list of strings: `list` */
	struct words list;
	struct heredocs heredocs;   /* whole */
	const struct str *comments; /* those above the instruction */
	size_t comment_count;
};

/* True if an instruction may be written in JSON form, and if it may have heredocs. */
bool operands_take_json(enum instruction_kind kind);
bool operands_take_heredocs(enum instruction_kind kind);

/* Fill the part of `ret` that its `kind` says. Not for FROM and ONBUILD. */
struct err *operands_parse(const struct request *request, struct instruction *ret) MUST_USE;

/* What ENV and LABEL set, one at least; none for an empty line. Names may be blank. ERR_INVALID for what
 * is no list of NAME=VALUE and no NAME VALUE either. */
struct err *operands_cut_pairs(const struct request *request, struct pairs *ret) MUST_USE;

/* The FROM line of a stage: name, base, platform, doc. `ret_words` are its operands. */
struct err *operands_parse_from(const struct request *request, struct stage *ret,
				struct words *ret_words) MUST_USE;

/* ---- for the files that read single instructions ---- */

/* ERR_INVALID "KEYWORD requires at least one argument". */
struct err *operands_needs_one(const char *keyword) MUST_USE;
/* The text of a flag, NULL if it is absent or empty. */
const char *operands_or_absent(const char *text);
/* The command that is the rest of a line. */
void operands_take_command(const struct request *request, struct command *ret);

#endif
