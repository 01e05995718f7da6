/* registry/upload.c - see registry/upload.h. */

#include "registry/upload.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/progress.h"
#include "base/stream.h"
#include "registry/header.h"
#include "registry/upload-private.h"
#include "store/elsewhere.h"

#define MEBIBYTE ((uint64_t)1024 * 1024)
#define PIECE_FIRST (64 * MEBIBYTE) /* what most proxies that have a limit let through */
#define PIECE_LEAST (1 * MEBIBYTE)
#define MOUNTS_MAX 3 /* repositories that are asked to give it */

/* ---- the ways ---- */

static char *closing_url(const struct upload *u)
{
	char text[DIGEST_TEXT_SIZE];
	AUTO(mem) char *parameter = NULL;

	digest_format(&u->blob->digest, text);
	parameter = xasprintf("digest=%s", text);
	return url_with_parameter(u->location, parameter);
}

enum outcome { DONE, AGAIN, TOO_LARGE, REFUSED };

/* What the status of a request that carried bytes says. */
static enum outcome outcome_of(int status)
{
	switch (status) {
	case 413:
		return TOO_LARGE;
	case 404:
	case 410:
	case 416:
		return AGAIN;
	case 400:
		return REFUSED;
	default:
		return DONE;
	}
}

/* 201 and 204 are what a registry says that has the blob now; any web server says 200. */
static struct err *believe(const struct upload *u, int status)
{
	bool there = true;

	if (status != 201 && status != 204 && outcome_of(status) == DONE)
		TRY(repository_blob_find(u->repo, u->blob, &there));
	if (!there)
		return err_new(ERR_INVALID,
			       "%s answers %d to a blob and does not have it: is it a registry?",
			       u->repo->place->host, status);
	return NULL;
}

static const int accept_carried[] = { 400, 404, 410, 413, 416, 0 };

/* The rest of the blob in one request, which closes the session. */
static struct err *send_whole(struct upload *u, enum outcome *ret)
{
	AUTO(http_response) struct http_response *response = NULL;
	AUTO(mem) char *url = closing_url(u);

	TRY(upload_send(u,
			&(struct upload_call){
				.method = HTTP_PUT,
				.path = url,
				.base = u->location,
				.carries = true,
				.size = u->blob->size - u->offset,
				.accept = accept_carried,
				.once = true,
			},
			&response));
	*ret = outcome_of(response->status);
	return believe(u, response->status);
}

static struct err *send_piece(struct upload *u, uint64_t size, enum outcome *ret)
{
	AUTO(http_response) struct http_response *response = NULL;
	const char *range;
	uint64_t next = 0;

	TRY(upload_send(u,
			&(struct upload_call){
				.method = HTTP_PATCH,
				.path = u->location,
				.base = u->location,
				.carries = true,
				.size = size,
				.accept = accept_carried,
				.once = true,
			},
			&response));
	*ret = outcome_of(response->status);
	if (*ret != DONE)
		return NULL;
	TRY(upload_move_session(u, response));
	range = http_header(response, "Range");
	if (!range || !header_upload_range(range, &next))
		next = u->offset + size;
	if (next <= u->offset || next > u->offset + size)
		return err_new(ERR_INVALID, "%s does not keep what is sent in pieces",
			       u->repo->place->host);
	u->offset = next;
	upload_show(u, next);
	return NULL;
}

/* Piece after piece, and then the end. */
static struct err *send_pieces(struct upload *u, enum outcome *ret)
{
	AUTO(http_response) struct http_response *response = NULL;
	AUTO(mem) char *url = NULL;

	while (u->offset < u->blob->size) {
		uint64_t left = u->blob->size - u->offset;

		TRY(send_piece(u, u->piece && u->piece < left ? u->piece : left, ret));
		if (*ret != DONE)
			return NULL;
	}
	url = closing_url(u);
	TRY(upload_send(u,
			&(struct upload_call){
				.method = HTTP_PUT,
				.path = url,
				.base = u->location,
				.accept = accept_carried,
			},
			&response));
	*ret = outcome_of(response->status);
	return believe(u, response->status);
}

/* ---- when it does not go well ---- */

/* Are the bytes what they should be? Only asked once. */
static struct err *check_bytes(struct upload *u)
{
	AUTO(source) struct source *src = NULL;
	AUTO(sink) struct sink *nowhere = sink_null();

