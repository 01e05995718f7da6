/* cli/lint.c - what is doubtful in a Recipe. */

#include <fcntl.h>

#include "base/err.h"
#include "base/file.h"
#include "base/log.h"
#include "builder/check.h"
#include "builder/scope.h"
#include "cli/build_args.h"
#include "cli/commands-private.h"
#include "cli/diagnose.h"
#include "cli/lint.h"
#include "store/store.h"

struct lint_values {
	struct build_arg_values build_args;
	const char *recipe, *target;
	int format;
};

static const struct option options[] = {
	BUILD_ARG_OPTIONS(struct lint_values, build_args),
	OPTION_PATH(struct lint_values, recipe, 'f', "file", "PATH",
		    "the Recipe; '-' is standard input (default: Recipe, Containerfile or "
		    "Dockerfile in DIR)"),
	OPTION_WORD(struct lint_values, format, 0, "format", diagnose_format_names,
		    "how to show it"),
	OPTION_TEXT(struct lint_values, target, 0, "target", "STAGE",
		    "look only at the stages that STAGE needs"),
};

struct err *lint_open_store(const struct cli *cli, struct store **ret)
{
	AUTO(mem) char *root = NULL;
	AUTO(fd) int fd = -1;
	struct err *err;

	TRY(store_find_root(cli->root, &root));
	err = file_open_dir(AT_FDCWD, root, &fd);
	if (!err)
		err = file_exists(fd, "store.json") ? store_open(root, ret) : NULL;
	if (err)
		log_debug("nothing is known of base images: %s", err_text(err));
	err_free(err); /* a check works without them */
	return NULL;
}

struct err *lint_run(struct cli *cli, const struct check_opts *given, int format)
{
	struct check_opts opts = *given;
	AUTO(check) struct check check = { 0 };
	AUTO(store) struct store *store = NULL;

	TRY(lint_open_store(cli, &store));
	opts.store = store;
	TRY(check_run(&opts, &check));
	if (check.recipe && check.recipe->lints.len > 0)
		cli->exit_code = 1;
	return diagnose_print(&check, (enum diagnose_format)format);
}

static struct err *run_lint(struct cli *cli, void *arg, struct strings *operands)
{
	const struct lint_values *values = arg;
	AUTO(build_args) struct build_args *args = build_args_new();
	struct check_opts opts = { .recipe = values->recipe,
				   .context = operands->len ? operands->at[0] : ".",
				   .target = values->target,
				   .args = args };

	platform_host(&opts.platform);
	TRY(build_args_read(&values->build_args, args));
	return lint_run(cli, &opts, values->format);
}

const struct cli_command command_lint = {
	.name = "lint",
	.summary = "say what is doubtful in a Recipe",
	.operands = "[DIR]",
	.about = "Look at the Recipe in DIR (default: the current directory) or at the one that -f "
		 "names, and print what is wrong or doubtful; docs/lint.md has the rules. Nothing "
		 "is built or fetched. The exit code is 1 if there is anything to say.",
	.examples = "cairn lint\n"
		    "cairn lint -f Recipe.test --format json .\n"
		    "cairn lint --format sarif >lint.sarif",
	.options = options,
	.option_count = ARRAY_SIZE(options),
	.values_size = sizeof(struct lint_values),
	.max_operands = 1,
	.completes = COMPLETE_FILES,
	.run = run_lint,
};
