/*
 * cli/help.h - the text of --help, made from the tables.
 */
#ifndef CLI_HELP_H
#define CLI_HELP_H

#include "base/str.h"

struct cli_command;

/* What `cairn --help` prints. */
void help_program(struct buf *out);
/* What `cairn COMMAND --help` prints. */
void help_command(const struct cli_command *command, struct buf *out);
/* The one line "usage: cairn COMMAND [OPTION]... OPERANDS" without its newline. */
void help_usage(const struct cli_command *command, struct buf *out);

#endif