	if (u->hashed)
		return err_new(ERR_INVALID, "%s refuses the blob, although it is whole",
			       u->repo->place->host);
	u->hashed = true;
	if (u->src->open) {
		TRY(u->src->open(u->src->self, &src));
	} else {
		int fd = fcntl(u->src->fd, F_DUPFD_CLOEXEC, 3);

		if (fd < 0)
			return err_sys("open the blob");
		if (lseek(fd, 0, SEEK_SET) < 0) {
			close(fd);
			return err_sys("read the blob");
		}
		src = source_from_fd(fd, "the blob");
	}
	src = source_verify(STEAL(src), &u->blob->digest, u->blob->size);
	return stream_copy(src, nowhere, NULL);
}

static struct err *shrink(struct upload *u)
{
	u->piece = u->piece ? u->piece / 4 : PIECE_FIRST;
	while (u->piece >= u->blob->size && u->piece > PIECE_LEAST)
		u->piece /= 4;
	if (u->piece < PIECE_LEAST || u->piece >= u->blob->size)
		return err_new(ERR_INVALID, "%s takes no request of %ju bytes",
			       u->repo->place->host, (uintmax_t)u->blob->size);
	client_say(u->repo->client, "%s refuses large requests: sending pieces of %ju MiB",
		   u->repo->place->host, (uintmax_t)(u->piece / MEBIBYTE));
	upload_drop_session(u);
	return NULL;
}

/* The connection broke. A second time at about the same place, or a third time without having come
 * further, something counts bytes: also those of pieces that are still too large. (How much was on
 * its way when it broke is not the same every time.) There are new tries for each smaller piece. */
static void notice_limit(struct upload *u)
{
	uint64_t here = atomic_load(&u->taken), before = u->broke_at;
	uint64_t least = before && before < here ? before : here;
	uint64_t piece = (least / 2) & ~(MEBIBYTE - 1);
	bool is_near = here >= before - before / 10 && here <= before + before / 10;

	u->broke_at = least;
	if (least < MEBIBYTE || ++u->breaks < 2 || (u->breaks == 2 && !is_near))
		return;
	if (piece < PIECE_LEAST)
		piece = PIECE_LEAST;
	if (u->piece && u->piece <= piece)
		return;
	u->piece = piece;
	u->broke_at = u->breaks = 0;
	u->tries.done = u->sessions = 0;
	client_say(u->repo->client, "%s breaks large requests: sending pieces of %ju MiB",
		   u->repo->place->host, (uintmax_t)(piece / MEBIBYTE));
}

/* After a request whose fate is unknown: was it done after all, or where does it go on? */
static struct err *recover(struct upload *u, struct err *err, bool *ret_done)
{
	struct err *other = NULL;
	uint64_t before = u->offset;
	bool known = false;

	*ret_done = false;
	if (err_kind(err) != ERR_NETWORK)
		return err;
	notice_limit(u);
	if (!client_try_again(&u->tries, err, HTTP_BROKEN, NULL, &other))
		return err;
	err_free(err);
	TRY(client_wait(&u->tries));
	TRY(repository_blob_find(u->repo, u->blob, ret_done));
	if (*ret_done)
		return NULL;
	TRY(upload_ask_session(u, &known));
	if (!known)
		upload_drop_session(u);
	if (u->offset > before)
		u->tries.done = u->breaks = 0;
	return NULL;
}

static struct err *try_once(struct upload *u, bool *ret_done)
{
	enum outcome outcome = DONE;
	struct err *err;

	*ret_done = false;
	if (!u->location)
		TRY(upload_begin_session(u));
	/* A session that has some bytes already gets the rest as one piece: a PUT of a rest is not
	 * understood everywhere. */
	err = u->piece || u->offset ? send_pieces(u, &outcome) : send_whole(u, &outcome);
	if (err)
		return recover(u, err, ret_done);
	switch (outcome) {
	case DONE:
		*ret_done = true;
		return NULL;
	case TOO_LARGE:
		return shrink(u);
	case REFUSED:
		TRY(check_bytes(u));
		upload_drop_session(u);
		return NULL;
	case AGAIN:
		upload_drop_session(u);
		return NULL;
	}
	return NULL;
}

/* Where another process left off. */
static struct err *take_up(struct upload *u)
{
	bool known = false;

	if (!u->store || u->blob->size < UPLOAD_NOTED_SIZE)
		return NULL;
	u->location = elsewhere_upload(u->store, &u->blob->digest, u->name);
	if (!u->location)
		return NULL;
	/* Whatever is wrong with it, a new one is as good. */
	err_free(upload_ask_session(u, &known));
	if (!known)
		upload_drop_session(u);
	return NULL;
}

static struct err *send(struct upload *u)
{
	bool done = false;

