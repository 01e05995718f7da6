/* builder/syntax.c - see builder/syntax.h. */

#include "builder/syntax.h"

#include <strings.h>

#include "base/err.h"
#include "base/json.h"
#include "base/utf8.h"
#include "base/vec.h"
#include "builder/flags.h"
#include "builder/include.h"
#include "builder/lex.h"
#include "builder/operands.h"
#include "builder/words.h"

/* What one instruction is cut from. */
struct cutter {
	struct arena *arena;
	struct lexer lexer;
	struct logical_line line;
	const char *syntax; /* of the directive, or NULL */
};

static void cutter_auto_(struct cutter *cutter)
{
	lexer_release(&cutter->lexer);
}

void syntax_free(struct syntax *syntax)
{
	if (!syntax)
		return;
	vec_release(&syntax->lines);
	script_free(syntax->script);
	arena_release(&syntax->arena);
	free(syntax);
}

/* ---- operands ---- */

/* All of `text` as one word; none if it is empty. */
static struct words one_text(struct arena *arena, struct str text)
{
	return words_from(arena, &text, text.len > 0);
}

/* ENV and LABEL: names and values in turn. */
static struct err *cut_pairs(const struct request *request, struct words *ret)
{
	struct pairs pairs = { 0 };

	TRY(operands_cut_pairs(request, &pairs));
	ret->len = 2 * pairs.len;
	ret->at = arena_array(request->arena, ret->len + 1, sizeof(*ret->at));
	for (size_t i = 0; i < pairs.len; i++) {
		ret->at[2 * i] = pairs.at[i].key;
		ret->at[2 * i + 1] = pairs.at[i].value;
	}
	return NULL;
}

/* HEALTHCHECK: its form, and a command as CMD has it. */
static struct err *cut_healthcheck(const struct request *request, struct syntax_line *line)
{
	struct str rest = request->rest;
	struct str form = words_first(&rest);
	struct words command = { 0 };

	if (form.len == 0) {
		line->args = one_text(request->arena, form);
		return NULL;
	}
	TRY(words_json(request->arena, rest, &line->json, &command));
	if (!line->json)
		command = one_text(request->arena, rest);
	line->args.len = command.len + 1;
	line->args.at = arena_array(request->arena, line->args.len + 1, sizeof(*line->args.at));
	line->args.at[0] = arena_text(request->arena, form);
	for (size_t i = 0; i < command.len; i++)
		line->args.at[i + 1] = command.at[i];
	return NULL;
}

static struct err *cut_operands(struct request *request, struct syntax_line *line)
{
	struct arena *arena = request->arena;

	switch (line->kind) {
	case INSTRUCTION_ADD:
	case INSTRUCTION_COPY:
	case INSTRUCTION_EXPOSE:
	case INSTRUCTION_FROM:
	case INSTRUCTION_VOLUME:
		line->args = words_plain(arena, request->rest);
		return NULL;
	case INSTRUCTION_ARG:
	case INSTRUCTION_UNSET:
		line->args = words_quoted(arena, request->rest, request->escape);
		return NULL;
	case INSTRUCTION_ENV:
	case INSTRUCTION_LABEL:
		return cut_pairs(request, &line->args);
	case INSTRUCTION_HEALTHCHECK:
		return cut_healthcheck(request, line);
	default:
		line->args = one_text(arena, request->rest);
		return NULL;
	}
}

/* ---- lines ---- */

/* The instruction that `text` spells, without its heredocs and without what an ONBUILD holds, which
 * is left in `*ret_rest`. */
static struct err *cut_line(struct cutter *cutter, struct str text, struct syntax_line *ret,
			    struct str *ret_rest)
{
	struct str rest = text;
	struct str keyword = words_keyword(&rest);
	struct request request = { .arena = cutter->arena };

	TRY(instruction_parse(keyword, cutter->syntax, &ret->kind));
	request.escape = cutter->lexer.directives.escape;
	request.keyword = instruction_name(ret->kind);
	request.rest = rest;
	ret->flags = flags_split(cutter->arena, &request.rest, request.escape);
	*ret_rest = request.rest;
	if (ret->kind == INSTRUCTION_ONBUILD) {
		ret->args = words_from(cutter->arena, NULL, 0);
		return NULL;
	}
	if (operands_take_json(ret->kind))
		TRY(words_json(cutter->arena, request.rest, &ret->json, &ret->args));
	return ret->json ? NULL : cut_operands(&request, ret);
}

/* An instruction, and what it triggers; the innermost decides whether there are heredocs. */
static struct err *cut_instruction(struct cutter *cutter, struct syntax_line *ret)
{
	struct str text = utf8_trim(cutter->line.text);
	struct syntax_line *line = ret;
	struct str rest;

