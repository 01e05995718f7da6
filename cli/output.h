/*
 * cli/output.h - results on standard output, for people and for programs.
 */
#ifndef CLI_OUTPUT_H
#define CLI_OUTPUT_H

#include <jansson.h>

/* Print a document, indented, with a newline behind it. Characters beyond ASCII are escaped as
 * JSON has it, so that no outside text can speak to a terminal. */
void output_json(const json_t *document);

/* Print outside text, escaped, and a newline. */
void output_text(const char *text);

#endif
