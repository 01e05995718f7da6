/* builder/script.c - see builder/script.h. */

#include "builder/script.h"

#include <stdio.h>

#include "base/str.h"
#include "base/vec.h"
#include "registry/url.h"

#define CONTEXT_LINES 2     /* shown before and after the place */
#define MARKED_LINES_MAX 20 /* of a place that spans more, the middle is left out */
#define SHOWN_LINE_MAX 200  /* bytes of a line in an excerpt */

struct script {
	char *name;
	char *bytes;
	size_t len;
	VEC(size_t) starts;          /* where each line begins; then where the last one ends */
	struct script_pieces pieces; /* their names are owned; none: all is from one file */
};

void script_free(struct script *script)
{
	if (!script)
		return;
	free(script->name);
	free(script->bytes);
	vec_foreach (&script->pieces, piece)
		free((char *)piece->name);
	vec_release(&script->pieces);
	vec_release(&script->starts);
	free(script);
}

const char *script_name(const struct script *script)
{
	return script->name;
}

struct str script_bytes(const struct script *script)
{
	return (struct str){ script->bytes, script->len };
}

unsigned script_lines(const struct script *script)
{
	return (unsigned)(script->starts.len - 1);
}

struct str script_line(const struct script *script, unsigned number)
{
	struct str line;

	if (number == 0 || number > script_lines(script))
		return (struct str){ "", 0 };
	line.at = script->bytes + script->starts.at[number - 1];
	line.len = script->starts.at[number] - script->starts.at[number - 1];
	if (line.len > 0 && line.at[line.len - 1] == '\n')
		line.len--;
	if (line.len > 0 && line.at[line.len - 1] == '\r')
		line.len--;
	return line;
}

struct str script_range(const struct script *script, unsigned from, unsigned to)
{
	if (from == 0 || to < from || to > script_lines(script))
		return (struct str){ "", 0 };
	return (struct str){ script->bytes + script->starts.at[from - 1],
			     script->starts.at[to] - script->starts.at[from - 1] };
}

/* The piece that a line is in, and the number of its first line in the whole. NULL: the line is what it
 * seems to be. */
static const struct script_piece *find_piece(const struct script *script, unsigned line,
					     unsigned *ret_first)
{
	unsigned first = 1;

	vec_foreach (&script->pieces, piece) {
		*ret_first = first;
		if (line < first + piece->count)
			return piece;
		first += piece->count;
	}
	return NULL;
}

const char *script_place(const struct script *script, unsigned line, unsigned *ret_line)
{
	unsigned first;
	const struct script_piece *piece = find_piece(script, line, &first);

	*ret_line = piece ? piece->line + (line - first) : line;
	return piece ? piece->name : script->name;
}

static bool has_byte_order_mark(struct str bytes)
{
	return str_starts(bytes, "\xef\xbb\xbf");
}

/* Note where the lines begin. A file that ends without a newline has one line more than
 * newlines; an empty file has none. */
static struct err *find_lines(struct script *script)
{
	size_t at = has_byte_order_mark(script_bytes(script)) ? 3 : 0;

	while (at < script->len) {
		const char *end = memchr(script->bytes + at, '\n', script->len - at);
		size_t next = end ? (size_t)(end - script->bytes) + 1 : script->len;

		vec_push(&script->starts, at);
		if (next - at - (end != NULL) > SCRIPT_LINE_MAX)
			return err_new(ERR_INVALID, "%s:%zu: the line is longer than %zu bytes",
				       script->name, script->starts.len, SCRIPT_LINE_MAX);
		at = next;
	}
	vec_push(&script->starts, script->len);
	return NULL;
}

/* A NUL cannot be in any argument, path or variable; UTF-16 is full of them. */
static struct err *refuse_nul(const struct script *script)
{
	const char *nul = script->len ? memchr(script->bytes, '\0', script->len) : NULL;
	size_t line = 1;

	if (!nul)
		return NULL;
	for (const char *at = script->bytes; at < nul; at++)
		line += *at == '\n';
	if (script->len >= 2 &&
	    (!memcmp(script->bytes, "\xff\xfe", 2) || !memcmp(script->bytes, "\xfe\xff", 2)))
		return err_new(ERR_INVALID, "%s: the file is UTF-16, not UTF-8", script->name);
	return err_new(ERR_INVALID, "%s:%zu: the line holds a NUL byte", script->name, line);
}

