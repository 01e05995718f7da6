/* tests/fuzz/fuzz_header.c - what is understood of a header is within its promises. */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "registry/header.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect_part_of(const char *part, const char *text)
{
	if (part && !strstr(text, part))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(mem) char *text = xasprintf("%.*s", (int)size, (const char *)data);
	AUTO(mem) char *link = header_link_next(text);
	AUTO(mem) char *warning = header_warning(text);
	struct byte_range range;
	uint64_t number;

	expect_part_of(link, text);
	if (warning && strlen(warning) >= size)
		abort();
	if (header_content_range(text, &range) &&
	    (range.first > range.last || (range.has_total && range.last >= range.total)))
		abort();
	if (header_upload_range(text, &number) != (number > 1))
		abort();
	if (header_retry_after(text, 1000000000, &number) && number > 604800)
		abort();
	return 0;
}
