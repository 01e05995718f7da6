/*
 * builder/heredoc.h - the words that announce heredocs: <<EOF, 3<<-"EOF", << 'EOF'.
 *
 * A heredoc is a whole word of the shell: digits, `<<`, perhaps `-`, perhaps
 * blanks, and a name in which quotes may stand but no `<`. Here-strings
 * (`<<<`), quoted `<<`, and the shift of an arithmetic $((1 << 2)) are none.
 */
#ifndef BUILDER_HEREDOC_H
#define BUILDER_HEREDOC_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/mem.h"
#include "base/str.h"
#include "builder/recipe.h"

/* If all of `word` announces one heredoc: its name (in the arena), descriptor, expand and chomp
 * into `*ret`, and true. */
bool heredoc_parse(struct arena *arena, struct str word, struct heredoc *ret);
/* All heredocs that a line announces, in order. A line that no shell could read, because a quote
 * is left open, has none. */
struct heredocs heredocs_find(struct arena *arena, struct str line);
/* `body` without the tabs that its lines begin with. */
const char *heredoc_chomp(struct arena *arena, struct str body);

#endif
