/*
 * registry/http_transfer.c - one request and its response: what libcurl calls, and who waits.
 *
 * libcurl calls back on the loop's thread; nothing here waits there. Content is given
 * to it as it asks; the head is gathered until its blank line; the body goes through
 * a ring. A full ring pauses the transfer, the reader resumes it.
 *
 * A server may answer before it has read the whole content, and close. What was sent
 * after that makes the kernel reset the connection, and the answer may be lost behind the
 * error of a write. So while content is long, whatever has come in is read first: sending is
 * paused for a turn when the socket is readable. Between that look and the write are some
 * microseconds; servers that close at once can hit them, and then it is a broken connection,
 * which is tried again.
 */

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/cancel.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/stream.h"
#include "registry/http-private.h"
#include "registry/url.h"

#define BODY_RING ((size_t)512 * 1024) /* received, and not yet read */
#define WAKE_AT ((size_t)64 * 1024)    /* a reader is woken in the middle of a turn for this */
#define HEAD_MAX ((size_t)256 * 1024)
#define HEAD_LINES_MAX 1000
#define STALL_BYTES 1024   /* a second, or it is a stall */
#define ANSWER_PATIENCE 10 /* times the stall timeout, for the answer to long content */
#define SHORT_BODY ((uint64_t)64 * 1024) /* is worth waiting for, to keep the connection */
#define LINGER_MS 100  /* what a response that nobody read has, to end by itself */
#define LOOK_UP_MS 500 /* who waits looks whether it is still wanted */

/* ---- the reader's side ---- */

/* Under the lock: wait for a change. ETIMEDOUT when nothing has happened for so long. */
static int wait_some(struct transfer *transfer, long milliseconds)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += milliseconds * 1000000L;
	until.tv_sec += until.tv_nsec / 1000000000L;
	until.tv_nsec %= 1000000000L;
	return pthread_cond_timedwait(&transfer->changed, &transfer->lock, &until);
}

static size_t body_read(void *self, void *data, size_t len, struct err **err)
{
	struct transfer *transfer = self;
	size_t n = ring_take(&transfer->body, data, len);

	while (n == 0) {
		bool done;

		pthread_mutex_lock(&transfer->lock);
		atomic_store(&transfer->reader_waits, true);
		while (ring_fill(&transfer->body) == 0 && !transfer->done &&
		       !cancel_stopped(cancel_current()))
			wait_some(transfer, LOOK_UP_MS);
		atomic_store(&transfer->reader_waits, false);
		done = transfer->done;
		if (done && ring_fill(&transfer->body) == 0)
			*err = STEAL(transfer->err);
		pthread_mutex_unlock(&transfer->lock);
		n = ring_take(&transfer->body, data, len);
		if (n == 0 && !done)
			*err = cancel_check();
		if (n == 0 && (done || *err))
			return 0;
	}
	if (ring_room(&transfer->body) >= BODY_RING / 2 &&
	    atomic_exchange(&transfer->is_full, false))
		lane_want(transfer, WANT_RESUME);
	return n;
}

/* A short response that nobody wants to read still ends; then its connection can serve again. */
static void linger(struct transfer *transfer)
{
	uint64_t end = clock_monotonic() + LINGER_MS * UINT64_C(1000000);

	while (!transfer->done && !atomic_load(&transfer->is_full) && clock_monotonic() < end)
		wait_some(transfer, LINGER_MS);
}

static void stop(struct transfer *transfer)
{
	bool done;

	pthread_mutex_lock(&transfer->lock);
	if (transfer->is_short)
		linger(transfer);
	done = transfer->done;
	pthread_mutex_unlock(&transfer->lock);
	if (done)
		return;
	lane_want(transfer, WANT_STOP);
	pthread_mutex_lock(&transfer->lock);
	while (!transfer->done)
		pthread_cond_wait(&transfer->changed, &transfer->lock);
	pthread_mutex_unlock(&transfer->lock);
}

static void body_free(void *self)
{
	struct transfer *transfer = self;

	stop(transfer);
	transfer_free(transfer);
}

static struct source *body_source(struct transfer *transfer)
{
	static const struct source_ops ops = { body_read, body_free };

	return source_new(&ops, transfer);
}

struct err *transfer_wait(struct transfer *transfer, struct http_response **ret,
			  enum http_trouble *ret_trouble)
{
	struct http_response *response;
	struct err *err = NULL;

	pthread_mutex_lock(&transfer->lock);
	while (!transfer->response && !transfer->done && !cancel_stopped(cancel_current()))
		wait_some(transfer, LOOK_UP_MS);
	response = STEAL(transfer->response);
	if (!response && transfer->done) {
		err = STEAL(transfer->err);
		*ret_trouble = transfer->trouble;
	}
	pthread_mutex_unlock(&transfer->lock);
	if (!response && !err) {
		stop(transfer);
		err = cancel_check();
	}
	if (err)
		return err;
	response->body = body_source(transfer);
	*ret = response;
	return NULL;
}

