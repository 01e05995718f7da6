/*
 * base/gzip.h - gzip (RFC 1952), behind base/codec.
 *
 * Read by ISA-L, which decodes more than twice as fast as zlib and as a
 * stream; written by libdeflate, whose bytes, unlike ISA-L's, are the same on
 * every CPU. Each MiB of input becomes a member of its own, so that members are
 * compressed side by side and every reader that keeps to the RFC can read them.
 */
#ifndef BASE_GZIP_H
#define BASE_GZIP_H

#include "base/mem.h"

struct sink;
struct source;

#define GZIP_LEVELS 12 /* 1..12 */

/* The decompressed bytes of all members of `inner`, which it owns and which stands at the first.
 * Zero bytes behind the last member are padding, as gzip(1) has it; anything else is ERR_CORRUPT,
 * like a missing end and a wrong CRC or size. */
struct source *gzip_source(struct source *inner) MUST_USE;

/* See codec_sink(). Threads are started when there is a second member, not before. */
struct sink *gzip_sink(struct sink *inner, int level, unsigned workers) MUST_USE;

#endif
