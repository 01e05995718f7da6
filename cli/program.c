/* cli/program.c - see cli/program.h. */

#include "cli/program.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "base/cancel.h"
#include "base/err.h"
#include "base/log.h"
#include "base/str.h"
#include "cli/command.h"
#include "cli/help.h"
#include "cli/message.h"
#include "cli/term.h"
#include "store/store.h"

static void print_error(const struct err *err, const struct cli_command *command)
{
	AUTO(buf) struct buf text = BUF_INIT(MESSAGE_MAX);

	message_format_error(err, term_has_colours(STDERR_FILENO), &text);
	if (err_kind(err) == ERR_USAGE && command) {
		help_usage(command, &text);
		buf_addf(&text, "\n'cairn %s --help' shows the options\n", command->name);
	} else if (err_kind(err) == ERR_USAGE) {
		buf_adds(&text, "'cairn --help' shows commands and options\n");
	}
	fputs(text.at, stderr);
}

static int exit_code_of(const struct err *err)
{
	switch (err_kind(err)) {
	case ERR_NONE:
		return 0;
	case ERR_USAGE:
		return 2;
	case ERR_NOT_FOUND:
		return 3;
	case ERR_DENIED:
		return 4;
	case ERR_NETWORK:
		return 5;
	default:
		return 1;
	}
}

/* ---- commands ---- */

static struct err *check_operands(const struct cli_command *command, const struct strings *operands)
{
	if (operands->len < command->min_operands)
		return err_new(ERR_USAGE,
			       operands->len == 0 ? "%s needs an argument" :
						    "%s needs more arguments",
			       command->name);
	if (operands->len > command->max_operands)
		return err_new(ERR_USAGE, "%s does not know what to do with '%.200s'",
			       command->name, operands->at[command->max_operands]);
	return NULL;
}

static struct err *print_help(const struct cli_command *command)
{
	AUTO(buf) struct buf text = BUF_INIT(MESSAGE_MAX);

	if (command)
		help_command(command, &text);
	else
		help_program(&text);
	fputs(text.at ? text.at : "", stdout);
	return NULL;
}

static struct err *print_version(void)
{
	puts("cairn " CAIRN_VERSION);
	return NULL;
}

/* Parse what stands behind the command's name into `values`, and run it. */
static struct err *run_with(const struct cli_command *command, struct cli *cli, char *const *argv,
			    void *values)
{
	const struct option_set sets[] = {
		{ command->options, command->option_count, values },
		{ global_options, global_option_count, cli },
	};
	const struct option_rules rules = { .first_operand_ends = command->first_operand_ends,
					    .keeps_dashes = command->keeps_dashes };
	AUTO(strings) struct strings operands = { 0 };
	struct err *err = option_parse(sets, ARRAY_SIZE(sets), argv, &rules, &operands);

	if (!err && cli->help)
		err = print_help(command);
	else if (!err && cli->version)
		err = print_version();
	else if (!err)
		err = check_operands(command, &operands);
	if (!err && !cli->help && !cli->version) {
		if (cli->debug)
			log_set_level(LOG_DEBUG);
		err = command->run(cli, values, &operands);
	}
	option_release(&sets[0]);
	return err;
}

static struct err *run_command(const struct cli_command *command, struct cli *cli,
			       char *const *argv)
{
	AUTO(mem) void *values = xcalloc(1, command->values_size);

	return run_with(command, cli, argv, values);
}

/* `cairn [OPTION]... COMMAND ...`. `*ret_command` is what was found, for the error's sake. */
static struct err *run_named(struct cli *cli, char *const *argv,
			     const struct cli_command **ret_command)
{
	const struct option_set set = { global_options, global_option_count, cli };
	const struct option_rules rules = { .first_operand_ends = true };
	AUTO(strings) struct strings words = { 0 };

	TRY(option_parse(&set, 1, argv, &rules, &words));
	if (cli->version)
		return print_version();
	if (words.len == 0) {
		if (cli->help)
			return print_help(NULL);
		return err_new(ERR_USAGE, "a command is missing");
	}
	*ret_command = command_find(words.at[0]);
	if (!*ret_command)
		return command_unknown(words.at[0]);
	return run_command(*ret_command, cli, strings_argv(&words) + 1);
}

static struct err *flush_stdout(void)
{
	if (fflush(stdout) != 0 || ferror(stdout))
		return err_sys("write to standard output");
	return NULL;
}

/* A layer is an open directory, and a build may have hundreds at a time. Steps have limits of their
 * own. */
static void raise_descriptor_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur == limit.rlim_max)
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit); /* the old one serves most builds */
}

/*
 * A standard descriptor that was closed must not become a file of the store, into which a message
 * would then be written. What takes its place refuses to be read or written as a closed one does.
 */
static void fill_standard_descriptors(void)
{
	for (int fd = 0; fd <= 2; fd++)
		if (fcntl(fd, F_GETFD) < 0)
			(void)!open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY);
}

int cli_main(int argc, char *const *argv)
{
	const char *slash = argc > 0 ? strrchr(argv[0], '/') : NULL;
	const char *name = slash ? slash + 1 : argc > 0 ? argv[0] : "cairn";
	const struct cli_command *command = NULL;
	AUTO(err) struct err *err = NULL;
	struct cli cli = { 0 };

	fill_standard_descriptors();
	cancel_catch_signals();
	raise_descriptor_limit();
	log_set_handler(message_log, NULL);
	if (strcmp(name, "build") == 0) {
		command = command_find("build");
		err = run_command(command, &cli, argv + 1);
	} else {
		err = run_named(&cli, argv + (argc > 0 ? 1 : 0), &command);
	}
	if (!err)
		err = flush_stdout();
	if (!err)
		return cli.exit_code;

	fflush(stdout);
	if (err_kind(err) == ERR_CANCELLED && cancel_signal())
		return 128 + cancel_signal();
	if (err_errno(err) == ENOSPC || err_errno(err) == EDQUOT)
		err = store_note_full(STEAL(err), NULL);
	print_error(err, command);
	return cli.exit_code ? cli.exit_code : exit_code_of(err);
}
