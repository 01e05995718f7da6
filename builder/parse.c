/* builder/parse.c - one logical line after the other, into stages. */

#include "builder/parse.h"

#include <strings.h>

#include "base/err.h"
#include "base/utf8.h"
#include "base/vec.h"
#include "builder/flags.h"
#include "builder/include.h"
#include "builder/lex.h"
#include "builder/operands.h"
#include "builder/review.h"
#include "builder/words.h"

struct parser {
	struct recipe *recipe;
	struct arena *arena; /* the recipe's */
	struct lexer lexer;
	struct logical_line line;             /* the current one */
	VEC(struct instruction) instructions; /* of the current stage; before any, the globals */
	VEC(struct stage) stages;
};

static void parser_auto_(struct parser *parser)
{
	lexer_release(&parser->lexer);
	vec_release(&parser->instructions);
	vec_release(&parser->stages);
}

/* Cut `rest`, behind the keyword, as `kind` wants it. `text` is the whole instruction. */
static struct err *make_request(struct parser *p, enum instruction_kind kind, struct str text,
				struct str rest, struct request *ret)
{
	*ret = (struct request){
		.arena = p->arena,
		.escape = p->lexer.directives.escape,
		.keyword = instruction_name(kind),
		.rest = rest,
		.comments = p->line.comments,
		.comment_count = p->line.comment_count,
	};
	ret->flags = flags_split(p->arena, &ret->rest, ret->escape);
	if (operands_take_json(kind))
		TRY(words_json(p->arena, ret->rest, &ret->json, &ret->list));
	if (operands_take_heredocs(kind) && !ret->json)
		TRY(lexer_read_heredocs(&p->lexer, p->arena, text, &p->line.position,
					&ret->heredocs));
	return NULL;
}

static struct err *check_trigger(struct str keyword)
{
	static const char *const refused[] = { "FROM", "INCLUDE", "MAINTAINER", "UNSET" };

	if (keyword.len == 0)
		return err_new(ERR_INVALID, "ONBUILD requires at least one argument");
	if (keyword.len == 7 && strncasecmp(keyword.at, "ONBUILD", 7) == 0)
		return err_new(ERR_INVALID, "ONBUILD ONBUILD is not allowed");
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++)
		if (keyword.len == strlen(refused[i]) &&
		    strncasecmp(keyword.at, refused[i], keyword.len) == 0)
			return err_new(ERR_INVALID, "%s is not allowed as an ONBUILD trigger",
				       refused[i]);
	return NULL;
}

/* What an image stores of a trigger: its line and its heredocs. */
static const char *trigger_text(struct arena *arena, struct str line,
				const struct heredocs *heredocs)
{
	AUTO(buf) struct buf text = BUF_INIT(2 * SCRIPT_MAX);

	buf_add_str(&text, line);
	for (size_t i = 0; heredocs && i < heredocs->len; i++) {
		buf_addc(&text, '\n');
		buf_adds(&text, heredocs->at[i].body);
		buf_adds(&text, heredocs->at[i].name);
	}
	return arena_text(arena, buf_str(&text));
}

static const struct heredocs *heredocs_of(const struct instruction *instruction)
{
	switch (instruction->kind) {
	case INSTRUCTION_RUN:
		return &instruction->run.heredocs;
	case INSTRUCTION_ADD:
	case INSTRUCTION_COPY:
		return &instruction->copy.heredocs;
	default:
		return NULL;
	}
}

/* An instruction other than FROM and ONBUILD. */
static struct err *parse_plain(struct parser *p, enum instruction_kind kind, struct str text,
			       struct str rest, struct instruction *ret)
{
	struct request request;

	*ret = (struct instruction){ .kind = kind, .text = arena_text(p->arena, text) };
	TRY(make_request(p, kind, text, rest, &request));
	TRY(operands_parse(&request, ret));
	ret->position = p->line.position;
	return NULL;
}

static struct err *parse_onbuild(struct parser *p, struct str text, struct str rest,
				 struct instruction *ret)
{
	struct instruction *trigger = arena_alloc(p->arena, sizeof(*trigger));
	struct words flags = flags_split(p->arena, &rest, p->lexer.directives.escape);
	enum instruction_kind kind;
	struct str line = rest;
	struct str keyword = words_keyword(&rest);

