/*
 * cli/diagnose.h - what a check found, for people and for programs.
 */
#ifndef CLI_DIAGNOSE_H
#define CLI_DIAGNOSE_H

#include <jansson.h>

#include "base/mem.h"

struct check;
struct err;

enum diagnose_format { DIAGNOSE_TEXT, DIAGNOSE_JSON, DIAGNOSE_SARIF };

extern const char *const diagnose_format_names[]; /* by the enum; NULL-terminated */

/* Print what was found on standard output. Takes the error of the check as its own result: NULL if
 * there is none. In the two formats for programs it is also in the document. */
struct err *diagnose_print(struct check *check, enum diagnose_format format) MUST_USE;

/* The documents: that of `docker buildx build --call=check,format=json`, and SARIF 2.1.0. */
json_t *diagnose_json(const struct check *check) MUST_USE;
json_t *diagnose_sarif(const struct check *check) MUST_USE;

#endif
