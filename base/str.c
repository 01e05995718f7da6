/* base/str.c - see base/str.h. */

#include "base/str.h"

#include <assert.h>
#include <stdio.h>

#include "base/err.h"

struct str str_of(const char *text)
{
	return (struct str){ text, text ? strlen(text) : 0 };
}

bool str_equal(struct str a, struct str b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.at, b.at, a.len) == 0);
}

bool str_is(struct str s, const char *text)
{
	return str_equal(s, str_of(text));
}

bool str_starts(struct str s, const char *prefix)
{
	size_t len = strlen(prefix);

	return s.len >= len && (len == 0 || memcmp(s.at, prefix, len) == 0);
}

bool str_ends(struct str s, const char *suffix)
{
	size_t len = strlen(suffix);

	return s.len >= len && (len == 0 || memcmp(s.at + s.len - len, suffix, len) == 0);
}

int str_compare(struct str a, struct str b)
{
	size_t len = a.len < b.len ? a.len : b.len;
	int order = len ? memcmp(a.at, b.at, len) : 0;

	if (order != 0)
		return order;
	return (a.len > b.len) - (a.len < b.len);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct str str_trim(struct str s)
{
	while (s.len > 0 && is_blank(s.at[0])) {
		s.at++;
		s.len--;
	}
	while (s.len > 0 && is_blank(s.at[s.len - 1]))
		s.len--;
	return s;
}

struct str str_cut(struct str *rest, char sep)
{
	const char *end = rest->len ? memchr(rest->at, sep, rest->len) : NULL;
	struct str head = *rest;

	if (!end) {
		*rest = (struct str){ NULL, 0 };
		return head;
	}
	head.len = (size_t)(end - head.at);
	rest->at = end + 1;
	rest->len -= head.len + 1;
	return head;
}

char *xmemdup(const void *data, size_t len)
{
	char *copy = xcalloc(len + 1, 1);

	if (len)
		memcpy(copy, data, len);
	return copy;
}

char *xstrdup(const char *text)
{
	return text ? xmemdup(text, strlen(text)) : NULL;
}

char *str_dup(struct str s)
{
	return xmemdup(s.at, s.len);
}

void *xrealloc(void *p, size_t count, size_t size)
{
	void *again = reallocarray(p, count ? count : 1, size ? size : 1);

	if (!again)
		mem_exhausted();
	return again;
}

/* Both number readers: digits of `base` only, no sign, no blanks. */
static struct err *parse_digits(struct str s, unsigned base, uint64_t max, uint64_t *ret)
{
	int shown = s.len > 40 ? 40 : (int)s.len;
	uint64_t n = 0;

	if (s.len == 0)
		return err_new(ERR_INVALID, "a number is missing");
	for (size_t i = 0; i < s.len; i++) {
		unsigned digit = (unsigned)(s.at[i] - '0');

		if (s.at[i] < '0' || digit >= base)
			return err_new(ERR_INVALID, "'%.*s' is not %s number", shown, s.at,
				       base == 8 ? "an octal" : "a");
		if (digit > max || n > (max - digit) / base)
			return err_new(ERR_INVALID, "'%.*s' is larger than %ju", shown, s.at,
				       (uintmax_t)max);
		n = n * base + digit;
	}
	*ret = n;
	return NULL;
}

struct err *num_parse(struct str s, uint64_t min, uint64_t max, uint64_t *ret)
{
	uint64_t n;

	TRY(parse_digits(s, 10, max, &n));
	if (n < min)
		return err_new(ERR_INVALID, "%ju is smaller than %ju", (uintmax_t)n,
			       (uintmax_t)min);
	*ret = n;
	return NULL;
}

struct err *num_parse_octal(struct str s, uint64_t max, uint64_t *ret)
{
	return parse_digits(s, 8, max, ret);
}

/* Make room for `more` bytes and a NUL. False, and sticky, above the ceiling. */
static bool buf_reserve(struct buf *buf, size_t more)
{
	size_t cap = buf->cap ? buf->cap : 64;

	assert(buf->max > 0); /* a buffer without a ceiling is a bug */
	if (buf->over || more > buf->max - buf->len) {
		buf->over = true;
		return false;
	}
	while (cap < buf->len + more + 1)
		cap *= 2;
	if (cap != buf->cap) {
		buf->at = xrealloc(buf->at, cap, 1);
		buf->cap = cap;
	}
	return true;
}

void buf_add(struct buf *buf, const void *data, size_t len)
{
	if (!buf_reserve(buf, len))
		return;
	if (len)
		memcpy(buf->at + buf->len, data, len);
	buf->len += len;
	buf->at[buf->len] = '\0';
}

void buf_adds(struct buf *buf, const char *text)
{
	buf_add(buf, text, strlen(text));
}

void buf_add_str(struct buf *buf, struct str s)
{
	buf_add(buf, s.at, s.len);
}

void buf_addc(struct buf *buf, char c)
{
	buf_add(buf, &c, 1);
}

void buf_addf(struct buf *buf, const char *fmt, ...)
{
	AUTO(mem) char *text = NULL;
	va_list args;

	va_start(args, fmt);
	text = xvasprintf(fmt, args);
	va_end(args);
	buf_adds(buf, text);
}

void buf_reset(struct buf *buf)
{
	buf->len = 0;
	buf->over = false;
	if (buf->at)
		buf->at[0] = '\0';
}

void buf_release(struct buf *buf)
{
	free(buf->at);
	*buf = BUF_INIT(buf->max);
}

struct str buf_str(const struct buf *buf)
{
	return (struct str){ buf->at ? buf->at : "", buf->len };
}

char *buf_steal(struct buf *buf)
{
	char *text = buf->at ? buf->at : xmemdup("", 0);

	*buf = BUF_INIT(buf->max);
	return text;
}

struct err *buf_check(const struct buf *buf, const char *what)
{
	if (!buf->over)
		return NULL;
	return err_new(ERR_INVALID, "%s is larger than %zu bytes", what, buf->max);
}
