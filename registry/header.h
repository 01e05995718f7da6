/*
 * registry/header.h - what single headers of a response mean, and whether one can be sent.
 *
 * Pure functions from text to values. A server may send anything: what is not
 * exactly understood is said to be so, and the caller goes the safe way.
 */
#ifndef REGISTRY_HEADER_H
#define REGISTRY_HEADER_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "base/mem.h"

struct byte_range {
	uint64_t first, last; /* inclusive */
	bool has_total;
	uint64_t total;
};

/* "bytes 200-1023/146515", "bytes 200-1023/" with a star for the total: Content-Range of a 206
 * (RFC 9110, 14.4). False for anything else, also for a range that contradicts itself. */
bool header_content_range(const char *text, struct byte_range *ret);

/* "0-1023", also "bytes=0-1023": how far an upload has come (distribution-spec, chunked uploads).
 * `*ret_next` is the offset of the byte that is wanted next. "0-0" may mean one byte or none, so
 * it is false too: `*ret_next` is then 0, and the upload starts again. */
bool header_upload_range(const char *text, uint64_t *ret_next);

/* Retry-After (RFC 9110, 10.2.3): seconds, or a date, which is taken relative to `now`. False if it
 * is neither. What lies in the past is 0; more than a week is a week. */
bool header_retry_after(const char *text, time_t now, uint64_t *ret_seconds);

/* A date of HTTP in any of its three forms (RFC 9110, 5.6.7), as seconds since 1970. */
bool header_date(const char *text, time_t *ret);

/* The target of the first rel="next" of a Link header (RFC 8288), as written; NULL if there is none.
 * Owned by the caller. */
char *header_link_next(const char *text) MUST_USE;

/* The text of a `299 - "text"` Warning as registries send it (distribution-spec, warnings), NULL for
 * any other. Owned by the caller; not escaped. */
char *header_warning(const char *text) MUST_USE;

/* Whether "name: value" can be sent as it is: a token (RFC 9110, 5.6.2), and a value without control
 * characters. */
bool header_is_valid(const char *name, const char *value);

#endif
