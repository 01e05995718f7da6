/*
 * builder/script.h - the bytes of a Recipe, places in it, errors that show it.
 *
 * Every complaint about a Recipe says where, and shows the lines:
 *
 *	Recipe:12: unknown instruction: RUNN (did you mean RUN?)
 *
 *	  11 |     WORKDIR /src
 *	  12 | >>> RUNN make
 *	  13 |     CMD ["/app"]
 *
 * The first line is the text of the error, the rest its note. The parser, the
 * plan and the executor all make their errors here. A script never changes
 * once it is made, and may be read from any thread.
 */
#ifndef BUILDER_SCRIPT_H
#define BUILDER_SCRIPT_H

#include <stddef.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/vec.h"

#define SCRIPT_MAX ((size_t)16 * 1024 * 1024) /* bytes of a Recipe */
#define SCRIPT_LINE_MAX ((size_t)65535)       /* bytes of one line */

/* Where something stands in a script. Lines and columns count from 1, columns in bytes. A column
 * of 0 means the whole line; a line of 0 means nowhere, such as ONBUILD text of a base image. */
struct position {
	unsigned line, line_end; /* the first line and the last */
	unsigned column;         /* in `line` */
	const char *
		trigger; /* what ONBUILD has left for this line, and where; NULL: it stands there */
};

struct script;

/* A script of the given bytes; both are copied. `name` is what errors call it: the path as the
 * user gave it. ERR_INVALID if there are more than SCRIPT_MAX bytes, if a NUL is among them, or
 * if a line has more than SCRIPT_LINE_MAX bytes. */
struct err *script_new(const char *name, struct str bytes, struct script **ret) MUST_USE;
/* Lines in a row that are from one file. */
struct script_piece {
	const char *name;
	unsigned line;  /* the first of them, in that file */
	unsigned count; /* how many */
};

struct script_pieces {
	struct script_piece *at;
	size_t len, cap;
};

static inline void script_pieces_auto_(struct script_pieces *pieces)
{
	vec_release(pieces);
}

/* A script that was put together: `pieces`, copied with their names, say where its lines are from, one behind the other.
 * Places are those of the whole; errors and excerpts are told of the files. */
struct err *script_new_of(const char *name, struct str bytes, const struct script_pieces *pieces,
			  struct script **ret) MUST_USE;
void script_free(struct script *script);
DEFINE_AUTO(script)

const char *script_name(const struct script *script);
struct str script_bytes(const struct script *script); /* a byte order mark included */
unsigned script_lines(const struct script *script);
/* Line `number` without its LF or CRLF; empty past the end. A byte order mark is no part of it. */
struct str script_line(const struct script *script, unsigned number);

/* The bytes of the lines `from` to `to`, ends of lines included; empty if there are none. */
struct str script_range(const struct script *script, unsigned from, unsigned to);
/* The file that a line is from, borrowed, and which it is there. */
const char *script_place(const struct script *script, unsigned line, unsigned *ret_line);

/* An error about a place: "NAME:LINE: message", with the excerpt as its note. */
struct err *script_error(const struct script *script, const struct position *at, enum err_kind kind,
			 const char *fmt, ...) PRINTF_LIKE(4, 5) MUST_USE;
/* Put the place in front of an error from below, and the excerpt beneath it; for a trigger that runs
 * there also what it is. NULL stays NULL. */
struct err *script_wrap(struct err *err, const struct script *script, const struct position *at)
	MUST_USE;
/* Append the lines around `at` to `out`, with newlines between but not behind them, and without what
 * stands in front of the host in URLs by http: it may be a password. Nothing for a place that is
 * nowhere. */
void script_excerpt(const struct script *script, const struct position *at, struct buf *out);

#endif
