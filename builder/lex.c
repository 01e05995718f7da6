/* builder/lex.c - see builder/lex.h. */

#include "builder/lex.h"

#include <strings.h>

#include "base/err.h"
#include "base/utf8.h"
#include "builder/heredoc.h"

/* Line `number` without its end, however many CRs that has. */
static struct str line_at(const struct lexer *lexer, unsigned number)
{
	struct str line = script_line(lexer->script, number);

	while (line.len > 0 && line.at[line.len - 1] == '\r')
		line.len--;
	return line;
}

/* ---- directives ---- */

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Take "key = value" apart, as directives and check comments are written: a key of letters and
 * digits that begins with a letter, a value that is not empty. */
static bool split_setting(struct str text, struct str *ret_key, struct str *ret_value)
{
	struct str key = { text.at, 0 };
	struct str value;

	while (key.len < text.len &&
	       (is_letter(text.at[key.len]) || (key.len > 0 && is_digit(text.at[key.len]))))
		key.len++;
	value = utf8_trim_left((struct str){ text.at + key.len, text.len - key.len });
	if (key.len == 0 || value.len == 0 || value.at[0] != '=')
		return false;
	value = utf8_trim((struct str){ value.at + 1, value.len - 1 });
	if (value.len == 0)
		return false;
	*ret_key = key;
	*ret_value = value;
	return true;
}

static bool is_key(struct str key, const char *name)
{
	return key.len == strlen(name) && strncasecmp(key.at, name, key.len) == 0;
}

/* What follows the `#` of a comment line, without blanks at both ends; `at` is NULL for any
 * other line. */
static struct str comment_text(struct str line)
{
	line = utf8_trim_left(line);
	if (line.len == 0 || line.at[0] != '#')
		return (struct str){ NULL, 0 };
	return utf8_trim((struct str){ line.at + 1, line.len - 1 });
}

static struct err *take_escape(struct directives *directives, struct str value)
{
	if (value.len != 1 || (value.at[0] != '\\' && value.at[0] != '`'))
		return err_new(ERR_INVALID, "escape=%.*s: only \\ and ` can escape",
			       STR_ARG(value));
	directives->escape = value.at[0];
	return NULL;
}

/* One line at the top. `*ret_more` is false when it is no directive, which ends them all. */
static struct err *read_directive(struct directives *directives, bool *escape_seen, struct str line,
				  bool *ret_more)
{
	struct str text = comment_text(line);
	struct str key, value;
	bool again;

	*ret_more = false;
	if (!text.at || !split_setting(text, &key, &value))
		return NULL;
	if (is_key(key, "escape")) {
		again = *escape_seen;
		*escape_seen = true;
		TRY(take_escape(directives, value));
	} else if (is_key(key, "syntax")) {
		again = directives->syntax.at;
		directives->syntax = value;
	} else if (is_key(key, "check")) {
		again = directives->check.at;
		directives->check = value;
	} else {
		return NULL;
	}
	if (again)
		return err_new(ERR_INVALID, "the directive %.*s is given twice", STR_ARG(key));
	*ret_more = true;
	return NULL;
}

/* Behind a first line that names a program ("#!") there are no directives for this parser, but the
 * frontend that is meant, and what it is to check, are looked for there, too. */
static void look_behind_program(struct lexer *lexer)
{
	struct directives *directives = &lexer->directives;
	bool escape_seen = false;
	bool more = str_starts(line_at(lexer, 1), "#!");

	for (unsigned n = 2; more && n <= script_lines(lexer->script); n++) {
		struct directives found = *directives;

		/* one that is wrong, or given twice, is a comment here, and ends them */
		err_free(read_directive(&found, &escape_seen, line_at(lexer, n), &more));
		if (!more)
			break;
		directives->syntax = found.syntax;
		directives->check = found.check;
		if (found.check.at && directives->check_line == 0)
			directives->check_line = n;
	}
}

struct err *lexer_init(struct lexer *lexer, const struct script *script)
{
	struct directives *directives = &lexer->directives;
	bool escape_seen = false;
	bool more = true;

	*lexer = (struct lexer){ .script = script, .next = 1 };
	lexer->joined = BUF_INIT(SCRIPT_MAX);
	lexer->check = BUF_INIT(SCRIPT_MAX);
	directives->escape = '\\';
	while (more && lexer->next <= script_lines(script)) {
		struct position at = { lexer->next, lexer->next, 1, NULL };
		struct str line = line_at(lexer, lexer->next);

		TRY(script_wrap(read_directive(directives, &escape_seen, line, &more), script,
				&at));
		if (directives->check.at && directives->check_line == 0)
			directives->check_line = lexer->next;
		lexer->next += more;
	}
	directives->lines = lexer->next - 1;
	if (directives->lines == 0)
		look_behind_program(lexer);
	return NULL;
}

void lexer_release(struct lexer *lexer)
{
	buf_release(&lexer->joined);
	buf_release(&lexer->check);
	vec_release(&lexer->comments);
}

