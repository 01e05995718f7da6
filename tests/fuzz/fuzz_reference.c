/* tests/fuzz/fuzz_reference.c - both forms of a name read back as the same name. */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "registry/reference.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void same_after(const struct reference *ref, const char *text)
{
	AUTO(mem) char *first = reference_canonical(ref);
	AUTO(mem) char *again = NULL;
	struct reference other;
	AUTO(err) struct err *err = reference_parse(text, &other);

	if (err)
		abort();
	again = reference_canonical(&other);
	if (strcmp(first, again) != 0 || strcmp(ref->domain, other.domain) != 0 ||
	    strcmp(ref->path, other.path) != 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(mem) char *text = xasprintf("%.*s", (int)size, (const char *)data);
	AUTO(mem) char *canonical = NULL;
	AUTO(mem) char *familiar = NULL;
	struct reference ref;
	AUTO(err) struct err *err = reference_parse(text, &ref);

	if (err)
		return 0;
	canonical = reference_canonical(&ref);
	familiar = reference_familiar(&ref);
	same_after(&ref, canonical);
	same_after(&ref, familiar);
	return 0;
}
