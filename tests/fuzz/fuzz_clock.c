/* tests/fuzz/fuzz_clock.c - whatever parses formats to a text of the same time. */

#include <stdint.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/err.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct timespec t;
	struct timespec again;
	char text[CLOCK_TEXT_SIZE];
	AUTO(err) struct err *err = clock_parse((struct str){ (const char *)data, size }, &t);
	AUTO(err) struct err *other = NULL;

	if (err)
		return 0;
	other = clock_parse(str_of(clock_format(t, text)), &again);
	if (other || again.tv_sec != t.tv_sec || again.tv_nsec != t.tv_nsec)
		abort();
	return 0;
}
