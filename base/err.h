/*
 * base/err.h - errors that tell the whole story.
 *
 * A function that can fail for reasons outside the program returns
 * `struct err *`: NULL is success, anything else is owned by the caller, who
 * returns it, wraps it, reports it or frees it. The place that fails says what
 * failed; each caller on the way up says what it was doing; main() prints the
 * one line that results:
 *
 *	build web: pull alpine:3.20: blob sha256:9f86...: short read
 *
 * Broken invariants are bugs, not errors: assert() them.
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include "base/mem.h"

/* What a caller may branch on. Anything finer belongs in the text. */
enum err_kind {
	ERR_NONE,
	ERR_SYSTEM,      /* a system call failed: err_errno() says why */
	ERR_NOT_FOUND,   /* no such blob, image, tag or file */
	ERR_INVALID,     /* malformed input, ours or a registry's */
	ERR_CORRUPT,     /* bytes that do not match their digest */
	ERR_DENIED,      /* credentials missing or refused */
	ERR_NETWORK,     /* trying again may help */
	ERR_UNSUPPORTED, /* well formed, but not something we do */
	ERR_CANCELLED,   /* another worker failed, or the user interrupted */
	ERR_INTERNAL,    /* a library broke its promise */
	ERR_USAGE,       /* the command line is wrong: exit code 2 */
};

struct err;

/* A new error. err_sys() is ERR_SYSTEM and appends the text of errno. */
struct err *err_new(enum err_kind kind, const char *fmt, ...) PRINTF_LIKE(2, 3) MUST_USE;
struct err *err_sys(const char *fmt, ...) PRINTF_LIKE(1, 2) MUST_USE;

/* Put "context: " in front of an error. NULL stays NULL, so it chains. */
struct err *err_wrap(struct err *err, const char *fmt, ...) PRINTF_LIKE(2, 3) MUST_USE;

/*
 * Add whole lines that belong below the one-line story: an excerpt of the
 * Recipe, the last lines of a log, the remedy. Each call appends; NULL stays
 * NULL. The text ends without a newline and may hold any byte: who prints
 * escapes.
 */
struct err *err_note(struct err *err, const char *fmt, ...) PRINTF_LIKE(2, 3) MUST_USE;

enum err_kind err_kind(const struct err *err); /* ERR_NONE for NULL */
int err_errno(const struct err *err);          /* 0 unless ERR_SYSTEM */
const char *err_text(const struct err *err);
const char *err_notes(const struct err *err); /* NULL if there are none */
void err_free(struct err *err);
DEFINE_AUTO(err)

/* Return from the enclosing function if `expr` fails; AUTO() cleans up. */
#define TRY(expr)                          \
	do {                               \
		struct err *try_ = (expr); \
		if (try_)                  \
			return try_;       \
	} while (0)

#endif
