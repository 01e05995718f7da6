/*
 * builder/outline.h - what a Recipe can be given, and what it can make.
 *
 * The outline of a target: build arguments with their values and descriptions,
 * secrets, ssh agents and cache mounts of all stages that it needs. The targets:
 * every stage. Descriptions are the comments "# NAME ..." right above ARG and
 * FROM.
 */
#ifndef BUILDER_OUTLINE_H
#define BUILDER_OUTLINE_H

#include <jansson.h>
#include <stdbool.h>

#include "base/mem.h"
#include "base/vec.h"
#include "builder/recipe.h"

struct check;
struct err;

struct outline_entry {
	char *name;      /* owned */
	char *value;     /* of an argument; NULL if it has none; owned */
	const char *doc; /* of an argument; NULL if there is none; the recipe's */
	bool required;   /* secret, ssh */
	struct position position;
};

struct outline_list {
	struct outline_entry *at;
	size_t len, cap;
};

struct outline {
	const struct stage *target;
	struct outline_list args, secrets, ssh, caches; /* each name once */
};

/* The outline of the stage `target`, NULL for the last one, of a Recipe that was read. ERR_USAGE if
 * there is none, ERR_INVALID for what is wrong with the Recipe. `ret` borrows from `check`. */
struct err *outline_make(const struct check *check, const char *target, struct outline *ret)
	MUST_USE;
void outline_release(struct outline *outline);

/* The documents of `docker buildx build --call=outline,format=json` and `--call=targets`. */
json_t *outline_describe(const struct outline *outline, const struct check *check) MUST_USE;
json_t *outline_describe_targets(const struct check *check) MUST_USE;

static inline void outline_auto_(struct outline *outline)
{
	outline_release(outline);
}

#endif
