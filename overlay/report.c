/* overlay/report.c - see overlay/report-private.h. */

#include "overlay/report-private.h"

#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "overlay/request-private.h"

static const char *const stage_texts[] = {
#define STAGE_TEXT(name, text) [name] = text,
	STEP_STAGES(STAGE_TEXT)
#undef STAGE_TEXT
};

/* /proc, /sys and /dev have to be what they are in every image. */
static struct err *target_error(const struct report *report)
{
	struct err *err;

	if (report->error != ELOOP && report->error != ENOTDIR) {
		errno = report->error;
		return err_sys("cannot use the image's /%s", report->what);
	}
	err = err_new(ERR_INVALID, "the image's /%s is %s", report->what,
		      report->error == ELOOP ? "a symbolic link" : "not a directory");
	return err_note(err, "A step needs a directory there. Remove it from the base image.");
}

/* A mount of the Recipe's: its source or its target is not what it should be. */
static struct err *bind_error(const char *text, const char *what, int error)
{
	if (error == ENOENT)
		return err_new(ERR_INVALID, "cannot %s '%s': there is nothing", text, what);
	if (error == ENOTDIR)
		return err_new(ERR_INVALID,
			       "cannot %s '%s': one is a directory and the other is a file", text,
			       what);
	return err_new(ERR_INVALID, "cannot %s '%s': %s", text, what, strerror(error));
}

struct err *report_error(const struct report *report)
{
	const char *text = report->stage < ARRAY_SIZE(stage_texts) ? stage_texts[report->stage] :
								     "do something unknown";
	char what[REPORT_WHAT_SIZE];

	memcpy(what, report->what, sizeof(what));
	what[sizeof(what) - 1] = '\0';
	if (report->stage == STAGE_TARGET)
		return target_error(report);
	if (report->stage == STAGE_BIND_SOURCE || report->stage == STAGE_BIND_TARGET)
		return bind_error(text, what, report->error);
	if (report->stage == STAGE_CWD)
		return err_new(ERR_INVALID, "cannot %s '%s': %s", text, what,
			       report->error == EXDEV ? "it is outside of the image" :
							strerror(report->error));
	errno = report->error;
	return err_sys("cannot %s%s%s", text, *what ? " " : "", what);
}
