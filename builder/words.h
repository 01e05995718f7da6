/*
 * builder/words.h - the ways in which one logical line is cut into words.
 *
 * Which way is taken depends on the instruction alone. All words are copied
 * into the arena.
 */
#ifndef BUILDER_WORDS_H
#define BUILDER_WORDS_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/mem.h"
#include "base/str.h"
#include "builder/recipe.h"

struct err;

/* At runs of blanks, tabs, CR, VT and FF, whatever quotes there are: FROM, EXPOSE, and the plain
 * form of COPY, ADD and VOLUME. */
struct words words_plain(struct arena *arena, struct str text);
/* Cut off the first of them: returns it and leaves the rest, without the blanks between. */
struct str words_first(struct str *rest);

/* Cut off the keyword of an instruction; what is left has no blanks at its ends. */
struct str words_keyword(struct str *rest);

/* At blanks that neither quotes nor escapes protect; both stay in the words, for the expansion
 * to come: ENV, LABEL, ARG. */
struct words words_quoted(struct arena *arena, struct str text, char escape);

/* The JSON form. `*ret_is` tells whether `text` is a JSON array of strings, which then are in
 * `*ret`; anything that is no JSON array is left for the caller to read otherwise. ERR_INVALID if
 * it is one that holds something other than strings, or a string with a NUL. */
struct err *words_json(struct arena *arena, struct str text, bool *ret_is, struct words *ret)
	MUST_USE;

/* One record of comma-separated values: the value of --mount and --device. A field in double
 * quotes may hold commas, and a quote written twice. ERR_INVALID if a quote stands anywhere else,
 * and for no text at all. */
struct err *words_csv(struct arena *arena, struct str text, struct words *ret) MUST_USE;

/* A list from pieces, copied into the arena. */
struct words words_from(struct arena *arena, const struct str *pieces, size_t count);

#endif