struct err *script_new(const char *name, struct str bytes, struct script **ret)
{
	AUTO(script) struct script *script = NULL;

	if (bytes.len > SCRIPT_MAX)
		return err_new(ERR_INVALID, "%s is larger than %zu bytes", name, SCRIPT_MAX);
	script = xcalloc(1, sizeof(*script));
	script->name = xstrdup(name);
	script->bytes = str_dup(bytes);
	script->len = bytes.len;
	TRY(refuse_nul(script));
	TRY(find_lines(script));
	*ret = STEAL(script);
	return NULL;
}

struct err *script_new_of(const char *name, struct str bytes, const struct script_pieces *pieces,
			  struct script **ret)
{
	TRY(script_new(name, bytes, ret));
	vec_foreach (pieces, piece)
		vec_push(&(*ret)->pieces, (struct script_piece){ .name = xstrdup(piece->name),
								 .line = piece->line,
								 .count = piece->count });
	return NULL;
}

static void add_excerpt_line(const struct script *script, unsigned number, unsigned shown,
			     bool marked, int width, struct buf *out)
{
	struct str written = script_line(script, number);
	AUTO(mem) char *text = str_dup(written); /* it holds no NUL */
	AUTO(mem) char *bare = url_without_logins(text);
	struct str line = str_of(bare);

	if (out->len > 0)
		buf_addc(out, '\n');
	buf_addf(out, "  %*u | %s", width, shown, marked ? ">>>" : "   ");
	if (line.len > 0)
		buf_addc(out, ' ');
	buf_add(out, line.at, line.len > SHOWN_LINE_MAX ? SHOWN_LINE_MAX : line.len);
	if (line.len > SHOWN_LINE_MAX)
		buf_adds(out, "...");
}

void script_excerpt(const struct script *script, const struct position *at, struct buf *out)
{
	unsigned begin = 1, last = script_lines(script);
	const struct script_piece *piece = find_piece(script, at->line, &begin);
	unsigned from, to, left_out_from, left_out_to;
	unsigned shift = piece ? piece->line - begin : 0; /* may wrap, and back */
	int width;

	if (at->line == 0 || at->line > last)
		return;
	begin = piece ? begin : 1;
	last = piece ? begin + piece->count - 1 : last;
	from = at->line > begin + CONTEXT_LINES ? at->line - CONTEXT_LINES : begin;
	to = at->line_end < at->line ? at->line : at->line_end;
	to = to > last ? last : to;
	left_out_from = at->line + MARKED_LINES_MAX / 2;
	left_out_to = to < MARKED_LINES_MAX / 2 ? 0 : to - MARKED_LINES_MAX / 2 + 1;
	width = snprintf(NULL, 0, "%u",
			 (to + CONTEXT_LINES > last ? last : to + CONTEXT_LINES) + shift);
	for (unsigned n = from; n <= last && n <= to + CONTEXT_LINES; n++) {
		if (n == left_out_from && left_out_to > n) {
			buf_addf(out, "\n  %*s |     ...", width, "");
			n = left_out_to;
		}
		add_excerpt_line(script, n, n + shift, n >= at->line && n <= to, width, out);
	}
}

struct err *script_wrap(struct err *err, const struct script *script, const struct position *at)
{
	AUTO(buf) struct buf excerpt = BUF_INIT((size_t)64 * 1024);
	const char *name;
	unsigned line;

	if (!err)
		return NULL;
	if (at->line == 0)
		return err_wrap(err, "%s", script->name);
	name = script_place(script, at->line, &line);
	if (at->trigger)
		err = err_wrap(err, "%s", at->trigger);
	err = err_wrap(err, "%s:%u", name, line);
	script_excerpt(script, at, &excerpt);
	return excerpt.len > 0 ? err_note(err, "%s", excerpt.at) : err;
}

struct err *script_error(const struct script *script, const struct position *at, enum err_kind kind,
			 const char *fmt, ...)
{
	AUTO(mem) char *text = NULL;
	va_list args;

	va_start(args, fmt);
	text = xvasprintf(fmt, args);
	va_end(args);
	return script_wrap(err_new(kind, "%s", text), script, at);
}
