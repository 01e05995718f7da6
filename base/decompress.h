/*
 * base/decompress.h - the plain bytes of a file, whatever people compress such files with.
 *
 * For archives that users and servers hand over: gzip and zstd (base/codec), and
 * besides them bzip2 and xz, which no layer is compressed with. Which of them it is
 * is told by the first bytes. Files of several streams are read whole, as the
 * tools do; rubbish behind the last one is an error. Memory is bounded: an xz
 * dictionary above 256 MiB is refused. The output is not: source_limit() is the
 * caller's.
 *
 * liblzma and libbz2 are found at run time, by the first who needs one.
 */
#ifndef BASE_DECOMPRESS_H
#define BASE_DECOMPRESS_H

#include <stddef.h>

#include "base/mem.h"
#include "base/str.h"

struct err;
struct source;

/* How many of the first bytes tell. */
#define DECOMPRESS_HEAD 10

/* "gzip", "zstd", "bzip2" or "xz" if the first bytes of a file say so, else NULL. */
const char *decompress_detect(struct str head);

/* The plain bytes of `inner`, which it owns, also after an error; what is not compressed passes.
 * ERR_UNSUPPORTED for a missing library and for what takes too much memory; corrupt data is
 * ERR_CORRUPT from the source, when it is read. */
struct err *decompress_open(struct source *inner, struct source **ret) MUST_USE;

#endif
