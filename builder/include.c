/* builder/include.c - see builder/include.h.
 *
 * Each file is cut into logical lines, so that an INCLUDE within a heredoc is text. The line of an
 * INCLUDE stays behind as an empty one: no comment above it and no directive reaches what it brings.
 */

#include "builder/include.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <strings.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/file.h"
#include "base/path.h"
#include "base/utf8.h"
#include "base/vec.h"
#include "builder/flags.h"
#include "builder/lex.h"
#include "builder/operands.h"
#include "builder/script.h"
#include "builder/words.h"

/* A file that is being read, and the one that included it. */
struct frame {
	const struct frame *above;
	const struct script *script;
	const char *path; /* in the directory of the root */
	unsigned depth;
};

struct joining {
	const struct include_root *root;
	char escape;
	struct str shown; /* what names in errors begin with: the Recipe's way to its directory */
	struct buf bytes;
	struct script_pieces pieces;
	struct arena arena;
	unsigned count; /* files included */
};

static void joining_auto_(struct joining *j)
{
	buf_release(&j->bytes);
	vec_release(&j->pieces);
	arena_release(&j->arena);
}

/* Take lines `from` to `to` of a file as they are. */
static void add_lines(struct joining *j, const struct script *script, unsigned from, unsigned to)
{
	struct str bytes = script_range(script, from, to);

	if (to < from)
		return;
	buf_add_str(&j->bytes, bytes);
	if (!str_ends(bytes, "\n"))
		buf_addc(&j->bytes, '\n');
	vec_push(&j->pieces,
		 (struct script_piece){ .name = arena_text(&j->arena, str_of(script_name(script))),
					.line = from,
					.count = to - from + 1 });
}

/* An empty line in the place of an INCLUDE. */
static void add_gap(struct joining *j, const struct script *script, unsigned line)
{
	buf_addc(&j->bytes, '\n');
	vec_push(&j->pieces,
		 (struct script_piece){ .name = arena_text(&j->arena, str_of(script_name(script))),
					.line = line,
					.count = 1 });
}

/* The file that `frame` includes as `name`: its clean path in the directory of the root. */
static struct err *find_path(const struct frame *frame, struct str name, struct buf *ret)
{
	const char *slash = strrchr(frame->path, '/');

	if (name.len == 0)
		return err_new(ERR_INVALID, "INCLUDE requires exactly one argument");
	if (str_starts(name, "/"))
		return err_new(ERR_INVALID, "INCLUDE %.*s: say it from here, not from '/'",
			       STR_ARG(name));
	if (slash &&
	    !path_add(ret, (struct str){ frame->path, (size_t)(slash - frame->path) }, PATH_STAYS))
		return err_new(ERR_INVALID, "INCLUDE %.*s: the path is too long", STR_ARG(name));
	if (!path_add(ret, name, PATH_REFUSED) || ret->len == 0)
		return err_new(ERR_INVALID,
			       "INCLUDE %.*s: it lies outside of the directory of the Recipe",
			       STR_ARG(name));
	return NULL;
}

static struct err *check_frames(const struct joining *j, const struct frame *frame,
				const char *path)
{
	for (const struct frame *f = frame; f; f = f->above)
		if (strcmp(f->path, path) == 0)
			return err_new(ERR_INVALID, "INCLUDE %s: the file includes itself", path);
	if (frame->depth == INCLUDE_DEPTH)
		return err_new(ERR_INVALID, "INCLUDE %s: more than %d files in one another", path,
			       INCLUDE_DEPTH);
	if (j->count == INCLUDE_MAX)
		return err_new(ERR_INVALID, "INCLUDE %s: more than %d files", path, INCLUDE_MAX);
	return NULL;
}

/* The last line must not wait for another. */
static struct err *check_end(const struct script *script, char escape)
{
	struct str last = utf8_trim(script_line(script, script_lines(script)));

	if (last.len == 0 || last.at[0] == '#' || last.at[last.len - 1] != escape)
		return NULL;
	return err_new(ERR_INVALID, "%s ends within an instruction", script_name(script));
}

static struct err *join_file(struct joining *j, const struct frame *frame);

