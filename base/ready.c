/* base/ready.c - see base/ready.h. */

#include "base/ready.h"

#include <errno.h>
#include <time.h>

int ready_wait(struct pollfd *fds, nfds_t count, int timeout, unsigned *failed)
{
	const struct timespec pause = { .tv_nsec = READY_PAUSE_MS * 1000 * 1000 };
	int ready = poll(fds, count, timeout);
	int error = errno;

	if (ready >= 0)
		*failed = 0;
	if (ready >= 0 || error == EINTR)
		return ready < 0 ? 0 : ready;
	nanosleep(&pause, NULL);
	errno = error;
	return ++*failed < READY_TRIES ? 0 : -1;
}
