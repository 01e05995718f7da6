/*
 * registry/complaint.h - an answer that is none, as an error for people.
 *
 *	GET https://registry.example.com/v2/team/app/manifests/1.0: 404: MANIFEST_UNKNOWN:
 *	manifest unknown
 *
 * Registries explain themselves by {"errors":[{"code","message","detail"}]}
 * (distribution-spec, error codes), some by {"details"} or {"message"}, some by text, some
 * by a web page, which is not shown. What they say is cut to a line of bounded length; who
 * prints it escapes it. Values in the query of a URL are secrets and left out.
 */
#ifndef REGISTRY_COMPLAINT_H
#define REGISTRY_COMPLAINT_H

#include "base/mem.h"
#include "registry/http.h"

struct err;

#define COMPLAINT_BODY_MAX ((size_t)1024 * 1024)
#define COMPLAINT_SHOWN_MAX ((size_t)2048)

/* What the body says, in one line, owned by the caller; "" if it says nothing. Reads the body. */
char *complaint_text(struct http_response *response) MUST_USE;

/* The error for `status` of a request. 404 is ERR_NOT_FOUND; 401, 403 and 407 are ERR_DENIED; 408,
 * 429 and 5xx are ERR_NETWORK; everything else is ERR_INVALID. `said` may be "". */
struct err *complaint_error(enum http_method method, const char *url, int status, const char *said)
	MUST_USE;

#endif
