/*
 * tests/fuzz/fuzz_recipe.c - any bytes parse or are refused, and what parses holds together.
 *
 * Laws: places lie within the file and follow each other; texts hold no NUL;
 * every instruction, written out again with its heredocs, parses to the same
 * kind; and so does what ONBUILD stores.
 */

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "builder/parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct heredocs *heredocs_of(const struct instruction *one)
{
	if (one->kind == INSTRUCTION_ONBUILD)
		return heredocs_of(one->onbuild.trigger);
	if (one->kind == INSTRUCTION_RUN)
		return &one->run.heredocs;
	if (one->kind == INSTRUCTION_COPY || one->kind == INSTRUCTION_ADD)
		return &one->copy.heredocs;
	return NULL;
}

static void check_position(const struct recipe *recipe, const struct position *at, unsigned after)
{
	assert(at->line > after && at->line <= at->line_end);
	assert(at->line_end <= script_lines(recipe->script));
	assert(at->column >= 1 && at->column <= script_line(recipe->script, at->line).len + 1);
}

/* White space stood between it and the end of the Recipe: read again, it would continue the line. */
static bool ends_with_escape(const struct recipe *recipe, const char *text)
{
	const size_t len = strlen(text);

	return len && text[len - 1] == recipe->escape;
}

static void check_again(const struct recipe *recipe, const struct instruction *one)
{
	AUTO(buf) struct buf text = BUF_INIT(4 * SCRIPT_MAX);
	AUTO(err) struct err *err = NULL;
	AUTO(recipe) struct recipe *again = NULL;
	const struct heredocs *heredocs = heredocs_of(one);
	struct recipe *parsed = NULL;

	if (strlen(one->text) > SCRIPT_LINE_MAX || ends_with_escape(recipe, one->text))
		return;
	if (syntax_is_dialect(recipe->syntax))
		buf_adds(&text, "# syntax=cairn/1\n");
	buf_addf(&text, "# escape=%c\nFROM x\n%s\n", recipe->escape, one->text);
	for (size_t i = 0; heredocs && i < heredocs->len; i++)
		buf_addf(&text, "%s%s\n", heredocs->at[i].body, heredocs->at[i].name);
	err = recipe_parse("again", buf_str(&text), &parsed);
	again = parsed;
	assert(!err);
	assert(again->stages[0].instructions.len == 1);
	assert(again->stages[0].instructions.at[0].kind == one->kind);
	assert(strcmp(again->stages[0].instructions.at[0].text, one->text) == 0);
}

/* Always read with a backslash, so only compared where that was the escape here too. */
static void check_trigger(struct recipe *recipe, const struct instruction *one)
{
	struct instruction *trigger = NULL;
	AUTO(err) struct err *err = NULL;

	if (one->kind != INSTRUCTION_ONBUILD || recipe->escape != '\\' ||
	    strlen(one->text) > SCRIPT_LINE_MAX)
		return;
	err = recipe_parse_trigger(recipe, one->onbuild.text, &trigger);
	assert(!err);
	assert(trigger->kind == one->onbuild.trigger->kind);
}

static unsigned check_all(struct recipe *recipe, const struct instructions *list, unsigned line)
{
	for (size_t i = 0; i < list->len; i++) {
		check_position(recipe, &list->at[i].position, line);
		line = list->at[i].position.line_end;
		check_again(recipe, &list->at[i]);
		check_trigger(recipe, &list->at[i]);
	}
	return line;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct recipe *parsed = NULL;
	AUTO(err)
	struct err *err = recipe_parse("R", (struct str){ (const char *)data, size }, &parsed);
	AUTO(recipe) struct recipe *recipe = parsed;
	unsigned line;

	assert(err ? !recipe : recipe != NULL);
	if (err) {
		assert(err_kind(err) == ERR_INVALID);
		return 0;
	}
	line = check_all(recipe, &recipe->globals, 0);
	for (size_t i = 0; i < recipe->stage_count; i++) {
		check_position(recipe, &recipe->stages[i].position, line);
		line = recipe->stages[i].position.line_end;
		line = check_all(recipe, &recipe->stages[i].instructions, line);
	}
	return 0;
}
