/*
 * cli/build_args.h - the options --build-arg and --build-arg-file.
 */
#ifndef CLI_BUILD_ARGS_H
#define CLI_BUILD_ARGS_H

#include "base/mem.h"
#include "base/vec.h"
#include "cli/option.h"

struct build_args;
struct err;

struct build_arg_values {
	struct strings args, files;
};

/* Both options, for a table of a command whose values have a `struct build_arg_values` called `field`. */
/* clang-format off */
#define BUILD_ARG_OPTIONS(type, field) \
	OPTION_LIST(type, field.args, 0, "build-arg", "NAME[=VALUE]", \
		    "set a build argument; without VALUE it is taken from the environment"), \
	OPTION_LIST(type, field.files, 0, "build-arg-file", "PATH", \
		    "set a build argument for each line NAME=VALUE of PATH")
/* clang-format on */

/* Set the arguments of the files in their order, then those of the command line: the last one counts.
 * In a file blank lines and those that begin with `#` are passed over. ERR_USAGE for one without a
 * name; the file's error if it cannot be read. */
struct err *build_args_read(const struct build_arg_values *values, struct build_args *ret) MUST_USE;

#endif
