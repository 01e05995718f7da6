/*
 * cli/lint.h - checks, of `cairn lint` and of `build --check`.
 */
#ifndef CLI_LINT_H
#define CLI_LINT_H

#include "base/mem.h"

struct check_opts;
struct cli;
struct err;
struct store;

/* The store, if there is one that can be opened; none is made. */
struct err *lint_open_store(const struct cli *cli, struct store **ret) MUST_USE;

/* Check a Recipe and print what was found in an enum diagnose_format. The program then ends with 1
 * if there was anything. The store of the options is opened here. */
struct err *lint_run(struct cli *cli, const struct check_opts *given, int format) MUST_USE;

#endif
