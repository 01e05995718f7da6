/*
 * registry/ring-private.h - bytes from one thread to one other, without a lock.
 *
 * One thread puts, one takes; neither ever waits here. Both counts only grow, and each is
 * written by one side alone. Waiting, and waking whoever waits, is the owner's.
 */
#ifndef REGISTRY_RING_PRIVATE_H
#define REGISTRY_RING_PRIVATE_H

#include <stdatomic.h>
#include <stddef.h>

struct ring {
	char *at; /* owned; NULL before the first byte */
	size_t size;
	atomic_size_t put, taken;
};

#define RING_INIT(bytes)        \
	{                       \
		.size = (bytes) \
	}

size_t ring_fill(const struct ring *ring); /* bytes to take */
size_t ring_room(const struct ring *ring);
/* As much as fits; how much that was. */
size_t ring_put(struct ring *ring, const void *data, size_t len);
size_t ring_take(struct ring *ring, void *data, size_t len);
void ring_release(struct ring *ring);

#endif
