/*
 * builder/demands.h - what the values of instructions must be, once their variables are filled in.
 *
 * A build asks this of what it evaluates, and a check (builder/review_values.h) of
 * what it can know without a base image or a context, so that both refuse the same.
 * Errors have no place; they are ERR_INVALID, or ERR_UNSUPPORTED for a digest of another
 * kind.
 */
#ifndef BUILDER_DEMANDS_H
#define BUILDER_DEMANDS_H

#include <stdbool.h>

#include "base/digest.h"
#include "base/mem.h"
#include "base/str.h"
#include "builder/git_url.h"
#include "builder/recipe.h"

struct err;

/* STOPSIGNAL: a number, or a name with or without "SIG". */
struct err *demand_signal(const char *text) MUST_USE;

/* USER; `written` is what stands in the Recipe. */
struct err *demand_user(const char *written, const char *user) MUST_USE;

struct port_range {
	unsigned from, to;
	char protocol[8]; /* lower case */
};

/* EXPOSE: "PORT[-PORT][/PROTOCOL]"; an address or a host port in front is passed over. */
struct err *demand_ports(struct str word, struct port_range *ret) MUST_USE;

/* What UNSET can take away, by the instruction that sets it. */
struct unset_setting {
	const char *name;
	const char *key; /* in the config; NULL: the author */
	bool named;      /* members of it, by their names */
};

/* UNSET: the setting that its words begin with, and whether names stand behind it as they must. */
struct err *demand_unset(const struct words *words, const struct unset_setting **ret) MUST_USE;
/* A name behind it; one of a port becomes lower case. What can never be there is a mistake. */
struct err *demand_unset_name(const struct unset_setting *setting, char *name) MUST_USE;

/* What a source of ADD is. */
enum add_kind { ADD_LOCAL, ADD_WEB, ADD_GIT };

struct add_source {
	enum add_kind kind;
	bool has_digest;
	struct digest digest; /* web: of --checksum */
	struct git_url git;   /* its checksum is that of --checksum, too */
	bool keep_git_dir;
};

/* ADD: a source, with the flags and the checksum that stand beside it; NULL: none. */
struct err *demand_add_source(const struct copy *copy, const char *source, const char *checksum,
			      struct add_source *ret) MUST_USE;
void add_source_release(struct add_source *source);

static inline void add_source_auto_(struct add_source *source)
{
	add_source_release(source);
}

/* COPY: no source that only ADD has. */
struct err *demand_copy_source(const char *source) MUST_USE;

/* --from in `stage`, or in one of its mounts, of what is no context and no earlier stage: it is not a stage
 * that comes too late. With `numbers` a number means a stage. */
struct err *demand_from(const struct recipe *recipe, const struct stage *stage, const char *text,
			bool numbers) MUST_USE;

#endif
