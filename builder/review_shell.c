/* builder/review_shell.c - see builder/review_shell.h. */

#include "builder/review_shell.h"

#include <string.h>

#include "base/str.h"
#include "builder/heredoc.h"

#define WORD_MAX 64 /* bytes of a word that is looked at */

/* ---- options ---- */

static bool is_shell(struct str path)
{
	static const char *const names[] = { "sh",  "bash", "dash",    "ash",
					     "ksh", "mksh", "busybox", "zsh" };
	const char *slash = path.len ? memrchr(path.at, '/', path.len) : NULL;

	if (slash)
		path = (struct str){ slash + 1, (size_t)(path.at + path.len - slash - 1) };
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (str_is(path, names[i]))
			return true;
	return false;
}

/* "-e", "-eux", "-euo", or "errexit" behind "-o"; whatever stands in between. */
static bool is_errexit(struct str word)
{
	if (str_is(word, "errexit"))
		return true;
	return word.len > 1 && word.at[0] == '-' && word.at[1] != '-' &&
	       memchr(word.at, 'e', word.len);
}

/* ---- scripts ---- */

/* Where a script is being read. */
struct script_walk {
	struct str rest;
	unsigned commands; /* that can fail one behind the other */
	unsigned depth;    /* of if, for, case, braces and the like */
	unsigned parens;   /* open ones */
	bool in_command;   /* a word of the current one was seen */
	bool joined;       /* by `&&`, `||` or `|` to what comes next */
	bool in_set;       /* the current command is `set` */
	bool errexit;
	char behind;               /* the last character of the word just read, or NUL */
	char terminator[WORD_MAX]; /* of a heredoc within that begins with the next line; or "" */
	bool chomp;
};

static void skip(struct str *rest, size_t len)
{
	rest->at += len;
	rest->len -= len;
}

/* The word at the start of `text`, quotes and all; its length. */
static size_t word_length(struct str text)
{
	char quote = '\0';
	size_t at = 0;

	for (; at < text.len; at++) {
		char c = text.at[at];

		if (quote ? c == quote : c == '\'' || c == '"')
			quote = (char)(quote ? '\0' : c);
		else if (c == '\\' && quote != '\'' && at + 1 < text.len)
			at++;
		else if (!quote && c && strchr(" \t\r\n;&|()", c))
			break;
	}
	return at;
}

/* The lines of a heredoc within. */
static void skip_heredoc(struct script_walk *walk)
{
	while (walk->terminator[0] && walk->rest.at && walk->rest.len > 0) {
		struct str line = str_cut(&walk->rest, '\n');

		while (walk->chomp && line.len > 0 && line.at[0] == '\t')
			skip(&line, 1);
		if (str_is(str_trim(line), walk->terminator))
			break;
	}
	walk->terminator[0] = '\0';
	if (!walk->rest.at)
		walk->rest = STR("");
}

static void end_command(struct script_walk *walk)
{
	if (walk->in_command && !walk->joined && walk->depth == 0 && walk->parens == 0)
		walk->commands++;
	walk->in_command = walk->joined && walk->in_command;
	walk->in_set = false;
}

static bool is_one_of(struct str word, const char *const *words, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (str_is(word, words[i]))
			return true;
	return false;
}

static void take_word(struct script_walk *walk, struct str word)
{
	static const char *const openers[] = { "for", "case", "if", "while", "until", "{" };
	static const char *const closers[] = { "fi", "done", "esac", "}" };
	static const char *const before[] = { "if", "while", "until", "{", "then",
					      "do", "else",  "elif",  "!", "time" };
	const bool begins = !walk->in_command || walk->joined;
	AUTO(arena) struct arena arena = { 0 };
	struct heredoc heredoc;

	if (walk->in_set && is_errexit(word))
		walk->errexit = true;
	if (begins)
		walk->in_set = str_is(word, "set");
	if (begins && is_one_of(word, openers, ARRAY_SIZE(openers)))
		walk->depth++;
	else if (begins && is_one_of(word, closers, ARRAY_SIZE(closers)) && walk->depth > 0)
		walk->depth--;
	if (memchr(word.at, '<', word.len) && heredoc_parse(&arena, word, &heredoc) &&
	    strlen(heredoc.name) < WORD_MAX) {
		strncat(walk->terminator, heredoc.name, WORD_MAX - 1 - strlen(walk->terminator));
		walk->chomp = heredoc.chomp;
	}
	/* Behind these a command begins. */
	walk->in_command = !begins || !is_one_of(word, before, ARRAY_SIZE(before));
	walk->joined = false;
}

