/*
 * builder/lex.h - the lines of a Recipe: directives, comments, continuations, heredocs.
 *
 * A logical line is one instruction: its first line without leading blanks,
 * joined with the lines that follow while each ends in the escape character.
 * Nothing is inserted where lines join, and leading blanks of continuation
 * lines stay. Comment lines and blank lines inside are skipped. Directives
 * ("# escape=`") count only at the very top. What a heredoc holds is asked for
 * by the parser, because only it knows whether the line can have one.
 */
#ifndef BUILDER_LEX_H
#define BUILDER_LEX_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/vec.h"
#include "builder/recipe.h"
#include "builder/script.h"

struct err;

/* What stands in the directives at the top; NULL for those that are absent. */
struct directives {
	char escape;
	struct str syntax, check;
	unsigned check_line; /* where `check` stands; 0: there is none */
	unsigned lines;      /* how many lines they take */
};

struct logical_line {
	struct position position;   /* without heredocs */
	struct str text;            /* joined; valid until the next call */
	unsigned blank_line;        /* the last blank line inside a continuation, or 0 */
	const struct str *comments; /* those right above, without `#` and blanks; not `# check=`; */
	size_t comment_count;       /* a bare `#` forgets the ones above it */
	struct str check;           /* `# check=` values of the comments right above, or NULL */
};

struct lexer {
	const struct script *script;
	struct directives directives;
	unsigned next;     /* the line to be read next */
	struct buf joined; /* of the current logical line */
	struct buf check;
	VEC(struct str) comments;
};

/* Read the directives. ERR_INVALID with its place for one that is repeated or for an escape
 * character other than backslash and backtick. The script must outlive the lexer, which must be
 * released in any case. */
struct err *lexer_init(struct lexer *lexer, const struct script *script) MUST_USE;
void lexer_release(struct lexer *lexer);

/* The next logical line that is not blank; false at the end of the script. */
bool lexer_next(struct lexer *lexer, struct logical_line *ret);

/* Read the body of a heredoc whose `name` and `chomp` are set: fills `body` (not terminated, part
 * of the script) and the heredoc's position. ERR_INVALID without a place if its terminator never
 * comes. */
struct err *lexer_read_heredoc(struct lexer *lexer, struct heredoc *heredoc, struct str *ret_body)
	MUST_USE;

/* Read all heredocs that the instruction `text` announces, whole, into the arena; `at` then ends with
 * the last of them. */
struct err *lexer_read_heredocs(struct lexer *lexer, struct arena *arena, struct str text,
				struct position *at, struct heredocs *ret) MUST_USE;

static inline void lexer_auto_(struct lexer *lexer)
{
	lexer_release(lexer);
}

#endif
