/*
 * builder/include.h - INCLUDE FILE, of the dialect: a Recipe that is put together from several.
 *
 * What a file holds stands where the INCLUDE stood, as lines, before any of them
 * means anything: stages, arguments and half a stage alike. FILE is seen from
 * the file that includes it, and lies in the directory of the Recipe or below
 * it (in the context, for a Recipe found there). Ignore rules do not count, as for the
 * Recipe itself. An included file has no directives; it ends where an
 * instruction ends. Errors name the file and the line that the reader sees.
 */
#ifndef BUILDER_INCLUDE_H
#define BUILDER_INCLUDE_H

#include "base/mem.h"

struct err;
struct script;

#define INCLUDE_DEPTH 16  /* files within files */
#define INCLUDE_MAX 10000 /* of them in one Recipe */

/* Where a Recipe lies. */
struct include_root {
	int dir_fd;       /* nothing outside of this directory is included */
	const char *path; /* of the Recipe in it */
};

/* The Recipe with all that it includes; `*ret` stays NULL if it includes nothing. `escape` is that of its
 * directive. ERR_INVALID for a file that includes itself, for too many, and for one that ends
 * within an instruction; ERR_NOT_FOUND; each with the place of the INCLUDE. */
struct err *include_expand(const struct script *script, char escape,
			   const struct include_root *root, struct script **ret) MUST_USE;

#endif
