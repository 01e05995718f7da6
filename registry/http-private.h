/*
 * registry/http-private.h - what the files of the transport share.
 *
 * A `transfer` is one request and its response. It travels on a `lane`: one
 * libcurl multi handle and the thread that alone touches it and the easy
 * handles on it. The transport has two lanes, one for bulk and one for small requests,
 * because libcurl decides per multi handle whether connections to a host are shared.
 *
 * Other threads reach a lane by lane_want() only. A transfer belongs to whoever made it; the lane
 * uses it from WANT_START until `done`.
 *
 * Locks: feed, then transfer, then lane; the loop takes none while libcurl calls another.
 */
#ifndef REGISTRY_HTTP_PRIVATE_H
#define REGISTRY_HTTP_PRIVATE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/mem.h"
#include "base/vec.h"
#include "registry/curl-private.h"
#include "registry/http.h"
#include "registry/proxy.h"
#include "registry/ring-private.h"

struct err;
struct lane;
struct trust;
struct url;

#define EXPECT_MIN ((uint64_t)1024 * 1024) /* larger bodies ask first: libcurl's own limit */

struct transfer {
	/* Constant once it has started. */
	const struct curl *curl;
	struct lane *lane;
	CURL *easy;
	struct curl_slist *lines; /* of the request's head */
	struct url *url;
	char *peer; /* "host:port", for messages */
	struct proxy proxy;
	enum http_method method;
	enum address_reach nearest;
	bool bulk;
	struct http_content content; /* borrowed inside */
	uint64_t size;               /* of the content */

	/* The loop's alone. */
	bool is_started; /* connected: from now on bytes have to move */
	bool is_stopping;
	bool feed_is_dry; /* sending is paused until the feed has more */
	bool has_yielded; /* sending is paused for one turn, to read first */
	bool may_yield;   /* ... unless the turn before was given away, too */
	bool is_refusal;  /* this head is a 417: libcurl will send again without Expect */
	bool has_head;
	bool is_led_astray; /* an address was nearer than it may be */
	bool is_inside;     /* what it is connected to is not public */
	bool is_touched;    /* somebody waits for what happened in this turn */
	uint64_t sent;      /* bytes of the content given to libcurl */
	uint64_t moved;     /* bytes in either direction since `since` */
	uint64_t since;     /* nanoseconds */
	size_t head_size;
	struct strings head;
	struct err *own; /* why a callback gave up; owned */
	char detail[CURL_ERROR_SIZE];

	/* Between the loop and the reader. */
	struct ring body;
	atomic_bool is_full; /* receiving is paused until the reader has made room */
	atomic_bool reader_waits;

	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool done;     /* guarded by lock; the lane knows it no more */
	bool is_short; /* guarded by lock; what is left of the body fits the ring */
	struct http_response *response; /* guarded by lock; until send() takes it */
	struct err *err;                /* guarded by lock; how it ended */
	enum http_trouble trouble;      /* guarded by lock */

	unsigned wants; /* guarded by the lane's lock */
};

/* ---- http_transfer.c ---- */

/* Takes over `url` and `proxy`. */
struct transfer *transfer_new(const struct curl *curl, struct lane *lane,
			      const struct http_request *request, struct url *url,
			      struct proxy *proxy) MUST_USE;
/* Run it until the head of its response is here, which becomes the transfer's owner. On failure
 * the transfer has ended, and is the caller's; so it is once the work around this thread has failed. */
struct err *transfer_wait(struct transfer *transfer, struct http_response **ret,
			  enum http_trouble *ret_trouble) MUST_USE;
/* One that has never begun, or has ended. */
void transfer_free(struct transfer *transfer);
DEFINE_AUTO(transfer)

/* For the loop. What ended it: libcurl's `code`, unless `err` (taken over) says otherwise. */
void transfer_finish(struct transfer *transfer, CURLcode code, struct err *err);
void transfer_tell(struct transfer *transfer); /* wake who waits for what happened */
/* True if too little has moved for too long, and nobody here is to blame. */
bool transfer_stalls(struct transfer *transfer, uint64_t now, unsigned stall_timeout);
void transfer_resume(struct transfer *transfer); /* go on with what was paused */

/* What libcurl calls; `self` is the transfer. */
size_t transfer_on_header(char *at, size_t unit, size_t count, void *self);
size_t transfer_on_body(char *at, size_t unit, size_t count, void *self);
size_t transfer_on_content(char *at, size_t unit, size_t count, void *self);
int transfer_on_seek(void *self, curl_off_t offset, int whence);
curl_socket_t transfer_on_socket(void *self, curlsocktype purpose, struct curl_sockaddr *to);
int transfer_on_connected(void *self, char *to, char *from, int to_port, int from_port);

/* ---- http_easy.c ---- */

/* Fill in the transfer's easy handle. */
struct err *transfer_prepare(struct transfer *transfer, const struct http_request *request,
			     struct trust *trust, unsigned connect_timeout) MUST_USE;

/* ---- http_lane.c ---- */

enum want { WANT_START = 1, WANT_RESUME = 2, WANT_STOP = 4 };

struct lane *lane_new(const struct http_opts *opts) MUST_USE;
/* Starts the loop if it does not run yet. */
struct err *lane_start(struct lane *lane, const struct curl *curl) MUST_USE;
/* Any thread. `what` is a set of wants. */
void lane_want(struct transfer *transfer, unsigned what);
void lane_forget(struct transfer *transfer); /* an ended one is about to be freed */
void lane_free(struct lane *lane);           /* every transfer must be gone */

/* ---- http_feed.c ---- */

/* The request that takes from the feed begins; `transfer` may be told to resume from now on. */
void feed_attach(struct http_feed *feed, struct transfer *transfer);
/* It has ended, or takes no more: the writer fails. */
void feed_detach(struct http_feed *feed);
enum feed_state { FEED_HAS, FEED_DRY, FEED_ENDED, FEED_BROKEN };
/* Up to `len` bytes. FEED_DRY: nothing yet, and the transfer will be told. */
enum feed_state feed_take(struct http_feed *feed, void *data, size_t len, size_t *ret_len);

/* ---- http_error.c ---- */

/* What happened, for people and for who decides about trying again. */
struct err *http_explain(struct transfer *transfer, CURLcode code, enum http_trouble *ret_trouble)
	MUST_USE;

/* ---- http_trust.c ---- */

struct config_paths;

struct trust *trust_new(const struct config_paths *paths) MUST_USE;
void trust_free(struct trust *trust);
/* Set whose certificates the handle trusts, and our own. */
struct err *trust_apply(struct trust *trust, const struct curl *curl, CURL *easy,
			const struct http_request *request) MUST_USE;

#endif
