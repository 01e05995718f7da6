/*
 * cli/output.h - results on standard output, for people and for programs.
 */
#ifndef CLI_OUTPUT_H
#define CLI_OUTPUT_H

#include <jansson.h>

#include "base/mem.h"

struct err;

/* Print a document, indented, with a newline behind it. Characters beyond ASCII are escaped as
 * JSON has it, so that no outside text can speak to a terminal. */
void output_json(const json_t *document);

/* Print outside text, escaped, and a newline. */
void output_text(const char *text);

/* A file with this text, which appears whole or not at all. No path, no file. */
struct err *output_file(const char *path, const char *text) MUST_USE;

#endif
