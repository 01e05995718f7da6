/*
 * overlay/spawner-private.h - the small process from which steps are cloned.
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
 * It can be started at any time, from any thread and from a process of any
 * size: it shares the builder's memory only until its own exec.
 *
 * One of the descriptors of a request is a socket that belongs to the step:
 * what the step and the spawner have to tell comes out of it, and closing it
 * kills the step. Nothing is shared between requests, so any number of threads
 * may send them.
 */
#ifndef OVERLAY_SPAWNER_PRIVATE_H
#define OVERLAY_SPAWNER_PRIVATE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/mem.h"

struct err;
struct request_head;
struct spawner;

/* Does not wait for it: what goes wrong in there is told by spawner_fault(). */
struct err *spawner_start(struct spawner **ret) MUST_USE;

/* Hand over one request (overlay/request-private.h): its head, and descriptors, which are
 * borrowed. Thread safe. */
struct err *spawner_send(struct spawner *spawner, const struct request_head *head, const int *fds,
			 size_t fd_count) MUST_USE;

/* Why a step's socket closed without a word: what the spawner died of. Never NULL. */
struct err *spawner_fault(struct spawner *spawner) MUST_USE;

pid_t spawner_pid(const struct spawner *spawner); /* as the builder sees it */
int spawner_pidfd(const struct spawner *spawner); /* the spawner's */

void spawner_free(struct spawner *spawner); /* ends it and every step; waits for it */
DEFINE_AUTO(spawner)

#endif
