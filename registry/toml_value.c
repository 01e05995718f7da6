/* registry/toml_value.c - the values of TOML: strings, numbers, times, arrays, inline tables. */

#include <stdint.h>

#include "base/err.h"
#include "base/json.h"
#include "base/utf8.h"
#include "registry/toml-private.h"
#include "registry/toml.h"

/* ---- strings ---- */

/* The code point of `digits` hexadecimal digits, appended. */
static struct err *add_escaped_point(struct toml *t, size_t digits, struct buf *out)
{
	uint32_t point = 0;

	for (size_t i = 0; i < digits; i++) {
		char c = toml_peek(t);
		char lower = (char)(c | 0x20);
		bool is_letter = lower >= 'a' && lower <= 'f';

		if (!is_letter && (c < '0' || c > '9'))
			return toml_error(t, "%zu hexadecimal digits should stand here", digits);
		point = point << 4 | (uint32_t)(is_letter ? lower - 'a' + 10 : c - '0');
		t->at++;
	}
	if (point == 0 || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff))
		return toml_error(t, "the escape before this is no character");
	utf8_append(out, point);
	return NULL;
}

/* What stands behind a backslash; `multi` in a string of several lines. */
static struct err *add_escape(struct toml *t, bool multi, struct buf *out)
{
	static const char names[] = "btnfr\"\\";
	static const char values[] = "\b\t\n\f\r\"\\";
	char c = toml_peek(t);
	const char *name = c ? strchr(names, c) : NULL;
	size_t begin = t->at;

	if (name) {
		buf_addc(out, values[name - names]);
		t->at++;
		return NULL;
	}
	if (c == 'u' || c == 'U') {
		t->at++;
		return add_escaped_point(t, c == 'u' ? 4 : 8, out);
	}
	toml_skip_blanks(t);
	if (!multi || (!toml_starts(t, "\n") && !toml_starts(t, "\r\n"))) {
		t->at = begin;
		return toml_error(t, "no escape of TOML: write '\\\\' for a backslash");
	}
	while (toml_peek(t) == '\n' || toml_starts(t, "\r\n") || toml_peek(t) == ' ' ||
	       toml_peek(t) == '\t')
		t->at++; /* CR is followed by LF, which is next */
	return NULL;
}

/* One character of a string, as it stands there. */
static struct err *add_plain(struct toml *t, bool multi, struct buf *out)
{
	unsigned char c = (unsigned char)toml_peek(t);

	if (multi && toml_starts(t, "\r\n"))
		t->at++; /* line ends are one LF, wherever the file was written */
	else if (!(multi && c == '\n') && ((c < ' ' && c != '\t') || c == 0x7f))
		return toml_error(t, c == '\n' || t->at == t->text.len ?
					     "the string is not closed" :
					     "a control character in a string");
	buf_addc(out, t->text.at[t->at++]);
	return NULL;
}

/* How many `quote` stand here, at most 5: two that belong to the string and three that end it. */
static size_t count_quotes(const struct toml *t, char quote)
{
	size_t n = 0;

	while (n < 5 && t->at + n < t->text.len && t->text.at[t->at + n] == quote)
		n++;
	return n;
}

static struct err *multi_line(struct toml *t, char quote, struct buf *out)
{
	t->at += 3;
	if (toml_starts(t, "\r\n"))
		t->at++;
	t->at += toml_peek(t) == '\n'; /* the first line end is no part of it */
	for (;;) {
		size_t quotes = count_quotes(t, quote);

		t->at += quotes;
		for (size_t i = quotes >= 3 ? 3 : 0; i < quotes; i++)
			buf_addc(out, quote);
		if (quotes >= 3)
			return NULL;
		if (quotes > 0)
			continue;
		if (quote == '"' && toml_peek(t) == '\\') {
			t->at++;
			TRY(add_escape(t, true, out));
		} else {
			TRY(add_plain(t, true, out));
		}
	}
}

struct err *toml_string(struct toml *t, bool lines, struct buf *out)
{
	char quote = toml_peek(t);

	if (count_quotes(t, quote) >= 3) {
		if (!lines)
			return toml_error(t, "a key has one line");
		return multi_line(t, quote, out);
	}
	t->at++;
	while (toml_peek(t) != quote) {
		if (quote == '"' && toml_peek(t) == '\\') {
			t->at++;
			TRY(add_escape(t, false, out));
		} else {
			TRY(add_plain(t, false, out));
		}
	}
	t->at++;
	return NULL;
}

/* ---- dates and times ---- */

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Cut a number of exactly `digits` digits within [min, max] off `*s`. */
static bool cut_number(struct str *s, size_t digits, unsigned min, unsigned max, unsigned *ret)
{
	unsigned n = 0;

	if (s->len < digits)
		return false;
	for (size_t i = 0; i < digits; i++) {
		if (!is_digit(s->at[i]))
			return false;
		n = n * 10 + (unsigned)(s->at[i] - '0');
	}
	*s = (struct str){ s->at + digits, s->len - digits };
	*ret = n;
	return n >= min && n <= max;
}

