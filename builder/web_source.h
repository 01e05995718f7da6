/*
 * builder/web_source.h - a file of the web, in the store by its digest.
 *
 * What was fetched is a blob; beside it a record keeps what the server said of it
 * (store/web_record.h). So a URL that did not change costs one small request, and none where the
 * content is known by a checksum. Without a network what was fetched last is taken. The body goes to
 * disk as it comes, hashed on the way; nothing but the disk bounds its size.
 */
#ifndef BUILDER_WEB_SOURCE_H
#define BUILDER_WEB_SOURCE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/digest.h"
#include "base/mem.h"

struct client;
struct err;
struct progress;
struct store;
struct web_auth;

struct web_source_opts {
	struct store *store;
	struct client *client;         /* NULL: there is no network */
	const struct web_auth *auth;   /* registry/web.h; NULL: nobody in particular */
	const struct digest *checksum; /* what the content must be; NULL: whatever it is */
	struct progress *progress;     /* NULL: silence */
};

struct web_source {
	struct digest digest; /* of a blob, which is pinned: blob_open() has the content */
	uint64_t size;
	bool has_time;
	int64_t time; /* Last-Modified, in seconds */
	bool fetched; /* its bytes came over the network just now */
};

/* The content of an http or https URL. ERR_CORRUPT if it does not match the checksum; ERR_NETWORK if it
 * cannot be fetched, and was not before or must not be guessed at; else as web_get(). The text
 * shows no secret of the URL. */
struct err *web_source_get(const struct web_source_opts *opts, const char *url,
			   struct web_source *ret) MUST_USE;

/* Whether a text is the URL of a file of the web: "http://" or "https://" in any case. */
bool web_source_is_url(const char *text);

/* What a file from `url` is called: the last name of its path, decoded, or NULL if there is none that a
 * file can have. Owned by the caller. */
char *web_source_name(const char *url) MUST_USE;

#endif
