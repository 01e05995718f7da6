/* builder/heredoc.c - see builder/heredoc.h. */

#include "builder/heredoc.h"

#include "base/utf8.h"
#include "base/vec.h"

#define HEREDOC_NAME_MAX ((size_t)4096)

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* ---- one word ---- */

/* The character at `*at` between double quotes: an escape is one only before '"', '$' and itself. */
static char take_quoted(struct str text, size_t *at)
{
	if (text.at[*at] == '\\' && *at + 1 < text.len && text.at[*at + 1] &&
	    strchr("\"$\\", text.at[*at + 1]))
		++*at;
	return text.at[*at];
}

/* The name that `text` spells, its quotes and escapes removed. False if it is no single word, is
 * empty, or leaves a quote open. */
static bool read_name(struct str text, struct buf *name, bool *ret_quoted)
{
	char quote = '\0';

	*ret_quoted = false;
	for (size_t i = 0; i < text.len; i++) {
		char c = text.at[i];
		uint32_t character;

		utf8_next((struct str){ text.at + i, text.len - i }, &character);
		if (quote && c == quote) {
			quote = '\0';
		} else if (quote == '"') {
			buf_addc(name, take_quoted(text, &i));
		} else if (quote) {
			buf_addc(name, c);
		} else if (c == '\'' || c == '"') {
			quote = c;
			*ret_quoted = true;
		} else if (utf8_is_space(character)) {
			return false;
		} else {
			i += c == '\\';
			if (i < text.len)
				buf_addc(name, text.at[i]);
		}
	}
	return !quote && name->len > 0 && !name->over;
}

bool heredoc_parse(struct arena *arena, struct str word, struct heredoc *ret)
{
	AUTO(buf) struct buf name = BUF_INIT(HEREDOC_NAME_MAX);
	struct heredoc heredoc = { 0 };
	bool quoted;
	size_t at = 0;

	for (; at < word.len && is_digit(word.at[at]); at++)
		if (heredoc.descriptor < 100000)
			heredoc.descriptor =
				10 * heredoc.descriptor + (unsigned)(word.at[at] - '0');
	if (word.len - at < 3 || word.at[at] != '<' || word.at[at + 1] != '<')
		return false;
	at += 2;
	heredoc.chomp = word.at[at] == '-';
	at += heredoc.chomp;
	word = utf8_trim_left((struct str){ word.at + at, word.len - at });
	if (word.len == 0 || memchr(word.at, '<', word.len) || !read_name(word, &name, &quoted))
		return false;
	heredoc.expand = !quoted;
	heredoc.name = arena_text(arena, buf_str(&name));
	*ret = heredoc;
	return true;
}

/* ---- the words of a line ---- */

/* The length of the quoted piece at the start of `text`, or 0 if it never ends. */
static size_t skip_quoted(struct str text)
{
	char quote = text.at[0];

	for (size_t at = 1; at < text.len; at++) {
		if (text.at[at] == quote)
			return at + 1;
		if (quote == '"' && text.at[at] == '\\')
			at++;
	}
	return 0;
}

/* The length of the `${...}` at the start of `text`, or 0 if it never ends. */
static size_t skip_braces(struct str text)
{
	size_t depth = 0;

	for (size_t at = 0; at < text.len; at++) {
		char c = text.at[at];
		size_t width;

		if (c == '}' && --depth == 0)
			return at + 1;
		if (c == '$' && at + 1 < text.len && text.at[at + 1] == '{') {
			depth++;
			at++;
		} else if (c == '\\') {
			at++;
		} else if (c == '\'' || c == '"') {
			width = skip_quoted((struct str){ text.at + at, text.len - at });
			if (width == 0)
				return 0;
			at += width - 1;
		}
	}
	return 0;
}

/* Walks the words of a line. */
struct words_walk {
	struct str line;
	size_t at;
	unsigned arithmetic;   /* how many "((" are open */
	bool begun_arithmetic; /* some were when the current word began */
	bool broken;           /* a quote is left open */
};

/* Step over `<<` and the blanks that may stand before the name. */
static void skip_redirection(struct words_walk *walk)
{
	const char *at = walk->line.at;
	size_t len = walk->line.len;

	walk->at += 2;
	if (walk->at < len && at[walk->at] == '-')
		walk->at++;
	while (walk->at < len && (at[walk->at] == ' ' || at[walk->at] == '\t'))
		walk->at++;
}

/* One step inside a word. */
static void skip_character(struct words_walk *walk, size_t width)
{
	struct str rest = { walk->line.at + walk->at, walk->line.len - walk->at };
	char c = rest.at[0];
	char next = '\0';

	if (rest.len > 1)
		next = rest.at[1];
	if (c == '\'' || c == '"' || (c == '$' && next == '{')) {
		width = c == '$' ? skip_braces(rest) : skip_quoted(rest);
		walk->broken = width == 0;
	} else if (c == '\\') {
		width = rest.len > 1 ? 2 : 1;
	} else if (c == '(' && next == '(') {
		walk->arithmetic++;
		width = 2;
	} else if (c == ')' && next == ')') {
		walk->arithmetic -= walk->arithmetic > 0;
		width = 2;
	} else if (c == '<' && next == '<') {
		skip_redirection(walk);
		return;
	}
	walk->at += width;
}

/* The next word with quotes and all; false at the end. */
static bool next_word(struct words_walk *walk, struct str *ret)
{
	size_t start = walk->line.len;

	walk->begun_arithmetic = walk->arithmetic > 0;
	while (walk->at < walk->line.len && !walk->broken) {
		struct str rest = { walk->line.at + walk->at, walk->line.len - walk->at };
		uint32_t c;
		size_t width = utf8_next(rest, &c);

		if (!utf8_is_space(c)) {
			start = start < walk->at ? start : walk->at;
			skip_character(walk, width);
		} else if (start < walk->at) {
			break;
		} else {
			walk->at += width;
		}
	}
	*ret = (struct str){ walk->line.at + start, walk->at > start ? walk->at - start : 0 };
	return ret->len > 0;
}

struct heredocs heredocs_find(struct arena *arena, struct str line)
{
	struct words_walk walk = { .line = line };
	VEC(struct heredoc) found = { 0 };
	struct heredocs ret = { 0 };
	struct str word;

	while (next_word(&walk, &word)) {
		struct heredoc heredoc;

		if (!walk.begun_arithmetic && heredoc_parse(arena, word, &heredoc))
			vec_push(&found, heredoc);
	}
	if (!walk.broken && found.len > 0) {
		ret.len = found.len;
		ret.at = arena_array(arena, found.len, sizeof(*ret.at));
		memcpy(ret.at, found.at, found.len * sizeof(*ret.at));
	}
	vec_release(&found);
	return ret;
}

const char *heredoc_chomp(struct arena *arena, struct str body)
{
	char *text = arena_text(arena, body);
	bool at_start = true;
	size_t out = 0;

	for (size_t i = 0; i < body.len; i++) {
		if (at_start && text[i] == '\t')
			continue;
		at_start = text[i] == '\n';
		text[out++] = text[i];
	}
	text[out] = '\0';
	return text;
}
