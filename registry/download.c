/* registry/download.c - see registry/download.h. */

#include "registry/download.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/lock.h"
#include "base/progress.h"
#include "base/stream.h"
#include "registry/client-private.h"
#include "registry/outside.h"
#include "store/blob.h"
#include "store/store.h"

#define ADVANCE \
	((uint64_t)1024 * 1024) /* a transfer that came so far since it broke may break again */

/* The bytes of a blob, from wherever they are: first those that are here, then those of the first
 * place that has them, from where the last one left off. */
struct download {
	const struct download_from *from;
	size_t place; /* that is asked now: repositories first, then URLs */
	char *name;   /* of its host, for messages; owned */
	const struct descriptor *blob;
	struct blob_writer *writer;
	uint64_t have; /* bytes in the writer's file when it was opened */
	uint64_t at;   /* bytes read, hashed and kept so far */
	uint64_t mark; /* `at` when a transfer last broke */
	struct http_response *response;
	struct client_tries tries;
	bool pieced; /* not all of it came from one answer */
	bool wrong;  /* what came is not the blob */
	struct progress *progress;
	uint64_t id;
};

static void leave(struct download *d)
{
	http_response_free(d->response);
	d->response = NULL;
}

/* The repository that is asked now; NULL if it is a URL. */
static const struct repository *repository_of(const struct download *d)
{
	return d->place < d->from->sources->len ? &d->from->sources->at[d->place] : NULL;
}

static const char *url_of(const struct download *d)
{
	return d->from->urls->at[d->place - d->from->sources->len];
}

static bool has_next(const struct download *d)
{
	return d->place + 1 < d->from->sources->len + (d->from->urls ? d->from->urls->len : 0);
}

static void start_tries(struct download *d)
{
	const struct repository *repo = repository_of(d);
	struct client *client = repo ? repo->client : d->from->sources->at[0].client;

	free(d->name);
	d->name = repo ? xstrdup(repo->place->host) : outside_name(url_of(d));
	d->tries = (struct client_tries){
		.client = client,
		.host = host_of(client, repo ? repo->place->server : d->name),
		.name = d->name,
		.method = HTTP_GET,
	};
}

/* What the registry sends again although it is here: to be read past. */
static struct err *skip(struct download *d, uint64_t len)
{
	char data[16 * 1024];

	while (len) {
		size_t n = source_read(d->response->body, data,
				       len < sizeof(data) ? (size_t)len : sizeof(data));

		if (n == 0) {
			struct err *err = source_check(d->response->body);

			return err ? err : err_new(ERR_NETWORK, "the registry sent too little");
		}
		len -= n;
	}
	return NULL;
}

/* This place will not do. Is there another? */
static struct err *move_on(struct download *d, struct err *err)
{
	if (err_kind(err) == ERR_CANCELLED || !has_next(d))
		return err;
	client_say(d->tries.client, "%s: trying another place", err_text(err));
	err_free(err);
	d->place++;
	start_tries(d);
	return NULL;
}

/* A transfer broke. Is there a way to go on? */
static struct err *recover(struct download *d, struct err *err)
{
	struct err *other = NULL;

	leave(d);
	if (d->at >= d->mark + ADVANCE)
		d->tries.done = 0;
	d->mark = d->at;
	if (err_kind(err) == ERR_NETWORK &&
	    client_try_again(&d->tries, err, HTTP_BROKEN, NULL, &other)) {
		err_free(err);
		return NULL;
	}
	return move_on(d, err);
}

/* No error and no response: it must be begun again. A request that got no answer was tried by the
 * client as often as it may be. */
static struct err *connect_at(struct download *d)
{
	uint64_t offset = 0;
	struct err *err;

	TRY(client_wait(&d->tries));
	d->pieced = d->pieced || d->at > 0;
	if (repository_of(d))
		err = repository_blob_get(repository_of(d), d->blob, d->at, &d->response, &offset);
	else
		err = outside_blob_get(d->tries.client, url_of(d), d->blob, d->at, &d->response,
				       &offset);
	if (err)
		return move_on(d, err);
	err = offset < d->at ? skip(d, d->at - offset) : NULL;
	return err ? recover(d, err) : NULL;
}

static struct err *read_back(struct download *d, void *data, size_t len, size_t *ret)
{
	TRY(blob_read_back(d->writer, d->at, data, len, ret));
	if (*ret == 0)
		return err_new(ERR_CORRUPT, "the partial download has become shorter");
	return NULL;
}

/* Some bytes more of the network; none if the transfer must be begun again. */
static struct err *read_on(struct download *d, void *data, size_t len, size_t *ret)
{
	uint64_t left = d->blob->size - d->at;
	struct err *err;

