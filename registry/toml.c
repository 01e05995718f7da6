/*
 * registry/toml.c - see registry/toml.h: keys and tables.
 *
 * A document is a list of lines that each either name a table ("[a.b]",
 * "[[a.b]]") or put a value into the table named last ("c.d = 1"). Both walk a
 * path of keys and make what is missing on the way. What they may walk through is
 * decided by how a table came to be (enum toml_kind): the specification lets a
 * table be opened once, lets dotted keys add only to tables that dotted keys
 * made, and lets nothing be added to inline tables and arrays.
 */

#include "registry/toml.h"

#include "base/err.h"
#include "base/json.h"
#include "base/utf8.h"
#include "base/vec.h"
#include "registry/toml-private.h"

#define BYTE_ORDER_MARK "\xef\xbb\xbf"

/* ---- places ---- */

char toml_peek(const struct toml *t)
{
	if (t->at == t->text.len)
		return '\0';
	return t->text.at[t->at];
}

bool toml_starts(const struct toml *t, const char *text)
{
	return str_starts((struct str){ t->text.at + t->at, t->text.len - t->at }, text);
}

struct err *toml_error(const struct toml *t, const char *fmt, ...)
{
	AUTO(mem) char *message = NULL;
	size_t line = 1, column = 1;
	va_list args;

	va_start(args, fmt);
	message = xvasprintf(fmt, args);
	va_end(args);
	for (size_t i = 0; i < t->at; i++) {
		if (t->text.at[i] == '\n') {
			line++;
			column = 1;
		} else if ((t->text.at[i] & 0xc0) != 0x80) { /* not inside of a character */
			column++;
		}
	}
	return err_new(ERR_INVALID, "%s: line %zu column %zu: %s", t->what, line, column, message);
}

void toml_skip_blanks(struct toml *t)
{
	while (toml_peek(t) == ' ' || toml_peek(t) == '\t')
		t->at++;
}

static bool at_line_end(const struct toml *t)
{
	return toml_starts(t, "\n") || toml_starts(t, "\r\n");
}

/* Step over a comment, if there is one. */
static struct err *skip_comment(struct toml *t)
{
	if (toml_peek(t) != '#')
		return NULL;
	while (t->at < t->text.len && !at_line_end(t)) {
		unsigned char c = (unsigned char)toml_peek(t);

		if ((c < ' ' && c != '\t') || c == 0x7f)
			return toml_error(t, "a control character in a comment");
		t->at++;
	}
	return NULL;
}

struct err *toml_skip_lines(struct toml *t)
{
	for (;;) {
		toml_skip_blanks(t);
		TRY(skip_comment(t));
		if (!at_line_end(t))
			return NULL;
		t->at += toml_peek(t) == '\r' ? 2 : 1;
	}
}

/* Nothing but a comment may stand on the rest of the line. */
static struct err *expect_line_end(struct toml *t)
{
	toml_skip_blanks(t);
	TRY(skip_comment(t));
	if (t->at < t->text.len && !at_line_end(t))
		return toml_error(t, "the line should end here");
	return NULL;
}

struct err *toml_check_depth(const struct toml *t, int depth)
{
	return depth > TOML_MAX_DEPTH ? toml_error(t, "nested more than %d deep", TOML_MAX_DEPTH) :
					NULL;
}

/* ---- keys ---- */

static bool is_bare(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_' || c == '-';
}

static struct err *parse_part(struct toml *t, struct strings *parts)
{
	AUTO(buf) struct buf part = BUF_INIT(TOML_MAX);

	if (toml_peek(t) == '"' || toml_peek(t) == '\'') {
		TRY(toml_string(t, false, &part));
	} else {
		while (is_bare(toml_peek(t)))
			buf_addc(&part, t->text.at[t->at++]);
		if (part.len == 0)
			return toml_error(t, "a key should stand here");
	}
	vec_push(parts, buf_steal(&part));
	return NULL;
}

/* a."b c".d */
static struct err *parse_key(struct toml *t, struct strings *parts)
{
	for (;;) {
		toml_skip_blanks(t);
		TRY(parse_part(t, parts));
		toml_skip_blanks(t);
		if (parts->len > TOML_MAX_DEPTH)
			return toml_error(t, "a key of more than %d parts", TOML_MAX_DEPTH);
		if (toml_peek(t) != '.')
			return NULL;
		t->at++;
	}
}

/* ---- tables ---- */

static struct str kind_key(const json_t *const *value)
{
	return (struct str){ (const char *)value, sizeof(*value) };
}

/* A map holds pointers: kind k is the address of marks[k]. */
static char marks[TOML_TABLES + 1];

void toml_set_kind(struct toml *t, const json_t *value, enum toml_kind kind)
{
	map_put(&t->kinds, kind_key(&value), &marks[kind]);
}

static enum toml_kind kind_of(const struct toml *t, const json_t *value)
{
	const char *mark = map_get(&t->kinds, kind_key(&value));

	return mark ? (enum toml_kind)(mark - marks) : TOML_CLOSED;
}

/* A new table at `key` of `table`; borrowed. */
static json_t *make_table(struct toml *t, json_t *table, const char *key, enum toml_kind kind)
{
	json_t *made = json_object();

	json_set(table, key, made);
	toml_set_kind(t, made, kind);
	return made;
}

/* Go from `*table` to what `key` names in it, for a header, and make it if it is missing. */
static struct err *enter(struct toml *t, json_t **table, int *depth, const char *key)
{
	json_t *found = json_object_get(*table, key);

