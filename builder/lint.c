/* builder/lint.c - see builder/lint.h. */

#include "builder/lint.h"

#include <stdlib.h>
#include <strings.h>

#include "base/err.h"
#include "base/text.h"

#define LINTS_MAX 1000 /* nobody reads more, and each is compared with those before it */

static bool contains(const struct strings *list, struct str name)
{
	vec_foreach (list, item)
		if (str_is(name, *item))
			return true;
	return false;
}

/* ---- rules ---- */

const struct lint_rule lint_rules[] = {
	{ "ConsistentInstructionCasing", "all instructions are in the same case", false },
	{ "CopyIgnoredFile", "no source of COPY and ADD is hidden by the ignore file", false },
	{ "DuplicateStageName", "the names of stages are unique", false },
	{ "ExposeInvalidFormat", "EXPOSE has ports alone, no addresses and no ports of the host",
	  false },
	{ "ExposeProtoCasing", "the protocol of a port is in lower case", false },
	{ "FromAsCasing", "AS is in the case of its FROM", false },
	{ "FromPlatformFlagConstDisallowed", "FROM --platform is no constant", false },
	{ "HeredocErrexit", "a heredoc of several commands stops at the first that fails", false },
	{ "InvalidBaseImagePlatform", "base images are for the platform of the build", false },
	{ "InvalidDefaultArgInFrom", "FROM names an image with the defaults of its arguments",
	  false },
	{ "InvalidDefinitionDescription",
	  "a comment right above FROM or ARG describes what is defined there", true },
	{ "JSONArgsRecommended", "CMD and ENTRYPOINT are in JSON form, so that signals arrive",
	  false },
	{ "LegacyKeyValueFormat", "ENV and LABEL have a = between name and value", false },
	{ "MaintainerDeprecated", "a label names the author, not MAINTAINER", false },
	{ "MultipleInstructionsDisallowed", "CMD, ENTRYPOINT and HEALTHCHECK stand once in a stage",
	  false },
	{ "NoEmptyContinuation", "no line inside a continued instruction is empty", false },
	{ "RedundantTargetPlatform", "FROM does not ask for the platform that it has anyway",
	  false },
	{ "ReservedStageName", "no stage is called scratch or context", false },
	{ "SecretsUsedInArgOrEnv", "no secret is in an ARG or an ENV", false },
	{ "StageNameCasing", "the names of stages are in lower case", false },
	{ "UndefinedArgInFrom", "arguments in FROM are declared", false },
	{ "UndefinedVar", "variables are set or declared before they are used", false },
	{ "UnknownSyntax", "the syntax directive names the frontend that is spoken here", false },
	{ "WorkdirRelativePath", "the first WORKDIR is absolute", false },
};
const size_t lint_rule_count = ARRAY_SIZE(lint_rules);

const struct lint_rule *lint_rule_find(const char *name)
{
	for (size_t i = 0; i < lint_rule_count; i++)
		if (strcmp(lint_rules[i].name, name) == 0)
			return &lint_rules[i];
	return NULL;
}

/* ---- remarks ---- */

static bool is_silent(const struct lint_policy *policy, const char *name)
{
	const struct lint_rule *rule = lint_rule_find(name);

	if (contains(&policy->skip, str_of(name)))
		return true;
	if (rule && rule->experimental)
		return !policy->experimental_all && !contains(&policy->experimental, str_of(name));
	return policy->skip_all;
}

/* What a check comment of one instruction says about `rule`. One that does not parse says
 * nothing: the comment may mean something else. */
static bool is_silent_here(const char *check, const char *rule)
{
	AUTO(lint_policy) struct lint_policy policy = { 0 };
	AUTO(err) struct err *err = NULL;

	if (!check)
		return false;
	err = lint_policy_parse(str_of(check), &policy);
	return !err && (policy.skip_all || contains(&policy.skip, str_of(rule)));
}

