/*
 * cli/command.h - what a command is, and the table of all of them.
 *
 * A file per command defines one `const struct cli_command`; cli/commands.c
 * lists them. Commands are thin: read the options, call the library, print the
 * result to stdout. They return errors; only the program prints them.
 */
#ifndef CLI_COMMAND_H
#define CLI_COMMAND_H

#include <stdbool.h>
#include <stddef.h>

#include "base/mem.h"
#include "base/vec.h"
#include "cli/option.h"

struct err;
struct store;

/* One run of the program: the values of the options of every command, and its exit code. */
struct cli {
	const char *root;           /* NULL: by the environment */
	const char *storage_driver; /* the same */
	bool debug;
	bool help;
	bool version;
	int exit_code; /* what to end with instead of 0, or of what the error says; 0: no wish */
};

#define OPERANDS_ANY 1000000u

enum completion { COMPLETE_FILES, COMPLETE_IMAGES, COMPLETE_COMMANDS, COMPLETE_NOTHING };

struct cli_command {
	const char *name;
	const char *summary;  /* one line, a verb first, no period */
	const char *operands; /* "[CONTEXT]", as shown behind the options; "" for none */
	const char *about;    /* paragraphs of --help, of whole sentences, a newline between two */
	const char *examples; /* command lines, a newline between two; NULL: none are told */
	const struct option *options;
	size_t option_count;
	size_t values_size; /* of the struct that the options fill; it starts as zeros */
	unsigned min_operands, max_operands;
	bool first_operand_ends; /* see struct option_rules */
	bool keeps_dashes;       /* likewise */
	enum completion completes;
	bool hidden; /* works, but is not listed */
	struct err *(*run)(struct cli *cli, void *values, struct strings *operands);
};

extern const struct cli_command *const commands[];
extern const size_t command_count;

extern const struct option global_options[]; /* their values are a `struct cli` */
extern const size_t global_option_count;

const struct cli_command *command_find(const char *name); /* NULL if there is none */
/* ERR_USAGE, with a suggestion. */
struct err *command_unknown(const char *name) MUST_USE;

/* Be root, if need be of a user namespace (base/userns.h): for commands that make or mount trees. It
 * comes before anything is opened, and before the first thread. */
struct err *cli_be_root(void) MUST_USE;
/* Say what it means that there is one id alone, if so. */
void cli_tell_ids(void);

/* Open the store that --root or the environment names. */
struct err *cli_open_store(const struct cli *cli, struct store **ret) MUST_USE;

#endif
