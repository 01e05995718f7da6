/*
 * overlay/pipeline.c - see overlay/pipeline.h.
 *
 * One ring with one producer and one consumer, each a thread. The slots between
 * `taken` and `filled` are the consumer's, all others the producer's; a slot's content
 * is touched without the lock by whoever has it. Both counts only grow. The stream
 * behind the cut is touched by the thread alone while it runs, and by the owner
 * before it is started and after it was joined.
 */

#include "overlay/pipeline.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/err.h"
#include "base/stream.h"

struct slot {
	char *data; /* owned, PIPELINE_SLOT bytes; made at first use by the producer */
	size_t len;
};

struct ring {
	struct slot slots[PIPELINE_SLOTS];
	pthread_mutex_t lock;
	pthread_cond_t changed; /* any field below */
	size_t filled, taken;   /* guarded by lock */
	bool ended;             /* guarded by lock: the producer gives no more */
	bool broken;            /* guarded by lock: the consumer takes no more */
	pthread_t thread;
	bool running; /* there is a thread to join; the owner's alone */
};

static void ring_init(struct ring *ring)
{
	pthread_mutex_init(&ring->lock, NULL);
	pthread_cond_init(&ring->changed, NULL);
}

static void ring_release(struct ring *ring)
{
	for (size_t i = 0; i < PIPELINE_SLOTS; i++)
		free(ring->slots[i].data);
	pthread_cond_destroy(&ring->changed);
	pthread_mutex_destroy(&ring->lock);
}

/* The producer's next slot, empty, or NULL if the consumer takes no more. */
static struct slot *ring_next_free(struct ring *ring)
{
	struct slot *slot = NULL;

	pthread_mutex_lock(&ring->lock);
	while (!ring->broken && ring->filled - ring->taken == PIPELINE_SLOTS)
		pthread_cond_wait(&ring->changed, &ring->lock);
	if (!ring->broken)
		slot = &ring->slots[ring->filled % PIPELINE_SLOTS];
	pthread_mutex_unlock(&ring->lock);
	if (slot && !slot->data)
		slot->data = xcalloc(PIPELINE_SLOT, 1);
	if (slot)
		slot->len = 0;
	return slot;
}

/* The consumer's next slot, or NULL after the last. */
static struct slot *ring_next_full(struct ring *ring)
{
	struct slot *slot = NULL;

	pthread_mutex_lock(&ring->lock);
	while (!ring->ended && ring->filled == ring->taken)
		pthread_cond_wait(&ring->changed, &ring->lock);
	if (ring->filled != ring->taken)
		slot = &ring->slots[ring->taken % PIPELINE_SLOTS];
	pthread_mutex_unlock(&ring->lock);
	return slot;
}

enum ring_event { RING_FILLED, RING_TAKEN, RING_ENDED, RING_BROKEN };

static void ring_tell(struct ring *ring, enum ring_event event)
{
	pthread_mutex_lock(&ring->lock);
	ring->filled += event == RING_FILLED;
	ring->taken += event == RING_TAKEN;
	ring->ended |= event == RING_ENDED;
	ring->broken |= event == RING_BROKEN;
	pthread_cond_signal(&ring->changed);
	pthread_mutex_unlock(&ring->lock);
}

static bool ring_broken(struct ring *ring)
{
	bool broken;

	pthread_mutex_lock(&ring->lock);
	broken = ring->broken;
	pthread_mutex_unlock(&ring->lock);
	return broken;
}

static struct err *ring_start(struct ring *ring, void *(*work)(void *), void *arg)
{
	int failed = pthread_create(&ring->thread, NULL, work, arg);

	if (failed) {
		errno = failed;
		return err_sys("start a thread");
	}
	ring->running = true;
	return NULL;
}

static void ring_join(struct ring *ring)
{
	if (ring->running)
		pthread_join(ring->thread, NULL);
	ring->running = false;
}

/* ---- sink: the owner produces, the thread consumes ---- */

struct pipe_sink {
	struct ring ring;
	struct sink *inner; /* owned */
	struct slot *slot;  /* being filled; NULL before the first write and after a full one */
};

static void *drain(void *arg)
{
	struct pipe_sink *p = arg;
	const struct slot *slot;

	while (!ring_broken(&p->ring) && (slot = ring_next_full(&p->ring))) {
		sink_write(p->inner, slot->data, slot->len);
		if (sink_failed(p->inner))
			ring_tell(&p->ring, RING_BROKEN);
		ring_tell(&p->ring, RING_TAKEN);
	}
	return NULL;
}

