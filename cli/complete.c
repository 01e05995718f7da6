/*
 * cli/complete.c - completions of the shells, made from the tables.
 *
 * `cairn __complete bash|zsh|fish` prints the script that the shell reads;
 * `cairn __complete images` the names that such a script offers while it runs.
 */

#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/str.h"
#include "cli/commands-private.h"
#include "registry/reference.h"
#include "store/ref.h"
#include "store/store.h"

/* ---- what all shells need ---- */

/* A table of options that are told. */
struct table_of_options {
	const struct option *options;
	size_t count;
};

static void print_words(const char *const *words)
{
	for (size_t i = 0; words[i]; i++)
		printf("%s%s", i ? " " : "", words[i]);
}

static void print_commands(void)
{
	bool first = true;

	for (size_t i = 0; i < command_count; i++) {
		if (commands[i]->hidden)
			continue;
		printf("%s%s", first ? "" : " ", commands[i]->name);
		first = false;
	}
}

/* Text for between single quotes; `more` are further characters that need a backslash. */
static void print_quoted(const char *text, const char *more)
{
	for (; *text; text++) {
		if (*text == '\'')
			fputs("'\\''", stdout);
		else if (strchr(more, *text))
			printf("\\%c", *text);
		else
			putchar(*text);
	}
}

/* ---- bash ---- */

static void bash_option_names(struct table_of_options table)
{
	for (size_t i = 0; i < table.count; i++) {
		if (!table.options[i].help)
			continue;
		printf(" --%s", table.options[i].name);
		if (table.options[i].letter)
			printf(" -%c", table.options[i].letter);
	}
}

/* What may follow an option that takes a value. */
static void bash_option_values(struct table_of_options table)
{
	for (size_t i = 0; i < table.count; i++) {
		const struct option *option = &table.options[i];

		if (!option->help || !option_takes_value(option))
			continue;
		if (option->letter)
			printf("\t\t-%c|", option->letter);
		else
			printf("\t\t");
		printf("--%s) ", option->name);
		if (option->kind == OPTION_IS_WORD) {
			printf("words='");
			print_words(option->words);
			printf("'");
		} else {
			printf(option->files ? "files=1" : ":");
		}
		printf(" ;;\n");
	}
}

static void bash_operands(const struct cli_command *command)
{
	switch (command->completes) {
	case COMPLETE_FILES:
		printf("files=1");
		break;
	case COMPLETE_IMAGES:
		printf("words=$(\"${COMP_WORDS[0]}\" __complete images 2>/dev/null)");
		break;
	case COMPLETE_COMMANDS:
		printf("words='");
		print_commands();
		printf("'");
		break;
	case COMPLETE_NOTHING:
		printf(":");
		break;
	}
}

static void bash_command(const struct cli_command *command)
{
	const struct table_of_options own = { command->options, command->option_count };
	const struct table_of_options global = { global_options, global_option_count };

	printf("\t%s)\n\t\tcase $prev in\n", command->name);
	bash_option_values(own);
	bash_option_values(global);
	printf("\t\t*) case $cur in\n\t\t\t-*) words='");
	bash_option_names(own);
	bash_option_names(global);
	printf("' ;;\n\t\t\t*) ");
	bash_operands(command);
	printf(" ;;\n\t\t\tesac ;;\n\t\tesac ;;\n");
}

static void print_bash(void)
{
	printf("# Completions of cairn for bash.\n"
	       "_cairn()\n{\n"
	       "\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}\n"
	       "\tlocal command='' words='' files='' i\n"
	       "\tif [ \"${COMP_WORDS[0]##*/}\" = build ]; then\n\t\tcommand=build\n\tfi\n"
	       "\tfor ((i = 1; i < COMP_CWORD && ${#command} == 0; i++)); do\n"
	       "\t\tcase ${COMP_WORDS[i]} in\n"
	       "\t\t--root) ((i++)) ;;\n\t\t-*) ;;\n\t\t*) command=${COMP_WORDS[i]} ;;\n"
	       "\t\tesac\n\tdone\n\tcase $command in\n");
	for (size_t i = 0; i < command_count; i++)
		if (!commands[i]->hidden)
			bash_command(commands[i]);
	printf("\t'')\n\t\tcase $prev in\n\t\t--root) files=1 ;;\n\t\t*) words='");
	print_commands();
	bash_option_names((struct table_of_options){ global_options, global_option_count });
	printf("' ;;\n\t\tesac ;;\n\tesac\n"
	       "\tif [ -n \"$files\" ]; then\n"
	       "\t\tmapfile -t COMPREPLY < <(compgen -f -- \"$cur\")\n"
	       "\telse\n"
	       "\t\tmapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\")\n"
	       "\tfi\n}\n"
	       "complete -o filenames -F _cairn cairn build\n");
}

/* ---- zsh ---- */

static void zsh_option(const struct option *option)
{
	const char *many = option->kind == OPTION_IS_LIST ? "*" : "";

	if (!option->help)
		return;
	printf(" \\\n\t\t\t");
	if (option->letter && !many[0])
		printf("'(-%c --%s)'{-%c,--%s}'[", option->letter, option->name, option->letter,
		       option->name);
	else if (option->letter)
		printf("'*'{-%c,--%s}'[", option->letter, option->name);
	else
		printf("'%s--%s[", many, option->name);
	print_quoted(option->help, "[]:\\");
	putchar(']');
	if (option->kind == OPTION_IS_WORD && !option->bare) {
		printf(":%s:(", option->name);
		print_words(option->words);
		putchar(')');
	} else if (option_takes_value(option)) {
		putchar(':');
		print_quoted(option->value, "[]:\\");
		printf(":%s", option->files ? "_files" : "");
	}
	putchar('\'');
}

