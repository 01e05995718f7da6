/*
 * cli/width.h - how many columns of a terminal a text takes.
 *
 * Text here is what base/text.h has escaped: valid UTF-8 without controls, but
 * perhaps with colour sequences ("ESC [ ... m"), which take no room. Wide
 * (East Asian W and F, most emoji) are two columns, combining marks and format
 * characters none (Unicode 14). The locale plays no part.
 */
#ifndef CLI_WIDTH_H
#define CLI_WIDTH_H

#include <stddef.h>

#include "base/str.h"

size_t width_of(struct str text);

/* Append `text`; if it does not fit into `columns`, append as much as fits and an ellipsis, and
 * end its colours. */
void width_fit(struct buf *out, struct str text, size_t columns);

/* The same, and blanks behind it up to `columns`. */
void width_pad(struct buf *out, struct str text, size_t columns);

#endif
