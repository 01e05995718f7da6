/*
 * overlay/spawner.h - the small process from which steps are cloned.
 *
 * Cloning costs what the parent's memory costs, a death signal follows the
 * thread that cloned, and a step must not find the builder's memory, files or
 * executable. So steps are children of a program of a few pages: static, one
 * thread, no heap, no environment, carried inside this program (overlay/helper)
 * and executed from a sealed memory file. It stands in an empty root of its own
 * and is the first process of a process namespace: when it dies, every step
 * dies, whatever the step did to its death signal. It dies when the control
 * socket closes, that is with its builder, however that ends.
 *
 * A request is one message: descriptors, and a sealed memory file that holds
 * everything else (overlay/request-private.h). One of the descriptors is a
 * socket that belongs to the step: what the step and the spawner have to tell
 * comes out of it, and closing it kills the step. Nothing is shared between
 * requests, so any number of threads may send them.
 */
#ifndef OVERLAY_SPAWNER_H
#define OVERLAY_SPAWNER_H

#include <stddef.h>

#include "base/mem.h"

struct err;
struct spawner;

struct err *spawner_start(struct spawner **ret) MUST_USE;
/* Hand over one request: `fds` are borrowed, at most SPAWNER_FDS_MAX. Thread safe. */
struct err *spawner_send(struct spawner *spawner, const int *fds, size_t fd_count) MUST_USE;
void spawner_free(struct spawner *spawner); /* ends it and every step; waits for it */
DEFINE_AUTO(spawner)

#define SPAWNER_FDS_MAX 8

#endif
