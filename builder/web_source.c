/* builder/web_source.c - see builder/web_source.h. */

#include "builder/web_source.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/progress.h"
#include "base/str.h"
#include "base/stream.h"
#include "registry/client.h"
#include "registry/header.h"
#include "registry/url.h"
#include "registry/web.h"
#include "store/blob.h"
#include "store/store.h"
#include "store/web_record.h"

#define TRIES_MAX 5 /* of a body that breaks off */
#define SETTLED 60  /* seconds by which Last-Modified must lie back to be a validator */
#define NAME_LONGEST 255

/* ---- names ---- */

bool web_source_is_url(const char *text)
{
	return strncasecmp(text, "http://", 7) == 0 || strncasecmp(text, "https://", 8) == 0;
}

char *web_source_name(const char *url)
{
	const char *host = strstr(url, "://");
	const char *path = host ? host + 3 + strcspn(host + 3, "/?#") : url;
	AUTO(mem) char *decoded = url_decoded((struct str){ path, strcspn(path, "?#") });
	size_t len = decoded ? strlen(decoded) : 0;
	const char *name;

	while (len && decoded[len - 1] == '/')
		decoded[--len] = '\0';
	name = len ? memrchr(decoded, '/', len) : NULL;
	name = name ? name + 1 : decoded;
	if (!len || strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ||
	    strlen(name) > NAME_LONGEST)
		return NULL;
	return xstrdup(name);
}

/* ---- what is known ---- */

static void tell(const struct web_record *record, bool fetched, struct web_source *ret)
{
	time_t time = 0;

	*ret = (struct web_source){ .digest = record->digest,
				    .size = record->size,
				    .fetched = fetched };
	ret->has_time = record->modified && header_date(record->modified, &time);
	ret->time = ret->has_time ? time : 0;
}

static char *validator(const struct http_response *response, const char *name)
{
	const char *value = http_header(response, name);

	return value && value[0] && strlen(value) <= WEB_VALIDATOR_MAX ? xstrdup(value) : NULL;
}

/* Whether a time of this answer tells its content from any later one: files may change
 * again within the second (RFC 9110, 8.8.2.2). */
static bool has_settled(const struct http_response *response, const char *modified)
{
	const char *date = http_header(response, "Date");
	time_t then, now = clock_now().tv_sec;

	if (!modified || !header_date(modified, &then))
		return false;
	if (date)
		(void)header_date(date, &now);
	return now - then >= SETTLED;
}

/* ---- fetching ---- */

struct fetch {
	const struct web_source_opts *opts;
	const char *url;
	char *shown; /* owned: the URL without secrets */
	bool known;
	struct web_record record; /* of what was fetched before, if `known` */
};

static void fetch_auto_(struct fetch *f)
{
	web_record_release(&f->record);
	free(f->shown);
}

static struct err *wrong(const struct fetch *f, const struct digest *got)
{
	char want_text[DIGEST_TEXT_SIZE], got_text[DIGEST_TEXT_SIZE];

	return err_new(ERR_CORRUPT, "the checksum of %s is %s, not %s", f->shown,
		       digest_format(got, got_text), digest_format(f->opts->checksum, want_text));
}

/* Put the body into the store. */
static struct err *receive(const struct fetch *f, struct http_response *response,
			   struct digest *ret_digest, uint64_t *ret_size)
{
	AUTO(blob_writer) struct blob_writer *writer = NULL;
	const char *length = http_header(response, "Content-Length");
	uint64_t total = 0, id;
	struct err *err;

	if (length)
		err_free(num_parse(str_of(length), 0, INT64_MAX, &total)); /* for show alone */
	TRY(blob_begin(f->opts->store, &writer));
	id = progress_begin(f->opts->progress, f->shown, total);
	response->body = progress_source(f->opts->progress, id, response->body);
	err = stream_copy(response->body, blob_sink(writer), NULL);
	if (!err)
		err = blob_commit(writer, NULL, ret_digest, ret_size);
	progress_end(f->opts->progress, id, !err);
	return err;
}

