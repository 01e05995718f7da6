/*
 * cli/ui_paint.h - a picture that stays at the bottom of a terminal.
 *
 * The cursor rests on the line below the picture. A new frame goes up to where
 * the old one began, writes over it line by line, and clears what is left: one
 * write per frame, so that nothing flickers. When the terminal became narrower
 * its own re-wrapping made the old frame higher; that is counted.
 */
#ifndef CLI_UI_PAINT_H
#define CLI_UI_PAINT_H

#include <stddef.h>

#include "base/str.h"
#include "cli/term.h"

struct ui_paint {
	size_t *widths; /* owned; of the lines of the frame on the screen */
	size_t lines;
};

/* Append what replaces the frame on the screen by `frame`, whole lines that each end in a newline.
 * `above` is text that stays, and scrolls away above the picture: whole lines, or nothing. */
void ui_paint_frame(struct ui_paint *paint, struct str above, struct str frame,
		    struct term_size size, struct buf *out);
void ui_paint_release(struct ui_paint *paint);

#endif
