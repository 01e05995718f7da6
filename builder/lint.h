/*
 * builder/lint.h - remarks on a Recipe that is accepted all the same.
 *
 * A remark carries the name of its rule in BuildKit's spelling, so that
 * `# check=skip=...` lines written for it keep their meaning. Finding is
 * separate from showing: the parser, the expander and the plan add remarks,
 * the front end decides what is printed and what fails the build.
 */
#ifndef BUILDER_LINT_H
#define BUILDER_LINT_H

#include <stdbool.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/vec.h"
#include "builder/script.h"

struct err;

/* What docs/lint.md has a section about. */
struct lint_rule {
	const char *name;
	const char *about; /* what should be, in one line */
	bool experimental; /* found only where a policy asks for it */
};

extern const struct lint_rule lint_rules[];
extern const size_t lint_rule_count;

const struct lint_rule *lint_rule_find(const char *name); /* NULL if there is none */

struct lint {
	const char *rule; /* "StageNameCasing"; a literal */
	char *text;       /* one line, owned */
	struct position position;
};

/* What a `# check=` directive asks for. */
struct lint_policy {
	bool skip_all;
	bool error; /* remarks fail the build, after everything was evaluated */
	bool experimental_all;
	struct strings skip;
	struct strings experimental;
};

struct lints {
	struct lint *at;
	size_t len, cap;
	struct lint_policy policy;
};

/* Note a remark that the policy does not leave out: an experimental one only if it asks for it, any other
 * unless the it silences the rule, or `check` does, the value of the check comment of one instruction or
 * NULL. What was noted of the same place in the same words is not noted again. `rule` must be the name
 * of one, as a literal. */
void lint_add(struct lints *lints, const char *rule, const char *check, const struct position *at,
	      const char *fmt, ...) PRINTF_LIKE(5, 6);
/* In order of their lines, rules and texts. */
void lints_sort(struct lints *lints);
void lints_release(struct lints *lints);

/* Add the value of a check directive, "skip=A,B|all;error=true;experimental=A|all", to a policy.
 * ERR_INVALID for an unknown key and for an `error` that is no boolean. */
struct err *lint_policy_parse(struct str value, struct lint_policy *policy) MUST_USE;
void lint_policy_release(struct lint_policy *policy);

static inline void lint_policy_auto_(struct lint_policy *policy)
{
	lint_policy_release(policy);
}

#endif
