/*
 * builder/enter.h - a command, or a shell, where a step of a build runs or ran.
 *
 * It finds the step's files in a layer of its own that is thrown away, so who enters
 * twice sees the same; the step's environment, user, directory, network and caches. A
 * step that failed is entered from its record alone (store/failed.h): no Recipe and no
 * context is read. What of its mounts is not there any more is told.
 */
#ifndef BUILDER_ENTER_H
#define BUILDER_ENTER_H

#include <stdbool.h>

#include "base/mem.h"
#include "base/vec.h"

struct build_opts;
struct err;
struct failed_step;
struct plan;
struct sandbox;
struct sandbox_spec;
struct store;

struct entry {
	const char *step;              /* which one, for enter_planned(); borrowed */
	bool before;                   /* its files as they were before it */
	struct strings argv;           /* borrowed; none: the shell of the step */
	struct strings env;            /* more of it, in place of its own; borrowed */
	const char *user;              /* NULL: the step's */
	const char *cwd;               /* the same */
	const struct build_opts *opts; /* for secrets, agents, limits and the like; borrowed */
	/* As in struct run_visit. */
	struct err *(*run)(void *self, struct sandbox *sandbox, struct sandbox_spec *spec);
	void *self;
};

/* Enter a step that failed. ERR_NOT_FOUND if its layers are not in the store any more. */
struct err *enter_failed(struct store *store, const struct entry *entry,
			 const struct failed_step *failed) MUST_USE;

/* Enter a step of a plan, looked up (builder/execute.h), with the files after it or before it. What is missing for that
 * is run first. ERR_NOT_FOUND if there is no such step. */
struct err *enter_planned(struct plan *plan, const struct entry *entry) MUST_USE;

/* Whether this step is meant by `name`: "3", "#3", "app", "app 2", "app 2/5". */
bool enter_is_called(const char *name, unsigned number, const char *stage, unsigned index,
		     unsigned count);

#endif
