/* base/json.c - see base/json.h. */

#include "base/json.h"

#include <assert.h>

#include "base/err.h"
#include "base/utf8.h"
#include "base/vec.h"

#define PATH_TEXT_MAX 4096

/* A document that there is no memory for would look like one that is damaged. */
static void *take_memory(size_t size)
{
	return xrealloc(NULL, size, 1);
}

__attribute__((constructor)) static void begin(void)
{
	json_set_alloc_funcs(take_memory, free);
}

/* ---- reading ---- */

/* How deep and how many, counted before anything is built. Exact as far as the text is JSON: the
 * parser does not get further. */
static struct err *check_shape(struct str text, const char *what)
{
	bool quoted = false;
	size_t values = 0;
	int depth = 0;

	for (size_t i = 0; i < text.len; i++) {
		char c = text.at[i];

		if (c == '"')
			quoted = !quoted;
		else if (quoted)
			i += c == '\\'; /* whatever is escaped, it ends no string */
		else if (c == '[' || c == '{')
			depth++;
		else if (c == ']' || c == '}')
			depth--;
		values += !quoted && (c == ',' || c == '[' || c == '{');
		if (depth > JSON_MAX_DEPTH)
			return err_new(ERR_INVALID, "%s: nested more than %d deep", what,
				       JSON_MAX_DEPTH);
	}
	if (values > JSON_MAX_VALUES)
		return err_new(ERR_INVALID, "%s: more than %d values", what, JSON_MAX_VALUES);
	return NULL;
}

/* The parser's own words, but where they speak to who calls it. */
static const char *reason_of(const json_error_t *error)
{
	switch (json_error_code(error)) {
	case json_error_null_character:
	case json_error_null_byte_in_key:
		return "a string holds the character \\u0000";
	case json_error_stack_overflow:
		return "nested too deep";
	default:
		return error->text;
	}
}

struct err *json_parse(struct str text, size_t max, const char *what, json_t **ret)
{
	json_error_t error;
	json_t *doc;

	if (text.len > max)
		return err_new(ERR_INVALID, "%s: larger than %zu bytes", what, max);
	TRY(check_shape(text, what));
	doc = json_loadb(text.len ? text.at : "", text.len, JSON_REJECT_DUPLICATES, &error);
	if (!doc)
		return err_new(ERR_INVALID, "%s: line %d column %d: %s", what, error.line,
			       error.column, reason_of(&error));
	*ret = doc;
	return NULL;
}

struct json_at json_root(json_t *doc, const char *what)
{
	return (struct json_at){ .value = doc, .what = what };
}

static json_t *unless_null(json_t *value)
{
	return json_is_null(value) ? NULL : value;
}

struct json_at json_member(const struct json_at *at, const char *key)
{
	json_t *value = unless_null(json_object_get(at->value, key));

	return (struct json_at){ .value = value, .parent = at, .key = key };
}

struct json_at json_element(const struct json_at *at, size_t index)
{
	json_t *value = unless_null(json_array_get(at->value, index));

	return (struct json_at){ .value = value, .parent = at, .index = index };
}

size_t json_length(const struct json_at *at)
{
	return json_array_size(at->value);
}

/* "<what>: layers[2].size" */
static void add_path(struct buf *out, const struct json_at *at)
{
	const struct json_at *parent = at->parent;

	if (!parent) {
		buf_adds(out, at->what);
		return;
	}
	add_path(out, parent);
	if (!parent->parent)
		buf_adds(out, ": ");
	else if (at->key)
		buf_adds(out, ".");
	if (at->key)
		buf_adds(out, at->key);
	else
		buf_addf(out, "[%zu]", at->index);
}

struct err *json_error(const struct json_at *at, const char *fmt, ...)
{
	AUTO(buf) struct buf path = BUF_INIT(PATH_TEXT_MAX);
	AUTO(mem) char *message = NULL;
	va_list args;

	va_start(args, fmt);
	message = xvasprintf(fmt, args);
	va_end(args);
	add_path(&path, at);
	return err_new(ERR_INVALID, "%s: %s", buf_str(&path).at, message);
}

/* The error that `at` is not there: its parent is of the wrong type, or missing itself. */
static struct err *missing(const struct json_at *at)
{
	const struct json_at *parent = at->parent;

