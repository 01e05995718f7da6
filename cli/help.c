/* cli/help.c - see cli/help.h. */

#include "cli/help.h"

#include <string.h>

#include "cli/command.h"

#define WIDTH 80  /* columns of help text */
#define COLUMN 28 /* where the explanations begin */

/* Append `text`, broken at blanks before column WIDTH; further lines begin at `indent`. The
 * cursor stands at `column`. */
static void wrap(struct buf *out, struct str text, size_t column, size_t indent)
{
	bool first = true;

	while (text.len > 0) {
		struct str word = str_cut(&text, ' ');

		if (!first && column + 1 + word.len > WIDTH) {
			buf_addf(out, "\n%*s", (int)indent, "");
			column = indent;
		} else if (!first) {
			buf_addc(out, ' ');
			column++;
		}
		buf_add_str(out, word);
		column += word.len;
		first = false;
	}
	buf_addc(out, '\n');
}

/* A name, padded, and its explanation. */
static void add_row(struct buf *out, const char *name, const char *text)
{
	if (strlen(name) + 2 > COLUMN)
		buf_addf(out, "%s\n%*s", name, COLUMN, "");
	else
		buf_addf(out, "%-*s", COLUMN, name);
	wrap(out, str_of(text), COLUMN, COLUMN);
}

/* "PATH", or "tty|plain" of a choice, or "[=tty|plain]"; owned by the caller. NULL for a flag. */
static char *value_text(const struct option *option)
{
	AUTO(buf) struct buf text = BUF_INIT(4096);

	if (option->kind != OPTION_IS_WORD)
		return xstrdup(option->value);
	for (size_t i = 0; option->words[i]; i++)
		buf_addf(&text, "%s%s", i ? "|" : option->bare ? "[=" : "", option->words[i]);
	if (option->bare)
		buf_addc(&text, ']');
	return buf_steal(&text);
}

static void add_option(struct buf *out, const struct option *option)
{
	AUTO(mem) char *value = value_text(option);
	char letter[] = { '-', option->letter, ',', '\0' };
	AUTO(mem)
	char *name = xasprintf("  %-3s --%s%s%s", option->letter ? letter : "", option->name,
			       value && !option->bare ? " " : "", value ? value : "");

	add_row(out, name, option->help);
}

static void add_options(struct buf *out, const char *title, const struct option *options,
			size_t count)
{
	bool any = false;

	for (size_t i = 0; i < count; i++) {
		if (!options[i].help)
			continue;
		if (!any)
			buf_addf(out, "\n%s:\n", title);
		any = true;
		add_option(out, &options[i]);
	}
}

void help_usage(const struct cli_command *command, struct buf *out)
{
	buf_addf(out, "usage: cairn %s%s%s%s", command->name,
		 command->option_count > 0 ? " [OPTION]..." : "", *command->operands ? " " : "",
		 command->operands);
}

void help_command(const struct cli_command *command, struct buf *out)
{
	struct str about = str_of(command->about);
	struct str examples = command->examples ? str_of(command->examples) : (struct str){ 0 };

	help_usage(command, out);
	buf_adds(out, "\n\n");
	while (about.len > 0)
		wrap(out, str_cut(&about, '\n'), 0, 0);
	add_options(out, "Options", command->options, command->option_count);
	add_options(out, "Options of every command", global_options, global_option_count);
	if (examples.len > 0)
		buf_adds(out, "\nExamples:\n");
	while (examples.len > 0) {
		buf_adds(out, "  ");
		buf_add_str(out, str_cut(&examples, '\n'));
		buf_addc(out, '\n');
	}
}

void help_program(struct buf *out)
{
	buf_adds(out, "usage: cairn [OPTION]... COMMAND [ARGUMENT]...\n"
		      "       build [OPTION]... [CONTEXT]\n\n"
		      "Build container images, keep them, and try them out.\n\nCommands:\n");
	for (size_t i = 0; i < command_count; i++) {
		AUTO(mem) char *name = xasprintf("  %s", commands[i]->name);

		if (!commands[i]->hidden)
			add_row(out, name, commands[i]->summary);
	}
	add_options(out, "Options of every command", global_options, global_option_count);
	buf_adds(out, "\n'cairn COMMAND --help' tells more about a command, and so does its "
		      "manual page\ncairn-COMMAND(1).\n");
}
