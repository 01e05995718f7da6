/*
 * builder/expand.c - one pass over the text, a call for each form within a form.
 *
 * What comes out goes to a buffer and, when words are wanted, also to the word
 * being built: there, blanks end a word unless a quote or an escape protects
 * them.
 */

#include "builder/expand.h"

#include <stdint.h>

#include "base/err.h"
#include "base/utf8.h"
#include "builder/pattern.h"

struct scan {
	const struct expander *expander;
	struct str text;
	size_t at;
	char escape;
	bool quotes; /* they are special */
	bool raw;    /* escapes stay in the result: inside a pattern or a replacement */
	unsigned depth;
};

/* Where results go. */
struct output {
	struct buf text;
	struct strings *words; /* NULL unless they are wanted */
	struct buf word;       /* the one being built */
};

static void output_auto_(struct output *out)
{
	buf_release(&out->text);
	buf_release(&out->word);
}

#define OUTPUT_INIT(list) \
	((struct output){ \
		.text = BUF_INIT(EXPAND_MAX), .word = BUF_INIT(EXPAND_MAX), .words = (list) })

static void end_word(struct output *out)
{
	if (out->words && out->word.len > 0)
		strings_push(out->words, out->word.at);
	buf_reset(&out->word);
}

/* Text that a quote or an escape protects. */
static void add_protected(struct output *out, struct str text)
{
	buf_add_str(&out->text, text);
	if (out->words)
		buf_add_str(&out->word, text);
}

/* Text whose blanks end a word. */
static void add(struct output *out, struct str text)
{
	buf_add_str(&out->text, text);
	while (out->words && text.len > 0) {
		uint32_t c;
		size_t len = utf8_next(text, &c);

		if (utf8_is_space(c))
			end_word(out);
		else
			buf_add(&out->word, text.at, len);
		text = (struct str){ text.at + len, text.len - len };
	}
}

static bool at_end(const struct scan *scan)
{
	return scan->at >= scan->text.len;
}

/* The next byte, 0 at the end. */
static char peek(const struct scan *scan)
{
	if (at_end(scan))
		return '\0';
	return scan->text.at[scan->at];
}

/* The next character, consumed. */
static struct str take_character(struct scan *scan)
{
	struct str rest = { scan->text.at + scan->at, scan->text.len - scan->at };
	uint32_t c;

	rest.len = utf8_next(rest, &c);
	scan->at += rest.len;
	return rest;
}

static struct err *missing_brace(void)
{
	return err_new(ERR_INVALID, "syntax error: missing '}'");
}

static struct err *expand_until(struct scan *scan, char stop, struct output *out) MUST_USE;

/* ---- names and values ---- */

void expand_report_release(struct expand_report *report)
{
	map_release(&report->used, NULL);
	map_release(&report->unset, NULL);
	map_release(&report->undefined, NULL);
}

/* Letters, digits and '_'; or digits alone; or one of the shell's special parameters. May be
 * empty. */
static struct str take_name(struct scan *scan)
{
	struct str name = { scan->text.at + scan->at, 0 };
	bool digits = peek(scan) >= '0' && peek(scan) <= '9';

	if (peek(scan) && strchr("@*#?-$!", peek(scan)))
		return take_character(scan);
	while (!at_end(scan)) {
		uint32_t c;
		struct str rest = { scan->text.at + scan->at, scan->text.len - scan->at };
		size_t len = utf8_next(rest, &c);

		if (digits ? c < '0' || c > '9' : c != '_' && !utf8_is_alphanumeric(c))
			break;
		name.len += len;
		scan->at += len;
	}
	return name;
}

/* The value of `name`, NULL if it is not set. `guarded` tells that the form says what that
 * means. */
static const char *get(struct scan *scan, struct str name, bool guarded)
{
	const struct expander *expander = scan->expander;
	const char *value = expander->get(expander->arg, name);
	struct expand_report *report = expander->report;

	if (!report)
		return value;
	map_put(value ? &report->used : &report->unset, name, NULL);
	if (!value && !guarded)
		map_put(&report->undefined, name, NULL);
	return value;
}

/* The same where an unset variable is like an empty one. */
static struct str get_text(struct scan *scan, struct str name)
{
	const char *value = get(scan, name, false);

	return str_of(value ? value : "");
}

/* ---- forms ---- */

/* The `w` of a form, up to `stop`, into `word`. */
static struct err *take_word(struct scan *scan, char stop, bool raw, struct output *word)
{
	bool before = scan->raw;

