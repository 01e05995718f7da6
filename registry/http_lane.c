/*
 * registry/http_lane.c - a loop on a thread of its own, which alone touches libcurl's handles.
 *
 * A turn: take what others want, let libcurl work, collect what has ended, stop what
 * nobody wants, wake who waits, look for stalls, sleep. The loop ends when the lane is
 * freed. Once the process is told to stop, every transfer fails at once.
 */

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/cancel.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/vec.h"
#include "registry/http-private.h"

#define IDLE_CONNECTIONS 32L /* kept for reuse */
#define REST 60000           /* milliseconds between turns when nothing is going on */
#define TURN_MAX 1000        /* while something is */
#define TURN_MIN 5

struct wanted {
	struct transfer *transfer;
	unsigned what;
};

struct lane {
	const struct curl *curl; /* set when the loop starts, as `multi` */
	CURLM *multi;
	struct http_opts opts;
	pthread_t thread;

	pthread_mutex_t lock;
	bool is_running;                /* guarded by lock */
	bool is_closing;                /* guarded by lock */
	VEC(struct transfer *) wanting; /* guarded by lock; those with `wants`, in order */

	VEC(struct transfer *) active; /* the loop's */
};

/* ---- the loop ---- */

static void finish(struct lane *lane, size_t at, CURLcode code, struct err *err)
{
	struct transfer *transfer = lane->active.at[at];

	lane->active.at[at] = *vec_last(&lane->active);
	lane->active.len--;
	lane->curl->multi_remove_handle(lane->multi, transfer->easy);
	transfer_finish(transfer, code, err); /* its owner may have freed it by now */
}

static size_t index_of(const struct lane *lane, const struct transfer *transfer)
{
	size_t at = 0;

	while (at < lane->active.len && lane->active.at[at] != transfer)
		at++;
	return at;
}

static void start(struct lane *lane, struct transfer *transfer)
{
	CURLMcode code = lane->curl->multi_add_handle(lane->multi, transfer->easy);

	vec_push(&lane->active, transfer);
	if (code != CURLM_OK)
		finish(lane, lane->active.len - 1, CURLE_FAILED_INIT, NULL);
}

/* What others want. Returns false when the lane closes and nothing is left to do. */
static bool take_wants(struct lane *lane)
{
	VEC(struct wanted) taken = { 0 };
	bool is_closing;

	pthread_mutex_lock(&lane->lock);
	vec_foreach (&lane->wanting, transfer) {
		vec_push(&taken, (struct wanted){ *transfer, (*transfer)->wants });
		(*transfer)->wants = 0;
	}
	lane->wanting.len = 0;
	is_closing = lane->is_closing;
	pthread_mutex_unlock(&lane->lock);

	/* What is not active may be freed by now: its address alone is looked at. */
	vec_foreach (&taken, want) {
		bool is_active = index_of(lane, want->transfer) < lane->active.len;

		if (want->what & WANT_START)
			start(lane, want->transfer);
		else if (is_active && !(want->what & WANT_STOP))
			transfer_resume(want->transfer);
		if (is_active && want->what & WANT_STOP)
			want->transfer->is_stopping = true;
	}
	vec_release(&taken);
	return !is_closing || lane->active.len > 0;
}

static void collect_ended(struct lane *lane)
{
	CURLMsg *message;
	int left;

	while ((message = lane->curl->multi_info_read(lane->multi, &left))) {
		CURLcode code = message->data.result;
		struct transfer *transfer = NULL;

		if (message->msg != CURLMSG_DONE)
			continue;
		lane->curl->easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &transfer);
		finish(lane, index_of(lane, transfer), code, NULL);
	}
}

/* Backwards, because finish() moves the last one into the gap. */
static void stop_unwanted(struct lane *lane)
{
	for (size_t i = lane->active.len; i-- > 0;) {
		if (lane->active.at[i]->is_stopping)
			finish(lane, i, CURLE_ABORTED_BY_CALLBACK,
			       err_new(ERR_CANCELLED, "not wanted any more"));
	}
}

static void stop_all(struct lane *lane)
{
	while (lane->active.len > 0)
		finish(lane, lane->active.len - 1, CURLE_ABORTED_BY_CALLBACK, cancel_check());
}

static void stop_stalled(struct lane *lane)
{
	uint64_t now = clock_monotonic();

	for (size_t i = lane->active.len; i-- > 0;) {
		struct transfer *transfer = lane->active.at[i];

		if (transfer_stalls(transfer, now, lane->opts.stall_timeout))
			finish(lane, i, CURLE_OPERATION_TIMEDOUT,
			       err_new(ERR_NETWORK, "%s: stalled: less than 1 kB/s for %u s",
				       transfer->peer, (lane->opts.stall_timeout + 999) / 1000));
	}
}

