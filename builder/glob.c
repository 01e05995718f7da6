/* builder/glob.c - see builder/glob.h. */

#include "builder/glob.h"

#include "base/err.h"
#include "base/utf8.h"

static struct err *syntax_error(struct str pattern)
{
	return err_new(ERR_INVALID, "syntax error in pattern '%.*s'", STR_ARG(pattern));
}

static struct str skip(struct str s, size_t count)
{
	return (struct str){ s.at + count, s.len - count };
}

/* One end of a range in a set, consumed. False where none may stand: at the end, at an
 * unescaped '-' or ']', and for a byte that is no character. */
static bool take_set_character(struct str *set, uint32_t *ret)
{
	if (set->len == 0 || set->at[0] == '-' || set->at[0] == ']')
		return false;
	if (set->at[0] == '\\')
		*set = skip(*set, 1);
	if (set->len == 0)
		return false;
	*set = skip(*set, utf8_next(*set, ret));
	return *ret < UTF8_STRAY && set->len > 0;
}

size_t glob_match_set(struct str pattern, uint32_t c, bool *ret_matches)
{
	struct str set = skip(pattern, 1);
	bool negated = str_starts(set, "^");
	bool found = false;
	size_t ranges = 0;

	if (negated)
		set = skip(set, 1);
	for (; !(ranges > 0 && str_starts(set, "]")); ranges++) {
		uint32_t low, high;

		if (!take_set_character(&set, &low))
			return 0;
		high = low;
		if (set.at[0] == '-') {
			set = skip(set, 1);
			if (!take_set_character(&set, &high))
				return 0;
		}
		found = found || (low <= c && c <= high);
	}
	*ret_matches = found != negated && c != '/';
	return (size_t)(set.at + 1 - pattern.at);
}

struct err *glob_check(struct str pattern)
{
	struct str rest = pattern;

	while (rest.len > 0) {
		bool unused;
		size_t len = 1;

		if (rest.at[0] == '\\')
			len = rest.len > 1 ? 2 : 0;
		else if (rest.at[0] == '[')
			len = glob_match_set(rest, 0, &unused);
		if (len == 0)
			return syntax_error(pattern);
		rest = skip(rest, len);
	}
	return NULL;
}

/* Match the element at the start of `pattern`, which is no `*`, with the character at the start
 * of `name`. Consumes both if they match. */
static bool match_one(struct str *pattern, struct str *name)
{
	struct str element = *pattern;
	bool matches = false;
	uint32_t c, want;
	size_t len, width;

	if (name->len == 0)
		return false;
	width = utf8_next(*name, &c);
	if (element.at[0] == '[') {
		len = glob_match_set(element, c, &matches);
		matches = matches && len > 0;
	} else if (element.at[0] == '?') {
		len = 1;
		matches = c != '/';
	} else {
		if (element.at[0] == '\\')
			element = skip(element, 1);
		len = element.len ? utf8_next(element, &want) : 0;
		matches = len > 0 && want == c;
		len += (size_t)(element.at - pattern->at);
	}
	if (!matches)
		return false;
	*pattern = skip(*pattern, len);
	*name = skip(*name, width);
	return true;
}

bool glob_match(struct str pattern, struct str name)
{
	struct str star = { NULL, 0 }; /* what follows the last `*`, and where it is tried */
	struct str tried = { NULL, 0 };

	while (name.len > 0 || pattern.len > 0) {
		uint32_t c;

		if (pattern.len > 0 && pattern.at[0] == '*') {
			pattern = skip(pattern, 1);
			star = pattern;
			tried = name;
			continue;
		}
		if (pattern.len > 0 && match_one(&pattern, &name))
			continue;
		/* the last `*` takes one character more; an earlier one could do no better */
		if (!star.at || tried.len == 0)
			return false;
		tried = skip(tried, utf8_next(tried, &c));
		if (c == '/')
			return false;
		pattern = star;
		name = tried;
	}
	return true;
}

bool glob_is_pattern(struct str pattern)
{
	for (size_t i = 0; i < pattern.len; i++)
		if (strchr("*?[\\", pattern.at[i]) && pattern.at[i])
			return true;
	return false;
}

char *glob_literal(struct str pattern)
{
	char *literal = xcalloc(pattern.len + 1, 1);
	size_t out = 0;

	for (size_t i = 0; i < pattern.len; i++) {
		if (pattern.at[i] == '\\' && i + 1 < pattern.len)
			i++;
		literal[out++] = pattern.at[i];
	}
	return literal;
}
