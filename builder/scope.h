/*
 * builder/scope.h - which variables an instruction sees: the rules of ARG and ENV.
 *
 * The global scope knows the arguments of the command line, the automatic
 * ones (TARGETARCH, BUILDPLATFORM, ...) and the ARGs before the first FROM; it
 * serves FROM lines alone. Each stage has a scope of its own, begun from the
 * global one or from the stage that it is built on. Inside a stage:
 *
 *	ARG k[=d]   takes --build-arg k, else d, else the global value of k; without
 *	            any of them k is only declared
 *	ENV k=v     sets k
 *
 * and the last writer wins, for expansion and for the environment of RUN alike.
 * Proxy arguments need no declaration.
 */
#ifndef BUILDER_SCOPE_H
#define BUILDER_SCOPE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/vec.h"
#include "builder/expand.h"
#include "builder/recipe.h"

struct err;

/* ---- what the command line gives ---- */

struct build_args;

struct build_args *build_args_new(void) MUST_USE;
/* --build-arg name=value; the last one wins. */
void build_args_set(struct build_args *args, struct str name, const char *value);
/* The value, or NULL if it was not given. Marks it as used. */
const char *build_args_get(struct build_args *args, struct str name);
/* The names that nobody asked for, in the order given. Names that the builder or RUN takes
 * without an ARG (those of BuildKit, SOURCE_DATE_EPOCH, proxies) are never among them. */
void build_args_unused(const struct build_args *args, struct strings *ret);
/* All that was given, "NAME=value", in the order given; not the proxies, which are of this machine and may
 * hold a login. */
void build_args_pairs(const struct build_args *args, struct strings *ret);
void build_args_free(struct build_args *args);
DEFINE_AUTO(build_args)

/* ---- scopes ---- */

struct scope;

/* The global scope. Borrows `args`, which must outlive every scope. */
struct scope *scope_new(struct build_args *args) MUST_USE;
/* An automatic argument, unless --build-arg overrides it. Before any ARG. */
void scope_set_automatic(struct scope *global, const char *name, const char *value);
/* The scope of a stage on an image. Borrows `global`. */
struct scope *scope_new_stage(const struct scope *global) MUST_USE;
/* The scope of a stage that is built on another: a copy of its variables and declarations. */
struct scope *scope_new_child(const struct scope *parent) MUST_USE;
void scope_free(struct scope *scope);
DEFINE_AUTO(scope)

/* An ARG instruction, global or in a stage, pair by pair: a default sees the pairs before it. */
struct err *scope_arg(struct scope *scope, const struct pairs *args, char escape,
		      struct expand_report *report) MUST_USE;
/* Set a variable as ENV does, or as the environment of a base image does. The final value. */
void scope_env(struct scope *scope, struct str name, const char *value);

/* Take a variable away; a declaration by ARG stays. */
void scope_unset(struct scope *scope, struct str name);

/* The value, or NULL if unset. Borrowed until the scope changes. */
const char *scope_get(const struct scope *scope, struct str name);
/* What expand_text() takes. `report` may be NULL; the scope must outlive it. */
struct expander scope_expander(const struct scope *scope, char escape,
			       struct expand_report *report);
/* True if an ARG declared it, with a value or without: then a missing value is no lint. */
bool scope_is_declared(const struct scope *scope, struct str name);
/* The names that are set or declared, for "did you mean". */
void scope_names(const struct scope *scope, struct strings *ret);

/* The environment of a RUN, "NAME=value", the variable written last at the end: that of the image,
 * ENVs and ARGs. Without proxies. */
void scope_environment(const struct scope *scope, struct strings *ret);
/* The names of ARGs that a RUN has no use for, in order of declaration: nobody but ARGs has set them, and they stand
 * as a word neither in `texts` nor in the value of a variable that is left. Proxies, SOURCE_DATE_EPOCH and what else
 * the builder takes without an ARG are never among them: programs read those by themselves. */
void scope_unused(const struct scope *scope, const struct strings *texts, struct strings *ret);
/* The proxy variables of a RUN: both spellings of each that --build-arg gives in any case. They
 * stand behind scope_environment() and win over it; they belong neither into keys nor into
 * history. */
void scope_proxies(const struct scope *scope, struct strings *ret);
/* The declared arguments for history, "NAME=value" each once in order of declaration, with the
 * value that RUN sees: the n entries of "RUN |n k=v ...". */
void scope_history_args(const struct scope *scope, struct strings *ret);

#endif