static struct err *include(struct joining *j, const struct frame *frame, struct str name)
{
	AUTO(buf) struct buf path = BUF_INIT(SCRIPT_LINE_MAX);
	AUTO(buf) struct buf bytes = BUF_INIT(SCRIPT_MAX);
	AUTO(script) struct script *script = NULL;
	AUTO(mem) char *shown = NULL;
	AUTO(fd) int fd = -1;
	struct frame inner = { .above = frame, .depth = frame->depth + 1 };
	struct err *err;

	TRY(find_path(frame, name, &path));
	TRY(check_frames(j, frame, path.at));
	err = file_open(j->root->dir_fd, path.at, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0, FILE_BENEATH,
			&fd);
	if (err_errno(err) == EXDEV) {
		err_free(err);
		err = err_new(
			ERR_INVALID,
			"it is a link, or lies behind one, that leads out of the directory of "
			"the Recipe");
	}
	TRY(err_wrap(err, "INCLUDE %.*s", STR_ARG(name)));
	shown = xasprintf("%.*s%s", STR_ARG(j->shown), path.at);
	TRY(err_wrap(file_read_fd(fd, shown, SCRIPT_MAX, &bytes), "INCLUDE"));
	TRY(script_new(shown, buf_str(&bytes), &script));
	TRY(check_end(script, j->escape));
	j->count++;
	inner.script = script;
	inner.path = path.at;
	return join_file(j, &inner);
}

/* Step over the heredocs of an instruction. What is wrong with it is for the parser to say. */
static struct err *skip_heredocs(struct lexer *lexer, struct arena *arena, struct str text,
				 struct position *at)
{
	struct heredocs heredocs;
	enum instruction_kind kind;
	struct words list;
	struct str rest = text;
	bool json = false;

	if (!instruction_find(words_keyword(&rest), &kind))
		return NULL;
	(void)flags_split(arena, &rest, lexer->directives.escape);
	if (kind == INSTRUCTION_ONBUILD && rest.len > 0 && rest.len < text.len)
		return skip_heredocs(lexer, arena, rest, at);
	if (!operands_take_heredocs(kind))
		return NULL;
	err_free(words_json(arena, rest, &json, &list));
	return json ? NULL : lexer_read_heredocs(lexer, arena, text, at, &heredocs);
}

/* Append a file and all that it includes. */
static struct err *join_file(struct joining *j, const struct frame *frame)
{
	AUTO(lexer) struct lexer lexer = { 0 };
	struct logical_line line;
	unsigned next = 1; /* the first line that is not taken yet */

	TRY(lexer_init(&lexer, frame->script));
	lexer.directives.escape = j->escape;
	while (lexer_next(&lexer, &line)) {
		AUTO(arena) struct arena arena = { 0 };
		struct str text = utf8_trim(line.text);
		struct str rest = text;
		struct str keyword = words_keyword(&rest);
		struct position at = line.position;

		if (keyword.len != 7 || strncasecmp(keyword.at, "INCLUDE", 7) != 0) {
			TRY(script_wrap(skip_heredocs(&lexer, &arena, text, &at), frame->script,
					&line.position));
			continue;
		}
		add_lines(j, frame->script, next, at.line - 1);
		add_gap(j, frame->script, at.line);
		TRY(script_wrap(include(j, frame, rest), frame->script, &at));
		next = at.line_end + 1;
	}
	add_lines(j, frame->script, next, script_lines(frame->script));
	return buf_check(&j->bytes, script_name(frame->script));
}

struct err *include_expand(const struct script *script, char escape,
			   const struct include_root *root, struct script **ret)
{
	AUTO(joining)
	struct joining j = { .root = root, .escape = escape, .bytes = BUF_INIT(SCRIPT_MAX) };
	const struct frame top = { .script = script, .path = root->path };

	j.shown = str_of(script_name(script));
	j.shown.len = str_ends(j.shown, root->path) ? j.shown.len - strlen(root->path) : 0;
	TRY(join_file(&j, &top));
	if (j.count == 0)
		return NULL;
	return script_new_of(script_name(script), buf_str(&j.bytes), &j.pieces, ret);
}
