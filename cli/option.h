/*
 * cli/option.h - the options of a command as a table, and the parser that reads it.
 *
 * A command declares a struct that holds its options, and a table that says
 * which option fills which field. The table is all there is: parsing, the text
 * of --help and shell completions come from it, and a test holds the manual
 * pages to it.
 *
 *	struct save_args {
 *		const char *output;
 *		int format;
 *	};
 *	static const struct option options[] = {
 *		OPTION_PATH(struct save_args, output, 'o', "output", "PATH", "write to PATH"),
 *		OPTION_WORD(struct save_args, format, 0, "format", formats, "kind of archive"),
 *	};
 *
 * Accepted are `--name value`, `--name=value`, `-n value`, `-nvalue`, flags in a
 * bundle (`-qt NAME`), `--flag=true` and `--flag=false`, and `--` before operands
 * that look like options. `-` alone is an operand. An option that takes one
 * value may be repeated: the last one counts.
 */
#ifndef CLI_OPTION_H
#define CLI_OPTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/mem.h"
#include "base/vec.h"

struct err;

enum option_kind {
	OPTION_IS_FLAG,   /* bool */
	OPTION_IS_SWITCH, /* int: an enum option_switch */
	OPTION_IS_TEXT,   /* const char *, borrowed from the command line */
	OPTION_IS_LIST,   /* struct strings, one element per use */
	OPTION_IS_NUMBER, /* uint64_t */
	OPTION_IS_WORD,   /* int: the index of one of `words` */
};

/* A flag that tells whether it was given at all. */
enum option_switch { SWITCH_UNSAID, SWITCH_ON, SWITCH_OFF };

struct option {
	const char *name; /* without "--" */
	char letter;      /* 0 if there is none */
	bool files;       /* the value is a path: completions offer files */
	bool plus_one;    /* of a number: it is stored with 1 added, so that 0 is "not said" */
	enum option_kind kind;
	size_t offset;            /* of the field in the command's struct */
	const char *value;        /* "PATH" in help; NULL for flags, switches and words */
	const char *help;         /* one line; NULL: accepted, but not told */
	const char *const *words; /* NULL-terminated */
	const char *
		bare; /* of a word or list: what the option means alone; then a value is attached, with
				   * "=", and for a word may be true (`bare`) or false (the first word) too */
	uint64_t min, max; /* of a number */
};

/* clang-format off */
#define OPTION_(type, field, short_letter, long_name, what, text) \
	.name = (long_name), .letter = (short_letter), \
	.offset = offsetof(type, field), .value = (what), .help = (text)

#define OPTION_FLAG(type, field, letter, name, help) \
	{ OPTION_(type, field, letter, name, NULL, help), .kind = OPTION_IS_FLAG }
#define OPTION_SWITCH(type, field, letter, name, help) \
	{ OPTION_(type, field, letter, name, NULL, help), .kind = OPTION_IS_SWITCH }
#define OPTION_TEXT(type, field, letter, name, value, help) \
	{ OPTION_(type, field, letter, name, value, help), .kind = OPTION_IS_TEXT }
#define OPTION_PATH(type, field, letter, name, value, help) \
	{ OPTION_(type, field, letter, name, value, help), .kind = OPTION_IS_TEXT, .files = true }
#define OPTION_LIST(type, field, letter, name, value, help) \
	{ OPTION_(type, field, letter, name, value, help), .kind = OPTION_IS_LIST }
#define OPTION_PATHS(type, field, letter, name, value, help) \
	{ OPTION_(type, field, letter, name, value, help), .kind = OPTION_IS_LIST, .files = true }
#define OPTION_NUMBER(type, field, letter, name, value, low, high, help) \
	{ OPTION_(type, field, letter, name, value, help), .kind = OPTION_IS_NUMBER, \
	  .min = (low), .max = (high) }
#define OPTION_COUNT(type, field, letter, name, value, high, help) \
	{ OPTION_(type, field, letter, name, value, help), .kind = OPTION_IS_NUMBER, \
	  .max = (high), .plus_one = true }
#define OPTION_WORD(type, field, letter, name, list, help) \
	{ OPTION_(type, field, letter, name, NULL, help), .kind = OPTION_IS_WORD, .words = (list) }
#define OPTION_BARE_WORD(type, field, letter, name, list, alone, help) \
	{ OPTION_(type, field, letter, name, NULL, help), .kind = OPTION_IS_WORD, .words = (list), \
	  .bare = (alone) }
/* `value` as help shows it: "[=VALUE]". */
#define OPTION_BARE_LIST(type, field, letter, name, value, alone, help) \
	{ OPTION_(type, field, letter, name, value, help), .kind = OPTION_IS_LIST, .bare = (alone) }
/* clang-format on */

/* Whether the next word is its value. */
static inline bool option_takes_value(const struct option *option)
{
	return option->kind != OPTION_IS_FLAG && option->kind != OPTION_IS_SWITCH && !option->bare;
}

/* A table and the struct that it fills. */
struct option_set {
	const struct option *options;
	size_t count;
	void *values;
};

struct option_rules {
	/* What stands behind the first operand is an operand too, whatever it looks like: for
	 * `run NAME COMMAND...`, and for options before the name of a command. */
	bool first_operand_ends;
	/* "--", where it ends the options, is an operand too: for `shell STEP -- COMMAND...`. */
	bool keeps_dashes;
};

/* Read `argv` (without the program's name, NULL-terminated) into the sets, which are searched in
 * order. Operands are appended to `operands`. ERR_USAGE says which word is wrong and suggests
 * what was meant. */
struct err *option_parse(const struct option_set *sets, size_t set_count, char *const *argv,
			 const struct option_rules *rules, struct strings *operands) MUST_USE;

/* The value of `option` ("--tag"), or an operand if that is NULL, was refused for `err`: ERR_USAGE
 * instead of ERR_INVALID, and the option in front. NULL stays NULL. */
struct err *option_refuse(struct err *err, const char *option) MUST_USE;

/* Free the lists in the values of a set. */
void option_release(const struct option_set *set);

#endif
