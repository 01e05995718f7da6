/* builder/words.c - see builder/words.h. */

#include "builder/words.h"

#include "base/err.h"
#include "base/json.h"
#include "base/utf8.h"
#include "base/vec.h"

struct pieces {
	struct str *at;
	size_t len, cap;
};

struct words words_from(struct arena *arena, const struct str *pieces, size_t count)
{
	struct words words = { arena_array(arena, count + 1, sizeof(*words.at)), count };

	for (size_t i = 0; i < count; i++)
		words.at[i] = arena_text(arena, pieces[i]);
	return words;
}

static struct words take_pieces(struct arena *arena, struct pieces *pieces)
{
	struct words words = words_from(arena, pieces->at, pieces->len);

	vec_release(pieces);
	return words;
}

/* ---- plain ---- */

static bool is_separator(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f';
}

struct str words_first(struct str *rest)
{
	struct str word = { rest->at, 0 };

	while (word.len < rest->len && !is_separator(rest->at[word.len]))
		word.len++;
	rest->at += word.len;
	rest->len -= word.len;
	while (rest->len > 0 && is_separator(rest->at[0])) {
		rest->at++;
		rest->len--;
	}
	return word;
}

struct str words_keyword(struct str *rest)
{
	struct str keyword;

	*rest = utf8_trim(*rest);
	keyword = words_first(rest);
	*rest = utf8_trim(*rest);
	return keyword;
}

struct words words_plain(struct arena *arena, struct str text)
{
	struct pieces pieces = { 0 };

	while (text.len > 0) {
		struct str word = words_first(&text);

		if (word.len > 0)
			vec_push(&pieces, word);
	}
	return take_pieces(arena, &pieces);
}

/* ---- quoted ---- */

/* The length of the word at the start of `text`. An escape character with nothing behind it
 * belongs to no word: `*ret_len`, what does, may be less. */
static size_t quoted_word(struct str text, char escape, size_t *ret_len)
{
	uint32_t quote = 0;
	size_t at = 0;

	while (at < text.len) {
		uint32_t c;
		size_t width = utf8_next((struct str){ text.at + at, text.len - at }, &c);

		if (!quote && utf8_is_space(c))
			break;
		if (c == (unsigned char)escape && quote != '\'') {
			*ret_len = at++;
			if (at == text.len)
				return at;
			width = utf8_next((struct str){ text.at + at, text.len - at }, &c);
		} else if (quote && c == quote) {
			quote = 0;
		} else if (!quote && (c == '\'' || c == '"')) {
			quote = c;
		}
		at += width;
	}
	*ret_len = at;
	return at;
}

struct words words_quoted(struct arena *arena, struct str text, char escape)
{
	struct pieces pieces = { 0 };

	text = utf8_trim_left(text);
	while (text.len > 0) {
		size_t len = 0;
		size_t used = quoted_word(text, escape, &len);

		if (len > 0)
			vec_push(&pieces, (struct str){ text.at, len });
		text = utf8_trim_left((struct str){ text.at + used, text.len - used });
	}
	return take_pieces(arena, &pieces);
}

/* ---- JSON ---- */

/* A position in JSON text; `at` is NULL once something did not fit. */
struct reader {
	const char *at, *end;
	struct buf string;
};

static void skip_blanks(struct reader *in)
{
	while (in->at < in->end &&
	       (*in->at == ' ' || *in->at == '\t' || *in->at == '\r' || *in->at == '\n'))
		in->at++;
}

static bool take(struct reader *in, char c)
{
	if (in->at == in->end || *in->at != c)
		return false;
	in->at++;
	return true;
}

static bool read_hex(struct reader *in, uint32_t *ret)
{
	uint32_t value = 0;

	if (in->end - in->at < 4)
		return false;
	for (int i = 0; i < 4; i++) {
		char c = *in->at++;

		value <<= 4;
		if (c >= '0' && c <= '9')
			value |= (uint32_t)(c - '0');
		else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
			value |= (uint32_t)((c | 0x20) - 'a' + 10);
		else
			return false;
	}
	*ret = value;
	return true;
}

/* Behind "\u". Two halves of a surrogate pair are one character, a lone half is U+FFFD. */
static bool read_unicode(struct reader *in)
{
	const char *before;
	uint32_t high, low;

	if (!read_hex(in, &high))
		return false;
	if (high < 0xd800 || high > 0xdfff) {
		utf8_append(&in->string, high);
		return true;
	}
	before = in->at;
	if (high < 0xdc00 && take(in, '\\') && take(in, 'u') && read_hex(in, &low) &&
	    low >= 0xdc00 && low <= 0xdfff) {
		utf8_append(&in->string, 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00));
		return true;
	}
	in->at = before;
	utf8_append(&in->string, 0xfffd);
	return true;
}