static bool is_noted(const struct lints *lints, const char *rule, const struct position *at,
		     const char *text)
{
	vec_foreach (lints, lint)
		if (lint->position.line == at->line && strcmp(lint->rule, rule) == 0 &&
		    strcmp(lint->text, text) == 0)
			return true;
	return false;
}

void lint_add(struct lints *lints, const char *rule, const char *check, const struct position *at,
	      const char *fmt, ...)
{
	AUTO(mem) char *text = NULL;
	va_list args;

	if (is_silent(&lints->policy, rule) || is_silent_here(check, rule))
		return;
	va_start(args, fmt);
	text = xvasprintf(fmt, args);
	va_end(args);
	if (lints->len < LINTS_MAX && !is_noted(lints, rule, at, text))
		vec_push(lints, (struct lint){ rule, STEAL(text), *at });
}

static int compare_lints(const void *a, const void *b)
{
	const struct lint *left = a, *right = b;
	int order = (left->position.line > right->position.line) -
		    (left->position.line < right->position.line);

	if (order == 0)
		order = strcmp(left->rule, right->rule);
	return order ? order : strcmp(left->text, right->text);
}

void lints_sort(struct lints *lints)
{
	if (lints->len > 1)
		qsort(lints->at, lints->len, sizeof(*lints->at), compare_lints);
}

/* ---- policies ---- */

void lint_policy_release(struct lint_policy *policy)
{
	strings_release(&policy->skip);
	strings_release(&policy->experimental);
}

void lints_release(struct lints *lints)
{
	vec_foreach (lints, lint)
		free(lint->text);
	vec_release(lints);
	lint_policy_release(&lints->policy);
}

/* "A,B" into `names`, or `*all` for "all". */
static void take_names(struct str value, struct strings *names, bool *all)
{
	while (value.at) {
		struct str name = str_trim(str_cut(&value, ','));
		AUTO(mem) char *copy = str_dup(name);

		if (str_is(name, "all"))
			*all = true;
		else if (name.len > 0)
			strings_push(names, copy);
	}
}

static bool is_word(struct str s, const char *word)
{
	return s.len == strlen(word) && strncasecmp(s.at, word, s.len) == 0;
}

/* The spellings of Go's strconv.ParseBool. */
static struct err *take_boolean(struct str value, bool *ret)
{
	static const char *const yes[] = { "1", "t", "true" };
	static const char *const no[] = { "0", "f", "false" };

	for (size_t i = 0; i < ARRAY_SIZE(yes); i++) {
		if (is_word(value, yes[i]) || is_word(value, no[i])) {
			*ret = is_word(value, yes[i]);
			return NULL;
		}
	}
	return err_new(ERR_INVALID, "check: error=%.*s is neither true nor false", STR_ARG(value));
}

static struct err *unknown_option(struct str key)
{
	static const char *const options[] = { "skip", "error", "experimental" };
	const char *nearest = text_nearest(key, options, ARRAY_SIZE(options));

	return err_new(ERR_INVALID, "check: unknown option '%.*s'%s%s%s", STR_ARG(key),
		       nearest ? " (did you mean " : "", nearest ? nearest : "",
		       nearest ? "?)" : "");
}

struct err *lint_policy_parse(struct str value, struct lint_policy *policy)
{
	while (value.at) {
		struct str rest = str_trim(str_cut(&value, ';'));
		struct str key;

		if (rest.len == 0)
			continue;
		key = str_trim(str_cut(&rest, '='));
		if (!rest.at)
			return err_new(ERR_INVALID, "check: '%.*s' is not of the form key=value",
				       STR_ARG(key));
		rest = str_trim(rest);
		if (str_is(key, "skip"))
			take_names(rest, &policy->skip, &policy->skip_all);
		else if (str_is(key, "experimental"))
			take_names(rest, &policy->experimental, &policy->experimental_all);
		else if (str_is(key, "error"))
			TRY(take_boolean(rest, &policy->error));
		else
			return unknown_option(key);
	}
	return NULL;
}
