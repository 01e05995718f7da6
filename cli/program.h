/*
 * cli/program.h - from the command line to an exit code.
 *
 * The one place that prints errors, once: "error: " and the story on a line,
 * below it the notes; outside text is escaped. Exit codes: 0 done, 1 failed,
 * 2 usage, 3 not found, 4 denied, 5 network, 128+n after signal n; `run` ends as
 * its command ended, or with 125 and above as shells say it.
 */
#ifndef CLI_PROGRAM_H
#define CLI_PROGRAM_H

/* Run the command that `argv` names; a program called "build" is `cairn build`. */
int cli_main(int argc, char *const *argv);

#endif
