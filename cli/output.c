/* cli/output.c - see cli/output.h. */

#include "cli/output.h"

#include <stdio.h>

#include "base/str.h"
#include "base/text.h"

void output_json(const json_t *document)
{
	json_dumpf(document, stdout, JSON_INDENT(2) | JSON_ENSURE_ASCII);
	putchar('\n');
}

void output_text(const char *text)
{
	AUTO(mem) char *escaped = text_escaped(str_of(text));

	puts(escaped);
}
