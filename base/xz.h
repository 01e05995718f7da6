/*
 * base/xz.h - reading xz files, behind base/decompress.
 *
 * By liblzma, which is loaded when it is first needed: most builds never see such a file.
 */
#ifndef BASE_XZ_H
#define BASE_XZ_H

#include <stdbool.h>

#include "base/mem.h"
#include "base/str.h"

struct err;
struct source;

#define XZ_MEMORY ((size_t)256 * 1024 * 1024) /* that a decoder may take */

bool xz_detect(struct str head); /* by the first six bytes */

/* The plain bytes of all streams of `inner`, which it owns, also after an error. See
 * decompress_open(). */
struct err *xz_source(struct source *inner, struct source **ret) MUST_USE;

#endif
