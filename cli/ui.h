/*
 * cli/ui.h - what a build shows while it runs.
 *
 *	tty     a live picture at the bottom of the terminal, redrawn ten times a
 *	        second, and the list of all steps at the end
 *	plain   a line per event, "#3 0.123 ...": for pipes and logs of CI
 *	json    a JSON object per event (builder/events.h)
 *	rawjson the same as BuildKit has it (cli/ui_raw.h)
 *	quiet   nothing but warnings
 *	none    nothing
 *	auto    tty where standard error is a terminal, else plain
 *
 * Everything goes to standard error. While a ui lives, remarks of base/log go
 * through it, so that they do not tear the picture. The cursor is visible and
 * stands below the picture whenever no frame is being written, so the terminal
 * is in order however the program ends.
 */
#ifndef CLI_UI_H
#define CLI_UI_H

#include "base/mem.h"
#include "builder/events.h"

struct ui;

enum ui_mode { UI_AUTO, UI_TTY, UI_PLAIN, UI_JSON, UI_QUIET, UI_RAWJSON, UI_NONE };

extern const char *const ui_mode_names[]; /* "auto", "tty", ...; NULL-terminated */

struct ui *ui_new(enum ui_mode mode) MUST_USE;
/* The listener to give to the build; lives as long as the ui. */
const struct build_events *ui_events(const struct ui *ui);
/* Show the end, and give the terminal back. No event may come any more. */
void ui_free(struct ui *ui);
DEFINE_AUTO(ui)

#endif
