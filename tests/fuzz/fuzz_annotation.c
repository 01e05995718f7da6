/*
 * tests/fuzz/fuzz_annotation.c - what --annotation takes, put together again, is taken again and gives the
 * same.
 */

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/str.h"
#include "builder/image_changes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char *format(const struct annotation *one)
{
	static const char *const levels[] = {
		[ANNOTATION_MANIFEST] = "manifest",
		[ANNOTATION_MANIFEST_DESCRIPTOR] = "manifest-descriptor",
		[ANNOTATION_INDEX] = "index",
		[ANNOTATION_INDEX_DESCRIPTOR] = "index-descriptor",
	};
	AUTO(mem) char *platform = one->has_platform ? platform_format(&one->platform) : NULL;

	return xasprintf("%s%s%s%s:%s=%s", levels[one->level], platform ? "[" : "",
			 platform ? platform : "", platform ? "]" : "", one->name, one->value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(mem) char *text = str_dup((struct str){ (const char *)data, size });
	struct image_changes changes = { 0 }, again = { 0 };
	AUTO(err) struct err *err = image_changes_annotate(&changes, text);

	assert(!err || err_kind(err) == ERR_INVALID);
	for (size_t i = 0; i < changes.annotations.len; i++) {
		AUTO(mem) char *whole = format(&changes.annotations.at[i]);
		AUTO(mem) char *whole_again = NULL;
		AUTO(err) struct err *other = image_changes_annotate(&again, whole);

		assert(!other && again.annotations.len == i + 1);
		whole_again = format(&again.annotations.at[i]);
		assert(strcmp(whole, whole_again) == 0);
	}
	image_changes_release(&changes);
	image_changes_release(&again);
	return 0;
}
