/*
 * base/ready.h - waiting until something can be read or written.
 */
#ifndef BASE_READY_H
#define BASE_READY_H

#include <poll.h>

#define READY_TRIES 100
#define READY_PAUSE_MS 10

/* poll(2) for a loop that only its events end, `timeout` in milliseconds or -1: how many are ready. 0 when the
 * time is over, and also after a signal, or after a failure for want of memory, which may pass: then it has
 * paused. -1 with errno once it has failed READY_TRIES times in a row; `*failed`, 0 at first, counts them. */
int ready_wait(struct pollfd *fds, nfds_t count, int timeout, unsigned *failed);

#endif
