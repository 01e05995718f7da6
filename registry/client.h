/*
 * registry/client.h - requests to registries as they should be made: authorised,
 * redirected by hand, tried again, and never more trusting than they must be.
 *
 * One client serves a whole process. It owns the transport, the configuration
 * (credentials, certificates, registries.conf), the tokens and what is known of
 * hosts: how to back off, what they refuse.
 *
 * Rules (registry-protocol reference, sections 1 and 6):
 *  - No header of ours that could be a secret leaves the origin (scheme, host and port) that
 *    it is for; redirects, upload locations, token realms and links count as strangers
 *    otherwise.
 *  - https unless the place is insecure or literal loopback; never from https to http; a
 *    stranger may not send us to a loopback, private or link-local address.
 *  - At most 10 redirects; bodies of errors and documents are bounded.
 *  - A request is tried again after connection failures, 408, 429 and 5xx, at most `retries`
 *    times with exponential back-off and jitter; Retry-After is honoured up to
 *    `retry_max_wait`; the wait is shared by all requests to the host and is told.
 *  - 401 is answered once with what the challenge asks for, then it is ERR_DENIED.
 */
#ifndef REGISTRY_CLIENT_H
#define REGISTRY_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/mem.h"
#include "registry/http.h"

struct config_paths;
struct credential;
struct err;
struct place;
struct reference;
struct registries;

/* All zero is the default. Texts are borrowed for the client's life. */
struct client_opts {
	const char *creds;      /* "USER[:PASSWORD]" */
	const char *creds_host; /* whom they are for: "docker.io" */
	const char *authfile;   /* instead of the usual files */
	/* Hosts of token servers that may see credentials of any registry; NULL: none. */
	const struct strings *trusted_realms;
	const char *cert_dir; /* instead of certs.d */
	enum { TLS_VERIFY_CONFIGURED, TLS_VERIFY_ALWAYS, TLS_VERIFY_NEVER } tls_verify;
	bool offline;            /* every request is ERR_NETWORK "refused by --offline" */
	unsigned retries;        /* 0: 5 */
	bool never_again;        /* nothing is tried again, whatever `retries` says */
	unsigned retry_max_wait; /* seconds; 0: 120 */
	unsigned retry_pause;    /* milliseconds before the first repeat; 0: 1000 */
	unsigned retry_delay;    /* milliseconds before each repeat, in its place; 0: none */
	const struct config_paths *paths; /* NULL: this machine's and this user's */
	/* A line for the user, such as why we wait; outside text in it is not escaped. NULL: silence. */
	void (*say)(void *self, const char *line);
	void *say_self;
};

struct client;

/* Reads nothing and connects to nothing yet. `transport` is taken over; all zero is the real one. */
struct client *client_new(const struct client_opts *opts, struct transport transport) MUST_USE;
void client_free(struct client *client);
DEFINE_AUTO(client)

struct client_request {
	enum http_method method;
	const struct place *place; /* the registry and repository that this is about */
	const char *path; /* "/manifests/latest", below /v2/<repository>; see also `base` */
	/* The URL of the response that `path` comes from, where it is a Location or a link: it is resolved
	 * against that, and is a stranger's if it is not of the place's origin. NULL otherwise. */
	const char *base;
	bool is_root;        /* `path` stands below /v2 itself: "/", "/_catalog" */
	const char *actions; /* of the scope: "pull", "pull,push" */
	const char
		*also_pull; /* another repository that the token must read: for a mount; or NULL */
	const struct strings *headers;
	struct http_content content;
	const int
		*accept; /* statuses that are answers and no errors, ended by 0; NULL: 2xx alone */
	bool bulk;
	bool once; /* do not try again (what is sent cannot be sent twice) */
};

/* Send it and follow it to its end. A status that is neither 2xx nor accepted is an error that
 * names host, method, path, status and what the registry said, with a remedy where one is known:
 * ERR_NOT_FOUND (404), ERR_DENIED (401, 403), ERR_NETWORK (429, 5xx, connections), ERR_INVALID. */
struct err *client_send(struct client *client, const struct client_request *request,
			struct http_response **ret) MUST_USE;

/* Read the rest of a body into memory: ERR_INVALID above `max` bytes. */
struct err *client_read(struct http_response *response, size_t max, const char *what,
			struct buf *ret) MUST_USE;

/* How many requests were sent so far, redirects, tokens and repeats included. */
uint64_t client_requests(const struct client *client);
/* Whether every request is refused: client_opts.offline. */
bool client_is_offline(const struct client *client);
/* registries.conf, read on first use. Borrowed. */
struct err *client_registries(struct client *client, const struct registries **ret) MUST_USE;
/* Is an identity known for the place? For messages and `login`. */
struct err *client_credential(struct client *client, const struct place *place,
			      struct credential *ret) MUST_USE;

#endif
