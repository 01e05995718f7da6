/* registry/header.c - see registry/header.h. */

#include "registry/header.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

#include "base/err.h"
#include "base/str.h"

#define RETRY_MAX UINT64_C(604800)
#define TEXT_MAX ((size_t)64 * 1024)

/* ---- ranges ---- */

static bool take_number(struct str text, uint64_t *ret)
{
	AUTO(err) struct err *err = num_parse(text, 0, INT64_MAX, ret);

	return !err;
}

/* "first-last". */
static bool take_span(struct str text, uint64_t *ret_first, uint64_t *ret_last)
{
	struct str first = str_cut(&text, '-');

	return take_number(first, ret_first) && take_number(text, ret_last) &&
	       *ret_first <= *ret_last;
}

bool header_content_range(const char *text, struct byte_range *ret)
{
	struct str total = str_trim(str_of(text));
	struct byte_range range = { 0 };
	struct str span;

	if (total.len < 6 || strncasecmp(total.at, "bytes ", 6) != 0)
		return false;
	total.at += 6;
	total.len -= 6;
	span = str_cut(&total, '/');
	if (!total.at || !take_span(str_trim(span), &range.first, &range.last))
		return false;
	range.has_total = !str_is(total, "*");
	if (range.has_total && (!take_number(total, &range.total) || range.last >= range.total))
		return false;
	*ret = range;
	return true;
}

bool header_upload_range(const char *text, uint64_t *ret_next)
{
	struct str span = str_trim(str_of(text));
	uint64_t first, last;

	*ret_next = 0;
	if (str_starts(span, "bytes=")) {
		span.at += 6;
		span.len -= 6;
	}
	if (!take_span(span, &first, &last) || first != 0 || last == 0)
		return false;
	*ret_next = last + 1;
	return true;
}

/* ---- times ---- */

bool header_date(const char *text, time_t *ret)
{
	/* Nothing here calls setlocale(3): names of days and months are English. */
	static const char *const forms[] = { "%a, %d %b %Y %H:%M:%S GMT",
					     "%a, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y" };
	AUTO(mem) char *date = str_dup(str_trim(str_of(text)));

	for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
		struct tm tm = { 0 };
		const char *end = strptime(date, forms[i], &tm);

		if (!end || *end)
			continue;
		*ret = timegm(&tm);
		return true;
	}
	return false;
}

bool header_retry_after(const char *text, time_t now, uint64_t *ret_seconds)
{
	struct str trimmed = str_trim(str_of(text));
	uint64_t seconds;
	time_t then;

	if (trimmed.len && strspn(trimmed.at, "0123456789") >= trimmed.len) {
		/* More digits than a number has are simply very long. */
		if (!take_number(trimmed, &seconds) || seconds > RETRY_MAX)
			seconds = RETRY_MAX;
		*ret_seconds = seconds;
		return true;
	}
	if (!header_date(text, &then))
		return false;
	seconds = then > now ? (uint64_t)(then - now) : 0;
	*ret_seconds = seconds < RETRY_MAX ? seconds : RETRY_MAX;
	return true;
}

/* ---- links ---- */

/* The value of one parameter, quoted or not, and where it ends. */
static const char *take_value(const char *at, struct buf *value)
{
	buf_reset(value);
	if (*at != '"') {
		size_t len = strcspn(at, ";, \t");

		buf_add(value, at, len);
		return at + len;
	}
	for (at++; *at && *at != '"'; at++) {
		if (*at == '\\' && at[1])
			at++;
		buf_addc(value, *at);
	}
	return *at ? at + 1 : at;
}

/* Is `word` one of the words of `list`, without case? */
static bool has_word(struct str list, const char *word)
{
	while (list.at) {
		struct str one = str_cut(&list, ' ');

		if (one.len == strlen(word) && strncasecmp(one.at, word, one.len) == 0)
			return true;
	}
	return false;
}

/* The parameters of one link, from behind its ">"; `*ret` says whether one is rel="next". */
static const char *skip_params(const char *at, bool *ret)
{
	AUTO(buf) struct buf value = BUF_INIT(TEXT_MAX);

	*ret = false;
	for (at += strspn(at, " \t"); *at == ';'; at += strspn(at, " \t")) {
		struct str name = { at + 1 + strspn(at + 1, " \t"), 0 };

		name.len = strcspn(name.at, "=;, \t");
		at = name.at + name.len;
		at += strspn(at, " \t");
		if (*at != '=')
			continue;
		at = take_value(at + 1 + strspn(at + 1, " \t"), &value);
		if (name.len == 3 && strncasecmp(name.at, "rel", 3) == 0 &&
		    has_word(buf_str(&value), "next"))
			*ret = true;
	}
	return at;
}

char *header_link_next(const char *text)
{
	const char *at = text;

	if (strnlen(text, TEXT_MAX + 1) > TEXT_MAX)
		return NULL;
	while (*(at += strspn(at, " \t,")) == '<') {
		struct str target = { at + 1, strcspn(at + 1, ">") };
		bool is_next;

		at = target.at + target.len;
		if (!*at)
			return NULL;
		at = skip_params(at + 1, &is_next);
		if (is_next)
			return str_dup(target);
	}
	return NULL;
}

/* ---- warnings ---- */

char *header_warning(const char *text)
{
	AUTO(buf) struct buf value = BUF_INIT(TEXT_MAX);
	const char *start, *end;

	if (strncmp(text, "299 ", 4) != 0)
		return NULL;
	start = strchr(text + 4, ' ');
	if (!start || start[1] != '"')
		return NULL;
	end = take_value(start + 1, &value);
	if (end < start + 3 || end[-1] != '"' || value.over)
		return NULL;
	return buf_steal(&value);
}

/* ---- headers that we send ---- */

bool header_is_valid(const char *name, const char *value)
{
	static const char token[] = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
				    "ABCDEFGHIJKLMNOPQRSTUVWXYZ";

	if (!name[0] || name[strspn(name, token)])
		return false;
	for (; *value; value++)
		if (((unsigned char)*value < ' ' && *value != '\t') || *value == 0x7f)
			return false;
	return true;
}