/* ---- the head ---- */

static size_t give_up(struct transfer *transfer, struct err *err)
{
	if (transfer->own)
		err_free(err);
	else
		transfer->own = err;
	return 0;
}

static void head_clear(struct transfer *transfer)
{
	strings_release(&transfer->head);
	transfer->head_size = 0;
	transfer->is_refusal = false;
}

static long status_of(const struct transfer *transfer)
{
	long status = 0;

	transfer->curl->easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
	return status;
}

/* True if what is left of the exchange is no more than a ring holds. */
static bool is_short(const struct transfer *transfer, int status)
{
	curl_off_t length = -1;

	transfer->curl->easy_getinfo(transfer->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
	if (transfer->sent < transfer->size && status < 300)
		return false;
	return transfer->method == HTTP_HEAD || status == 204 || status == 304 ||
	       (length >= 0 && (uint64_t)length <= SHORT_BODY);
}

/* What was gathered is a response. */
static void publish(struct transfer *transfer)
{
	struct http_response *response = xcalloc(1, sizeof(*response));
	long connects = 0;

	transfer->curl->easy_getinfo(transfer->easy, CURLINFO_NUM_CONNECTS, &connects);
	response->status = (int)status_of(transfer);
	response->headers = transfer->head;
	response->reused = connects == 0;
	response->is_inside = transfer->is_inside;
	transfer->head = (struct strings){ 0 };
	transfer->has_head = true;
	transfer->is_touched = true;
	if (transfer->content.feed && response->status >= 300) /* libcurl sends no more */
		feed_detach(transfer->content.feed);
	pthread_mutex_lock(&transfer->lock);
	transfer->response = response;
	transfer->is_short = is_short(transfer, response->status);
	pthread_mutex_unlock(&transfer->lock);
}

/* The blank line has come. */
static void head_end(struct transfer *transfer)
{
	long status = status_of(transfer);

	transfer->is_refusal = status == 417 && transfer->size > EXPECT_MIN && transfer->sent == 0;
	if (status >= 200 && !transfer->is_refusal)
		publish(transfer);
}

/* RFC 9112, 5.2: a line that begins with a blank continues the one before. */
static void head_fold(struct transfer *transfer, struct str line)
{
	char **last = transfer->head.len > 0 ? vec_last(&transfer->head) : NULL;
	char *longer;

	if (!last)
		return;
	line = str_trim(line);
	longer = xasprintf("%s %.*s", *last, STR_ARG(line));
	free(*last);
	*last = longer;
}

size_t transfer_on_header(char *at, size_t unit, size_t count, void *self)
{
	struct transfer *transfer = self;
	struct str line = { at, unit * count };
	size_t len = line.len;
	AUTO(mem) char *text = NULL;

	transfer->moved += len;
	if (transfer->has_head) /* trailers */
		return len;
	if (str_starts(line, "HTTP/")) {
		head_clear(transfer);
		return len;
	}
	transfer->head_size += len;
	if (transfer->head_size > HEAD_MAX || transfer->head.len >= HEAD_LINES_MAX)
		return give_up(transfer,
			       err_new(ERR_NETWORK, "%s: the head of the response is too long",
				       transfer->peer));
	while (line.len > 0 && (line.at[line.len - 1] == '\r' || line.at[line.len - 1] == '\n'))
		line.len--;
	if (line.len == 0) {
		head_end(transfer);
	} else if (*line.at == ' ' || *line.at == '\t') {
		head_fold(transfer, line);
	} else if (memchr(line.at, ':', line.len)) {
		line = str_trim(line);
		text = str_dup(line);
		strings_push(&transfer->head, text);
	}
	return len;
}

/* ---- the body ---- */

size_t transfer_on_body(char *at, size_t unit, size_t count, void *self)
{
	struct transfer *transfer = self;
	size_t len = unit * count;

	if (!transfer->has_head) /* of a refused expectation */
		return len;
	if (ring_room(&transfer->body) < len) {
		/* First say that it is full, then look again: the reader does it the other way round. */
		atomic_store(&transfer->is_full, true);
		if (ring_room(&transfer->body) < len ||
		    !atomic_exchange(&transfer->is_full, false)) {
			transfer->is_touched = true;
			return CURL_WRITEFUNC_PAUSE;
		}
	}
	if (atomic_load(&transfer->is_full)) /* resumed for another reason */
		atomic_store(&transfer->is_full, false);
	transfer->moved += len;
	ring_put(&transfer->body, at, len);
	transfer->is_touched = true;
	if (ring_fill(&transfer->body) >= WAKE_AT && atomic_load(&transfer->reader_waits))
		transfer_tell(transfer);
	return len;
}

/* ---- the content ---- */

/* True if the server has said something that was not read yet. */
static bool has_answer(const struct transfer *transfer)
{
	curl_socket_t fd = CURL_SOCKET_BAD;
	struct pollfd look = { .events = POLLIN };

	if (transfer->curl->easy_getinfo(transfer->easy, CURLINFO_ACTIVESOCKET, &fd) != CURLE_OK)
		return false;
	look.fd = fd;
	return fd != CURL_SOCKET_BAD && poll(&look, 1, 0) > 0;
}

static struct err *file_content(const struct transfer *transfer, char *at, size_t len, size_t *ret)
{
	ssize_t n;

	do {
		n = pread(transfer->content.fd, at, len,
			  (off_t)(transfer->content.offset + transfer->sent));
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_sys("read what is sent to %s", transfer->peer);
	if (n == 0)
		return err_new(ERR_CORRUPT, "what is sent to %s has become shorter",
			       transfer->peer);
	*ret = (size_t)n;
	return NULL;
}

static struct err *feed_content(struct transfer *transfer, char *at, size_t len, size_t *ret)
{
	enum feed_state state;

	do {
		state = feed_take(transfer->content.feed, at, len, ret);
	} while (state == FEED_HAS && *ret == 0);
	if (state == FEED_BROKEN)
		return err_new(ERR_CANCELLED, "what was to be sent to %s has failed",
			       transfer->peer);
	if (state == FEED_ENDED)
		return err_new(ERR_CORRUPT, "what is sent to %s is shorter than announced",
			       transfer->peer);
	transfer->feed_is_dry = state == FEED_DRY;
	return NULL;
}

/* Up to `len` bytes of the content at `sent`; none if a feed is dry. */
static struct err *content_at(struct transfer *transfer, char *at, size_t len, size_t *ret)
{
	uint64_t left = transfer->size - transfer->sent;

	len = len > left ? (size_t)left : len;
	*ret = 0;
	if (len == 0)
		return NULL;
	if (transfer->content.feed)
		return feed_content(transfer, at, len, ret);
	if (transfer->content.from_fd)
		return file_content(transfer, at, len, ret);
	memcpy(at, transfer->content.bytes.at + transfer->sent, len);
	*ret = len;
	return NULL;
}

/* True if this turn is given away, to read first. Never two in a row. */
static bool yields(struct transfer *transfer)
{
	transfer->has_yielded =
		transfer->size > EXPECT_MIN && transfer->may_yield && has_answer(transfer);
	if (transfer->has_yielded)
		transfer->may_yield = false;
	return transfer->has_yielded;
}

size_t transfer_on_content(char *at, size_t unit, size_t count, void *self)
{
	struct transfer *transfer = self;
	struct err *err;
	size_t n;

	if (transfer->content.feed && yields(transfer))
		return CURL_READFUNC_PAUSE;
	err = content_at(transfer, at, unit * count, &n);
	if (err) {
		give_up(transfer, err);
		return CURL_READFUNC_ABORT;
	}
	/* As late as can be; what comes from a feed cannot be taken twice. */
	if (transfer->feed_is_dry || (!transfer->content.feed && yields(transfer)))
		return CURL_READFUNC_PAUSE;
	transfer->may_yield = true;
	transfer->sent += n;
	transfer->moved += n;
	if (transfer->content.taken)
		transfer->content.taken(transfer->content.taken_self, n);
	return n;
}

/* libcurl begins again, on a new connection, after an old one turned out to be dead. */
int transfer_on_seek(void *self, curl_off_t offset, int whence)
{
	struct transfer *transfer = self;

	if (whence != SEEK_SET || offset < 0 || (uint64_t)offset > transfer->size)
		return CURL_SEEKFUNC_FAIL;
	if (transfer->content.feed && (uint64_t)offset != transfer->sent)
		return CURL_SEEKFUNC_CANTSEEK;
	transfer->sent = (uint64_t)offset;
	return CURL_SEEKFUNC_OK;
}

/* ---- the connection ---- */

/* May the transfer go to this address, as far as we are who connects to it? */
static bool may_reach(struct transfer *transfer, const struct address *to)
{
	enum address_reach reach = address_reach(to);

	if (transfer->proxy.url)
		return true;
	transfer->is_inside = reach < ADDRESS_PUBLIC;
	transfer->is_led_astray = transfer->is_led_astray || reach < transfer->nearest;
	return reach >= transfer->nearest;
}

/* Before it is connected: names may lead anywhere. */
curl_socket_t transfer_on_socket(void *self, curlsocktype purpose, struct curl_sockaddr *to)
{
	struct address address = address_of_socket(&to->addr);

	(void)purpose;
	if (!may_reach(self, &address))
		return CURL_SOCKET_BAD;
	return socket(to->family, to->socktype | SOCK_CLOEXEC, to->protocol);
}

/* Before anything is sent, also on a connection that others have made. */
int transfer_on_connected(void *self, char *to, char *from, int to_port, int from_port)
{
	struct transfer *transfer = self;
	struct address address = address_parse(str_of(to));

	(void)from, (void)to_port, (void)from_port;
	if (!may_reach(transfer, &address))
		return CURL_PREREQFUNC_ABORT;
	transfer->is_started = true;
	transfer->moved = 0;
	transfer->since = clock_monotonic();
	return CURL_PREREQFUNC_OK;
}

/* ---- the loop's side ---- */

void transfer_tell(struct transfer *transfer)
{
	transfer->is_touched = false;
	pthread_mutex_lock(&transfer->lock);
	pthread_cond_broadcast(&transfer->changed);
	pthread_mutex_unlock(&transfer->lock);
}

void transfer_resume(struct transfer *transfer)
{
	transfer->has_yielded = false;
	transfer->feed_is_dry = false;
	transfer->since = clock_monotonic();
	transfer->moved = 0;
	transfer->curl->easy_pause(transfer->easy, CURLPAUSE_CONT);
}

bool transfer_stalls(struct transfer *transfer, uint64_t now, unsigned stall_timeout)
{
	uint64_t limit = (uint64_t)stall_timeout * 1000000;
	bool is_ours = atomic_load(&transfer->is_full) || transfer->feed_is_dry;

	if (is_ours || transfer->moved >= (uint64_t)STALL_BYTES * stall_timeout / 1000) {
		transfer->since = now;
		transfer->moved = 0;
	}
	if (transfer->size > EXPECT_MIN && transfer->sent == transfer->size && !transfer->has_head)
		limit *= ANSWER_PATIENCE; /* it may have a long digest to compute */
	return transfer->is_started && now - transfer->since >= limit;
}

void transfer_finish(struct transfer *transfer, CURLcode code, struct err *err)
{
	enum http_trouble trouble = HTTP_BROKEN;

	if (transfer->own && !err)
		err = STEAL(transfer->own);
	if (!err && transfer->is_refusal && code == CURLE_OK)
		publish(transfer); /* nothing came behind it */
	if (!err && (code != CURLE_OK || !transfer->has_head))
		err = http_explain(transfer, code, &trouble);
	if (transfer->content.feed)
		feed_detach(transfer->content.feed);
	pthread_mutex_lock(&transfer->lock);
	transfer->err = err;
	transfer->trouble = trouble;
	transfer->done = true;
	pthread_cond_broadcast(&transfer->changed);
	pthread_mutex_unlock(&transfer->lock);
}

/* ---- making one ---- */

static uint64_t content_size(const struct http_content *content)
{
	return content->feed || content->from_fd ? content->size : content->bytes.len;
}

struct transfer *transfer_new(const struct curl *curl, struct lane *lane,
			      const struct http_request *request, struct url *url,
			      struct proxy *proxy)
{
	struct transfer *transfer = xcalloc(1, sizeof(*transfer));
	pthread_condattr_t attributes;

	transfer->curl = curl;
	transfer->lane = lane;
	transfer->url = url;
	transfer->peer = url_authority(url);
	transfer->proxy = *proxy;
	*proxy = (struct proxy){ 0 };
	transfer->method = request->method;
	transfer->bulk = request->bulk;
	transfer->nearest = request->nearest;
	transfer->content = request->content;
	transfer->size = content_size(&request->content);
	transfer->may_yield = true;
	transfer->body = (struct ring)RING_INIT(BODY_RING);
	pthread_mutex_init(&transfer->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&transfer->changed, &attributes);
	pthread_condattr_destroy(&attributes);
	return transfer;
}

void transfer_free(struct transfer *transfer)
{
	if (!transfer)
		return;
	lane_forget(transfer);
	transfer->curl->easy_cleanup(transfer->easy);
	for (struct curl_slist *line = transfer->lines; line; line = line->next)
		explicit_bzero(line->data, strlen(line->data)); /* who we are is among them */
	transfer->curl->slist_free_all(transfer->lines);
	url_free(transfer->url);
	free(transfer->peer);
	proxy_release(&transfer->proxy);
	strings_release(&transfer->head);
	ring_release(&transfer->body);
	http_response_free(transfer->response);
	err_free(transfer->own);
	err_free(transfer->err);
	pthread_cond_destroy(&transfer->changed);
	pthread_mutex_destroy(&transfer->lock);
	free(transfer);
}
