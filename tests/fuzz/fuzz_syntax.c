/*
 * tests/fuzz/fuzz_syntax.c - any bytes are cut into instructions or refused.
 *
 * Laws: the document is JSON that reads back as the same tree; instructions lie
 * in the file, one behind the other; what the whole parser takes is also cut;
 * and words, written out again in JSON form, are cut into the same words.
 */

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "builder/operands.h"
#include "builder/parse.h"
#include "builder/syntax.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_document(const struct syntax *syntax)
{
	AUTO(json) json_t *document = syntax_describe(syntax);
	AUTO(mem) char *text = json_format(document);
	AUTO(json) json_t *again = json_loads(text, JSON_REJECT_DUPLICATES, NULL);

	assert(again && json_equal(document, again));
}

static void check_line(const struct syntax *syntax, const struct syntax_line *line, unsigned after)
{
	const struct position *at = &line->position;

	assert(at->line > after && at->line <= at->line_end);
	assert(at->line_end <= script_lines(syntax->script));
	assert(!line->args.at[line->args.len]);
	assert(!line->sub || line->kind == INSTRUCTION_ONBUILD);
}

/* The words of an instruction that has a JSON form survive it. Bytes that are no UTF-8 do not. */
static void check_words(const struct syntax_line *line)
{
	AUTO(buf) struct buf text = BUF_INIT(8 * SCRIPT_MAX);
	AUTO(json) json_t *array = json_array();
	AUTO(mem) char *words = NULL;
	AUTO(err) struct err *err = NULL;
	AUTO(syntax) struct syntax *again = NULL;
	struct syntax *cut = NULL;

	if (!operands_take_json(line->kind))
		return;
	for (size_t i = 0; i < line->args.len; i++)
		json_push(array, json_text(str_of(line->args.at[i])));
	words = json_format(array);
	if (strlen(words) > SCRIPT_LINE_MAX - 100)
		return;
	buf_addf(&text, "%s %s", instruction_name(line->kind), words);
	err = syntax_parse("again", buf_str(&text), &cut);
	again = cut;
	assert(!err && again->lines.len == 1 && again->lines.at[0].json);
	assert(again->lines.at[0].args.len == line->args.len);
	for (size_t i = 0; i < line->args.len; i++)
		assert(strcmp(again->lines.at[0].args.at[i],
			      json_string_value(json_array_get(array, i))) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str bytes = { (const char *)data, size };
	struct syntax *cut = NULL;
	struct recipe *parsed = NULL;
	AUTO(err) struct err *err = syntax_parse("R", bytes, &cut);
	AUTO(err) struct err *whole_err = recipe_parse("R", bytes, &parsed);
	AUTO(syntax) struct syntax *syntax = cut;
	AUTO(recipe) struct recipe *recipe = parsed;
	unsigned line = 0;

	(void)recipe;
	assert(err ? !syntax : syntax != NULL);
	assert(whole_err || syntax); /* what the whole parser takes is cut, too */
	if (err) {
		assert(err_kind(err) == ERR_INVALID);
		return 0;
	}
	for (size_t i = 0; i < syntax->lines.len; i++) {
		check_line(syntax, &syntax->lines.at[i], line);
		check_words(&syntax->lines.at[i]);
		line = syntax->lines.at[i].position.line_end;
	}
	check_document(syntax);
	return 0;
}
