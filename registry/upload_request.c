/* registry/upload_request.c - the requests of an upload. See registry/upload-private.h. */

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/progress.h"
#include "base/stream.h"
#include "registry/header.h"
#include "registry/upload-private.h"
#include "store/elsewhere.h"

#define SESSIONS_MAX 5 /* uploads that are begun for one blob */

/* ---- the bytes ---- */

/* A part of a stream that is opened anew for every request, on its way into it. */
struct pump {
	const struct upload *u;
	uint64_t offset, size;
	struct http_feed *feed;
	pthread_t thread;
	bool running;
	struct err *err;
};

static struct err *discard(struct source *src, uint64_t len)
{
	char data[16 * 1024];

	while (len) {
		size_t n = source_read(src, data, len < sizeof(data) ? (size_t)len : sizeof(data));

		if (n == 0) {
			struct err *err = source_check(src);

			return err ? err : err_new(ERR_CORRUPT, "the blob ends early");
		}
		len -= n;
	}
	return NULL;
}

static struct err *pump_bytes(struct pump *pump)
{
	AUTO(source) struct source *src = NULL;
	AUTO(source) struct source *part = NULL;
	uint64_t copied = 0;

	TRY(pump->u->src->open(pump->u->src->self, &src));
	TRY(discard(src, pump->offset));
	part = source_slice(src, pump->size);
	TRY(stream_copy(part, http_feed_sink(pump->feed), &copied));
	if (copied < pump->size)
		return err_new(ERR_CORRUPT, "the blob ends early");
	/* The last piece ends with the stream, so that its verification is heard. */
	if (pump->offset + pump->size == pump->u->blob->size) {
		char more;

		if (source_read(src, &more, 1))
			return err_new(ERR_CORRUPT, "the blob is longer than it should be");
		TRY(source_check(src));
	}
	return sink_finish(http_feed_sink(pump->feed));
}

static void *pump_run(void *arg)
{
	struct pump *pump = arg;

	pump->err = pump_bytes(pump);
	if (pump->err)
		http_feed_break(pump->feed);
	return NULL;
}

void upload_show(struct upload *u, uint64_t done)
{
	if (done > u->shown) {
		progress_advance(u->progress, u->id, done - u->shown);
		u->shown = done;
	}
}

/* On the transport's thread, while ours waits for it. */
static void taken(void *self, size_t n)
{
	struct upload *u = self;

	upload_show(u, u->offset + atomic_fetch_add(&u->taken, n) + n);
}

/* What a request is to carry. */
static struct err *load(struct upload *u, uint64_t size, struct http_content *content,
			struct pump *pump)
{
	*content = (struct http_content){ .size = size, .taken = taken, .taken_self = u };
	atomic_store(&u->taken, 0);
	if (!u->src->open) {
		content->fd = u->src->fd;
		content->from_fd = true;
		content->offset = u->offset;
		return NULL;
	}
	*pump = (struct pump){ .u = u, .offset = u->offset, .size = size };
	pump->feed = http_feed_new();
	content->feed = pump->feed;
	if (pthread_create(&pump->thread, NULL, pump_run, pump) != 0)
		return err_new(ERR_SYSTEM, "no thread for an upload");
	pump->running = true;
	return NULL;
}

/* Have done with a request: what the server says beyond its headers is of no use, and only then will
 * nothing be taken from the feed any more. */
static void end_request(struct http_response *response)
{
	AUTO(buf) struct buf said = BUF_INIT((size_t)64 * 1024);

	err_free(client_read(response, said.max, "the answer", &said));
	source_free(response->body);
	response->body = source_from_memory(NULL, 0);
}

/* After the request. The error of the stream explains that of the request. */
static struct err *unload(struct pump *pump, struct http_response *response, struct err *err)
{
	if (response && pump->feed)
		end_request(response);
	if (pump->running) {
		if (err)
			http_feed_break(pump->feed);
		pthread_join(pump->thread, NULL);
		if (pump->err && err_kind(pump->err) != ERR_CANCELLED) {
			err_free(err);
			err = STEAL(pump->err);
		}
		err_free(pump->err);
	}
	http_feed_free(pump->feed);
	return err;
}

