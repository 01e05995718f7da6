/*
 * cli/transfer.h - what a pull, push or copy shows while bytes move.
 *
 *	tty     a live picture at the bottom of the terminal (cli/transfer_frame.h),
 *	        and a line of sums at the end
 *	plain   a line when a blob begins and ends, and every ten seconds between
 *	json    a JSON object per event: blob-begin, blob-progress (at most two a second for
 *	        one), blob-end, remark, warning
 *	quiet   nothing but warnings
 *	auto    tty where standard error is a terminal, else plain
 *
 * Everything goes to standard error. While a display lives, remarks of base/log go through it,
 * so that they do not tear the picture.
 */
#ifndef CLI_TRANSFER_H
#define CLI_TRANSFER_H

#include <stdbool.h>

#include "base/mem.h"
#include "cli/option.h"
#include "cli/ui.h"

struct progress;
struct transfer_ui;

struct transfer_values {
	int progress; /* enum ui_mode */
	bool quiet;
};

/* clang-format off */
#define TRANSFER_OPTIONS(type, field) \
	OPTION_WORD(type, field.progress, 0, "progress", transfer_mode_names, "how to show what goes on"), \
	OPTION_FLAG(type, field.quiet, 'q', "quiet", \
		    "show no progress; the same as --progress quiet")
/* clang-format on */

extern const char *const transfer_mode_names[]; /* the first of ui_mode_names, up to quiet */

struct transfer_ui *transfer_ui_new(const struct transfer_values *values) MUST_USE;
/* A line that is shown in every mode: it must be known. With --progress json an event "remark". */
void transfer_ui_tell(struct transfer_ui *transfer, const char *line);
/* For the library; lives as long as the display. */
struct progress *transfer_ui_progress(struct transfer_ui *transfer);
/* Show the end, and give the terminal back. Nothing may move any more. */
void transfer_ui_free(struct transfer_ui *transfer);
DEFINE_AUTO(transfer_ui)

#endif
