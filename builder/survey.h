/*
 * builder/survey.h - a Recipe walked with the values of its variables, and nothing else.
 *
 * A survey visits the instructions of a Recipe in order, each with the scope in
 * which it stands. It needs no store, no context and no network, and makes no
 * steps: it is what checks, outlines and `cairn parse --expand` are made of.
 * What base images set is asked for; where nobody knows, a base has nothing but
 * PATH. Triggers of base images count for the variables that they set; they are
 * not visited.
 */
#ifndef BUILDER_SURVEY_H
#define BUILDER_SURVEY_H

#include <stdbool.h>

#include "base/mem.h"
#include "builder/recipe.h"
#include "builder/scope.h"

struct build_args;
struct config;
struct err;
struct platform;

/* The global scope of a build: automatic arguments, and the ARGs before the first FROM. `target`, the
 * stage that is asked for, may be NULL: the last one. Borrows `args`. */
struct err *survey_globals(const struct recipe *recipe, struct build_args *args,
			   const struct platform *platform, const char *target, struct scope **ret)
	MUST_USE;

/* One instruction, and what is known where it stands. */
struct survey_site {
	struct recipe *recipe;
	const struct stage *stage;    /* NULL: an ARG before the first FROM */
	const struct stage *parent;   /* what `stage` is built on, if that is a stage */
	const struct instruction *in; /* NULL: the FROM of `stage` */
	const struct scope *scope;    /* before it; of a FROM: the global one */
	const struct position *position;
	bool known; /* what the base sets is among the variables; of a FROM: false */
};

struct survey {
	struct recipe *recipe; /* borrowed; triggers of bases are parsed into it */
	struct scope *globals; /* borrowed */
	const bool *wanted;    /* by index, the stages to visit; NULL: all */
	/* The config of the base image of `stage`, called `name` once it is expanded, as the caller's;
	 * `*ret` stays NULL if it is not known. May be NULL: none is. */
	struct err *(*base)(void *base_self, const struct stage *stage, const char *name,
			    struct config **ret);
	void *base_self;
	/* An error ends the survey; one of an instruction carries its place. */
	struct err *(*visit)(void *visit_self, const struct survey_site *site);
	void *visit_self;
};

struct err *survey_run(const struct survey *survey) MUST_USE;

/* The stage that `target` names, by name or number; the last one for NULL and "". ERR_USAGE, with what
 * may have been meant. */
struct err *survey_find_target(const struct recipe *recipe, const char *target,
			       const struct stage **ret) MUST_USE;

/* Which stages `target` needs, itself included: what it is built on, copies from and mounts. By index,
 * owned by the caller. */
struct err *survey_needed(const struct recipe *recipe, const struct scope *globals,
			  const struct stage *target, bool **ret) MUST_USE;

#endif