	TRY(toml_check_depth(t, ++*depth));
	if (!found) {
		*table = make_table(t, *table, key, TOML_IMPLICIT);
		return NULL;
	}
	if (kind_of(t, found) == TOML_TABLES) {
		TRY(toml_check_depth(t, ++*depth));
		found = json_array_get(found, json_array_size(found) - 1);
	} else if (kind_of(t, found) == TOML_CLOSED) {
		return toml_error(t, "'%.80s' is defined already, and is no open table", key);
	}
	*table = found;
	return NULL;
}

/* Open the table `key` of `table` for its header "[...]". */
static struct err *open_table(struct toml *t, json_t *table, const char *key, json_t **ret)
{
	json_t *found = json_object_get(table, key);

	if (found && kind_of(t, found) != TOML_IMPLICIT)
		return toml_error(t, "'%.80s' is defined already", key);
	if (!found)
		found = make_table(t, table, key, TOML_HEADER);
	toml_set_kind(t, found, TOML_HEADER);
	*ret = found;
	return NULL;
}

/* Append a table to the array `key` of `table` for its header "[[...]]". */
static struct err *append_table(struct toml *t, json_t *table, const char *key, json_t **ret)
{
	json_t *list = json_object_get(table, key);

	if (list && kind_of(t, list) != TOML_TABLES)
		return toml_error(t, "'%.80s' is defined already, and is no array of tables", key);
	if (!list) {
		list = json_array();
		json_set(table, key, list);
		toml_set_kind(t, list, TOML_TABLES);
	}
	*ret = json_object();
	json_push(list, *ret);
	toml_set_kind(t, *ret, TOML_HEADER);
	return NULL;
}

/* "[a.b]" or "[[a.b]]": the table that the lines below it belong to, and how deep it is. */
static struct err *parse_header(struct toml *t, json_t *root, json_t **ret, int *ret_depth)
{
	bool appends = toml_starts(t, "[[");
	AUTO(strings) struct strings parts = { 0 };
	json_t *table = root;
	int depth = 1;

	t->at += appends ? 2 : 1;
	TRY(parse_key(t, &parts));
	if (!toml_starts(t, appends ? "]]" : "]"))
		return toml_error(t, "'%s' should stand here", appends ? "]]" : "]");
	for (size_t i = 0; i + 1 < parts.len; i++)
		TRY(enter(t, &table, &depth, parts.at[i]));
	depth += appends ? 2 : 1;
	TRY(toml_check_depth(t, depth));
	if (appends)
		TRY(append_table(t, table, parts.at[parts.len - 1], ret));
	else
		TRY(open_table(t, table, parts.at[parts.len - 1], ret));
	t->at += appends ? 2 : 1;
	*ret_depth = depth;
	return expect_line_end(t);
}

/* Go from `*table` to what a dotted key names in it, and make it if it is missing. */
static struct err *enter_dotted(struct toml *t, json_t **table, int *depth, const char *key)
{
	json_t *found = json_object_get(*table, key);
	enum toml_kind kind = found ? kind_of(t, found) : TOML_DOTTED;

	TRY(toml_check_depth(t, ++*depth));
	if (kind != TOML_DOTTED && kind != TOML_IMPLICIT)
		return toml_error(
			t, "'%.80s' is defined already: nothing can be added by a dotted key", key);
	if (!found)
		found = make_table(t, *table, key, TOML_DOTTED);
	toml_set_kind(t, found, TOML_DOTTED);
	*table = found;
	return NULL;
}

struct err *toml_assign(struct toml *t, json_t *table, int depth)
{
	AUTO(strings) struct strings parts = { 0 };
	AUTO(json) json_t *value = NULL;
	const char *last;
	size_t begin = t->at;

	TRY(parse_key(t, &parts));
	if (toml_peek(t) != '=')
		return toml_error(t, "'=' should stand here");
	for (size_t i = 0; i + 1 < parts.len; i++)
		TRY(enter_dotted(t, &table, &depth, parts.at[i]));
	last = parts.at[parts.len - 1];
	if (json_object_get(table, last)) {
		t->at = begin;
		return toml_error(t, "'%.80s' is defined already", last);
	}
	t->at++;
	toml_skip_blanks(t);
	TRY(toml_value(t, depth, &value));
	json_set(table, last, STEAL(value));
	return NULL;
}

/* ---- documents ---- */

/* UTF-8 without NUL. */
static struct err *check_text(struct toml *t)
{
	while (t->at < t->text.len) {
		struct str rest = { t->text.at + t->at, t->text.len - t->at };
		uint32_t point = 0;
		size_t len = utf8_decode(rest, &point);

		if (len == 0)
			return toml_error(t, "not UTF-8");
		if (point == 0)
			return toml_error(t, "a NUL");
		t->at += len;
	}
	t->at = 0;
	return NULL;
}

static struct err *parse_document(struct toml *t, json_t *root)
{
	json_t *table = root;
	int depth = 1;

	TRY(check_text(t));
	if (toml_starts(t, BYTE_ORDER_MARK))
		t->at += strlen(BYTE_ORDER_MARK);
	for (;;) {
		TRY(toml_skip_lines(t));
		if (t->at == t->text.len)
			return NULL;
		if (toml_peek(t) == '[') {
			TRY(parse_header(t, root, &table, &depth));
		} else {
			TRY(toml_assign(t, table, depth));
			TRY(expect_line_end(t));
		}
	}
}

struct err *toml_parse(struct str text, const char *what, json_t **ret)
{
	struct toml t = { .text = text.len ? text : STR(""), .what = what, .kinds = MAP_INIT };
	AUTO(json) json_t *root = json_object();
	struct err *err;

	if (text.len > TOML_MAX)
		return err_new(ERR_INVALID, "%s: larger than %zu bytes", what, TOML_MAX);
	err = parse_document(&t, root);
	map_release(&t.kinds, NULL);
	TRY(err);
	*ret = STEAL(root);
	return NULL;
}
