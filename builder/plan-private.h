/*
 * builder/plan-private.h - what planning stages and evaluating instructions share.
 *
 *	plan.c       stages, bases and what needs what
 *	bases.c      images
 *	contexts.c   directories
 *	from.c       what a name stands for: a context, a stage or an image
 *	evaluate*.c  instructions (builder/evaluate-private.h)
 */
#ifndef BUILDER_PLAN_PRIVATE_H
#define BUILDER_PLAN_PRIVATE_H

#include "builder/plan.h"

/* The planned stage of a Recipe's stage; plans it, and what it needs, if it is not yet. `at` is
 * who asks, for the text of a cycle. */
struct err *plan_stage_of(struct plan *plan, const struct stage *stage, const struct position *at,
			  struct plan_stage **ret) MUST_USE;

/* An image that the Recipe names. */
struct plan_need {
	char *name;
	struct platform platform;
	bool exact;                         /* the Recipe or the user names the platform */
	const struct plan_context *context; /* one that is an image; NULL: what `name` says */
	const struct position *position;    /* who asks */
};

/* What a name in a Recipe stands for, before anything is planned, opened or fetched. */
struct plan_name {
	enum plan_name_kind { NAME_SCRATCH, NAME_CONTEXT, NAME_STAGE, NAME_IMAGE } kind;
	struct plan_context *context; /* NAME_CONTEXT */
	const struct stage *stage;    /* NAME_STAGE; it may be one that a context replaces */
};

/* What a stage is built on: what FROM says, expanded, or the context that replaces the stage. `ret_need->name` is the
 * caller's, and may be that of a stage or empty. */
struct err *plan_base_of(struct plan *plan, const struct stage *stage, struct plan_need *ret_need,
			 struct plan_name *ret_name) MUST_USE;

/* Fetch, side by side, the images that these stages and all below them need and that are not here. For
 * what cannot be, an error with its place; what is wrong with the Recipe is left to planning. */
struct err *plan_bases(struct plan *plan, const struct stage *const *targets, size_t count)
	MUST_USE;

/* The image of a need: one that the plan has, from the store, or fetched. */
struct err *plan_image_of(struct plan *plan, const struct plan_need *need, struct plan_image **ret)
	MUST_USE;

/* ---- contexts.c ---- */

/* Make the contexts that the options name. Nothing is opened yet. */
struct err *plan_contexts(struct plan *plan) MUST_USE;

/* The tree of a context, opened and with its ignore rules read by the first who asks. */
struct err *plan_tree_of(struct plan *plan, struct plan_context *context, struct tree **ret)
	MUST_USE;

/* The context that replaces a stage, since --build-context gives it the stage's name; NULL: none does. */
struct plan_context *plan_replacement(const struct plan *plan, const struct stage *stage);

/* The context that --build-context names so, or NULL. Case does not count, nor do a registry and a tag that are
 * meant anyway: "docker.io/library/app:latest" is "app". */
/* Whether a name in a Recipe is that of a context: as names of images are compared. */
bool plan_is_context(const char *context, const char *name);
struct plan_context *plan_find_context(const struct plan *plan, const char *name);

void plan_context_free(struct plan_context *context);

/* ---- from.c ---- */

/* The first that there is: a named context, one of the first `before` stages, with `numbers` also
 * by its number, or an image. No context can be called "scratch". */
struct plan_name plan_look_up(const struct plan *plan, const char *name, size_t before,
			      bool numbers);

/* Resolve a --from, or the `from` of a mount, for an instruction of `stage` at `at`: plans a stage, finds or fetches
 * an image. `numbers` as COPY has it: in a mount "0" is the name of an image. Errors have their place:
 * ERR_INVALID for a stage that comes later, and for a cycle. */
struct err *plan_from_of(struct plan *plan, const struct plan_stage *stage,
			 const struct position *at, const char *text, bool numbers,
			 struct plan_from *ret) MUST_USE;

/* The key of what files are taken from; NULL for a context, of which what is read is in the key,
 * file by file. */
const struct digest *plan_from_key(const struct plan_from *from);

/* Add notes to an error about the base of `stage`: arguments in its FROM that nobody declares. */
struct err *plan_note_arguments(const struct plan *plan, const struct stage *stage, struct err *err)
	MUST_USE;
/* Add notes to the error of an image that nobody has: a stage or a context of a similar name may have been meant. */
struct err *plan_note_near(const struct plan *plan, const char *name, struct err *err) MUST_USE;

/* ---- evaluate.c ---- */

/* Apply one instruction to a stage that is being planned: its scope, its config, its rows, its
 * steps. Errors carry the place. */
struct err *evaluate(struct plan *plan, struct plan_stage *stage,
		     const struct instruction *instruction) MUST_USE;

/* ---- plan.c ---- */

struct git_source_opts;

/* How repositories are fetched for a plan. */
struct git_source_opts plan_git_opts(const struct plan *plan);

#endif
