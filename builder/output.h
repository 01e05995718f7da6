/*
 * builder/output.h - where the result of a build goes besides the store.
 */
#ifndef BUILDER_OUTPUT_H
#define BUILDER_OUTPUT_H

#include "base/mem.h"
#include "builder/build.h"
#include "builder/plan.h"

struct err;

/* Write one output. Archives appear whole, by rename; a directory is filled in place. */
struct err *output_write(struct plan *plan, const struct build_output *output,
			 const struct build_result *result) MUST_USE;

/* Parse the value of -o: "type=oci,dest=FILE", "DIR" for a directory, "-" for a tar on standard
 * output. The result's `dest` points into `ret_text`, which the caller owns. */
struct err *output_parse(const char *text, struct build_output *ret, char **ret_text) MUST_USE;

#endif
