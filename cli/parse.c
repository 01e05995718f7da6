/* cli/parse.c - a Recipe as a tree of words, for other programs. */

#include "base/err.h"
#include "base/json.h"
#include "builder/include.h"
#include "builder/recipe_file.h"
#include "builder/scope.h"
#include "builder/script.h"
#include "builder/syntax.h"
#include "builder/syntax_expand.h"
#include "cli/build_args.h"
#include "cli/commands-private.h"
#include "cli/output.h"
#include "store/platform.h"

struct parse_values {
	struct build_arg_values build_args;
	bool expand;
	const char *target;
};

static const struct option options[] = {
	BUILD_ARG_OPTIONS(struct parse_values, build_args),
	OPTION_FLAG(struct parse_values, expand, 0, "expand",
		    "show what a build would make of variables"),
	OPTION_TEXT(struct parse_values, target, 0, "target", "STAGE",
		    "show only the stages that STAGE needs"),
};

static struct err *run_parse(struct cli *cli, void *arg, struct strings *operands)
{
	const struct parse_values *values = arg;
	AUTO(build_args) struct build_args *args = build_args_new();
	const struct recipe_search search = { .recipe = operands->at[0], .context_fd = -1 };
	const bool whole = values->expand || values->target;
	AUTO(recipe_file) struct recipe_file file = RECIPE_FILE_INIT;
	AUTO(fd) int root_fd = -1;
	struct include_root root;
	const struct include_root *at;
	AUTO(syntax) struct syntax *syntax = NULL;
	AUTO(json) json_t *document = NULL;
	struct platform host;

	(void)cli;
	platform_host(&host);
	TRY(build_args_read(&values->build_args, args));
	TRY(recipe_file_find(&search, &file));
	err_free(recipe_file_root(&search, &file, &root, &root_fd)); /* only an INCLUDE needs it */
	at = whole && root_fd >= 0 ? &root : NULL;
	TRY(syntax_parse_at(file.name, buf_str(&file.bytes), at, &syntax));
	if (whole)
		TRY(syntax_expand(syntax, &(struct syntax_values){ .args = args,
								   .platform = &host,
								   .target = values->target,
								   .expand = values->expand,
								   .bytes = buf_str(&file.bytes),
								   .root = at }));
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
		    "cairn parse --expand --build-arg VERSION=3 Recipe\n"
		    "cairn parse - <Dockerfile | jq -r '.instructions[].cmd'",
	.options = options,
	.option_count = ARRAY_SIZE(options),
	.values_size = sizeof(struct parse_values),
	.min_operands = 1,
	.max_operands = 1,
	.completes = COMPLETE_FILES,
	.run = run_parse,
};
