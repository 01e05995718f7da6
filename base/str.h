/*
 * base/str.h - borrowed text, growing text, and numbers read from text.
 *
 * `struct str` points at bytes that somebody else owns; it is what parsers
 * pass around, so that nothing is copied until it is kept. It may hold any
 * byte, NUL included, and is not terminated.
 *
 * `struct buf` owns bytes that grow up to a ceiling which its maker must name,
 * so that no outside text can eat the memory. Going over the ceiling is sticky:
 * appending stays free of checks, and buf_check() reports it once at the end.
 * `at` is always NUL-terminated after the first append.
 */
#ifndef BASE_STR_H
#define BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/mem.h"

struct err;

struct str {
	const char *at;
	size_t len;
};

#define STR(literal) ((struct str){ (literal), sizeof(literal) - 1 })
/* For printf's "%.*s". */
#define STR_ARG(s) (int)(s).len, (s).at

struct str str_of(const char *text); /* borrows; NULL is empty */
bool str_equal(struct str a, struct str b);
bool str_is(struct str s, const char *text);
bool str_starts(struct str s, const char *prefix);
bool str_ends(struct str s, const char *suffix);
/* Byte order, shorter first on a common prefix: below, equal or above zero. */
int str_compare(struct str a, struct str b);
struct str str_trim(struct str s); /* without blanks, tabs, CR and LF at both ends */

/* Cut `*rest` at the first `sep`: returns what stands before it and leaves what stands behind
 * it. Without a `sep` all of it is returned and `*rest` becomes empty with `at` NULL. */
struct str str_cut(struct str *rest, char sep);

char *xstrdup(const char *text) MUST_USE;             /* NULL stays NULL */
char *xmemdup(const void *data, size_t len) MUST_USE; /* with a NUL behind it */
char *str_dup(struct str s) MUST_USE;                 /* with a NUL behind it */
void *xrealloc(void *p, size_t count, size_t size) MUST_USE;

/* Read all of `s` as a decimal number in [min, max]. ERR_INVALID otherwise; `*ret` stays. */
struct err *num_parse(struct str s, uint64_t min, uint64_t max, uint64_t *ret) MUST_USE;
/* The same in base 8, as file modes are written. */
struct err *num_parse_octal(struct str s, uint64_t max, uint64_t *ret) MUST_USE;

struct buf {
	char *at; /* owned; NULL until the first append */
	size_t len;
	size_t cap;
	size_t max; /* ceiling for len */
	bool over;  /* sticky: an append did not fit */
};

#define BUF_INIT(ceiling) ((struct buf){ .max = (ceiling) })

void buf_add(struct buf *buf, const void *data, size_t len);
void buf_adds(struct buf *buf, const char *text);
void buf_add_str(struct buf *buf, struct str s);
void buf_addc(struct buf *buf, char c);
void buf_addf(struct buf *buf, const char *fmt, ...) PRINTF_LIKE(2, 3);
void buf_reset(struct buf *buf); /* empty, memory kept, `over` forgotten */
void buf_release(struct buf *buf);
struct str buf_str(const struct buf *buf);
/* The text, NUL-terminated and owned by the caller; the buffer is empty again. Never NULL. */
char *buf_steal(struct buf *buf) MUST_USE;
/* ERR_INVALID "<what> is larger than <max> bytes" if an append did not fit. */
struct err *buf_check(const struct buf *buf, const char *what) MUST_USE;

/* AUTO(buf) struct buf b = BUF_INIT(4096); */
static inline void buf_auto_(struct buf *buf)
{
	buf_release(buf);
}

#endif