/* What stands between words. */
static void take_operator(struct script_walk *walk)
{
	char c = walk->rest.at[0];
	const bool twice = walk->rest.len > 1 && walk->rest.at[1] == c;
	const bool redirects =
		walk->behind == '>' || (walk->rest.len > 1 && walk->rest.at[1] == '>');

	skip(&walk->rest, 1);
	if (c == '\n') {
		end_command(walk);
		skip_heredoc(walk);
	} else if (c == ';' || (c == '&' && !twice && !redirects)) {
		end_command(walk);
	} else if (c == '|' || (c == '&' && twice)) {
		skip(&walk->rest, twice);
		walk->joined = true;
		walk->in_set = false;
	} else if (c == '(') {
		walk->parens++;
	} else if (c == ')') {
		walk->in_command = walk->parens > 0; /* else a pattern of case ends */
		walk->parens -= walk->parens > 0;
		walk->joined = false;
	}
}

static void walk_script(struct script_walk *walk)
{
	while (walk->rest.len > 0) {
		char c = walk->rest.at[0];
		size_t len = word_length(walk->rest);

		if (c == '#' && !walk->behind) {
			str_cut(&walk->rest, '\n');
			walk->rest = walk->rest.at ? walk->rest : STR("");
		} else if (str_starts(walk->rest, "\\\n")) {
			skip(&walk->rest, 2);
		} else if (len > 0) {
			take_word(walk, (struct str){ walk->rest.at, len });
			walk->behind = walk->rest.at[len - 1];
			skip(&walk->rest, len);
		} else {
			if (c != ' ' && c != '\t' && c != '\r')
				take_operator(walk);
			else
				skip(&walk->rest, 1);
			walk->behind = '\0';
		}
	}
	walk->joined = false;
	walk->depth = walk->parens = 0;
	end_command(walk);
}

/* ---- the question ---- */

/* The shell that `RUN bash -x <<EOF` feeds: true if it is one, and errexit is not among its options. */
static bool feeds_shell(struct str command)
{
	bool first = true, shell = false;

	while (command.len > 0) {
		size_t len = word_length(command);
		struct str word = { command.at, len };

		if (len > 0 && memchr(word.at, '<', len)) {
			; /* the heredoc */
		} else if (len > 0 && first) {
			shell = is_shell(word);
			first = false;
		} else if (len > 0 && is_errexit(word)) {
			return false;
		}
		skip(&command, len ? len : 1);
	}
	return shell;
}

/* True if the SHELL is of Bourne's family and does not set errexit. */
static bool lets_errors_pass(const struct words *shell)
{
	if (!shell)
		return true;
	for (size_t i = 1; i < shell->len; i++)
		if (is_errexit(str_of(shell->at[i])))
			return false;
	return shell->len > 0 && is_shell(str_of(shell->at[0]));
}

bool review_shell_misses_errexit(const struct run *run, const struct words *shell)
{
	AUTO(arena) struct arena arena = { 0 };
	struct script_walk walk = { 0 };
	struct heredoc alone;

	if (run->form != RUN_SHELL || run->heredocs.len != 1 || !lets_errors_pass(shell))
		return false;
	if (!heredoc_parse(&arena, str_of(run->command.text), &alone) &&
	    !feeds_shell(str_of(run->command.text)))
		return false;
	walk.rest = str_of(run->heredocs.at[0].content);
	walk_script(&walk);
	return walk.commands > 1 && !walk.errexit;
}
