/*
 * builder/flags.h - the --flags between an instruction's keyword and its operands.
 *
 * Words that begin with `--` right behind the keyword are flags; the first
 * other word ends them, and so does a bare `--`. Quotes and escapes inside are
 * removed. A flag with a value is written --name=value; a switch is --name,
 * --name=true or --name=false. Only lists may be given more than once.
 */
#ifndef BUILDER_FLAGS_H
#define BUILDER_FLAGS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/mem.h"
#include "base/str.h"
#include "builder/recipe.h"

struct err;

/* Cut the flags off the start of `*rest`, which is left without them and without blanks around.
 * Each is one word without its quotes, the `--` included. */
struct words flags_split(struct arena *arena, struct str *rest, char escape);

enum flag_type { FLAG_SWITCH, FLAG_TEXT, FLAG_LIST };

/* One flag that an instruction knows, and what was given. */
struct flag {
	const char *name;
	enum flag_type type;
	enum tristate state; /* FLAG_SWITCH */
	const char *text;    /* FLAG_TEXT: NULL if absent */
	struct words list;   /* FLAG_LIST */
};

/* Fill `flags` from `given`. ERR_INVALID for a flag that is not among them ("unknown flag:
 * --form (did you mean --from?)"), twice given, or without the value that it needs. */
struct err *flags_read(struct arena *arena, const struct words *given, struct flag *flags,
		       size_t count) MUST_USE;

#endif