	if (!u->location)
		TRY(take_up(u));
	while (!done)
		TRY(try_once(u, &done));
	upload_drop_session(u);
	upload_show(u, u->blob->size);
	return NULL;
}

/* ---- mounting ---- */

static char *pair_name(const struct upload *u, const char *from)
{
	return xasprintf("%s %s", u->name, from);
}

static bool is_mountable(const struct upload *u, const char *from)
{
	AUTO(mem) char *pair = pair_name(u, from);
	struct client *client = u->repo->client;
	bool known_bad;

	pthread_mutex_lock(&client->lock);
	known_bad = map_has(&client->no_mounts, str_of(pair));
	pthread_mutex_unlock(&client->lock);
	return !known_bad && strcmp(from, u->repo->place->path) != 0;
}

static void note_no_mount(const struct upload *u, const char *from)
{
	AUTO(mem) char *pair = pair_name(u, from);
	struct client *client = u->repo->client;

	pthread_mutex_lock(&client->lock);
	map_put(&client->no_mounts, str_of(pair), client);
	pthread_mutex_unlock(&client->lock);
}

/* Ask for it from one repository. Whatever the answer, the push goes on: with the session that was
 * opened instead, or with one of its own. */
static struct err *mount_from(struct upload *u, const char *from, bool *ret)
{
	static const int accept[] = {
		400, 401, 403, 404, 405, 409, 412, 422, 500, 501, 502, 503, 0
	};
	AUTO(http_response) struct http_response *response = NULL;
	char text[DIGEST_TEXT_SIZE];
	AUTO(mem)
	char *path = xasprintf("/blobs/uploads/?mount=%s&from=%s",
			       digest_format(&u->blob->digest, text), from);
	struct err *err = upload_send(u,
				      &(struct upload_call){
					      .method = HTTP_POST,
					      .path = path,
					      .also_pull = from,
					      .accept = accept,
					      .once = true,
				      },
				      &response);

	*ret = false;
	if (err_kind(err) == ERR_CANCELLED)
		return err;
	if (err || (response->status != 201 && response->status != 202)) {
		err_free(err);
		note_no_mount(u, from);
		return NULL;
	}
	*ret = response->status == 201;
	if (*ret)
		return NULL;
	note_no_mount(u, from);
	err_free(
		upload_move_session(u, response)); /* without a place a session is begun as usual */
	return NULL;
}

static struct err *mount(struct upload *u, bool *ret)
{
	AUTO(strings) struct strings from = { 0 };
	unsigned asked = 0;

	*ret = false;
	if (!u->store)
		return NULL;
	elsewhere_list(u->store, &u->blob->digest, u->repo->place->server, &from);
	vec_foreach (&from, path) {
		if (u->location || asked == MOUNTS_MAX)
			break;
		if (!is_mountable(u, *path))
			continue;
		asked++;
		TRY(mount_from(u, *path, ret));
		if (*ret)
			break;
	}
	return NULL;
}

/* ---- all of it ---- */

static struct err *place_blob(struct upload *u, enum upload_way *ret)
{
	bool there = false;

	*ret = UPLOAD_PRESENT;
	TRY(repository_blob_find(u->repo, u->blob, &there));
	if (there)
		return NULL;
	*ret = UPLOAD_MOUNTED;
	TRY(mount(u, &there));
	if (there)
		return NULL;
	*ret = UPLOAD_SENT;
	return send(u);
}

struct err *upload_blob(const struct repository *repo, struct store *store,
			const struct descriptor *blob, const struct upload_source *src,
			struct progress *progress, enum upload_way *ret)
{
	char text[DIGEST_TEXT_SIZE];
	struct upload u = {
		.repo = repo,
		.store = store,
		.blob = blob,
		.src = src,
		.progress = progress,
		.name = xasprintf("%s/%s", repo->place->server, repo->place->path),
		.tries = {
			.client = repo->client,
			.host = host_of(repo->client, repo->place->server),
			.name = repo->place->host,
			.method = HTTP_PUT,
		},
	};
	struct err *err;

	digest_format(&blob->digest, text);
	u.id = progress_begin(progress, text, blob->size);
	err = err_wrap(place_blob(&u, ret), "blob %s", text);
	if (!err) {
		/* What was not sent has moved no bytes: a display tells it from what was. */
		if (*ret == UPLOAD_SENT)
			upload_show(&u, blob->size);
		if (store)
			elsewhere_add(store, &blob->digest, u.name);
	}
	progress_end(progress, u.id, !err);
	free(u.location);
	free(u.name);
	return err;
}
