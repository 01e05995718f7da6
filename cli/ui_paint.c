/* cli/ui_paint.c - see cli/ui_paint.h. ECMA-48: CUU moves up, EL clears a line, ED what follows. */

#include "cli/ui_paint.h"

#include "cli/width.h"

#define CLEAR_LINE "\033[K"
#define CLEAR_BELOW "\033[J"
#define HIDE_CURSOR "\033[?25l"
#define SHOW_CURSOR "\033[?25h"

/* Rows that the frame on the screen takes at this width. */
static size_t rows_of(const struct ui_paint *paint, struct term_size size)
{
	size_t rows = 0;

	for (size_t i = 0; i < paint->lines; i++)
		rows += paint->widths[i] ? (paint->widths[i] - 1) / size.columns + 1 : 1;
	return rows < size.rows ? rows : size.rows - 1; /* what has scrolled away stays away */
}

static size_t count_lines(struct str text)
{
	size_t lines = 0;

	for (size_t i = 0; i < text.len; i++)
		lines += text.at[i] == '\n';
	return lines;
}

/* Append lines, each clearing what stood to its right. */
static void add_lines(struct str text, struct buf *out)
{
	while (text.len > 0) {
		buf_add_str(out, str_cut(&text, '\n'));
		buf_adds(out, CLEAR_LINE "\n");
	}
}

static void remember(struct ui_paint *paint, struct str frame)
{
	paint->lines = count_lines(frame);
	paint->widths = xrealloc(paint->widths, paint->lines, sizeof(*paint->widths));
	for (size_t i = 0; i < paint->lines; i++)
		paint->widths[i] = width_of(str_cut(&frame, '\n'));
}

void ui_paint_frame(struct ui_paint *paint, struct str above, struct str frame,
		    struct term_size size, struct buf *out)
{
	size_t up = rows_of(paint, size);

	buf_adds(out, HIDE_CURSOR "\r");
	if (up > 0)
		buf_addf(out, "\033[%zuA", up);
	add_lines(above, out);
	add_lines(frame, out);
	buf_adds(out, CLEAR_BELOW SHOW_CURSOR);
	remember(paint, frame);
}

void ui_paint_release(struct ui_paint *paint)
{
	free(paint->widths);
	*paint = (struct ui_paint){ 0 };
}
