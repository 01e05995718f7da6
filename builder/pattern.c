/*
 * builder/pattern.c - patterns as small automata.
 *
 * The state of a match is the set of places in the pattern where it can be,
 * and for each the leftmost character of the value where it can have begun.
 * One pass over the value keeps all of them at once, so no pattern can make it
 * go back.
 */

#include "builder/pattern.h"

#include <stdint.h>

#include "base/err.h"
#include "base/utf8.h"

/* Pattern elements that are no characters; above everything utf8_next() gives. */
#define ANY_RUN 0x200000u
#define ANY_ONE 0x200001u

#define NOWHERE SIZE_MAX

struct pattern {
	uint32_t *elements;
	size_t len;
	size_t *begun, *next; /* per place: where the match began, or NOWHERE */
};

static void pattern_auto_(struct pattern *pattern)
{
	free(pattern->elements);
	free(pattern->begun);
	free(pattern->next);
}

struct match {
	size_t start, end; /* in bytes; start is NOWHERE if there is none */
};

static struct err *bad_escape(struct str pattern)
{
	return err_new(ERR_INVALID,
		       "invalid pattern (%.*s) in substitution: a backslash goes before *, ?, "
		       "\\, / or }",
		       STR_ARG(pattern));
}

/* Read `text` into elements. */
static struct err *compile(struct str text, struct pattern *ret)
{
	struct str rest = text;

	ret->elements = xcalloc(text.len + 1, sizeof(*ret->elements));
	ret->begun = xcalloc(text.len + 1, sizeof(*ret->begun));
	ret->next = xcalloc(text.len + 1, sizeof(*ret->next));
	while (rest.len > 0) {
		uint32_t c;
		size_t len = utf8_next(rest, &c);

		rest = (struct str){ rest.at + len, rest.len - len };
		if (c == '\\') {
			if (rest.len == 0 || !strchr("*?\\/}", rest.at[0]) || !rest.at[0])
				return bad_escape(text);
			c = (unsigned char)rest.at[0];
			rest = (struct str){ rest.at + 1, rest.len - 1 };
		} else if (c == '*') {
			c = ANY_RUN;
		} else if (c == '?') {
			c = ANY_ONE;
		}
		ret->elements[ret->len++] = c;
	}
	return NULL;
}

static void reverse(struct pattern *pattern)
{
	for (size_t i = 0, k = pattern->len; i + 1 < k; i++) {
		uint32_t element = pattern->elements[--k];

		pattern->elements[k] = pattern->elements[i];
		pattern->elements[i] = element;
	}
}

static struct err *check_work(const struct pattern *pattern, struct str value)
{
	if (value.len < PATTERN_WORK / (pattern->len + 1))
		return NULL;
	return err_new(ERR_INVALID, "a pattern of %zu characters is too long for a value of %zu",
		       pattern->len, value.len);
}

/* Places that are reached without a character: behind a run that may be empty. */
static void skip_runs(struct pattern *pattern)
{
	for (size_t i = 0; i < pattern->len; i++)
		if (pattern->elements[i] == ANY_RUN && pattern->begun[i] < pattern->begun[i + 1])
			pattern->begun[i + 1] = pattern->begun[i];
}

/* Take one character. False if no place is left. */
static bool step(struct pattern *pattern, uint32_t c)
{
	size_t *next = pattern->next;
	bool alive = false;

	for (size_t i = 0; i <= pattern->len; i++)
		next[i] = NOWHERE;
	for (size_t i = 0; i < pattern->len; i++) {
		uint32_t element = pattern->elements[i];
		bool run = element == ANY_RUN && c != '\n';

		if (pattern->begun[i] == NOWHERE)
			continue;
		if (run && pattern->begun[i] < next[i])
			next[i] = pattern->begun[i];
		else if (element == c || (element == ANY_ONE && c != '\n'))
			next[i + 1] = pattern->begun[i];
		else
			continue;
		alive = true;
	}
	pattern->next = pattern->begun;
	pattern->begun = next;
	return alive;
}

/* Forget what began to the right of `start`. */
static void forget_later(struct pattern *pattern, size_t start)
{
	for (size_t i = 0; i <= pattern->len; i++)
		if (pattern->begun[i] > start)
			pattern->begun[i] = NOWHERE;
}

enum extent { SHORTEST, LONGEST };

/* The match in `value` that begins furthest left, but not before `from`; with `anchored` only
 * one that begins at `from`. */
static struct match find(struct pattern *pattern, struct str value, size_t from, bool anchored,
			 enum extent extent)
{
	struct match best = { NOWHERE, 0 };
	bool alive = true;

