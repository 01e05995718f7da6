/* builder/lint.c - see builder/lint.h. */

#include "builder/lint.h"

#include <strings.h>

#include "base/err.h"

static bool contains(const struct strings *list, struct str name)
{
	vec_foreach (list, item)
		if (str_is(name, *item))
			return true;
	return false;
}

static bool is_silent(const struct lint_policy *policy, const char *rule)
{
	return policy->skip_all || contains(&policy->skip, str_of(rule));
}

/* What a check comment of one instruction says about `rule`. One that does not parse says
 * nothing: the comment may mean something else. */
static bool is_silent_here(const char *check, const char *rule)
{
	struct lint_policy policy = { 0 };
	struct err *err;
	bool silent;

	if (!check)
		return false;
	err = lint_policy_parse(str_of(check), &policy);
	silent = !err && is_silent(&policy, rule);
	err_free(err);
	lint_policy_release(&policy);
	return silent;
}

void lint_add(struct lints *lints, const char *rule, const char *check, const struct position *at,
	      const char *fmt, ...)
{
	va_list args;
	char *text;

	if (is_silent(&lints->policy, rule) || is_silent_here(check, rule))
		return;
	va_start(args, fmt);
	text = xvasprintf(fmt, args);
	va_end(args);
	vec_push(lints, (struct lint){ rule, text, *at });
}

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
			return err_new(ERR_INVALID, "check: unknown option '%.*s'", STR_ARG(key));
	}
	return NULL;
}
