/* tests/fuzz/fuzz_url.c - what was read once reads the same again, alone and as a reference. */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "registry/url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* `err` and `again` are what reading the URL's own text came to. */
static void same(const struct err *err, const struct url *again, const struct url *url)
{
	if (err || !url_same_origin(url, again) || strcmp(url->text, again->text) != 0 ||
	    url_is_private(url) != url_is_private(again))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(mem) char *text = xasprintf("%.*s", (int)size, (const char *)data);
	AUTO(mem) char *redacted = url_redacted(text);
	AUTO(mem) char *again = url_redacted(redacted);
	AUTO(url) struct url *base = NULL;
	AUTO(url) struct url *url = NULL;
	AUTO(url) struct url *alone = NULL;
	AUTO(url) struct url *referred = NULL;
	AUTO(err) struct err *err = url_parse("https://r.example:5000/v2/x?y", &base);

	if (err || strcmp(redacted, again) != 0)
		abort();
	err = url_resolve(base, text, &url);
	if (err)
		return 0;
	if (url_is_loopback(url) && !url_is_private(url))
		abort();
	err = url_parse(url->text, &alone);
	same(err, alone, url);
	err = url_resolve(base, url->text, &referred);
	same(err, referred, url);
	return 0;
}