	for (size_t i = 0; i <= pattern->len; i++)
		pattern->begun[i] = NOWHERE;
	for (size_t at = from; alive;) {
		uint32_t c;
		size_t len;

		if (best.start == NOWHERE && (!anchored || at == from) && at < pattern->begun[0])
			pattern->begun[0] = at;
		skip_runs(pattern);
		if (pattern->begun[pattern->len] <= best.start &&
		    pattern->begun[pattern->len] != NOWHERE) {
			best = (struct match){ pattern->begun[pattern->len], at };
			forget_later(pattern, best.start);
			if (extent == SHORTEST)
				break;
		}
		if (at >= value.len)
			break;
		len = utf8_next((struct str){ value.at + at, value.len - at }, &c);
		at += len;
		alive = step(pattern, c) || (best.start == NOWHERE && !anchored);
	}
	return best;
}

/* `value` with its characters in the opposite order. */
static char *reversed(struct str value)
{
	char *copy = xcalloc(value.len + 1, 1);
	size_t out = value.len;

	for (size_t at = 0; at < value.len;) {
		uint32_t c;
		size_t len = utf8_next((struct str){ value.at + at, value.len - at }, &c);

		out -= len;
		memcpy(copy + out, value.at + at, len);
		at += len;
	}
	return copy;
}

struct err *pattern_strip(struct str pattern, struct str value, enum pattern_end end, bool longest,
			  struct str *ret)
{
	AUTO(pattern) struct pattern compiled = { 0 };
	AUTO(mem) char *backwards = NULL;
	struct str looked_at = value;
	struct match match;

	TRY(compile(pattern, &compiled));
	TRY(check_work(&compiled, value));
	if (end == PATTERN_SUFFIX) {
		reverse(&compiled);
		backwards = reversed(value);
		looked_at.at = backwards;
	}
	match = find(&compiled, looked_at, 0, true, longest ? LONGEST : SHORTEST);
	if (match.start == NOWHERE)
		*ret = value;
	else if (end == PATTERN_PREFIX)
		*ret = (struct str){ value.at + match.end, value.len - match.end };
	else
		*ret = (struct str){ value.at, value.len - match.end };
	return NULL;
}

/* The name behind a `$` of a replacement, braces included; 0 if there is none. */
static size_t template_name(struct str text, struct str *ret)
{
	size_t at = text.len > 0 && text.at[0] == '{';
	size_t start = at;

	while (at < text.len) {
		uint32_t c;
		size_t len = utf8_next((struct str){ text.at + at, text.len - at }, &c);

		if (c != '_' && !utf8_is_alphanumeric(c))
			break;
		at += len;
	}
	*ret = (struct str){ text.at + start, at - start };
	if (at == start)
		return 0;
	if (start == 0)
		return at;
	return at < text.len && text.at[at] == '}' ? at + 1 : 0;
}

static void add_replacement(struct str template, struct str match, struct buf *out)
{
	while (template.at) {
		struct str name;
		size_t len;

		buf_add_str(out, str_cut(&template, '$'));
		if (!template.at)
			break;
		if (str_starts(template, "$")) {
			buf_addc(out, '$');
			template = (struct str){ template.at + 1, template.len - 1 };
			continue;
		}
		len = template_name(template, &name);
		if (len == 0)
			buf_addc(out, '$');
		else if (str_is(name, "0"))
			buf_add_str(out, match);
		template = (struct str){ template.at + len, template.len - len };
	}
}

/* All matches, none of them touching the one before with nothing. */
static void replace_all(struct pattern *pattern, struct str value, struct str replacement,
			struct buf *out)
{
	size_t done = 0; /* up to here `value` is in `out` */
	size_t at = 0;

	while (at <= value.len && !out->over) {
		struct match match = find(pattern, value, at, false, LONGEST);
		struct str rest = { value.at + at, value.len - at };
		uint32_t c;

		if (match.start == NOWHERE)
			break;
		buf_add(out, value.at + done, match.start - done);
		if (match.end > done || match.start == 0)
			add_replacement(
				replacement,
				(struct str){ value.at + match.start, match.end - match.start },
				out);
		done = match.end;
		/* go on behind the match, but at least one character further */
		at += rest.len > 0 ? utf8_next(rest, &c) : 1;
		at = match.end > at ? match.end : at;
	}
	buf_add(out, value.at + done, value.len - done);
}

struct err *pattern_replace(struct str pattern, struct str value, struct str replacement, bool all,
			    struct buf *out)
{
	AUTO(pattern) struct pattern compiled = { 0 };
	struct match match;

	TRY(compile(pattern, &compiled));
	TRY(check_work(&compiled, value));
	if (all) {
		replace_all(&compiled, value, replacement, out);
		return NULL;
	}
	match = find(&compiled, value, 0, false, LONGEST);
	if (match.start == NOWHERE) {
		buf_add_str(out, value);
		return NULL;
	}
	buf_add(out, value.at, match.start);
	buf_add_str(out, replacement);
	buf_add(out, value.at + match.end, value.len - match.end);
	return NULL;
}
