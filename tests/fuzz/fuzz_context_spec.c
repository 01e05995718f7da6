/*
 * tests/fuzz/fuzz_context_spec.c - what a context means survives any text, and one that was understood
 * holds the text: nothing is lost, nothing is made up.
 *
 * The first byte says whether it has a name.
 */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/str.h"
#include "builder/context_spec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The kinds with a scheme of their own, put together again. */
static void expect_same(const char *text, const struct context_spec *spec)
{
	AUTO(mem) char *again = NULL;

	if (spec->kind == CONTEXT_LAYOUT)
		again = xasprintf("oci-layout://%s%s%s%s%s", spec->value, spec->tag ? ":" : "",
				  spec->tag ? spec->tag : "", spec->digest ? "@" : "",
				  spec->digest ? spec->digest : "");
	else if (spec->kind == CONTEXT_IMAGE)
		again = xasprintf("%.*s%s", (int)(strlen(text) - strlen(spec->value)), text,
				  spec->value);
	else
		again = xstrdup(spec->value);
	if (strcasecmp(again, text) != 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(context_spec) struct context_spec spec = { 0 };
	AUTO(mem) char *text = NULL;
	AUTO(err) struct err *err = NULL;
	bool named;

	if (size == 0)
		return 0;
	named = data[0] & 1;
	text = str_dup((struct str){ (const char *)data + 1, size - 1 });
	err = context_spec_parse(text, named, &spec);
	if (err)
		return 0;
	if (!spec.value || !spec.value[0])
		abort();
	if (!named && (spec.kind == CONTEXT_IMAGE || spec.kind == CONTEXT_LAYOUT))
		abort();
	if (named && spec.kind == CONTEXT_STDIN)
		abort();
	expect_same(text, &spec);
	return 0;
}
