/*
 * tests/fuzz/fuzz_output_spec.c - the value of -o survives any text, and means the same when it is read
 * again.
 */

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/str.h"
#include "builder/output_spec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void release(struct build_output *output)
{
	free((char *)output->dest);
	free((char *)output->names);
}

static bool same(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(mem) char *text = str_dup((struct str){ (const char *)data, size });
	AUTO(output_wishes) struct output_wishes wishes = { 0 };
	AUTO(output_wishes) struct output_wishes again_wishes = { 0 };
	struct build_output output = { 0 }, again = { 0 };
	AUTO(err) struct err *err = output_spec_parse(text, &output, &wishes);

	if (err) {
		assert(err_kind(err) == ERR_USAGE || err_kind(err) == ERR_UNSUPPORTED ||
		       err_kind(err) == ERR_INVALID);
		return 0;
	}
	err = output_spec_parse(text, &again, &again_wishes);
	assert(!err);
	assert(output.kind == again.kind && same(output.dest, again.dest) &&
	       same(output.names, again.names));
	assert(wishes.has_codec == again_wishes.has_codec && wishes.codec == again_wishes.codec);
	assert(wishes.annotations.len == again_wishes.annotations.len);
	assert(!wishes.has_level || wishes.level >= 0);
	release(&output);
	release(&again);
	return 0;
}
