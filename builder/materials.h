/*
 * builder/materials.h - what a build is made from: its context, fetched if need be, and its Recipe.
 *
 * Where the Recipe is:
 *
 *	-f -        standard input; the context is something else then
 *	-f URL      a file of the web
 *	-f PATH     where we are, else in the context; of a context that was fetched: first there
 *	no -f       the Recipe that came instead of a context; else Recipe, Containerfile,
 *	            Dockerfile or dockerfile in the context
 */
#ifndef BUILDER_MATERIALS_H
#define BUILDER_MATERIALS_H

#include "base/mem.h"
#include "builder/context.h"

struct build_opts;
struct err;
struct recipe;
struct store;

/* Fetch the context of `opts` into `ret_context` if it has to be (CONTEXT_INIT, and the caller's to release, also after
 * an error), read the Recipe, once, and parse it, `count` times: each plan owns one. `opts` becomes what plan_make() takes: `recipe` says where ignore files that are
 * named after the Recipe lie, and `fetched` is `ret_context`. ERR_USAGE for options that do not go together. */
struct err *materials_gather(struct store *store, struct build_opts *opts,
			     struct context *ret_context, struct recipe **ret_recipes, size_t count)
	MUST_USE;

#endif
