/*
 * overlay/pipeline.h - streams that go on in another thread.
 *
 * Making and unpacking a layer is a chain of work on one stream of bytes: walk,
 * hash, compress, hash, write; or read, hash, decompress, hash, unpack. These decorators cut
 * such a chain in two, each part with its own thread, and a ring of PIPELINE_SLOTS
 * buffers of PIPELINE_SLOT bytes between them. So a cut takes a megabyte (two were no
 * faster), whatever the layer's size, and the slower part sets the pace.
 *
 * A thread is started only once a whole slot is full: most layers are smaller, and
 * go through in the thread of whoever writes them.
 *
 * Errors stick as in base/stream.h: what fails behind the cut shows in front of
 * it, at one of the next slots. Freeing either stream before its end stops the
 * thread and waits for it.
 */
#ifndef OVERLAY_PIPELINE_H
#define OVERLAY_PIPELINE_H

#include <stddef.h>

#include "base/mem.h"

struct sink;
struct source;

#define PIPELINE_SLOT ((size_t)256 * 1024)
#define PIPELINE_SLOTS 4

/* What is written is written to `inner`, which it owns, by a thread of its own. sink_finish()
 * waits for it, and finishes `inner`. */
struct sink *pipeline_sink(struct sink *inner) MUST_USE;

/* Reads `inner`, which it owns, ahead, by a thread of its own. */
struct source *pipeline_source(struct source *inner) MUST_USE;

#endif