	while (parent && !parent->value) {
		at = parent;
		parent = at->parent;
	}
	if (parent && at->key && !json_is_object(parent->value))
		return json_error(parent, "not an object");
	if (parent && !at->key && !json_is_array(parent->value))
		return json_error(parent, "not an array");
	return json_error(at, "missing");
}

struct err *json_get_text(const struct json_at *at, const char **ret)
{
	if (!at->value)
		return missing(at);
	if (!json_is_string(at->value))
		return json_error(at, "not a string");
	*ret = json_string_value(at->value);
	return NULL;
}

struct err *json_get_optional_text(const struct json_at *at, const char **ret)
{
	return at->value ? json_get_text(at, ret) : NULL;
}

struct err *json_get_size(const struct json_at *at, uint64_t *ret)
{
	if (!at->value)
		return missing(at);
	if (!json_is_number(at->value))
		return json_error(at, "not a number");
	if (!json_is_integer(at->value))
		return json_error(at, "not a whole number");
	if (json_integer_value(at->value) < 0)
		return json_error(at, "negative");
	*ret = (uint64_t)json_integer_value(at->value);
	return NULL;
}

struct err *json_get_optional_size(const struct json_at *at, uint64_t *ret)
{
	return at->value ? json_get_size(at, ret) : NULL;
}

struct err *json_get_optional_flag(const struct json_at *at, bool *ret)
{
	if (!at->value)
		return NULL;
	if (!json_is_boolean(at->value))
		return json_error(at, "neither true nor false");
	*ret = json_is_true(at->value);
	return NULL;
}

struct err *json_get_optional_texts(const struct json_at *at, struct strings *ret)
{
	const char *text;

	if (!at->value)
		return NULL;
	TRY(json_expect_array(at));
	for (size_t i = 0; i < json_length(at); i++) {
		struct json_at item = json_element(at, i);

		TRY(json_get_text(&item, &text));
	}
	for (size_t i = 0; i < json_length(at); i++)
		strings_push(ret, json_string_value(json_array_get(at->value, i)));
	return NULL;
}

struct err *json_expect_object(const struct json_at *at)
{
	if (!at->value)
		return missing(at);
	return json_is_object(at->value) ? NULL : json_error(at, "not an object");
}

struct err *json_expect_array(const struct json_at *at)
{
	if (!at->value)
		return missing(at);
	return json_is_array(at->value) ? NULL : json_error(at, "not an array");
}

/* ---- making ---- */

/* `text` without what a document of ours may not hold. */
static struct buf clean(struct str text)
{
	struct buf out = BUF_INIT(3 * text.len + 1);

	while (text.len > 0) {
		uint32_t point = 0;
		size_t len = utf8_decode(text, &point);

		if (point == 0) { /* NUL, or ill-formed */
			len = 1;
			buf_adds(&out, "\xef\xbf\xbd");
		} else {
			buf_add(&out, text.at, len);
		}
		text.at += len;
		text.len -= len;
	}
	return out;
}

/* jansson says NULL or -1 only for a wrong type, text that is no UTF-8, and lack of memory. */
static json_t *made(json_t *value)
{
	assert(value);
	return value;
}

json_t *json_text(struct str text)
{
	AUTO(buf) struct buf fit = clean(text);

	return made(json_stringn_nocheck(buf_str(&fit).at, fit.len));
}

json_t *json_texts(const struct strings *list)
{
	json_t *array = made(json_array());

	vec_foreach (list, text)
		json_push(array, json_text(str_of(*text)));
	return array;
}

void json_set(json_t *object, const char *key, json_t *value)
{
	AUTO(buf) struct buf fit = clean(str_of(key));
	int failed = json_object_set_new_nocheck(object, buf_str(&fit).at, made(value));

	assert(!failed);
	(void)failed;
}

void json_set_text(json_t *object, const char *key, const char *text)
{
	json_set(object, key, json_text(str_of(text)));
}

void json_push(json_t *array, json_t *value)
{
	int failed = json_array_append_new(array, made(value));

	assert(!failed);
	(void)failed;
}

static char *dump(const json_t *doc, size_t flags)
{
	char *text = json_dumps(doc, flags | JSON_ENCODE_ANY);

	assert(text);
	return text;
}

char *json_format(const json_t *doc)
{
	return dump(doc, JSON_COMPACT);
}

char *json_format_pretty(const json_t *doc)
{
	return dump(doc, JSON_INDENT(2));
}
