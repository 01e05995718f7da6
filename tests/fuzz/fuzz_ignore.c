/*
 * tests/fuzz/fuzz_ignore.c - the matcher agrees with one that tries everything.
 *
 * The input is a path, a newline, and an ignore file. Laws: a file that parses
 * decides every path as the slow matcher below does, rule by rule; and where a
 * walk is told not to enter a directory, nothing below it comes back.
 */

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/utf8.h"
#include "builder/glob.h"
#include "builder/ignore.h"

#define PATTERN_MAX 14 /* what the slow matcher can bear */
#define PATH_MAX_ 24

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct str skip(struct str s, size_t count)
{
	return (struct str){ s.at + count, s.len - count };
}

static bool is_plain(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if (strchr("*?[]\\", s.at[i]))
			return false;
	return true;
}

static bool slow_match(struct str pattern, struct str path, bool first);

/* `pattern` begins with `**`. */
static bool slow_deep(struct str pattern, struct str path, bool first)
{
	struct str rest = skip(pattern, 2);
	bool slash = str_starts(rest, "/");

	rest = skip(rest, slash);
	if (rest.len == 0)
		return true;
	if (first && !slash && is_plain(rest))
		return path.len >= rest.len && str_equal(skip(path, path.len - rest.len), rest);
	if (slow_match(rest, path, false))
		return true;
	for (size_t i = 0; i < path.len; i++)
		if (path.at[i] == '/' && slow_match(rest, skip(path, i + 1), false))
			return true;
	return false;
}

/* All of `path` matches all of `pattern`. */
static bool slow_match(struct str pattern, struct str path, bool first)
{
	bool unused;
	size_t len = 1;
	uint32_t c;

	if (pattern.len == 0)
		return path.len == 0;
	if (str_starts(pattern, "**"))
		return slow_deep(pattern, path, first);
	if (pattern.at[0] == '*')
		return slow_match(skip(pattern, 1), path, false) ||
		       (path.len > 0 && path.at[0] != '/' &&
			slow_match(pattern, skip(path, utf8_next(path, &c)), false));
	if (path.len == 0)
		return false;
	if (pattern.at[0] == '[')
		len = glob_match_set(pattern, 0, &unused);
	else if (pattern.at[0] == '\\')
		len = 1 + utf8_next(skip(pattern, 1), &c);
	else if (pattern.at[0] != '?')
		len = utf8_next(pattern, &c);
	if (!glob_match((struct str){ pattern.at, len },
			(struct str){ path.at, utf8_next(path, &c) }))
		return false;
	return slow_match(skip(pattern, len), skip(path, utf8_next(path, &c)), false);
}

/* The path or a directory above it. */
static bool slow_rule(struct str pattern, struct str path)
{
	for (size_t i = 1; i <= path.len; i++)
		if ((i == path.len || path.at[i] == '/') &&
		    slow_match(pattern, (struct str){ path.at, i }, true))
			return true;
	return false;
}

/* Relative and clean, so that it is the same before and after cleaning. */
static bool is_clean(struct str path, size_t max)
{
	if (path.len == 0 || path.len > max || memchr(path.at, '\0', path.len))
		return false;
	while (path.at) {
		struct str name = str_cut(&path, '/');

		if (name.len == 0 || str_is(name, ".") || str_is(name, ".."))
			return false;
	}
	return true;
}

/* A stray byte in a pattern could match the middle of a character. */
static bool is_utf8(struct str s)
{
	uint32_t c;

	for (; s.len > 0; s = skip(s, utf8_next(s, &c)))
		if (utf8_decode(s, &c) == 0)
			return false;
	return true;
}

/* The decision of the slow matcher; -1 if there is a rule that it cannot bear. */
static int slow_decision(struct str rules, struct str path)
{
	bool excluded = false;

	if (str_starts(rules, "\xef\xbb\xbf"))
		rules = skip(rules, 3);
	while (rules.at) {
		struct str line = str_cut(&rules, '\n');
		struct str pattern = utf8_trim(line);
		bool exception;

		if (pattern.len == 0 || str_starts(line, "#"))
			continue;
		exception = str_starts(pattern, "!");
		if (exception)
			pattern = utf8_trim(skip(pattern, 1));
		if (!is_clean(pattern, PATTERN_MAX) || !is_utf8(pattern))
			return -1;
		if (slow_rule(pattern, path))
			excluded = !exception;
	}
	return excluded;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str rules = { (const char *)data, size };
	struct str path = str_cut(&rules, '\n');
	struct ignore *parsed = NULL;
	AUTO(err) struct err *err = NULL;
	AUTO(ignore) struct ignore *ignore = NULL;
	AUTO(mem) char *copy = str_dup(path);
	bool excluded;
	int slow;

	if (!rules.at)
		rules = STR("");
	err = ignore_parse("x", rules, &parsed);
	ignore = parsed;
	if (err)
		return 0;
	excluded = ignore_match(ignore, copy, NULL);
	if (!is_clean(path, PATH_MAX_))
		return 0;
	slow = slow_decision(rules, path);
	if (slow >= 0)
		assert(excluded == slow);
	for (char *slash = copy; (slash = strchr(slash, '/')); *slash++ = '/') {
		*slash = '\0';
		if (ignore_match(ignore, copy, NULL) && !ignore_may_reinclude(ignore, copy))
			assert(excluded);
	}
	return 0;
}
