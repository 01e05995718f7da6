/*
 * builder/evaluate-private.h - what the files that evaluate instructions share.
 *
 *	evaluate.c       the table of instructions, and those that only change the config
 *	evaluate_step.c  what all steps share; WORKDIR
 *	evaluate_run.c   RUN
 *	evaluate_mount.c what its --mount flags mean
 *	evaluate_copy.c  COPY, and what ADD shares with it
 *	evaluate_add.c   ADD
 *	evaluate_unset.c UNSET
 */
#ifndef BUILDER_EVALUATE_PRIVATE_H
#define BUILDER_EVALUATE_PRIVATE_H

#include "base/err.h"
#include "builder/plan-private.h"

struct key;

#define TEXT_MAX_BYTES ((size_t)16 * 1024 * 1024)

/* What every handler works on. */
struct site {
	struct plan *plan;
	struct plan_stage *stage;
	const struct instruction *in;
};

/* An error with the instruction's place. */
struct err *site_error(const struct site *site, enum err_kind kind, const char *fmt, ...)
	PRINTF_LIKE(3, 4) MUST_USE;
/* The place for an error that has none yet; NULL stays NULL. */
struct err *site_wrap(const struct site *site, struct err *err) MUST_USE;

/* Operands are split at blanks before quotes are looked at, and what looks like JSON and is none is
 * a list of words: where one of them makes no sense, say what was meant. */
struct err *site_hint_json(const struct site *site, const char *word, struct err *err) MUST_USE;

/* Fill in the variables of `text`; `*ret` is the caller's. (What has no value is remarked on by
 * builder/review_values.h.) */
struct err *site_expand(const struct site *site, const char *text, char **ret) MUST_USE;

/* The same of the content of a heredoc, which may hold quotes, and whose escape is the backslash. */
struct err *site_expand_heredoc(const struct site *site, const char *text, char **ret) MUST_USE;

/* mount_parse() with the variables of the stage. */
struct err *site_parse_mount(const struct site *site, const char *text, struct mount *ret) MUST_USE;

/* plan_tree_of() for this instruction. What is wrong with the build's own directory, such as its ignore
 * file, is not said of it. */
struct err *site_tree(const struct site *site, struct plan_context *context, struct tree **ret)
	MUST_USE;

/* plan_from_of() for this instruction, with the variables of `text` filled in: those of the stage, else the
 * ARGs before the first FROM. */
struct err *site_from(const struct site *site, const char *text, bool numbers,
		      struct plan_from *ret) MUST_USE;

/* Note that a step takes files from there. */
void step_reads(struct plan_step *step, const struct plan_from *from);

/* A row of the history; `step` is NULL for one without a layer. Takes ownership of `created_by`. */
void site_add_row(const struct site *site, char *created_by, struct plan_step *step);

static inline void words_to_strings(const struct words *words, struct strings *ret)
{
	for (size_t i = 0; i < words->len; i++)
		strings_push(ret, words->at[i]);
}

/* UNSET, of the dialect. */
struct err *evaluate_unset(const struct site *site) MUST_USE;

/* ---- for instructions that make a step ---- */

/* ERR_UNSUPPORTED "WHAT does not work yet". */
struct err *site_not_yet(const struct site *site, const char *what) MUST_USE;
/* A step on top of what the stage has so far. Stages that it needs are planned, and their steps
 * numbered, before. */
struct plan_step *site_add_step(const struct site *site, enum step_kind kind);
/* Begin a key with what every step depends on; `kind` is that of key_begin(). step->alone is set. */
void site_begin_key(const struct site *site, struct plan_step *step, const char *kind,
		    struct key *key);
/* Finish it: it is the key of the stage so far, too, or becomes a part of that. */
struct err *site_end_key(const struct site *site, struct plan_step *step, struct key *key) MUST_USE;
/* The WORKDIR so far. */
const char *site_directory(const struct site *site);
/* `path` seen from `base`: absolute and clean. The caller's. */
char *site_join_path(const char *base, const char *path) MUST_USE;

/* Read the --mount flags of a RUN into `ret`, sorted by target: first of all, since they plan the
 * stages that they read. Give it to the step, which owns it then. */
struct err *evaluate_mounts(const struct site *site, struct plan_mounts *ret) MUST_USE;
/* Add to the key what of the mounts decides the result. */
struct err *key_of_mounts(const struct site *site, struct plan_step *step, struct key *key)
	MUST_USE;

/* ---- COPY and ADD: evaluate_copy.c ---- */

/* Fill in the variables of everything behind the keyword. `ret_dest` is the destination as the history
 * has it: expanded, and no more. */
struct err *copy_expand(const struct site *site, struct plan_copy *copy, char **ret_dest) MUST_USE;
/* Add what `pattern` selects of the context to `ret`, and its digest to the key. */
struct err *copy_select(const struct site *site, const struct plan_copy *copy, const char *pattern,
			struct selection *ret, struct key *key) MUST_USE;
/* The key of the step: its beginning; what both have beside sources, and its end. */
void copy_begin_key(const struct site *site, struct plan_step *step, struct key *key);
struct err *copy_end_key(const struct site *site, struct plan_step *step, struct key *key) MUST_USE;
void copy_row(const struct site *site, struct plan_step *step, const char *dest);

struct err *evaluate_run(const struct site *site) MUST_USE;
struct err *evaluate_workdir(const struct site *site) MUST_USE;
struct err *evaluate_copy(const struct site *site) MUST_USE;
struct err *evaluate_add(const struct site *site) MUST_USE;

#endif
