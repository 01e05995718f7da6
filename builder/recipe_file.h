/*
 * builder/recipe_file.h - the file that a Recipe is read from.
 *
 * It is what -f names: standard input, or a file or pipe, from where we are or
 * else in the context. Without -f it is looked for in the context, as Recipe,
 * Containerfile, Dockerfile or dockerfile.
 */
#ifndef BUILDER_RECIPE_FILE_H
#define BUILDER_RECIPE_FILE_H

#include <stdbool.h>

#include "base/mem.h"
#include "base/str.h"
#include "builder/script.h"

struct err;
struct include_root;

struct recipe_search {
	const char *recipe;  /* a path or "-"; NULL: the context is searched */
	const char *context; /* a directory; NULL: there is none */
	int context_fd; /* it was fetched, and lies here: a path is looked for here first; or -1 */
};

struct recipe_file {
	struct buf bytes;
	char *name;      /* what errors call it, owned; in a context its path there */
	bool in_context; /* it was found there */
};

#define RECIPE_FILE_INIT ((struct recipe_file){ .bytes = BUF_INIT(SCRIPT_MAX) })

/* Find and read it. `ret` is RECIPE_FILE_INIT, and the caller's to release, also after an error.
 * ERR_USAGE without a path and a context, ERR_NOT_FOUND, ERR_INVALID for a directory and for more
 * than SCRIPT_MAX bytes. */
struct err *recipe_file_find(const struct recipe_search *search, struct recipe_file *ret) MUST_USE;
void recipe_file_release(struct recipe_file *file);

static inline void recipe_file_auto_(struct recipe_file *file)
{
	recipe_file_release(file);
}

/* Where a file that was found lies, for INCLUDE: in the context, or in the directory of the file after -f.
 * `ret->dir_fd` is `*ret_fd`, which is the caller's and stays -1 for what is no file. Borrows file->name. */
struct err *recipe_file_root(const struct recipe_search *search, const struct recipe_file *file,
			     struct include_root *ret, int *ret_fd) MUST_USE;

/* The same of a path and a directory alone: the bytes are appended to `ret_bytes`, `*ret_name` is
 * the caller's. */
struct err *recipe_file_read(const char *recipe, const char *context, struct buf *ret_bytes,
			     char **ret_name) MUST_USE;

#endif
