/*
 * builder/ignore_file.h - which ignore file counts for a context.
 *
 * The first that there is, and that one alone:
 *
 *	what --ignorefile names
 *	RECIPE.containerignore, RECIPE.dockerignore	beside the Recipe; for the build's own context
 *	.containerignore, .dockerignore			at the root of the context
 *
 * One that lies in the context must not lead out of it. One that cannot be read is
 * an error: rules must not let into the image what they were to keep out.
 */
#ifndef BUILDER_IGNORE_FILE_H
#define BUILDER_IGNORE_FILE_H

#include <stdbool.h>

#include "base/mem.h"

struct err;
struct ignore;

struct ignore_search {
	int context_fd;
	bool at_root;       /* the context is a directory of this machine: its root is looked at */
	const char *recipe; /* path of the Recipe; NULL: no file is named after it */
	bool in_context;    /* that path is one of the context */
	const char *given;  /* --ignorefile; NULL if not given */
};

struct ignore_file {
	struct ignore *rules; /* owned; NULL: there are none */
	char *name;           /* owned; as errors call the file */
};

/* Find and read it. `ret` is all zero, and the caller's to release, also after an error. */
struct err *ignore_file_find(const struct ignore_search *search, struct ignore_file *ret) MUST_USE;
void ignore_file_release(struct ignore_file *file);

static inline void ignore_file_auto_(struct ignore_file *file)
{
	ignore_file_release(file);
}

#endif
