/*
 * registry/http_feed.c - a pipe into a request. See http_feed_new() in registry/http.h.
 *
 * The writer waits here while the ring is full; the loop never waits: it pauses the
 * transfer when there is nothing to take, and the writer's next bytes resume it.
 */

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>

#include "base/cancel.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/stream.h"
#include "registry/http-private.h"

#define FEED_SIZE ((size_t)512 * 1024)
#define CANCEL_POLL 1 /* seconds: before a request has begun nobody else looks for signals */

struct http_feed {
	struct sink *sink; /* owned */
	struct ring ring;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct transfer *transfer; /* guarded by lock, as all below; whom to resume; may be NULL */
	bool is_dry;               /* the transfer waits for bytes */
	bool is_finished;          /* by the writer */
	bool is_broken;            /* by the writer */
	bool is_closed;            /* by the end of the request */
};

/* Under the lock: the transfer may go on. */
static void resume(struct http_feed *feed)
{
	if (feed->transfer && feed->is_dry)
		lane_want(feed->transfer, WANT_RESUME);
	feed->is_dry = false;
	pthread_cond_broadcast(&feed->changed);
}

/* Wait until there is room, or no use in waiting. */
static void wait_for_room(struct http_feed *feed)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += CANCEL_POLL;
	pthread_mutex_lock(&feed->lock);
	while (ring_room(&feed->ring) == 0 && !feed->is_closed) {
		if (pthread_cond_timedwait(&feed->changed, &feed->lock, &until) == ETIMEDOUT)
			break;
	}
	pthread_mutex_unlock(&feed->lock);
}

static struct err *feed_write(void *self, const void *data, size_t len)
{
	struct http_feed *feed = self;

	for (size_t done = 0; done < len;) {
		size_t n = ring_put(&feed->ring, (const char *)data + done, len - done);
		bool is_closed;

		pthread_mutex_lock(&feed->lock);
		is_closed = feed->is_closed;
		if (n > 0)
			resume(feed);
		pthread_mutex_unlock(&feed->lock);
		if (is_closed)
			return err_new(ERR_CANCELLED, "the request has ended before its content");
		TRY(cancel_check());
		if (n == 0)
			wait_for_room(feed);
		done += n;
	}
	return NULL;
}

static struct err *feed_finish(void *self)
{
	struct http_feed *feed = self;

	pthread_mutex_lock(&feed->lock);
	feed->is_finished = true;
	resume(feed);
	pthread_mutex_unlock(&feed->lock);
	return NULL;
}

static void feed_sink_free(void *self)
{
	(void)self; /* the feed outlives its sink */
}

struct http_feed *http_feed_new(void)
{
	static const struct sink_ops ops = { feed_write, feed_finish, feed_sink_free };
	struct http_feed *feed = xcalloc(1, sizeof(*feed));
	pthread_condattr_t attributes;

	feed->ring = (struct ring)RING_INIT(FEED_SIZE);
	feed->sink = sink_new(&ops, feed);
	pthread_mutex_init(&feed->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&feed->changed, &attributes);
	pthread_condattr_destroy(&attributes);
	return feed;
}

struct sink *http_feed_sink(struct http_feed *feed)
{
	return feed->sink;
}

void http_feed_break(struct http_feed *feed)
{
	pthread_mutex_lock(&feed->lock);
	feed->is_broken = true;
	resume(feed);
	pthread_mutex_unlock(&feed->lock);
}

void http_feed_free(struct http_feed *feed)
{
	if (!feed)
		return;
	sink_free(feed->sink);
	ring_release(&feed->ring);
	pthread_cond_destroy(&feed->changed);
	pthread_mutex_destroy(&feed->lock);
	free(feed);
}

/* ---- for the loop ---- */

void feed_attach(struct http_feed *feed, struct transfer *transfer)
{
	pthread_mutex_lock(&feed->lock);
	feed->transfer = transfer;
	pthread_mutex_unlock(&feed->lock);
}

void feed_detach(struct http_feed *feed)
{
	pthread_mutex_lock(&feed->lock);
	feed->transfer = NULL;
	feed->is_closed = true;
	pthread_cond_broadcast(&feed->changed);
	pthread_mutex_unlock(&feed->lock);
}

enum feed_state feed_take(struct http_feed *feed, void *data, size_t len, size_t *ret_len)
{
	enum feed_state state = FEED_HAS;

	*ret_len = ring_take(&feed->ring, data, len);
	pthread_mutex_lock(&feed->lock);
	if (feed->is_broken) {
		state = FEED_BROKEN;
	} else if (*ret_len > 0) {
		pthread_cond_broadcast(&feed->changed);
	} else if (ring_fill(&feed->ring) == 0) { /* bytes that came meanwhile: ask again */
		state = feed->is_finished ? FEED_ENDED : FEED_DRY;
		feed->is_dry = state == FEED_DRY;
	}
	pthread_mutex_unlock(&feed->lock);
	return state;
}
