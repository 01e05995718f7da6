/* tests/fuzz/fuzz_base64.c - decoding undoes encoding, and what decodes is spelled in one way only. */

#include <stdint.h>
#include <stdlib.h>

#include "base/base64.h"
#include "base/err.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* `text` without the line ends that a decoder skips. */
static void must_be_canonical(struct str text, struct str bytes)
{
	AUTO(mem) char *again = base64_encode(bytes);
	const char *at = again;

	for (size_t i = 0; i < text.len; i++)
		if (text.at[i] != '\r' && text.at[i] != '\n' && text.at[i] != *at++)
			abort();
	if (*at)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str raw = { (const char *)data, size };
	AUTO(mem) char *text = base64_encode(raw);
	AUTO(mem) char *bytes = NULL;
	AUTO(mem) char *decoded = NULL;
	size_t len = 0;
	AUTO(err) struct err *err = base64_decode(str_of(text), &bytes, &len);
	AUTO(err) struct err *refused = NULL;

	if (err || !str_equal((struct str){ bytes, len }, raw))
		abort();
	refused = base64_decode(raw, &decoded, &len);
	if (!refused)
		must_be_canonical(raw, (struct str){ decoded, len });
	return 0;
}
