/*
 * cli/call.h - `build --call`: what is asked about a Recipe instead of building it.
 */
#ifndef CLI_CALL_H
#define CLI_CALL_H

#include <stdbool.h>

#include "base/mem.h"

struct check_opts;
struct cli;
struct err;

enum call { CALL_BUILD, CALL_CHECK, CALL_OUTLINE, CALL_TARGETS };

struct call_spec {
	enum call call;
	bool json;
	bool sarif; /* CALL_CHECK */
};

/* "METHOD[,format=text|json|sarif]"; ERR_INVALID, with what may have been meant. */
struct err *call_parse(const char *text, struct call_spec *ret) MUST_USE;

/* Do what is not CALL_BUILD, and print the result. */
struct err *call_run(struct cli *cli, const struct call_spec *spec, const struct check_opts *opts)
	MUST_USE;

#endif