/* Cut one of `chars` off `*s`. */
static bool cut_char(struct str *s, const char *chars)
{
	if (s->len == 0 || !strchr(chars, s->at[0]))
		return false;
	*s = (struct str){ s->at + 1, s->len - 1 };
	return true;
}

static bool cut_date(struct str *s)
{
	static const uint8_t lengths[] = { 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	unsigned year = 0, month = 0, day = 0;
	bool is_leap;

	if (!cut_number(s, 4, 0, 9999, &year) || !cut_char(s, "-") ||
	    !cut_number(s, 2, 1, 12, &month) || !cut_char(s, "-") ||
	    !cut_number(s, 2, 1, lengths[month - 1], &day))
		return false;
	is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
	return month != 2 || day < 29 || is_leap;
}

static bool cut_time(struct str *s)
{
	unsigned n;

	if (!cut_number(s, 2, 0, 23, &n) || !cut_char(s, ":") || !cut_number(s, 2, 0, 59, &n) ||
	    !cut_char(s, ":") || !cut_number(s, 2, 0, 60, &n))
		return false;
	if (!cut_char(s, "."))
		return true;
	if (s->len == 0 || !is_digit(s->at[0]))
		return false;
	while (cut_char(s, "0123456789"))
		;
	return true;
}

static bool cut_offset(struct str *s)
{
	unsigned n;

	return cut_char(s, "Zz") || (cut_char(s, "+-") && cut_number(s, 2, 0, 23, &n) &&
				     cut_char(s, ":") && cut_number(s, 2, 0, 59, &n));
}

/* "1979-05-27", "07:32:00.5", "1979-05-27T07:32:00", "1979-05-27 07:32:00-07:00" */
static bool is_moment(struct str s)
{
	struct str rest = s;

	if (cut_time(&rest))
		return rest.len == 0;
	rest = s;
	if (!cut_date(&rest))
		return false;
	if (rest.len == 0)
		return true;
	if (!cut_char(&rest, "Tt ") || !cut_time(&rest))
		return false;
	return rest.len == 0 || (cut_offset(&rest) && rest.len == 0);
}

/* ---- numbers ---- */

static bool is_digit_of(char c, unsigned base)
{
	char lower = (char)(c | 0x20);

	return (is_digit(c) && (unsigned)(c - '0') < base) ||
	       (base == 16 && lower >= 'a' && lower <= 'f');
}

/* Digits of `base` with single underscores between them, none missing. */
static bool are_digits(struct str s, unsigned base)
{
	for (size_t i = 0; i < s.len; i++) {
		bool between = i > 0 && i + 1 < s.len && s.at[i - 1] != '_';

		if (!is_digit_of(s.at[i], base) && !(s.at[i] == '_' && between))
			return false;
	}
	return s.len > 0;
}

static struct str skip(struct str s, size_t n)
{
	return (struct str){ s.at + n, s.len - n };
}

/* A decimal number without a zero in front. */
static bool is_decimal(struct str s)
{
	return are_digits(s, 10) && (s.len == 1 || s.at[0] != '0');
}

static struct str unsigned_part(struct str s)
{
	return str_starts(s, "+") || str_starts(s, "-") ? skip(s, 1) : s;
}

static bool is_float(struct str s)
{
	struct str fraction = { NULL, 0 };
	struct str whole = unsigned_part(s);
	size_t e = 0;

	while (e < whole.len && (whole.at[e] | 0x20) != 'e')
		e++;
	if (e < whole.len && !are_digits(unsigned_part(skip(whole, e + 1)), 10))
		return false;
	fraction = (struct str){ whole.at, e };
	whole = str_cut(&fraction, '.');
	return is_decimal(whole) && (fraction.at ? are_digits(fraction, 10) : true);
}

/* The base of an integer's digits and the digits themselves; 0 if it is none. */
static unsigned integer_base(struct str s, struct str *ret_digits)
{
	static const struct {
		const char *prefix;
		unsigned base;
	} bases[] = { { "0x", 16 }, { "0o", 8 }, { "0b", 2 } };

	for (size_t i = 0; i < ARRAY_SIZE(bases); i++) {
		if (!str_starts(s, bases[i].prefix))
			continue;
		*ret_digits = skip(s, 2);
		return are_digits(*ret_digits, bases[i].base) ? bases[i].base : 0;
	}
	*ret_digits = unsigned_part(s);
	return is_decimal(*ret_digits) ? 10 : 0;
}

static struct err *integer(const struct toml *t, struct str digits, unsigned base, bool negative,
			   json_t **ret)
{
	uint64_t max = (uint64_t)INT64_MAX + negative;
	uint64_t n = 0;

	for (size_t i = 0; i < digits.len; i++) {
		char c = digits.at[i];
		uint64_t digit = (uint64_t)(is_digit(c) ? c - '0' : (c | 0x20) - 'a' + 10);

		if (c == '_')
			continue;
		if (n > (max - digit) / base)
			return toml_error(t, "the number does not fit in 64 bits");
		n = n * base + digit;
	}
	*ret = json_integer(negative ? (json_int_t)(0 - n) : (json_int_t)n);
	return NULL;
}

/* Its text without sign and underscores is that of JSON, whose reader knows about locales. */
static struct err *real(const struct toml *t, struct str text, json_t **ret)
{
	AUTO(buf) struct buf plain = BUF_INIT(text.len + 1);
	json_error_t error;

	for (size_t i = 0; i < text.len; i++)
		if (text.at[i] != '_' && !(text.at[i] == '+' && i == 0))
			buf_addc(&plain, text.at[i]);
	*ret = json_loadb(buf_str(&plain).at, plain.len, JSON_DECODE_ANY, &error);
	return *ret ? NULL : toml_error(t, "the number is too large");
}

/* ---- what has no quotation marks ---- */

static bool is_scalar_char(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '+' ||
	       c == '-' || c == '.' || c == '_' || c == ':';
}

/* The word that stands here; a date and a time with a blank between them are one. */
static struct str scalar_word(const struct toml *t)
{
	struct str word = { t->text.at + t->at, 0 };
	size_t left = t->text.len - t->at;
	struct str date;

	while (word.len < left && is_scalar_char(word.at[word.len]))
		word.len++;
	date = word;
	if (cut_date(&date) && date.len == 0 && word.len + 1 < left && word.at[word.len] == ' ' &&
	    is_digit(word.at[word.len + 1]))
		do
			word.len++;
		while (word.len < left && is_scalar_char(word.at[word.len]));
	return word;
}

static struct err *scalar(struct toml *t, json_t **ret)
{
	struct str word = scalar_word(t);
	struct str bare = unsigned_part(word);
	struct str digits = { NULL, 0 };
	unsigned base = integer_base(word, &digits);

	if (word.len == 0)
		return toml_error(t, "a value should stand here");
	if (base)
		TRY(integer(t, digits, base, str_starts(word, "-"), ret));
	else if (str_is(word, "true") || str_is(word, "false"))
		*ret = json_boolean(str_is(word, "true"));
	else if (is_moment(word))
		*ret = json_text(word);
	else if (str_is(bare, "inf") || str_is(bare, "nan"))
		return toml_error(t, "inf and nan are not supported");
	else if (is_float(word))
		TRY(real(t, word, ret));
	else
		return toml_error(t, "'%.*s' is no value: text needs quotation marks",
				  word.len > 40 ? 40 : (int)word.len, word.at);
	t->at += word.len;
	return NULL;
}

/* ---- containers ---- */

static struct err *array(struct toml *t, int depth, json_t **ret)
{
	AUTO(json) json_t *list = json_array();

	TRY(toml_check_depth(t, depth));
	t->at++;
	for (;;) {
		json_t *value = NULL;

		TRY(toml_skip_lines(t));
		if (toml_peek(t) == ']')
			break;
		TRY(toml_value(t, depth, &value));
		json_push(list, value);
		TRY(toml_skip_lines(t));
		if (toml_peek(t) == ']')
			break;
		if (toml_peek(t) != ',')
			return toml_error(t, "',' or ']' should stand here");
		t->at++;
	}
	t->at++;
	*ret = STEAL(list);
	return NULL;
}

static struct err *inline_table(struct toml *t, int depth, json_t **ret)
{
	AUTO(json) json_t *table = json_object();

	TRY(toml_check_depth(t, depth));
	t->at++;
	toml_skip_blanks(t);
	while (toml_peek(t) != '}' || json_object_size(table) > 0) {
		toml_skip_blanks(t);
		TRY(toml_assign(t, table, depth));
		toml_skip_blanks(t);
		if (toml_peek(t) == '}')
			break;
		if (toml_peek(t) != ',')
			return toml_error(t, "',' or '}' should stand here");
		t->at++;
	}
	t->at++;
	*ret = STEAL(table);
	return NULL;
}

struct err *toml_value(struct toml *t, int depth, json_t **ret)
{
	AUTO(buf) struct buf text = BUF_INIT(TOML_MAX);
	char c = toml_peek(t);

	if (c == '[')
		return array(t, depth + 1, ret);
	if (c == '{')
		return inline_table(t, depth + 1, ret);
	if (c != '"' && c != '\'')
		return scalar(t, ret);
	TRY(toml_string(t, true, &text));
	*ret = json_text(buf_str(&text));
	return NULL;
}
