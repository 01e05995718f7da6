/*
 * tests/fuzz/fuzz_expand.c - expansion ends, stays within its limit, and leaves plain text alone.
 *
 * The input is a text and, behind a NUL, the value of every variable. Laws:
 * text without `$`, quotes and escapes expands to itself; what a single-quoted
 * text expands to is what stood between the quotes; what a pattern strips is
 * the shortest or longest piece that a slow matcher, which tries everything,
 * finds too.
 */

#include <assert.h>
#include <stdlib.h>

#include "base/err.h"
#include "builder/expand.h"
#include "builder/pattern.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *get(const void *arg, struct str name)
{
	/* some names are not set */
	return name.len > 0 && name.at[0] == 'u' ? NULL : arg;
}

static bool is_ordinary(struct str text)
{
	for (size_t i = 0; i < text.len; i++)
		if (strchr("$'\"\\", text.at[i]))
			return false;
	return true;
}

static void check_plain(const struct expander *expander, struct str text, enum expand_mode mode)
{
	AUTO(mem) char *got = NULL;
	AUTO(err) struct err *err = expand_text(expander, text, mode, &got);

	assert(err ? got == NULL : got != NULL);
	if (is_ordinary(text))
		assert(!err && str_is(text, got));
}

static void check_quoted(const struct expander *expander, struct str text)
{
	AUTO(mem) char *quoted = NULL;
	AUTO(mem) char *got = NULL;
	AUTO(err) struct err *err = NULL;

	if (memchr(text.at, '\'', text.len))
		return;
	quoted = xasprintf("'%.*s'", STR_ARG(text));
	err = expand_text(expander, str_of(quoted), EXPAND_WORD, &got);
	assert(!err && str_is(text, got));
}

/* Does all of `text` match, trying everything? Both are ASCII, and short. */
static bool slow_match(struct str pattern, struct str text)
{
	char c = '\0';
	struct str rest = { pattern.at + 1, pattern.len - 1 };
	struct str tail = { text.at + 1, text.len - 1 };

	if (pattern.len == 0)
		return text.len == 0;
	c = pattern.at[0];
	if (c == '*')
		return slow_match(rest, text) ||
		       (text.len > 0 && text.at[0] != '\n' && slow_match(pattern, tail));
	if (text.len == 0)
		return false;
	if (c == '?')
		return text.at[0] != '\n' && slow_match(rest, tail);
	if (c == '\\') {
		c = rest.at[0];
		rest = (struct str){ rest.at + 1, rest.len - 1 };
	}
	return text.at[0] == c && slow_match(rest, tail);
}

static size_t slow_strip(struct str pattern, struct str value, enum pattern_end end, bool longest)
{
	for (size_t i = 0; i <= value.len; i++) {
		size_t len = longest ? value.len - i : i;
		const char *at = end == PATTERN_PREFIX ? value.at : value.at + value.len - len;

		if (slow_match(pattern, (struct str){ at, len }))
			return len;
	}
	return 0;
}

static bool is_small(struct str text)
{
	for (size_t i = 0; i < text.len; i++)
		if ((unsigned char)text.at[i] >= 0x80)
			return false;
	return text.len <= 10;
}

static void check_strip(struct str pattern, struct str value, enum pattern_end end, bool longest)
{
	AUTO(err) struct err *err = NULL;
	struct str rest;

	err = pattern_strip(pattern, value, end, longest, &rest);
	if (err)
		return;
	if (end == PATTERN_PREFIX)
		assert(rest.at + rest.len == value.at + value.len && rest.len <= value.len);
	else
		assert(rest.at == value.at && rest.len <= value.len);
	if (is_small(pattern) && is_small(value))
		assert(slow_strip(pattern, value, end, longest) == value.len - rest.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct expand_report report = { 0 };
	struct expander expander = { .escape = '\\', .get = get, .report = &report };
	struct strings words = { 0 };
	AUTO(mem) char *copy = xmemdup(data, size);
	struct str text = str_of(copy);
	struct str value = text.len < size ? str_of(copy + text.len + 1) : STR("");

	expander.arg = value.at;
	check_plain(&expander, text, EXPAND_WORD);
	check_plain(&expander, text, EXPAND_HEREDOC);
	check_quoted(&expander, text);
	check_strip(text, value, PATTERN_PREFIX, false);
	check_strip(text, value, PATTERN_PREFIX, true);
	check_strip(text, value, PATTERN_SUFFIX, false);
	check_strip(text, value, PATTERN_SUFFIX, true);
	err_free(expand_words(&expander, text, &words));
	vec_foreach (&words, word)
		assert(**word);
	strings_release(&words);
	expand_report_release(&report);
	return 0;
}
