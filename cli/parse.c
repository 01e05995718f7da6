/* cli/parse.c - a Recipe as a tree of words, for other programs. */

#include "base/err.h"
#include "base/json.h"
#include "builder/recipe_file.h"
#include "builder/script.h"
#include "builder/syntax.h"
#include "cli/commands-private.h"
#include "cli/output.h"

struct parse_values {
	bool nothing;
};

static struct err *run_parse(struct cli *cli, void *arg, struct strings *operands)
{
	AUTO(buf) struct buf bytes = BUF_INIT(SCRIPT_MAX);
	AUTO(syntax) struct syntax *syntax = NULL;
	AUTO(json) json_t *document = NULL;
	AUTO(mem) char *name = NULL;

	(void)cli;
	(void)arg;
	TRY(recipe_file_read(operands->at[0], NULL, &bytes, &name));
	TRY(syntax_parse(name, buf_str(&bytes), &syntax));
	document = syntax_describe(syntax);
	output_json(document);
	return NULL;
}

const struct cli_command command_parse = {
	.name = "parse",
	.summary = "show the instructions of a Recipe as JSON",
	.operands = "FILE",
	.about = "Print the instructions of a Recipe, with flags, operands, heredocs and lines, as "
		 "JSON; '-' reads standard input. Only the syntax is checked: 'cairn lint' "
		 "looks at the rest.",
	.examples = "cairn parse Recipe\n"
		    "cairn parse - <Dockerfile | jq -r '.instructions[].cmd'",
	.values_size = sizeof(struct parse_values),
	.min_operands = 1,
	.max_operands = 1,
	.completes = COMPLETE_FILES,
	.run = run_parse,
};
