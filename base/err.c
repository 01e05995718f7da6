/* base/err.c - see base/err.h. */

#include "base/err.h"

#include <errno.h>
#include <string.h>

struct err {
	enum err_kind kind;
	int sys_errno;
	char *text;  /* "outermost context: ...: what failed" */
	char *notes; /* whole lines below it, or NULL */
};

/* Takes ownership of `text`. */
static struct err *err_make(enum err_kind kind, int sys_errno, char *text)
{
	struct err *err = xcalloc(1, sizeof(*err));

	*err = (struct err){ .kind = kind, .sys_errno = sys_errno, .text = text };
	return err;
}

struct err *err_new(enum err_kind kind, const char *fmt, ...)
{
	va_list args;
	char *text;

	va_start(args, fmt);
	text = xvasprintf(fmt, args);
	va_end(args);
	return err_make(kind, 0, text);
}

struct err *err_sys(const char *fmt, ...)
{
	int saved = errno; /* before anything below can change it */
	AUTO(mem) char *what = NULL;
	va_list args;

	va_start(args, fmt);
	what = xvasprintf(fmt, args);
	va_end(args);
	return err_make(ERR_SYSTEM, saved, xasprintf("%s: %s", what, strerror(saved)));
}

struct err *err_wrap(struct err *err, const char *fmt, ...)
{
	AUTO(mem) char *context = NULL;
	AUTO(mem) char *inner = NULL;
	va_list args;

	if (!err)
		return NULL;

	va_start(args, fmt);
	context = xvasprintf(fmt, args);
	va_end(args);
	inner = STEAL(err->text);
	err->text = xasprintf("%s: %s", context, inner);
	return err;
}

struct err *err_note(struct err *err, const char *fmt, ...)
{
	AUTO(mem) char *before = NULL;
	AUTO(mem) char *note = NULL;
	va_list args;

	if (!err)
		return NULL;

	va_start(args, fmt);
	note = xvasprintf(fmt, args);
	va_end(args);
	before = STEAL(err->notes);
	err->notes = before ? xasprintf("%s\n%s", before, note) : STEAL(note);
	return err;
}

enum err_kind err_kind(const struct err *err)
{
	return err ? err->kind : ERR_NONE;
}

int err_errno(const struct err *err)
{
	return err ? err->sys_errno : 0;
}

const char *err_text(const struct err *err)
{
	return err ? err->text : "no error";
}

const char *err_notes(const struct err *err)
{
	return err ? err->notes : NULL;
}

void err_free(struct err *err)
{
	if (!err)
		return;
	free(err->text);
	free(err->notes);
	free(err);
}