static struct err *keep(struct fetch *f, struct http_response *response)
{
	AUTO(web_record) struct web_record record = { 0 };
	const struct digest *want = f->opts->checksum;

	TRY(receive(f, response, &record.digest, &record.size));
	if (want && !digest_equal(want, &record.digest))
		return wrong(f, &record.digest);
	record.etag = validator(response, "ETag");
	record.modified = validator(response, "Last-Modified");
	record.asks_time = has_settled(response, record.modified);
	TRY(web_record_put(f->opts->store, f->url, &record));
	web_record_release(&f->record);
	f->record = record;
	record = (struct web_record){ 0 };
	return NULL;
}

/* Ask the server once, for what changed if something is known. */
static struct err *ask(struct fetch *f, bool *ret_fetched)
{
	static const int unchanged[] = { 304, 0 };
	AUTO(strings) struct strings headers = { 0 };
	AUTO(http_response) struct http_response *response = NULL;
	struct web_request request = { .url = f->url, .auth = f->opts->auth, .headers = &headers };

	if (f->known && f->record.etag)
		vec_push(&headers, xasprintf("If-None-Match: %s", f->record.etag));
	if (f->known && f->record.modified && f->record.asks_time)
		vec_push(&headers, xasprintf("If-Modified-Since: %s", f->record.modified));
	if (headers.len)
		request.accept = unchanged;
	TRY(web_get(f->opts->client, &request, &response));
	*ret_fetched = response->status != 304;
	if (*ret_fetched && response->status != 200)
		return err_new(ERR_INVALID, "GET %s: the answer %d is no file", f->shown,
			       response->status);
	return *ret_fetched ? keep(f, response) : NULL;
}

/* A body that breaks off is begun again. */
static struct err *ask_until_whole(struct fetch *f, bool *ret_fetched)
{
	for (unsigned tries = 1;; tries++) {
		bool answered = false;
		struct err *err = ask(f, &answered);

		if (!answered || err_kind(err) != ERR_NETWORK || tries == TRIES_MAX) {
			*ret_fetched = answered;
			return err;
		}
		log_info("%s: trying again", err_text(err));
		err_free(err);
	}
}

/* What is known must do, or nothing can. */
static struct err *offline(const struct fetch *f)
{
	if (f->known)
		return NULL;
	return err_new(ERR_NETWORK, "%s was not fetched before, and there is no network: %s",
		       f->shown, f->opts->client ? "--offline" : "the build may not use it");
}

/* With the lock of the URL. */
static struct err *get(struct fetch *f, struct web_source *ret)
{
	const struct digest *want = f->opts->checksum;
	bool fetched = false;

	TRY(web_record_find(f->opts->store, f->url, &f->known, &f->record));
	if (!f->opts->client || client_is_offline(f->opts->client))
		TRY(offline(f));
	else if (!want || !f->known || !digest_equal(want, &f->record.digest))
		TRY(ask_until_whole(f, &fetched));
	if (want && !digest_equal(want, &f->record.digest))
		return wrong(f, &f->record.digest);
	tell(&f->record, fetched, ret);
	return NULL;
}

/* One fetches a URL, others wait and find that it has not changed. */
static struct err *lock_url(const struct fetch *f, struct lock *ret)
{
	AUTO(hasher) struct hasher *h = hasher_new();
	struct digest key;

	hasher_update(h, "web ", 4);
	hasher_update(h, f->url, strlen(f->url));
	TRY(hasher_finish(h, &key));
	return store_single(f->opts->store, &key, NULL, ret);
}

struct err *web_source_get(const struct web_source_opts *opts, const char *url,
			   struct web_source *ret)
{
	AUTO(fetch) struct fetch f = { .opts = opts, .url = url, .shown = url_redacted(url) };
	AUTO(lock) struct lock lock = LOCK_INIT;

	TRY(lock_url(&f, &lock));
	return get(&f, ret);
}
