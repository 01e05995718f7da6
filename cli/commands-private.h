/*
 * cli/commands-private.h - every command there is; each file of cli/ defines its own.
 */
#ifndef CLI_COMMANDS_PRIVATE_H
#define CLI_COMMANDS_PRIVATE_H

#include "cli/command.h"

extern const struct cli_command command_build;
extern const struct cli_command command_complete;
extern const struct cli_command command_context;
extern const struct cli_command command_copy;
extern const struct cli_command command_delete;
extern const struct cli_command command_digest;
extern const struct cli_command command_tags;
extern const struct cli_command command_doctor;
extern const struct cli_command command_du;
extern const struct cli_command command_export;
extern const struct cli_command command_help;
extern const struct cli_command command_history;
extern const struct cli_command command_images;
extern const struct cli_command command_import;
extern const struct cli_command command_index;
extern const struct cli_command command_info;
extern const struct cli_command command_inspect;
extern const struct cli_command command_lint;
extern const struct cli_command command_load;
extern const struct cli_command command_lock;
extern const struct cli_command command_login;
extern const struct cli_command command_logout;
extern const struct cli_command command_parse;
extern const struct cli_command command_check;
extern const struct cli_command command_prune;
extern const struct cli_command command_pull;
extern const struct cli_command command_push;
extern const struct cli_command command_rmi;
extern const struct cli_command command_run;
extern const struct cli_command command_shell;
extern const struct cli_command command_save;
extern const struct cli_command command_tag;
extern const struct cli_command command_version;
extern const struct cli_command command_volume;

#endif
