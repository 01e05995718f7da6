/*
 * builder/recipe_file.h - the file that a Recipe is read from.
 *
 * It is what -f names: a file, a pipe or standard input; or it is looked for in
 * the context, as Recipe, Containerfile or Dockerfile.
 */
#ifndef BUILDER_RECIPE_FILE_H
#define BUILDER_RECIPE_FILE_H

#include "base/mem.h"
#include "base/str.h"

struct err;

/* Read `recipe`, a path or "-"; NULL: what is found in the directory `context`, which may be NULL too.
 * The bytes are appended to `ret_bytes`; `*ret_name` is what errors call the file, owned by the
 * caller: in a context the name of the file alone. ERR_USAGE without either, ERR_NOT_FOUND,
 * ERR_INVALID for a directory and for more than SCRIPT_MAX bytes. */
struct err *recipe_file_read(const char *recipe, const char *context, struct buf *ret_bytes,
			     char **ret_name) MUST_USE;

#endif
