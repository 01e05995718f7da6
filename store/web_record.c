/* store/web_record.c - see store/web_record.h. */

#include "store/web_record.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/file.h"
#include "store/blob.h"
#include "store/record-private.h"
#include "store/store-private.h"

#define RECORD_MAX ((size_t)16 * 1024)

void web_record_release(struct web_record *record)
{
	free(record->etag);
	free(record->modified);
	*record = (struct web_record){ 0 };
}

/* ---- text ---- */

/* An optional text is "-", or "=" and the text. */
static void format_optional(struct buf *buf, const char *key, const char *text)
{
	buf_addf(buf, "%s %c", key, text ? '=' : '-');
	if (text)
		record_escape(buf, text);
	buf_addc(buf, '\n');
}

static struct err *parse_optional(struct str *rest, const char *key, char **ret)
{
	struct str value;

	TRY(record_text(rest, key, &value));
	if (str_is(value, "-"))
		return NULL;
	if (!str_starts(value, "="))
		return err_new(ERR_CORRUPT, "the record has a bad %s", key);
	return record_unescape((struct str){ value.at + 1, value.len - 1 }, ret);
}

struct err *web_record_format(const struct web_record *record, struct buf *buf)
{
	char digest[DIGEST_TEXT_SIZE];

	buf_adds(buf, "cairn-web 1\n");
	format_optional(buf, "etag", record->etag);
	format_optional(buf, "modified", record->modified);
	buf_addf(buf, "asks-time %d\n", record->asks_time ? 1 : 0);
	buf_addf(buf, "digest %s\n", digest_format(&record->digest, digest));
	buf_addf(buf, "size %" PRIu64 "\n", record->size);
	return record_seal(buf);
}

static struct err *parse(struct str body, struct web_record *ret)
{
	struct str rest = body, version;
	uint64_t asks_time;

	TRY(record_text(&rest, "cairn-web", &version));
	if (!str_is(version, "1"))
		return err_new(ERR_CORRUPT, "the record is of another version");
	TRY(parse_optional(&rest, "etag", &ret->etag));
	TRY(parse_optional(&rest, "modified", &ret->modified));
	TRY(record_number(&rest, "asks-time", &asks_time));
	TRY(record_digest(&rest, "digest", &ret->digest));
	TRY(record_number(&rest, "size", &ret->size));
	if (rest.len || asks_time > 1)
		return err_new(ERR_CORRUPT, "the record has more than it should");
	ret->asks_time = asks_time == 1;
	return NULL;
}

struct err *web_record_parse(struct str text, struct web_record *ret)
{
	AUTO(web_record) struct web_record record = { 0 };
	struct str body;

	TRY(record_open(text, &body));
	TRY(parse(body, &record));
	*ret = record;
	record = (struct web_record){ 0 };
	return NULL;
}

/* ---- files ---- */

static struct err *path_of(const char *url, char ret[static STORE_PATH_SIZE])
{
	AUTO(hasher) struct hasher *h = hasher_new();
	struct digest digest;

	hasher_update(h, url, strlen(url));
	TRY(hasher_finish(h, &digest));
	store_hex_path("web/", &digest, ret);
	return NULL;
}

struct err *web_record_find(struct store *store, const char *url, bool *ret_found,
			    struct web_record *ret)
{
	AUTO(buf) struct buf text = BUF_INIT(RECORD_MAX);
	AUTO(web_record) struct web_record record = { 0 };
	char path[STORE_PATH_SIZE];
	uint64_t size = 0;
	bool found;
	struct err *err;

	*ret_found = false;
	TRY(path_of(url, path));
	TRY(store_read(store, path, RECORD_MAX, &text, &found));
	if (!found)
		return NULL;
	err = web_record_parse(buf_str(&text), &record);
	if (err) {
		err_free(err); /* it is as good as absent */
		return NULL;
	}
	TRY(blob_find(store, &record.digest, &found, &size));
	if (!found || size != record.size)
		return NULL;
	file_note_use(store_fd(store), path);
	*ret_found = true;
	*ret = record;
	record = (struct web_record){ 0 };
	return NULL;
}

struct err *web_record_put(struct store *store, const char *url, const struct web_record *record)
{
	AUTO(buf) struct buf text = BUF_INIT(RECORD_MAX);
	AUTO(fd) int dir_fd = -1;
	char path[STORE_PATH_SIZE];

	TRY(path_of(url, path));
	TRY(web_record_format(record, &text));
	TRY(file_make_dirs(store_fd(store), "web", 0700, &dir_fd));
	return store_write(store, path, buf_str(&text), 0600, FILE_QUICK);
}