	scan->raw = raw;
	TRY(expand_until(scan, stop, word));
	scan->raw = before;
	return buf_check(&word->text, "an expansion");
}

/* ${n-w} ${n:-w} ${n+w} ${n:+w} ${n?m} ${n:?m}, behind the operator. */
static struct err *expand_default(struct scan *scan, struct str name, char operator, bool colon,
				  struct output *out)
{
	AUTO(output) struct output word = OUTPUT_INIT(NULL);
	const char *value, *message;
	bool given;

	TRY(take_word(scan, '}', false, &word));
	value = get(scan, name, true);
	given = value && (!colon || *value);
	if (operator== '+') {
		if (given)
			add(out, buf_str(&word.text));
	} else if (given) {
		add(out, str_of(value));
	} else if (operator== '-') {
		add(out, buf_str(&word.text));
	} else {
		message = value ? "is not allowed to be empty" : "is not allowed to be unset";
		return err_new(ERR_INVALID, "%.*s: %s", STR_ARG(name),
			       word.text.len ? word.text.at : message);
	}
	return NULL;
}

/* ${n#p} ${n##p} ${n%p} ${n%%p}, behind the first operator. */
static struct err *expand_strip(struct scan *scan, struct str name, char operator,
				struct output * out)
{
	AUTO(output) struct output word = OUTPUT_INIT(NULL);
	enum pattern_end end = operator== '#' ? PATTERN_PREFIX : PATTERN_SUFFIX;
	struct str pattern, stripped;
	bool longest;

	TRY(take_word(scan, '}', true, &word));
	pattern = buf_str(&word.text);
	longest = pattern.len > 0 && pattern.at[0] == operator;
	if (longest)
		pattern = (struct str){ pattern.at + 1, pattern.len - 1 };
	TRY(pattern_strip(pattern, get_text(scan, name), end, longest, &stripped));
	add(out, stripped);
	return NULL;
}

/* ${n/p/r} ${n//p/r}, behind the first '/'. */
static struct err *expand_replace(struct scan *scan, struct str name, struct output *out)
{
	AUTO(output) struct output pattern = OUTPUT_INIT(NULL);
	AUTO(output) struct output replacement = OUTPUT_INIT(NULL);
	AUTO(buf) struct buf result = BUF_INIT(EXPAND_MAX);
	bool all = peek(scan) == '/';

	scan->at += all;
	TRY(take_word(scan, '/', true, &pattern));
	TRY(take_word(scan, '}', true, &replacement));
	TRY(pattern_replace(buf_str(&pattern.text), get_text(scan, name),
			    buf_str(&replacement.text), all, &result));
	TRY(buf_check(&result, "an expansion"));
	add(out, buf_str(&result));
	return NULL;
}

static struct err *unsupported(struct str modifier)
{
	return err_new(ERR_INVALID, "unsupported modifier (%.*s) in substitution",
		       STR_ARG(modifier));
}

/* Behind "${". */
static struct err *expand_form(struct scan *scan, struct output *out)
{
	struct str name, modifier;
	bool colon;

	if (at_end(scan))
		return missing_brace();
	if (strchr("{}:", peek(scan)))
		return err_new(ERR_INVALID, "syntax error: bad substitution");
	name = take_name(scan);
	if (at_end(scan))
		return missing_brace();
	modifier = take_character(scan);
	if (str_is(modifier, "}")) {
		add(out, get_text(scan, name));
		return NULL;
	}
	colon = str_is(modifier, ":");
	if (colon) {
		if (at_end(scan))
			return missing_brace();
		modifier.len += take_character(scan).len;
	}
	switch (modifier.len == 1u + colon ? modifier.at[colon] : '\0') {
	case '-':
	case '+':
	case '?':
		return expand_default(scan, name, modifier.at[colon], colon, out);
	case '#':
	case '%':
		return colon ? unsupported(modifier) :
			       expand_strip(scan, name, modifier.at[0], out);
	case '/':
		return colon ? unsupported(modifier) : expand_replace(scan, name, out);
	default:
		return unsupported(modifier);
	}
}

/* At a `$`. */
static struct err *expand_dollar(struct scan *scan, struct output *out)
{
	struct str name;

