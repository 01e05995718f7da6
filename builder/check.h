/*
 * builder/check.h - a Recipe looked at without building anything.
 *
 * Everything that a Recipe shows by itself and with the values of its variables
 * is found: what is wrong, and what is doubtful (builder/lint.h). No network is
 * used. A base image tells what it sets if it is in the store.
 */
#ifndef BUILDER_CHECK_H
#define BUILDER_CHECK_H

#include "base/mem.h"
#include "builder/recipe.h"
#include "store/platform.h"

struct build_args;
struct build_context;
struct err;
struct include_root;
struct scope;
struct store;

struct check_opts {
	const char *recipe;      /* as recipe_file_read() has it */
	const char *context;     /* a directory; NULL: there is none */
	const char *target;      /* NULL: all stages are looked at */
	const char *ignore_file; /* --ignorefile; NULL if not given */
	struct build_args *args; /* borrowed */
	struct platform platform;
	struct store *store;                  /* borrowed; NULL: nothing is known of base images */
	const struct build_context *contexts; /* borrowed: what stands in the place of images */
	size_t context_count;
};

struct check {
	char *name;            /* of the Recipe, in texts; owned */
	char *path;            /* of the Recipe, for programs; owned */
	bool in_context;       /* it was found in the directory */
	char *bytes;           /* its text; owned */
	struct recipe *recipe; /* with its remarks; NULL if it cannot be parsed; owned */
	struct scope
		*globals;  /* NULL without a recipe, and if the ARGs before FROM are wrong; owned */
	struct err *error; /* what a build would fail with; owned */
	struct position error_position; /* its line; 0 if it is about no line */
};

/* Read and parse the Recipe that a build with these directives and arguments takes. ERR_USAGE for a
 * BUILDKIT_DOCKERFILE_CHECK that is no policy; what is wrong with the Recipe is in `ret->error`. */
struct err *check_read(const struct check_opts *opts, struct check *ret) MUST_USE;
/* The same, and look at all of it. */
struct err *check_run(const struct check_opts *opts, struct check *ret) MUST_USE;
void check_release(struct check *check);
/* What the lines of places count in: the Recipe, with what it includes in the place of INCLUDE. Valid as
 * long as the check. */
struct str check_bytes(const struct check *check);

/* The same for a build: the parsed Recipe, or why it is none. `root` is where it lies; NULL: nowhere.
 * `pieces` says which files it was put together from; NULL: it is one. */
struct err *check_parse(const char *name, struct str bytes, const struct script_pieces *pieces,
			const struct include_root *root, struct build_args *args,
			struct recipe **ret) MUST_USE;

static inline void check_auto_(struct check *check)
{
	check_release(check);
}

#endif
