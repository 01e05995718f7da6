/*
 * base/zstd.h - zstd (RFC 8878), behind base/codec.
 *
 * Both ways by libzstd. Its compressor works in jobs of a fixed size, each on
 * the window that the one before left behind: with at least one worker the
 * bytes are those of the jobs, whoever does them. Without any it takes another
 * way, so there is always one.
 */
#ifndef BASE_ZSTD_H
#define BASE_ZSTD_H

#include "base/mem.h"

struct sink;
struct source;

#define ZSTD_LEVELS 19     /* 1..19: those above need more memory to read than many readers give */
#define ZSTD_WINDOW_LOG 27 /* the largest window that is read: 128 MiB */

/* The decompressed bytes of all frames of `inner`, which it owns; skippable frames are skipped.
 * ERR_CORRUPT for what is no frame, ends early or fails its checksum; ERR_UNSUPPORTED for a
 * window above the limit and for a dictionary. */
struct source *zstd_source(struct source *inner) MUST_USE;

/* See codec_sink(). One frame, with a checksum and without a content size. */
struct sink *zstd_sink(struct sink *inner, int level, unsigned workers) MUST_USE;

#endif