/* ---- requests and sessions ---- */

struct err *upload_send(struct upload *u, const struct upload_call *call,
			struct http_response **ret)
{
	AUTO(strings) struct strings headers = { 0 };
	AUTO(mem) char *range = NULL;
	struct pump pump = { 0 };
	struct client_request request = {
		.method = call->method,
		.place = u->repo->place,
		.path = call->path,
		.base = call->base,
		.actions = "pull,push",
		.also_pull = call->also_pull,
		.headers = &headers,
		.accept = call->accept,
		.once = call->once,
		.bulk = call->carries,
	};
	struct err *err = NULL;

	if (call->carries) {
		strings_push(&headers, "Content-Type: application/octet-stream");
		err = load(u, call->size, &request.content, &pump);
	}
	if (call->method == HTTP_PATCH) {
		range = xasprintf("Content-Range: %ju-%ju", (uintmax_t)u->offset,
				  (uintmax_t)(u->offset + call->size - 1));
		strings_push(&headers, range);
	}
	if (!err)
		err = client_send(u->repo->client, &request, ret);
	return unload(&pump, err ? NULL : *ret, err);
}

void upload_drop_session(struct upload *u)
{
	if (u->location && u->store && u->blob->size >= UPLOAD_NOTED_SIZE)
		elsewhere_set_upload(u->store, &u->blob->digest, u->name, NULL);
	free(u->location);
	u->location = NULL;
	u->offset = 0;
}

/* The session goes on at the Location of the response; if there is none, where it was. */
struct err *upload_move_session(struct upload *u, const struct http_response *response)
{
	const char *location = http_header(response, "Location");
	AUTO(url) struct url *here = NULL;
	AUTO(url) struct url *next = NULL;

	if (!location && u->location)
		return NULL;
	if (!location)
		return err_new(ERR_INVALID, "%s begins an upload and does not say where",
			       u->repo->place->host);
	TRY(url_parse(response->url, &here));
	TRY(url_resolve(here, location, &next));
	free(u->location);
	u->location = xstrdup(next->text);
	if (u->store && u->blob->size >= UPLOAD_NOTED_SIZE)
		elsewhere_set_upload(u->store, &u->blob->digest, u->name, u->location);
	return NULL;
}

/* The smallest piece that the registry takes. */
static void heed_least(struct upload *u, const struct http_response *response)
{
	const char *text = http_header(response, "OCI-Chunk-Min-Length");
	uint64_t least = 0;
	AUTO(err)
	struct err *err = text ? num_parse(str_of(text), 1, UPLOAD_PIECE_MOST, &least) : NULL;

	if (!err && u->piece && u->piece < least)
		u->piece = least;
}

struct err *upload_begin_session(struct upload *u)
{
	AUTO(http_response) struct http_response *response = NULL;

	if (u->sessions++ == SESSIONS_MAX)
		return err_new(ERR_NETWORK, "%s lost the upload %d times", u->repo->place->host,
			       SESSIONS_MAX);
	TRY(upload_send(u, &(struct upload_call){ .method = HTTP_POST, .path = "/blobs/uploads/" },
			&response));
	u->offset = 0;
	TRY(upload_move_session(u, response));
	heed_least(u, response);
	return NULL;
}

/* How far the session has come. False if the registry does not know it any more, or will not say. */
struct err *upload_ask_session(struct upload *u, bool *ret)
{
	static const int accept[] = { 400, 403, 404, 405, 410, 416, 501, 0 };
	AUTO(http_response) struct http_response *response = NULL;
	const char *range;
	uint64_t next = 0;

	*ret = false;
	TRY(upload_send(u,
			&(struct upload_call){
				.method = HTTP_GET,
				.path = u->location,
				.base = u->location,
				.accept = accept,
			},
			&response));
	range = http_header(response, "Range");
	if (response->status != 204 || !range || !header_upload_range(range, &next) ||
	    next > u->blob->size)
		return NULL;
	TRY(upload_move_session(u, response));
	u->offset = next;
	upload_show(u, next);
	*ret = true;
	return NULL;
}