	TRY(flags_read(p->arena, &flags, NULL, 0));
	TRY(check_trigger(keyword));
	TRY(instruction_parse(keyword, p->recipe->syntax, &kind));
	TRY(parse_plain(p, kind, line, rest, trigger));
	*ret = (struct instruction){ .kind = INSTRUCTION_ONBUILD };
	ret->position = p->line.position;
	ret->text = arena_text(p->arena, text);
	ret->onbuild.trigger = trigger;
	ret->onbuild.text = trigger_text(p->arena, line, heredocs_of(trigger));
	return NULL;
}

/* The instructions so far go to their stage, or to the globals. */
static void end_stage(struct parser *p)
{
	struct instructions *ret =
		p->stages.len ? &vec_last(&p->stages)->instructions : &p->recipe->globals;

	ret->len = p->instructions.len;
	ret->at = arena_array(p->arena, ret->len, sizeof(*ret->at));
	if (ret->len)
		memcpy(ret->at, p->instructions.at, ret->len * sizeof(*ret->at));
	p->instructions.len = 0;
}

static struct err *parse_from(struct parser *p, struct str text, struct str rest)
{
	struct stage stage = { .index = p->stages.len, .position = p->line.position };
	struct request request;
	struct words words;

	TRY(make_request(p, INSTRUCTION_FROM, text, rest, &request));
	TRY(operands_parse_from(&request, &stage, &words));
	stage.text = arena_text(p->arena, text);
	if (p->line.check.at)
		stage.check = arena_text(p->arena, p->line.check);
	end_stage(p);
	vec_push(&p->stages, stage);
	review_from(p->recipe, &stage, &words);
	review_description(p->recipe, &(struct description){ .line = &p->line,
							     .keyword = "FROM",
							     .names = &stage.name,
							     .name_count = stage.name != NULL });
	return NULL;
}

/* What stands above an ARG. */
static void describe_arguments(struct parser *p, const struct pairs *pairs)
{
	const char **names = arena_array(p->arena, pairs->len, sizeof(*names));

	for (size_t i = 0; i < pairs->len; i++)
		names[i] = pairs->at[i].key;
	review_description(p->recipe, &(struct description){ .line = &p->line,
							     .keyword = "ARG",
							     .names = names,
							     .name_count = pairs->len });
}

/* The current logical line. */
static struct err *parse_line(struct parser *p)
{
	struct instruction instruction;
	struct str text = utf8_trim(p->line.text);
	struct str rest = text;
	struct str keyword = words_keyword(&rest);
	enum instruction_kind kind;

	TRY(instruction_parse(keyword, p->recipe->syntax, &kind));
	if (kind == INSTRUCTION_INCLUDE)
		return err_new(ERR_INVALID, "there is no directory to include from: the Recipe is "
					    "not read from a file");
	if (kind == INSTRUCTION_FROM)
		return parse_from(p, text, rest);
	if (p->stages.len == 0 && kind != INSTRUCTION_ARG)
		return err_new(ERR_INVALID, "%s before the first FROM: only ARG may stand there",
			       instruction_name(kind));
	if (kind == INSTRUCTION_ONBUILD)
		TRY(parse_onbuild(p, text, rest, &instruction));
	else
		TRY(parse_plain(p, kind, text, rest, &instruction));
	if (p->line.check.at)
		instruction.check = arena_text(p->arena, p->line.check);
	if (kind == INSTRUCTION_ARG)
		describe_arguments(p, &instruction.pairs);
	vec_push(&p->instructions, instruction);
	return NULL;
}

static void note_blank_line(struct parser *p)
{
	struct position at = { p->line.blank_line, p->line.blank_line, 0, NULL };
	AUTO(mem) char *check = p->line.check.at ? str_dup(p->line.check) : NULL;

	if (p->line.blank_line)
		lint_add(&p->recipe->lints, "NoEmptyContinuation", check, &at,
			 "an empty line inside a continued instruction will become an error");
}

static struct err *parse_all(struct parser *p)
{
	struct recipe *recipe = p->recipe;

