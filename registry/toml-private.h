/*
 * registry/toml-private.h - shared by the two halves of the TOML reader: toml.c knows keys and
 * tables, toml_value.c what stands behind "=".
 */
#ifndef REGISTRY_TOML_PRIVATE_H
#define REGISTRY_TOML_PRIVATE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"

struct err;

struct toml {
	struct str text;
	size_t at; /* what is read next; never behind the end */
	const char *what;
	struct map
		kinds; /* how a table or array of tables came to be: enum toml_kind by json_t * */
};

/* What may still be added to a table. */
enum toml_kind {
	TOML_CLOSED,   /* nothing: an inline table, a plain array */
	TOML_IMPLICIT, /* made by the header of a table below it; may get a header of its own */
	TOML_DOTTED,   /* made by a dotted key: more dotted keys, tables below it */
	TOML_HEADER,   /* had its header: tables below it */
	TOML_TABLES,   /* an array of tables: more of them */
};

void toml_set_kind(struct toml *t, const json_t *value, enum toml_kind kind);

/* The character that is read next, 0 at the end (NUL is refused before anything is read). */
char toml_peek(const struct toml *t);
bool toml_starts(const struct toml *t, const char *text);
/* Step over blanks; over blanks, comments and line ends. */
void toml_skip_blanks(struct toml *t);
struct err *toml_skip_lines(struct toml *t) MUST_USE;
/* ERR_INVALID with the place in the document. */
struct err *toml_error(const struct toml *t, const char *fmt, ...) PRINTF_LIKE(2, 3) MUST_USE;
/* Make a table or array at `depth`: ERR_INVALID if that is too deep. */
struct err *toml_check_depth(const struct toml *t, int depth) MUST_USE;

/* Read "key = value" into `table`, which lies at `depth`. */
struct err *toml_assign(struct toml *t, json_t *table, int depth) MUST_USE;
/* Read a value that stands in a container at `depth`; owned by the caller. */
struct err *toml_value(struct toml *t, int depth, json_t **ret) MUST_USE;
/* Read a string that begins with a quotation mark, appended to `out`; with `lines` one of several
 * lines, too. */
struct err *toml_string(struct toml *t, bool lines, struct buf *out) MUST_USE;

#endif
