/*
 * store/web_record.h - what is known of files of the web that were fetched once.
 *
 *	web/<hex SHA-256 of the URL>	a record: validators, and the digest of the body
 *
 * The body itself is a blob (store/blob.h). A record spares the next fetch the bytes, and an
 * offline build the network; it is lost without harm, and nothing is flushed. URLs may hold
 * secrets: no record quotes one.
 */
#ifndef STORE_WEB_RECORD_H
#define STORE_WEB_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/digest.h"
#include "base/mem.h"
#include "base/str.h"

struct err;
struct store;

#define WEB_VALIDATOR_MAX 1024 /* bytes of an ETag or a Last-Modified that are worth keeping */

struct web_record {
	char *etag;     /* as the server sent it; NULL: none that is worth asking with; owned */
	char *modified; /* Last-Modified, likewise */
	bool asks_time; /* `modified` is old enough to tell one version from the next */
	struct digest digest;
	uint64_t size;
};

void web_record_release(struct web_record *record);

static inline void web_record_auto_(struct web_record *record)
{
	web_record_release(record);
}

/* The record of a URL whose blob is here, with its size; the blob is then pinned. `*ret_found` is
 * false for anything else: an unreadable record is an absent one. */
struct err *web_record_find(struct store *store, const char *url, bool *ret_found,
			    struct web_record *ret) MUST_USE;
/* Write it. The blob is committed. */
struct err *web_record_put(struct store *store, const char *url, const struct web_record *record)
	MUST_USE;

/* For tests and fuzzers: the record as text and back. ERR_CORRUPT for what is none. */
struct err *web_record_format(const struct web_record *record, struct buf *buf) MUST_USE;
struct err *web_record_parse(struct str text, struct web_record *ret) MUST_USE;

#endif