/* True if somebody gave its turn away to read first: the next one comes at once. */
static bool tell_readers(struct lane *lane)
{
	bool has_yielded = false;

	vec_foreach (&lane->active, transfer) {
		if ((*transfer)->is_touched)
			transfer_tell(*transfer);
		if ((*transfer)->has_yielded) {
			transfer_resume(*transfer);
			has_yielded = true;
		}
	}
	return has_yielded;
}

static void sleep_until_needed(struct lane *lane, bool is_cancelled)
{
	struct curl_waitfd bell = { .fd = cancel_fd(), .events = CURL_WAIT_POLLIN };
	unsigned turn = lane->opts.stall_timeout / 8;

	turn = turn > TURN_MAX ? TURN_MAX : turn < TURN_MIN ? TURN_MIN : turn;
	lane->curl->multi_poll(lane->multi, &bell, bell.fd >= 0 && !is_cancelled ? 1 : 0,
			       lane->active.len > 0 ? (int)turn : REST, NULL);
}

static void *run(void *arg)
{
	struct lane *lane = arg;
	bool is_cancelled = false;
	int running;

	while (take_wants(lane)) {
		lane->curl->multi_perform(lane->multi, &running);
		collect_ended(lane);
		stop_unwanted(lane);
		is_cancelled = cancel_signal() != 0;
		if (is_cancelled)
			stop_all(lane);
		if (tell_readers(lane))
			continue;
		stop_stalled(lane);
		sleep_until_needed(lane, is_cancelled);
	}
	return NULL;
}

/* ---- for other threads ---- */

struct lane *lane_new(const struct http_opts *opts)
{
	struct lane *lane = xcalloc(1, sizeof(*lane));

	lane->opts = *opts;
	pthread_mutex_init(&lane->lock, NULL);
	return lane;
}

/* The loop gets no signals: they are for threads that wait in system calls; and a write to a
 * connection that is gone must be an error there, not SIGPIPE. */
static struct err *start_thread(struct lane *lane)
{
	sigset_t all, before;
	int failed;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	failed = pthread_create(&lane->thread, NULL, run, lane);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	errno = failed;
	return failed ? err_sys("start the network's thread") : NULL;
}

static struct err *start_loop(struct lane *lane, const struct curl *curl)
{
	if (!lane->multi) {
		lane->curl = curl;
		lane->multi = curl->multi_init();
		if (!lane->multi)
			return err_new(ERR_INTERNAL, "libcurl: no handle");
		curl->multi_setopt(lane->multi, CURLMOPT_MAX_HOST_CONNECTIONS,
				   (long)lane->opts.per_host);
		curl->multi_setopt(lane->multi, CURLMOPT_MAXCONNECTS, IDLE_CONNECTIONS);
		curl->multi_setopt(lane->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_MULTIPLEX);
	}
	/* Without the descriptors for it the library goes on, but nobody could wake the loop. */
	if (curl->multi_wakeup(lane->multi) != CURLM_OK) {
		errno = EMFILE;
		return err_sys("make what wakes the network's thread");
	}
	TRY(start_thread(lane));
	lane->is_running = true;
	return NULL;
}

struct err *lane_start(struct lane *lane, const struct curl *curl)
{
	struct err *err = NULL;

	pthread_mutex_lock(&lane->lock);
	if (!lane->is_running)
		err = start_loop(lane, curl);
	pthread_mutex_unlock(&lane->lock);
	return err;
}

void lane_want(struct transfer *transfer, unsigned what)
{
	struct lane *lane = transfer->lane;

	pthread_mutex_lock(&lane->lock);
	if (transfer->wants == 0)
		vec_push(&lane->wanting, transfer);
	transfer->wants |= what;
	lane->curl->multi_wakeup(lane->multi);
	pthread_mutex_unlock(&lane->lock);
}

void lane_forget(struct transfer *transfer)
{
	struct lane *lane = transfer->lane;

	pthread_mutex_lock(&lane->lock);
	for (size_t i = lane->wanting.len; i-- > 0;) {
		if (lane->wanting.at[i] != transfer)
			continue;
		lane->wanting.len--;
		memmove(&lane->wanting.at[i], &lane->wanting.at[i + 1],
			(lane->wanting.len - i) * sizeof(*lane->wanting.at));
	}
	pthread_mutex_unlock(&lane->lock);
}

void lane_free(struct lane *lane)
{
	bool is_running;

	if (!lane)
		return;
	pthread_mutex_lock(&lane->lock);
	lane->is_closing = true;
	is_running = lane->is_running;
	if (is_running)
		lane->curl->multi_wakeup(lane->multi);
	pthread_mutex_unlock(&lane->lock);
	if (is_running)
		pthread_join(lane->thread, NULL);
	if (lane->multi)
		lane->curl->multi_cleanup(lane->multi);
	vec_release(&lane->wanting);
	vec_release(&lane->active);
	pthread_mutex_destroy(&lane->lock);
	free(lane);
}
