/* store/record.c - see store/record-private.h. */

#include "store/record-private.h"

#include <stdio.h>

#include "base/err.h"

#define SUM "sum "
#define SUM_BYTES 8

/* ---- the sum ---- */

static struct err *sum_line(struct str body, char ret[static RECORD_SUM_SIZE + 1])
{
	AUTO(hasher) struct hasher *h = hasher_new();
	struct digest d;
	size_t len = sizeof(SUM) - 1;

	hasher_update(h, body.at, body.len);
	TRY(hasher_finish(h, &d));
	memcpy(ret, SUM, len);
	for (size_t i = 0; i < SUM_BYTES; i++)
		len += (size_t)snprintf(ret + len, RECORD_SUM_SIZE + 1 - len, "%02x", d.bytes[i]);
	ret[len] = '\n';
	ret[len + 1] = '\0';
	return NULL;
}

struct err *record_seal(struct buf *buf)
{
	char line[RECORD_SUM_SIZE + 1];

	TRY(sum_line(buf_str(buf), line));
	buf_adds(buf, line);
	return buf_check(buf, "a record");
}

struct err *record_open(struct str text, struct str *ret_body)
{
	struct str body = { text.at, text.len - RECORD_SUM_SIZE };
	char line[RECORD_SUM_SIZE + 1];

	if (text.len < RECORD_SUM_SIZE)
		return err_new(ERR_CORRUPT, "the record is cut short");
	TRY(sum_line(body, line));
	if (memcmp(line, body.at + body.len, RECORD_SUM_SIZE) != 0)
		return err_new(ERR_CORRUPT, "the record does not match its sum");
	*ret_body = body;
	return NULL;
}

bool record_is_blank(struct str text)
{
	size_t i = 0;

	while (i < text.len && !text.at[i])
		i++;
	return i == text.len;
}

/* ---- lines ---- */

/* Whether `line` begins with `key` and a blank. */
static bool has_key(struct str line, const char *key)
{
	size_t len = strlen(key);

	return line.len > len && str_starts(line, key) && line.at[len] == ' ';
}

bool record_has(struct str rest, const char *key)
{
	return has_key(str_cut(&rest, '\n'), key);
}

struct err *record_text(struct str *rest, const char *key, struct str *ret)
{
	const char *end = rest->len ? memchr(rest->at, '\n', rest->len) : NULL;
	struct str line = { rest->at, end ? (size_t)(end - rest->at) : 0 };
	size_t skip = strlen(key) + 1;

	if (!end || !has_key(line, key))
		return err_new(ERR_CORRUPT, "the record has no '%s' where it belongs", key);
	*ret = (struct str){ line.at + skip, line.len - skip };
	*rest = (struct str){ end + 1, rest->len - line.len - 1 };
	return NULL;
}

struct err *record_parse_number(struct str value, uint64_t *ret)
{
	bool padded = value.len > 1 && value.at[0] == '0';
	struct err *err = padded ? NULL : num_parse(value, 0, UINT64_MAX, ret);

	if (!err && !padded)
		return NULL;
	err_free(err); /* all that a reader needs to know is that this is no number */
	return err_new(ERR_CORRUPT, "the record has a bad number");
}

struct err *record_number(struct str *rest, const char *key, uint64_t *ret)
{
	struct str value = { NULL, 0 };

	TRY(record_text(rest, key, &value));
	return record_parse_number(value, ret);
}

struct err *record_parse_digest(struct str value, struct digest *ret)
{
	char text[DIGEST_TEXT_SIZE] = "";
	struct err *err;

	if (value.len == sizeof(text) - 1)
		memcpy(text, value.at, value.len);
	err = digest_parse(text, ret);
	if (!err)
		return NULL;
	err_free(err); /* likewise */
	return err_new(ERR_CORRUPT, "the record has a bad digest");
}

struct err *record_digest(struct str *rest, const char *key, struct digest *ret)
{
	struct str value = { NULL, 0 };

	TRY(record_text(rest, key, &value));
	return record_parse_digest(value, ret);
}

/* ---- escapes ---- */

/* The letter that stands for `c` behind a backslash, or 0 if `c` stands for itself. */
static char escape_of(char c)
{
	switch (c) {
	case '\n':
		return 'n';
	case '\t':
		return 't';
	case '\\':
		return '\\';
	default:
		return 0;
	}
}

void record_escape(struct buf *buf, const char *text)
{
	while (*text) {
		size_t plain = strcspn(text, "\n\t\\");

		buf_add(buf, text, plain);
		text += plain;
		if (*text) {
			buf_addc(buf, '\\');
			buf_addc(buf, escape_of(*text++));
		}
	}
}

/* What the letter `c` behind a backslash stands for, or 0. */
static char unescape(char c)
{
	switch (c) {
	case 'n':
		return '\n';
	case 't':
		return '\t';
	case '\\':
		return '\\';
	default:
		return 0;
	}
}

struct err *record_unescape(struct str value, char **ret)
{
	AUTO(mem) char *text = xcalloc(value.len + 1, 1);
	size_t len = 0;

	for (size_t i = 0; i < value.len; i++) {
		char c = value.at[i];

		if (c == '\\')
			c = (char)(++i < value.len ? unescape(value.at[i]) : '\0');
		else if (escape_of(c))
			c = '\0';
		if (!c)
			return err_new(ERR_CORRUPT, "the record has a bad escape");
		text[len++] = c;
	}
	*ret = STEAL(text);
	return NULL;
}