/* ---- logical lines ---- */

/* Cut the escape character off the end of a line that goes on; false if it does not. An escape
 * that is itself escaped does not continue. */
static bool cut_continuation(struct str *line, char escape)
{
	size_t len = line->len;

	while (len > 0 && (line->at[len - 1] == ' ' || line->at[len - 1] == '\t'))
		len--;
	if (len == 0 || line->at[len - 1] != escape)
		return false;
	if (len > 1 && line->at[len - 2] == escape)
		return false;
	line->len = len - 1;
	return true;
}

/* Remember a comment above an instruction. */
static void note_comment(struct lexer *lexer, struct str text)
{
	struct str key, value;

	if (text.len == 0) {
		lexer->comments.len = 0;
		buf_reset(&lexer->check);
		return;
	}
	if (!split_setting(text, &key, &value) || !is_key(key, "check")) {
		vec_push(&lexer->comments, text);
		return;
	}
	if (lexer->check.len > 0)
		buf_addc(&lexer->check, ';');
	buf_add_str(&lexer->check, value);
}

/* Skip comments and blank lines. The line where an instruction begins, or 0 at the end. */
static unsigned find_start(struct lexer *lexer)
{
	unsigned last = script_lines(lexer->script);

	lexer->comments.len = 0;
	buf_reset(&lexer->check);
	for (; lexer->next <= last; lexer->next++) {
		struct str line = line_at(lexer, lexer->next);
		struct str comment = comment_text(line);

		if (comment.at)
			note_comment(lexer, comment);
		else if (utf8_trim_left(line).len > 0)
			return lexer->next++;
		else
			note_comment(lexer, STR("")); /* they stand right above their instruction */
	}
	return 0;
}

/* Append the lines that continue the current one. */
static void join_lines(struct lexer *lexer, struct logical_line *ret)
{
	unsigned last = script_lines(lexer->script);
	bool more = true;

	while (more && lexer->next <= last) {
		struct str line = line_at(lexer, lexer->next++);

		if (comment_text(line).at)
			continue;
		if (utf8_trim_left(line).len == 0) {
			ret->blank_line = lexer->next - 1;
			continue;
		}
		more = cut_continuation(&line, lexer->directives.escape);
		buf_add_str(&lexer->joined, line);
	}
	ret->position.line_end = lexer->next - 1;
	ret->text = buf_str(&lexer->joined);
}

bool lexer_next(struct lexer *lexer, struct logical_line *ret)
{
	struct str line, text;
	unsigned start;

	do {
		start = find_start(lexer);
		if (start == 0)
			return false;
		line = line_at(lexer, start);
		text = utf8_trim_left(line);
		*ret = (struct logical_line){ .position = { start, start, 0, NULL } };
		ret->position.column = (unsigned)(text.at - line.at) + 1;
		ret->text = text;
		if (cut_continuation(&text, lexer->directives.escape)) {
			buf_reset(&lexer->joined);
			buf_add_str(&lexer->joined, text);
			join_lines(lexer, ret);
		}
	} while (utf8_trim(ret->text).len == 0);
	ret->comments = lexer->comments.at;
	ret->comment_count = lexer->comments.len;
	if (lexer->check.len > 0)
		ret->check = buf_str(&lexer->check);
	return true;
}

/* ---- heredocs ---- */

static bool is_terminator(struct str line, const struct heredoc *heredoc)
{
	while (heredoc->chomp && line.len > 0 && line.at[0] == '\t') {
		line.at++;
		line.len--;
	}
	return str_is(line, heredoc->name);
}

struct err *lexer_read_heredoc(struct lexer *lexer, struct heredoc *heredoc, struct str *ret_body)
{
	unsigned last = script_lines(lexer->script);
	const char *start = script_line(lexer->script, lexer->next).at;

	for (unsigned n = lexer->next; n <= last; n++) {
		if (!is_terminator(line_at(lexer, n), heredoc))
			continue;
		*ret_body =
			(struct str){ start, (size_t)(script_line(lexer->script, n).at - start) };
		heredoc->position = (struct position){ lexer->next, n, 1, NULL };
		lexer->next = n + 1;
		return NULL;
	}
	return err_new(ERR_INVALID, "unterminated heredoc: no line is %s%s", heredoc->name,
		       heredoc->chomp ? " after its tabs" : "");
}

struct err *lexer_read_heredocs(struct lexer *lexer, struct arena *arena, struct str text,
				struct position *at, struct heredocs *ret)
{
	*ret = heredocs_find(arena, text);
	for (size_t i = 0; i < ret->len; i++) {
		struct heredoc *heredoc = &ret->at[i];
		struct str body = { 0 };

		TRY(lexer_read_heredoc(lexer, heredoc, &body));
		heredoc->body = arena_text(arena, body);
		heredoc->content = heredoc->chomp ? heredoc_chomp(arena, body) : heredoc->body;
		at->line_end = heredoc->position.line_end;
	}
	return NULL;
}
