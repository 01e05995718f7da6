/*
 * registry/web.h - files of the web: GET from anywhere, as a client does it.
 *
 * The same transport, proxies, certificates, repeats and --offline as for registries
 * (registry/client.h), but no tokens, no credentials of registries, and no
 * answer to challenges: who may see a file says so by `auth`, host by host.
 *
 *	- Redirects are followed by hand, at most 10; from https never to http, and from outside
 *	  never to an address inside this network.
 *	- What authorises is looked up anew for each origin, and goes to no other.
 *	- "user:password@" in the URL is taken out of it and sent to that origin alone, unless
 *	  `auth` has something for it.
 */
#ifndef REGISTRY_WEB_H
#define REGISTRY_WEB_H

#include <stdbool.h>

#include "base/mem.h"
#include "base/str.h"
#include "registry/http.h"

struct client;
struct err;

/* Who we are at a host. */
struct web_auth {
	/* The value of the Authorization header for `authority`, "host" or "host:port" (the port only
	 * if it is not the scheme's own); wiped and freed by who asked; NULL for none. */
	struct err *(*find)(void *self, const char *authority, char **ret);
	void *self;
};

struct web_request {
	const char *url;
	const struct web_auth *auth;   /* may be NULL */
	const struct strings *headers; /* of no secret: any host may see them; may be NULL */
	const int *accept; /* statuses that are answers beside 2xx, ended by 0; NULL: none */
};

/* Ask until there is an answer. The body is read at the caller's pace. Another status is ERR_NOT_FOUND (404),
 * ERR_DENIED (401, 403), ERR_NETWORK (429, 5xx, connections) or ERR_INVALID. */
struct err *web_get(struct client *client, const struct web_request *request,
		    struct http_response **ret) MUST_USE;

/* "user:password", percent-encoded as in a URL, as the value of an Authorization header; wiped and
 * freed by the caller. NULL for what holds a NUL. */
char *web_basic(struct str userinfo) MUST_USE;

#endif