static bool read_escape(struct reader *in)
{
	static const char names[] = "\"\\/bfnrt";
	static const char bytes[] = "\"\\/\b\f\n\r\t";
	const char *name;

	if (in->at == in->end)
		return false;
	if (take(in, 'u'))
		return read_unicode(in);
	name = memchr(names, *in->at++, sizeof(names) - 1);
	if (!name)
		return false;
	buf_addc(&in->string, bytes[name - names]);
	return true;
}

/* A string behind its opening quote, into in->string. */
static bool read_string(struct reader *in)
{
	buf_reset(&in->string);
	while (in->at < in->end) {
		char c = *in->at++;

		if (c == '"')
			return true;
		if ((unsigned char)c < 0x20)
			return false;
		if (c == '\\') {
			if (!read_escape(in))
				return false;
		} else {
			buf_addc(&in->string, c);
		}
	}
	return false;
}

/* Behind the `[`. True if all of the rest is strings and the `]`. */
static bool read_strings(struct arena *arena, struct reader *in, struct pieces *pieces)
{
	skip_blanks(in);
	if (!take(in, ']')) {
		do {
			skip_blanks(in);
			if (!take(in, '"') || !read_string(in))
				return false;
			vec_push(pieces, (struct str){ arena_text(arena, buf_str(&in->string)),
						       in->string.len });
			skip_blanks(in);
		} while (take(in, ','));
		if (!take(in, ']'))
			return false;
	}
	skip_blanks(in);
	return in->at == in->end;
}

/* True if `text` is JSON after all, although no list of strings. */
static bool is_json(struct str text)
{
	AUTO(json) json_t *doc = NULL;

	/* Numbers too large for a double are no JSON for Go either. */
	doc = json_loadb(text.at, text.len, JSON_ALLOW_NUL, NULL);
	return doc != NULL;
}

struct err *words_json(struct arena *arena, struct str text, bool *ret_is, struct words *ret)
{
	struct reader in = { .string = BUF_INIT(SCRIPT_MAX) };
	struct pieces pieces = { 0 };
	bool nul = false;

	*ret_is = false;
	text = utf8_trim_left(text);
	if (text.len == 0 || text.at[0] != '[')
		return NULL;
	in.at = text.at + 1;
	in.end = text.at + text.len;
	*ret_is = read_strings(arena, &in, &pieces);
	buf_release(&in.string);
	for (size_t i = 0; *ret_is && i < pieces.len; i++)
		nul = nul || memchr(pieces.at[i].at, '\0', pieces.at[i].len + 1) !=
				     pieces.at[i].at + pieces.at[i].len;
	if (*ret_is)
		*ret = words_from(arena, pieces.at, pieces.len);
	vec_release(&pieces);
	if (nul)
		return err_new(ERR_INVALID, "a NUL in a string");
	if (!*ret_is && is_json(text))
		return err_new(ERR_INVALID, "the JSON form takes strings only");
	return NULL;
}

/* ---- CSV ---- */

static void skip_bytes(struct str *rest, size_t count)
{
	rest->at += count;
	rest->len -= count;
}

/* A field that begins with a quote, up to the quote that closes it. */
static bool read_quoted_field(struct str *rest, struct buf *field)
{
	for (size_t at = 1; at < rest->len; at++) {
		bool quote = rest->at[at] == '"';

		if (quote && at + 1 < rest->len && rest->at[at + 1] == '"') {
			at++;
		} else if (quote) {
			skip_bytes(rest, at + 1);
			return true;
		}
		buf_addc(field, rest->at[at]);
	}
	return false;
}

static bool read_plain_field(struct str *rest, struct buf *field)
{
	const char *comma = rest->len ? memchr(rest->at, ',', rest->len) : NULL;
	size_t len = comma ? (size_t)(comma - rest->at) : rest->len;
	bool quote = len > 0 && memchr(rest->at, '"', len);

	buf_add(field, rest->at, len);
	skip_bytes(rest, len);
	return !quote;
}

struct err *words_csv(struct arena *arena, struct str text, struct words *ret)
{
	AUTO(buf) struct buf field = BUF_INIT(SCRIPT_MAX);
	struct pieces pieces = { 0 };
	struct str rest = text;
	bool good = text.len > 0;
	bool more = good;

	while (good && more) {
		buf_reset(&field);
		good = str_starts(rest, "\"") ? read_quoted_field(&rest, &field) :
						read_plain_field(&rest, &field);
		more = good && rest.len > 0;
		good = good && (!more || rest.at[0] == ',');
		if (more)
			skip_bytes(&rest, 1);
		vec_push(&pieces, (struct str){ arena_text(arena, buf_str(&field)), field.len });
	}
	if (good)
		*ret = words_from(arena, pieces.at, pieces.len);
	vec_release(&pieces);
	if (good)
		return NULL;
	return err_new(ERR_INVALID, text.len ? "'%.*s': a quote out of place" : "%.*sno value",
		       STR_ARG(text));
}
