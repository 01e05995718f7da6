/*
 * cli/ui_frame.h - the picture of a build: lines of text, and nothing that moves a cursor.
 *
 *	building  12.4s  9 of 14 steps, 4 cached
 *	 cached  [build 1/5] FROM debian:trixie
 *	   0.1s  [build 2/5] COPY . /src
 *	  11.2s  [build 3/5] RUN make
 *	         cc -c main.c
 *	         cc -c table.c
 *
 * A pure function of the model, the size, and the time. No line is wider than
 * the terminal less one column, so that none wraps.
 */
#ifndef CLI_UI_FRAME_H
#define CLI_UI_FRAME_H

#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "cli/term.h"

struct ui_model;

/* What fits on the screen now: every running step and, as room allows, the last lines of their
 * logs and the steps that ended last. Each line ends in a newline; there are fewer than rows.
 * Returns how many. `now` is clock_monotonic(). */
size_t ui_frame(const struct ui_model *model, struct term_size size, uint64_t now, struct buf *out);

/* The whole list, for the end of a build. */
void ui_summary(const struct ui_model *model, struct term_size size, uint64_t now, struct buf *out);

#endif