/* Wait for the thread to end; after this `inner` is the owner's. */
static void stop_draining(struct pipe_sink *p)
{
	ring_tell(&p->ring, RING_ENDED);
	ring_join(&p->ring);
}

static struct err *pipe_sink_write(void *self, const void *data, size_t len)
{
	struct pipe_sink *p = self;
	const char *at = data;

	while (len > 0) {
		size_t n;

		if (!p->slot)
			p->slot = ring_next_free(&p->ring);
		if (!p->slot) {
			stop_draining(p);
			return sink_check(p->inner);
		}
		n = PIPELINE_SLOT - p->slot->len;
		n = len < n ? len : n;
		memcpy(p->slot->data + p->slot->len, at, n);
		p->slot->len += n;
		at += n;
		len -= n;
		if (p->slot->len < PIPELINE_SLOT)
			break;
		if (!p->ring.running)
			TRY(ring_start(&p->ring, drain, p));
		ring_tell(&p->ring, RING_FILLED);
		p->slot = NULL;
	}
	return NULL;
}

static struct err *pipe_sink_finish(void *self)
{
	struct pipe_sink *p = self;

	if (p->slot && p->ring.running)
		ring_tell(&p->ring, RING_FILLED);
	else if (p->slot)
		sink_write(p->inner, p->slot->data, p->slot->len);
	stop_draining(p);
	return sink_finish(p->inner);
}

static void pipe_sink_free(void *self)
{
	struct pipe_sink *p = self;

	ring_tell(&p->ring, RING_BROKEN);
	stop_draining(p);
	sink_free(p->inner);
	ring_release(&p->ring);
	free(p);
}

struct sink *pipeline_sink(struct sink *inner)
{
	static const struct sink_ops ops = { pipe_sink_write, pipe_sink_finish, pipe_sink_free };
	struct pipe_sink *p = xcalloc(1, sizeof(*p));

	ring_init(&p->ring);
	p->inner = inner;
	return sink_new(&ops, p);
}

/* ---- source: the thread produces, the owner consumes ---- */

struct pipe_source {
	struct ring ring;
	struct source *inner;    /* owned */
	const struct slot *slot; /* being read, from `at` on; NULL: the next one has to be got */
	size_t at;
	bool all; /* the thread is not needed, or has ended */
};

/* Fill one slot as far as `inner` gives. False at its end. */
static bool fill(struct source *inner, struct slot *slot)
{
	while (slot->len < PIPELINE_SLOT) {
		size_t n = source_read(inner, slot->data + slot->len, PIPELINE_SLOT - slot->len);

		if (n == 0)
			return false;
		slot->len += n;
	}
	return true;
}

static void *read_ahead(void *arg)
{
	struct pipe_source *p = arg;
	struct slot *slot;
	bool more = true;

	while (more && (slot = ring_next_free(&p->ring))) {
		more = fill(p->inner, slot);
		ring_tell(&p->ring, RING_FILLED);
	}
	ring_tell(&p->ring, RING_ENDED);
	return NULL;
}

/* The first slot is filled by the owner; if that is all no thread is needed. */
static struct err *start_reading(struct pipe_source *p)
{
	struct slot *first = ring_next_free(&p->ring);

	p->all = !fill(p->inner, first);
	ring_tell(&p->ring, RING_FILLED);
	if (!p->all)
		return ring_start(&p->ring, read_ahead, p);
	ring_tell(&p->ring, RING_ENDED);
	return NULL;
}

static size_t pipe_source_read(void *self, void *data, size_t len, struct err **err)
{
	struct pipe_source *p = self;
	size_t n;

	if (!p->ring.running && !p->all && (*err = start_reading(p)))
		return 0;
	while (p->slot == NULL || p->at == p->slot->len) {
		if (p->slot)
			ring_tell(&p->ring, RING_TAKEN);
		p->at = 0;
		p->slot = ring_next_full(&p->ring);
		if (!p->slot) {
			ring_join(&p->ring);
			p->all = true;
			*err = source_check(p->inner);
			return 0;
		}
	}
	n = p->slot->len - p->at;
	n = len < n ? len : n;
	memcpy(data, p->slot->data + p->at, n);
	p->at += n;
	return n;
}

static void pipe_source_free(void *self)
{
	struct pipe_source *p = self;

	ring_tell(&p->ring, RING_BROKEN);
	ring_join(&p->ring);
	source_free(p->inner);
	ring_release(&p->ring);
	free(p);
}

struct source *pipeline_source(struct source *inner)
{
	static const struct source_ops ops = { pipe_source_read, pipe_source_free };
	struct pipe_source *p = xcalloc(1, sizeof(*p));

	ring_init(&p->ring);
	p->inner = inner;
	return source_new(&ops, p);
}