	*ret = 0;
	if (!d->response)
		TRY(connect_at(d));
	if (!d->response)
		return NULL;
	/* One byte more than there should be, to see whether it is there. */
	if (len > left)
		len = (size_t)left + (len > left);
	*ret = source_read(d->response->body, data, len);
	if (*ret > left)
		return err_new(ERR_CORRUPT, "%s sends more than the %ju bytes of the blob", d->name,
			       (uintmax_t)d->blob->size);
	if (*ret)
		return NULL;
	err = source_check(d->response->body);
	return recover(d, err ? err :
				err_new(ERR_NETWORK, "%s sends only %ju of %ju bytes of the blob",
					d->name, (uintmax_t)d->at, (uintmax_t)d->blob->size));
}

/* The last bytes are given out only when all are known to be right, and the blob has its name. */
static struct err *keep(struct download *d, const void *data, size_t n)
{
	if (d->at >= d->have)
		progress_advance(d->progress, d->id, n);
	sink_write(blob_sink(d->writer), data, n);
	d->at += n;
	if (d->at < d->blob->size)
		return sink_check(blob_sink(d->writer));
	return blob_commit(d->writer, &d->blob->digest, NULL, NULL);
}

static size_t download_read(void *self, void *data, size_t len, struct err **err)
{
	struct download *d = self;
	size_t n = 0;

	while (n == 0 && !*err && d->at < d->blob->size)
		*err = d->at < d->have ? read_back(d, data, len, &n) : read_on(d, data, len, &n);
	if (n && !*err)
		*err = keep(d, data, n);
	d->wrong = d->wrong || err_kind(*err) == ERR_CORRUPT;
	return *err ? 0 : n;
}

static void download_free(void *self)
{
	(void)self; /* the caller's */
}

/* Read all of it, through the taker if there is one. */
static struct err *run(struct download *d, const struct taker *taker)
{
	static const struct source_ops ops = { download_read, download_free };
	AUTO(source) struct source *src = source_new(&ops, d);
	AUTO(sink) struct sink *nowhere = sink_null();

	if (taker)
		TRY(taker->take(taker->self, d->blob, src));
	return stream_copy(src, nowhere, NULL);
}

/* Whether a taker that gave up in the middle was perhaps given what is not the blob: pieces that do
 * not fit together, or what a power cut has left of a download. Nobody knows before the end. */
static bool is_doubtful(const struct download *d, const struct err *err)
{
	const enum err_kind kind = err_kind(err);

	return d->pieced && d->at < d->blob->size &&
	       (kind == ERR_CORRUPT || kind == ERR_INVALID || kind == ERR_UNSUPPORTED);
}

static struct err *fetch_once(struct store *store, struct download *d, const struct taker *taker)
{
	AUTO(blob_writer) struct blob_writer *writer = NULL;
	struct err *err;

	TRY(blob_resume(store, &d->blob->digest, &writer, &d->have));
	if (d->have > d->blob->size) {
		blob_forget(writer);
		blob_writer_free(STEAL(writer));
		TRY(blob_resume(store, &d->blob->digest, &writer, &d->have));
	}
	d->writer = writer;
	d->pieced = d->have > 0;
	progress_advance(d->progress, d->id, d->have);
	err = d->blob->size ? run(d, taker) : blob_commit(writer, &d->blob->digest, NULL, NULL);
	leave(d);
	d->wrong = d->wrong || is_doubtful(d, err);
	/* Bytes that are wrong are not worth keeping; whatever else went wrong, they are. */
	if (d->wrong)
		blob_forget(writer);
	return err;
}

/* Pieces of different answers need not fit together: then once more, in one. Another place may have
 * what one has not. */
static struct err *fetch(struct store *store, struct download *d, const struct taker *taker)
{
	bool again = false;
	struct err *err;

	for (;;) {
		start_tries(d);
		d->at = d->mark = 0;
		d->wrong = false;
		err = fetch_once(store, d, taker);
		if (!d->wrong)
			break;
		if (d->pieced && !again)
			again = true;
		else if (has_next(d))
			d->place++;
		else
			break;
		client_say(d->tries.client, "%s: fetching it again", err_text(err));
		err_free(err);
	}
	return err;
}

struct err *download_blob(struct store *store, const struct download_from *from,
			  const struct descriptor *blob, const struct taker *taker,
			  struct progress *progress, bool *ret_fetched)
{
	struct download d = {
		.from = from,
		.blob = blob,
		.progress = progress,
	};
	AUTO(lock) struct lock lock = LOCK_INIT;
	char text[DIGEST_TEXT_SIZE];
	struct err *err;
	bool there;

	*ret_fetched = false;
	TRY(blob_has(store, blob, &there));
	if (there)
		return NULL;
	TRY(store_single(store, &blob->digest, NULL, &lock));
	TRY(blob_has(store, blob, &there));
	if (there)
		return NULL;
	digest_format(&blob->digest, text);
	d.id = progress_begin(progress, text, blob->size);
	err = err_wrap(fetch(store, &d, taker), "blob %s", text);
	progress_end(progress, d.id, !err);
	free(d.name);
	*ret_fetched = !err;
	return err;
}
