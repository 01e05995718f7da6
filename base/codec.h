/*
 * base/codec.h - the compressions of layers: gzip, zstd, and none.
 *
 * Reading trusts the bytes, never the media type: codec_open() looks at the
 * magic number. Multi-member gzip (RFC 1952) and multi-frame zstd (RFC 8878,
 * with skippable frames) are read whole; trailing rubbish is an error, but for
 * the zero bytes behind gzip data that tapes leave. The decoder's memory is
 * bounded: a zstd window above 128 MiB is refused. Its output is not: a few
 * bytes may announce gigabytes, and source_limit() is the caller's.
 *
 * Writing is deterministic: the bytes depend on the input, the codec, the
 * level and the library's version alone, never on the number of cores or on
 * how the input was cut. zstd always runs with at least one worker and a fixed
 * job size; gzip is written as independent members of 1 MiB of input each, so
 * that members are compressed in parallel; no member carries a name or a time.
 */
#ifndef BASE_CODEC_H
#define BASE_CODEC_H

#include <stdbool.h>

#include "base/mem.h"
#include "base/str.h"

struct err;
struct source;
struct sink;

enum codec { CODEC_NONE, CODEC_GZIP, CODEC_ZSTD };

struct compression {
	enum codec codec;
	int level; /* 0 is the codec's default: gzip 1..12 (default 6), zstd 1..19 (default 3) */
};

/* "gzip", "zstd", "none", each with an optional ":LEVEL" (none takes none). ERR_INVALID names
 * what would have been right. */
struct err *compression_parse(struct str text, struct compression *ret) MUST_USE;
const char *codec_name(enum codec codec); /* "none", "gzip", "zstd" */

/* The codec that the first bytes announce; at least 4 bytes decide, fewer are CODEC_NONE. */
enum codec codec_detect(const void *head, size_t len);

/* The decompressed bytes of `inner`, whatever it holds. Owns `inner`. `ret_found` may be NULL;
 * it is written before codec_open() returns. Corrupt input is ERR_CORRUPT, a zstd window above the
 * limit or a dictionary ERR_UNSUPPORTED; both come from the source, when it is read. */
struct err *codec_open(struct source *inner, enum codec *ret_found, struct source **ret) MUST_USE;

/* The most threads that help: with more the hashing of the plain bytes is what takes the time, and
 * the buffers of 16 zstd workers take 55 MB at the default level. */
#define CODEC_WORKERS 16

/* Compress into `inner`, which it owns. `workers` (1 or more) is how many threads may help;
 * it never changes the bytes. `inner` is used by the caller's thread alone. */
struct sink *codec_sink(struct sink *inner, const struct compression *how, unsigned workers)
	MUST_USE;

#endif