static void zsh_command(const struct cli_command *command)
{
	static const char *const operands[] = {
		[COMPLETE_FILES] = "_files",
		[COMPLETE_IMAGES] = "{compadd -- ${(f)\"$(cairn __complete images 2>/dev/null)\"}}",
		[COMPLETE_COMMANDS] = "_cairn_commands",
		[COMPLETE_NOTHING] = "",
	};

	printf("\t%s)\n\t\t_arguments -s", command->name);
	for (size_t i = 0; i < command->option_count; i++)
		zsh_option(&command->options[i]);
	for (size_t i = 0; i < global_option_count; i++)
		zsh_option(&global_options[i]);
	printf(" \\\n\t\t\t'*:argument:%s' ;;\n", operands[command->completes]);
}

static void print_zsh(void)
{
	printf("#compdef cairn build\n# Completions of cairn for zsh.\n"
	       "_cairn_commands()\n{\n\tlocal -a list\n\tlist=(\n");
	for (size_t i = 0; i < command_count; i++) {
		if (commands[i]->hidden)
			continue;
		printf("\t\t'%s:", commands[i]->name);
		print_quoted(commands[i]->summary, ":\\");
		printf("'\n");
	}
	printf("\t)\n\t_describe command list\n}\n"
	       "_cairn()\n{\n\tlocal command=$words[1]:t\n"
	       "\tif [[ $command != build ]]; then\n"
	       "\t\tif (( CURRENT == 2 )); then\n\t\t\t_cairn_commands\n\t\t\treturn\n\t\tfi\n"
	       "\t\tcommand=$words[2]\n\t\tshift words\n\t\t(( CURRENT-- ))\n\tfi\n"
	       "\tcase $command in\n");
	for (size_t i = 0; i < command_count; i++)
		if (!commands[i]->hidden)
			zsh_command(commands[i]);
	printf("\tesac\n}\n_cairn \"$@\"\n");
}

/* ---- fish ---- */

/* `where` is "-c cairn -n CONDITION", or "-c build". */
static void fish_options(const char *where, struct table_of_options table)
{
	for (size_t i = 0; i < table.count; i++) {
		const struct option *option = &table.options[i];

		if (!option->help)
			continue;
		printf("complete %s -l %s", where, option->name);
		if (option->letter)
			printf(" -s %c", option->letter);
		if (option->kind == OPTION_IS_WORD && !option->bare) {
			printf(" -x -a '");
			print_words(option->words);
			putchar('\'');
		} else if (option_takes_value(option)) {
			printf(option->files ? " -r -F" : " -x");
		}
		printf(" -d '");
		print_quoted(option->help, "\\");
		printf("'\n");
	}
}

static void fish_command(const struct cli_command *command)
{
	AUTO(mem)
	char *where = xasprintf("-c cairn -n '__fish_seen_subcommand_from %s'", command->name);

	printf("complete -c cairn -n __fish_use_subcommand -a %s -d '", command->name);
	print_quoted(command->summary, "\\");
	printf("'\n");
	fish_options(where, (struct table_of_options){ command->options, command->option_count });
	if (command->completes == COMPLETE_FILES)
		printf("complete %s -F\n", where);
	else if (command->completes == COMPLETE_IMAGES)
		printf("complete %s -a '(cairn __complete images 2>/dev/null)'\n", where);
}

static void print_fish(void)
{
	const struct cli_command *build = command_find("build");

	printf("# Completions of cairn for fish.\ncomplete -c cairn -f\n");
	fish_options("-c cairn", (struct table_of_options){ global_options, global_option_count });
	for (size_t i = 0; i < command_count; i++)
		if (!commands[i]->hidden)
			fish_command(commands[i]);
	if (build)
		fish_options("-c build",
			     (struct table_of_options){ build->options, build->option_count });
}

/* ---- the command ---- */

static struct err *print_images(const struct cli *cli)
{
	AUTO(ref_list) struct ref_list refs = { 0 };
	AUTO(store) struct store *store = NULL;

	TRY(cli_open_store(cli, &store));
	TRY(ref_list(store, &refs));
	vec_foreach (&refs, ref) {
		AUTO(mem) char *name = reference_shorten(ref->name);

		puts(name);
	}
	return NULL;
}

static struct err *run_complete(struct cli *cli, void *values, struct strings *operands)
{
	const char *what = operands->at[0];

	(void)values;
	if (strcmp(what, "images") == 0)
		return print_images(cli);
	if (strcmp(what, "bash") == 0)
		print_bash();
	else if (strcmp(what, "zsh") == 0)
		print_zsh();
	else if (strcmp(what, "fish") == 0)
		print_fish();
	else
		return err_new(ERR_USAGE, "no completions for '%.80s'", what);
	return NULL;
}

const struct cli_command command_complete = {
	.name = "__complete",
	.summary = "print completions for a shell",
	.operands = "bash|zsh|fish|images",
	.about = "Print completions for a shell, or the names of images.",
	.min_operands = 1,
	.max_operands = 1,
	.completes = COMPLETE_NOTHING,
	.hidden = true,
	.run = run_complete,
};
