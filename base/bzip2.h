/*
 * base/bzip2.h - reading bzip2 files, behind base/decompress.
 *
 * By libbz2, which is loaded when it is first needed: most builds never see such a file.
 */
#ifndef BASE_BZIP2_H
#define BASE_BZIP2_H

#include <stdbool.h>

#include "base/mem.h"
#include "base/str.h"

struct err;
struct source;

bool bzip2_detect(struct str head); /* by the first ten bytes */

/* The plain bytes of all streams of `inner`, which it owns, also after an error. See
 * decompress_open(). */
struct err *bzip2_source(struct source *inner, struct source **ret) MUST_USE;

#endif
