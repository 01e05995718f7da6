/* cli/output.c - see cli/output.h. */

#include "cli/output.h"

#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/output.h"
#include "base/str.h"
#include "base/stream.h"
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

struct err *output_file(const char *path, const char *text)
{
	AUTO(output) struct output *output = NULL;

	if (!path)
		return NULL;
	TRY(output_open(path, &output));
	sink_write(output_sink(output), text, strlen(text));
	return output_commit(output);
}
