/*
 * base/path.h - paths as text.
 *
 * A clean path is a list of names: nothing empty, no "." and, unless asked for,
 * no "..", one '/' between and none at the ends; the empty text is the top, of
 * whatever the path is seen from. Cleaning looks at no file, so ".." takes back
 * the name before it even where that is a link: right for names in an archive or
 * a Recipe, wrong for a path of the machine.
 */
#ifndef BASE_PATH_H
#define BASE_PATH_H

#include <stdbool.h>

#include "base/mem.h"
#include "base/str.h"

/* What ".." means at the top. */
enum path_above {
	PATH_STAYS,   /* nothing, as in the root directory */
	PATH_KEPT,    /* it stands in the result: "../a" */
	PATH_REFUSED, /* the path is wrong */
};

/* Go from the clean path in `out` along `path`, absolute or not. False, with the rest left out, when
 * it is refused or does not fit. */
bool path_add(struct buf *out, struct str path, enum path_above above) MUST_USE;

#endif
