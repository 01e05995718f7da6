/* registry/ring.c - see registry/ring-private.h. */

#include "registry/ring-private.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

size_t ring_fill(const struct ring *ring)
{
	size_t taken = atomic_load(&ring->taken);

	return atomic_load(&ring->put) - taken;
}

size_t ring_room(const struct ring *ring)
{
	return ring->size - ring_fill(ring);
}

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

size_t ring_put(struct ring *ring, const void *data, size_t len)
{
	size_t put = atomic_load(&ring->put);
	size_t at = put % ring->size;
	size_t first;

	len = least(len, ring_room(ring));
	if (len == 0)
		return 0;
	if (!ring->at)
		ring->at = xrealloc(NULL, ring->size, 1);
	first = least(len, ring->size - at);
	memcpy(ring->at + at, data, first);
	memcpy(ring->at, (const char *)data + first, len - first);
	atomic_store(&ring->put, put + len);
	return len;
}

size_t ring_take(struct ring *ring, void *data, size_t len)
{
	size_t taken = atomic_load(&ring->taken);
	size_t at = taken % ring->size;
	size_t first;

	len = least(len, ring_fill(ring));
	if (len == 0)
		return 0;
	first = least(len, ring->size - at);
	memcpy(data, ring->at + at, first);
	memcpy((char *)data + first, ring->at, len - first);
	atomic_store(&ring->taken, taken + len);
	return len;
}

void ring_release(struct ring *ring)
{
	free(ring->at);
}
