/*
 * tests/fuzz/fuzz_toml.c - what parses is a tree that JSON can hold, and reads back from it equal;
 * what does not is an error with a place.
 */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "registry/toml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = { (const char *)data, size };
	AUTO(json) json_t *doc = NULL;
	AUTO(json) json_t *again = NULL;
	AUTO(mem) char *json = NULL;
	AUTO(err) struct err *err = toml_parse(text, "fuzz", &doc);
	AUTO(err) struct err *refused = NULL;

	if (err) {
		if (doc || err_kind(err) != ERR_INVALID || !strstr(err_text(err), "line "))
			abort();
		return 0;
	}
	json = json_format(doc);
	refused = json_parse(str_of(json), 16 * JSON_MAX, "again", &again);
	if (refused || !json_equal(doc, again))
		abort();
	return 0;
}
