/*
 * builder/evaluate-private.h - what the two halves of evaluating an instruction share.
 *
 *	evaluate.c       the table of instructions, and those that only change the config
 *	evaluate_step.c  RUN, WORKDIR, COPY, ADD: those that make a step, and its key
 */
#ifndef BUILDER_EVALUATE_PRIVATE_H
#define BUILDER_EVALUATE_PRIVATE_H

#include "base/err.h"
#include "builder/plan-private.h"

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

/* Fill in the variables of `text`; `*ret` is the caller's. What was used without a value and
 * without a declaration becomes a remark. */
struct err *site_expand(const struct site *site, const char *text, char **ret) MUST_USE;

/* A row of the history; `step` is NULL for one without a layer. Takes ownership of `created_by`. */
void site_add_row(const struct site *site, char *created_by, struct plan_step *step);

static inline void words_to_strings(const struct words *words, struct strings *ret)
{
	for (size_t i = 0; i < words->len; i++)
		strings_push(ret, words->at[i]);
}

/* Instructions that make a step. */
struct err *evaluate_run(const struct site *site) MUST_USE;
struct err *evaluate_workdir(const struct site *site) MUST_USE;
struct err *evaluate_copy(const struct site *site) MUST_USE;
struct err *evaluate_add(const struct site *site) MUST_USE;

#endif