	while (lexer_next(&p->lexer, &p->line)) {
		note_blank_line(p);
		TRY(script_wrap(parse_line(p), recipe->script, &p->line.position));
	}
	end_stage(p);
	recipe->stage_count = p->stages.len;
	recipe->stages = arena_array(p->arena, p->stages.len, sizeof(*recipe->stages));
	if (p->stages.len)
		memcpy(recipe->stages, p->stages.at, p->stages.len * sizeof(*recipe->stages));
	return NULL;
}

static struct err *take_directives(struct recipe *recipe, const struct directives *directives,
				   const struct recipe_override *override)
{
	struct str syntax = override->syntax ? str_of(override->syntax) : directives->syntax;
	struct str check = override->check ? str_of(override->check) : directives->check;
	unsigned at;

	recipe->escape = directives->escape;
	if (syntax.at)
		recipe->syntax = arena_text(&recipe->arena, syntax);
	if (!check.at)
		return NULL;
	recipe->check = arena_text(&recipe->arena, check);
	at = override->check ? 0 : directives->check_line;
	return script_wrap(lint_policy_parse(check, &recipe->lints.policy), recipe->script,
			   &(struct position){ at, at, 0, NULL });
}

/* Go on with all files in the place of the Recipe, if it includes any. */
static struct err *include_files(struct parser *p, const struct include_root *root)
{
	struct recipe *recipe = p->recipe;
	struct script *whole = NULL;

	TRY(include_expand(recipe->script, recipe->escape, root, &whole));
	if (!whole)
		return NULL;
	lexer_release(&p->lexer);
	script_free(recipe->script);
	recipe->script = whole;
	p->lexer = (struct lexer){ 0 };
	return lexer_init(&p->lexer, whole);
}

struct err *recipe_parse(const char *name, struct str bytes, struct recipe **ret)
{
	return recipe_parse_as(name, bytes, &(struct recipe_override){ 0 }, ret);
}

struct err *recipe_parse_as(const char *name, struct str bytes,
			    const struct recipe_override *override, struct recipe **ret)
{
	AUTO(recipe) struct recipe *recipe = xcalloc(1, sizeof(*recipe));
	AUTO(parser) struct parser p = { .recipe = recipe, .arena = &recipe->arena };

	TRY(override->pieces ? script_new_of(name, bytes, override->pieces, &recipe->script) :
			       script_new(name, bytes, &recipe->script));
	TRY(lexer_init(&p.lexer, recipe->script));
	TRY(take_directives(recipe, &p.lexer.directives, override));
	if (override->root && syntax_is_dialect(recipe->syntax))
		TRY(include_files(&p, override->root));
	TRY(parse_all(&p));
	if (recipe->stage_count == 0)
		return err_new(ERR_INVALID, "%s: %s", name,
			       recipe->globals.len ? "no FROM: there is nothing to build on" :
						     "the file holds no instruction");
	review_recipe(recipe);
	*ret = STEAL(recipe);
	return NULL;
}

/* The one line of a trigger, with `p` reading a script of its own. */
static struct err *parse_trigger(struct parser *p, struct instruction *ret)
{
	struct str text, rest, keyword;
	enum instruction_kind kind;

	if (!lexer_next(&p->lexer, &p->line))
		return err_new(ERR_INVALID, "there is no instruction");
	text = utf8_trim(p->line.text);
	rest = text;
	keyword = words_keyword(&rest);
	TRY(check_trigger(keyword));
	TRY(instruction_parse(keyword, p->recipe->syntax, &kind));
	TRY(parse_plain(p, kind, text, rest, ret));
	ret->position = (struct position){ 0 };
	if (lexer_next(&p->lexer, &p->line))
		return err_new(ERR_INVALID, "there is more than one instruction");
	return NULL;
}

struct err *recipe_parse_trigger(struct recipe *recipe, const char *text, struct instruction **ret)
{
	AUTO(script) struct script *script = NULL;
	AUTO(parser) struct parser p = { .recipe = recipe, .arena = &recipe->arena };
	struct instruction *trigger = arena_alloc(&recipe->arena, sizeof(*trigger));
	struct str head = str_of(text);

	head = str_cut(&head, '\n');
	head.len = head.len > 80 ? 80 : head.len;
	TRY(script_new("ONBUILD", str_of(text), &script));
	TRY(lexer_init(&p.lexer, script));
	TRY(err_wrap(parse_trigger(&p, trigger), "ONBUILD %.*s", STR_ARG(head)));
	*ret = trigger;
	return NULL;
}