	scan->at++;
	if (peek(scan) == '{') {
		scan->at++;
		if (++scan->depth > EXPAND_DEPTH)
			return err_new(ERR_INVALID, "substitutions are nested more than %d deep",
				       EXPAND_DEPTH);
		TRY(expand_form(scan, out));
		scan->depth--;
		return NULL;
	}
	name = take_name(scan);
	add(out, name.len ? get_text(scan, name) : STR("$"));
	return NULL;
}

/* ---- quotes ---- */

static struct err *open_quote(const char *which)
{
	return err_new(ERR_INVALID,
		       "unexpected end of statement while looking for matching %s-quote", which);
}

/* At a single quote. */
static struct err *expand_single(struct scan *scan, struct output *out)
{
	const char *start = scan->text.at + scan->at + 1;
	size_t left = scan->text.len - scan->at - 1;
	const char *end = left ? memchr(start, '\'', left) : NULL;

	if (!end)
		return open_quote("single");
	add_protected(out, (struct str){ start, (size_t)(end - start) });
	scan->at += (size_t)(end - start) + 2;
	return NULL;
}

/* At an escape between double quotes: it is one only before '"', '$' and itself. */
static void expand_quoted_escape(struct scan *scan, struct output *out)
{
	struct str escape = take_character(scan);

	if (scan->raw)
		add_protected(out, escape);
	if (at_end(scan))
		return;
	if (peek(scan) == '"' || peek(scan) == '$' || peek(scan) == scan->escape)
		escape = take_character(scan);
	add_protected(out, escape);
}

/* At a double quote. */
static struct err *expand_double(struct scan *scan, struct output *out)
{
	scan->at++;
	while (!at_end(scan)) {
		char c = peek(scan);

		if (c == '"') {
			scan->at++;
			return NULL;
		}
		if (c == '$') {
			AUTO(output) struct output value = OUTPUT_INIT(NULL);

			TRY(expand_dollar(scan, &value));
			add_protected(out, buf_str(&value.text));
		} else if (c == scan->escape) {
			expand_quoted_escape(scan, out);
		} else {
			add_protected(out, take_character(scan));
		}
	}
	return open_quote("double");
}

/* At an escape outside of quotes. One at the very end is dropped. */
static void expand_escape(struct scan *scan, struct output *out)
{
	struct str escape = take_character(scan);

	if (scan->raw)
		add_protected(out, escape);
	if (!at_end(scan))
		add_protected(out, take_character(scan));
}

/* Expand up to `stop`, which is consumed, or to the end if `stop` is 0. */
static struct err *expand_until(struct scan *scan, char stop, struct output *out)
{
	while (!at_end(scan)) {
		char c = peek(scan);

		if (out->text.over)
			return buf_check(&out->text, "an expansion");
		if (stop && c == stop) {
			scan->at++;
			return NULL;
		}
		if (c == '$')
			TRY(expand_dollar(scan, out));
		else if (c == '\'' && scan->quotes)
			TRY(expand_single(scan, out));
		else if (c == '"' && scan->quotes)
			TRY(expand_double(scan, out));
		else if (c == scan->escape)
			expand_escape(scan, out);
		else
			add(out, take_character(scan));
	}
	if (stop == '/')
		return err_new(ERR_INVALID, "syntax error: missing '/' in ${}");
	return stop ? missing_brace() : NULL;
}

/* Expand all of it, and say of what an error speaks. */
static struct err *expand_all(const struct expander *expander, struct str text,
			      enum expand_mode mode, struct output *out)
{
	struct scan scan = {
		.expander = expander,
		.text = text,
		.escape = expander->escape,
		.quotes = mode == EXPAND_WORD,
	};
	struct err *err;

	if (mode == EXPAND_HEREDOC)
		scan.escape = '\\';
	err = expand_until(&scan, '\0', out);
	if (!err)
		err = buf_check(&out->text, "an expansion");
	return err_wrap(err, "cannot expand '%.*s%s'", text.len > 60 ? 60 : (int)text.len, text.at,
			text.len > 60 ? "..." : "");
}

struct err *expand_text(const struct expander *expander, struct str text, enum expand_mode mode,
			char **ret)
{
	AUTO(output) struct output out = OUTPUT_INIT(NULL);

	TRY(expand_all(expander, text, mode, &out));
	*ret = buf_steal(&out.text);
	return NULL;
}

struct err *expand_words(const struct expander *expander, struct str text, struct strings *ret)
{
	AUTO(output) struct output out = OUTPUT_INIT(ret);

	TRY(expand_all(expander, text, EXPAND_WORD, &out));
	end_word(&out);
	return NULL;
}
