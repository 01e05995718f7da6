/* tests/fuzz/fuzz_location.c - a location reads back from its text as the same. */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/str.h"
#include "registry/location.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(mem) char *text = str_dup((struct str){ (const char *)data, size });
	AUTO(location) struct location location = { 0 };
	AUTO(location) struct location other = { 0 };
	AUTO(mem) char *once = NULL;
	AUTO(mem) char *twice = NULL;
	AUTO(err) struct err *err = location_parse(text, &location);
	AUTO(err) struct err *refused = NULL;

	if (err)
		return 0;
	once = location_format(&location);
	refused = location_parse(once, &other);
	if (refused || other.kind != location.kind)
		abort();
	twice = location_format(&other);
	if (strcmp(once, twice) != 0)
		abort();
	return 0;
}