	TRY(cut_line(cutter, text, line, &rest));
	for (unsigned depth = 1; line->kind == INSTRUCTION_ONBUILD && rest.len > 0; depth++) {
		if (depth == SYNTAX_DEPTH)
			return err_new(ERR_INVALID, "more than %d ONBUILDs in one another",
				       SYNTAX_DEPTH);
		line->sub = arena_alloc(cutter->arena, sizeof(*line->sub));
		line = line->sub;
		text = rest;
		TRY(cut_line(cutter, text, line, &rest));
	}
	if (operands_take_heredocs(line->kind) && !line->json)
		TRY(lexer_read_heredocs(&cutter->lexer, cutter->arena, text, &cutter->line.position,
					&ret->heredocs));
	for (struct syntax_line *one = ret; one; one = one->sub) {
		one->heredocs = ret->heredocs;
		one->position = cutter->line.position;
	}
	return NULL;
}

/* Go on with all files in the place of the Recipe, if it includes any. */
static struct err *include_files(struct cutter *cutter, const struct include_root *root,
				 struct syntax *syntax)
{
	struct script *whole = NULL;

	if (!root || !syntax_is_dialect(cutter->syntax))
		return NULL;
	TRY(include_expand(syntax->script, syntax->escape, root, &whole));
	if (!whole)
		return NULL;
	lexer_release(&cutter->lexer);
	script_free(syntax->script);
	syntax->script = whole;
	syntax->included = true;
	cutter->lexer = (struct lexer){ 0 };
	return lexer_init(&cutter->lexer, whole);
}

struct err *syntax_parse(const char *name, struct str bytes, struct syntax **ret)
{
	return syntax_parse_at(name, bytes, NULL, ret);
}

struct err *syntax_parse_at(const char *name, struct str bytes, const struct include_root *root,
			    struct syntax **ret)
{
	AUTO(syntax) struct syntax *syntax = xcalloc(1, sizeof(*syntax));
	AUTO(cutter) struct cutter cutter = { .arena = &syntax->arena };

	TRY(script_new(name, bytes, &syntax->script));
	TRY(lexer_init(&cutter.lexer, syntax->script));
	syntax->escape = cutter.lexer.directives.escape;
	if (cutter.lexer.directives.syntax.at)
		cutter.syntax = arena_text(&syntax->arena, cutter.lexer.directives.syntax);
	TRY(include_files(&cutter, root, syntax));
	while (lexer_next(&cutter.lexer, &cutter.line)) {
		struct syntax_line line = { 0 };

		TRY(script_wrap(cut_instruction(&cutter, &line), syntax->script,
				&cutter.line.position));
		vec_push(&syntax->lines, line);
	}
	if (syntax->lines.len == 0)
		return err_new(ERR_INVALID, "%s: the file holds no instruction", name);
	*ret = STEAL(syntax);
	return NULL;
}

/* ---- the document ---- */

static json_t *describe_words(const struct words *words)
{
	json_t *array = json_array();

	for (size_t i = 0; i < words->len; i++)
		json_push(array, json_text(str_of(words->at[i])));
	return array;
}

static json_t *describe_heredocs(const struct heredocs *heredocs)
{
	json_t *array = json_array();

	for (size_t i = 0; i < heredocs->len; i++) {
		const struct heredoc *heredoc = &heredocs->at[i];
		json_t *object = json_object();

		json_set_text(object, "name", heredoc->name);
		json_set_text(object, "content", heredoc->body);
		json_set(object, "expand", json_boolean(heredoc->expand));
		json_set(object, "chomp", json_boolean(heredoc->chomp));
		json_push(array, object);
	}
	return array;
}

/* Its lines, and of what was put together the file that they are in. */
static void describe_place(const struct syntax *syntax, const struct position *at, json_t *object)
{
	unsigned first = at->line;

	if (syntax->included)
		json_set_text(object, "file", script_place(syntax->script, at->line, &first));
	json_set(object, "start", json_integer(first));
	json_set(object, "end", json_integer(first + (at->line_end - at->line)));
}

static json_t *describe_line(const struct syntax *syntax, const struct syntax_line *line)
{
	AUTO(mem) char *name = xstrdup(instruction_name(line->kind));
	json_t *object = json_object();

	for (char *c = name; *c; c++)
		if (*c >= 'A' && *c <= 'Z')
			*c = (char)(*c - 'A' + 'a');
	json_set_text(object, "cmd", name);
	json_set(object, "flags", describe_words(&line->flags));
	json_set(object, "args", describe_words(&line->args));
	json_set(object, "json", json_boolean(line->json));
	json_set(object, "heredocs", describe_heredocs(&line->heredocs));
	if (line->sub)
		json_set(object, "sub",
			 describe_line(syntax, line->sub)); /* at most SYNTAX_DEPTH deep */
	describe_place(syntax, &line->position, object);
	return object;
}

json_t *syntax_describe(const struct syntax *syntax)
{
	const char escape[] = { syntax->escape, '\0' };
	json_t *document = json_object();
	json_t *lines = json_array();

	vec_foreach (&syntax->lines, line)
		json_push(lines, describe_line(syntax, line));
	json_set_text(document, "escape", escape);
	json_set(document, "instructions", lines);
	return document;
}
