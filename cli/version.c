/* cli/version.c - the commands that tell about the program itself: version and help. */

#include <stdio.h>

#include "base/err.h"
#include "cli/commands-private.h"
#include "cli/help.h"

#define TEXT_MAX ((size_t)1024 * 1024)

static struct err *run_version(struct cli *cli, void *values, struct strings *operands)
{
	(void)cli;
	(void)values;
	(void)operands;
	puts("cairn " CAIRN_VERSION);
	return NULL;
}

const struct cli_command command_version = {
	.name = "version",
	.summary = "show the version",
	.operands = "",
	.about = "Show the version of the program.",
	.completes = COMPLETE_NOTHING,
	.run = run_version,
};

static struct err *run_help(struct cli *cli, void *values, struct strings *operands)
{
	const struct cli_command *command = NULL;
	AUTO(buf) struct buf text = BUF_INIT(TEXT_MAX);

	(void)cli;
	(void)values;
	if (operands->len == 0) {
		help_program(&text);
	} else {
		command = command_find(operands->at[0]);
		if (!command)
			return command_unknown(operands->at[0]);
		help_command(command, &text);
	}
	fputs(text.at, stdout);
	return NULL;
}

const struct cli_command command_help = {
	.name = "help",
	.summary = "show what a command does",
	.operands = "[COMMAND]",
	.about = "Show all commands, or what one of them does and its options.",
	.max_operands = 1,
	.completes = COMPLETE_COMMANDS,
	.run = run_help,
};
