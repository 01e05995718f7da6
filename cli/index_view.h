/*
 * cli/index_view.h - an image index, for people and for programs.
 */
#ifndef CLI_INDEX_VIEW_H
#define CLI_INDEX_VIEW_H

#include <jansson.h>

#include "base/mem.h"
#include "store/descriptor.h"

/* Print a table: the index, and each image in it. */
void index_view_print(const char *name, const struct descriptor *target, const json_t *index);
/* An object with all of it; the caller's. */
json_t *index_view_describe(const char *name, const struct descriptor *target, const json_t *index)
	MUST_USE;

#endif
