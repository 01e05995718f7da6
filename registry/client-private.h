/*
 * registry/client-private.h - what the files of the client share.
 *
 *	client.c   making it, its configuration, trying again
 *	host.c     what is known of a host: when it may be asked, how it wants to be asked
 *	travel.c   one request on its way: authorisation, challenges, redirects
 *	realm.c    tokens from token servers
 *
 * Lock order: client, then host; nothing is sent while either is held.
 */
#ifndef REGISTRY_CLIENT_PRIVATE_H
#define REGISTRY_CLIENT_PRIVATE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

#include "base/map.h"
#include "registry/certs.h"
#include "registry/challenge.h"
#include "registry/client.h"
#include "registry/credentials.h"
#include "registry/registries.h"
#include "registry/token.h"
#include "registry/url.h"

#define CLIENT_REDIRECTS_MAX 10
#define CLIENT_WARNINGS_MAX 4096 /* bytes of warnings that are passed on in a run */

struct client {
	struct client_opts opts;
	struct transport transport;
	struct token_cache *tokens;
	atomic_ullong requests;

	pthread_mutex_t lock;
	struct registries *registries;   /* guarded by lock until made */
	struct credentials *credentials; /* likewise */
	struct strings headers;          /* likewise: HttpHeaders */
	bool has_credentials;            /* likewise: both were read */
	struct map hosts;                /* guarded by lock: "host:port" -> struct host */
	struct map warned;               /* guarded by lock: texts */
	size_t warned_bytes;             /* likewise */
	struct map no_mounts; /* guarded by lock: "host/path other/path" that did not work */
};

enum host_scheme { SCHEME_UNKNOWN, SCHEME_HTTPS, SCHEME_HTTP };
enum host_auth { AUTH_UNKNOWN, AUTH_BASIC, AUTH_BEARER };

/* What a host said it wants. Owned texts. */
struct host_want {
	enum host_auth auth;
	char *realm, *service;
};

void host_want_release(struct host_want *want);

struct host {
	pthread_mutex_t lock;
	uint64_t not_before;     /* guarded by lock; clock_monotonic(): nobody asks earlier */
	enum host_scheme scheme; /* guarded by lock */
	struct host_want want;   /* guarded by lock */
	bool pinged;             /* guarded by lock */
	bool is_inside;          /* guarded by lock; its address is not of the public Internet */
	bool certs_read;         /* guarded by lock; `certs` stays as it is once it is set */
	struct certs certs;
};

/* ---- client.c ---- */

void client_say(const struct client *client, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Pass a registry's warnings on, each text once. */
void client_warn(struct client *client, const struct http_response *response);
/* Credentials and HttpHeaders, read on first use. */
struct err *client_identity(struct client *client) MUST_USE;

struct client_hop {
	enum http_method method;
	const struct url *url;
	const struct strings *headers;
	struct http_content content;
	const struct place *place;  /* whose TLS settings count here; NULL: a stranger's own */
	bool is_token_server;       /* --tls-verify=false counts, though it is a stranger */
	enum address_reach nearest; /* that its address may be */
	bool bulk;
};

/* One exchange: counted, with the certificates for the host. */
struct err *client_hop(struct client *client, const struct client_hop *hop,
		       struct http_response **ret, enum http_trouble *ret_trouble) MUST_USE;

/* How often something was tried, and whether it may be again. */
struct client_tries {
	struct client *client;
	struct host *host;
	const char *name; /* of the host, for messages */
	enum http_method method;
	unsigned done; /* repeats */
	bool once;
};

/* Wait until the host may be asked. ERR_CANCELLED when the process is told to stop. */
struct err *client_wait(const struct client_tries *tries) MUST_USE;
/* After a try: is another worth it? If so the pause before it is arranged and told. `err` is NULL if there is a
 * response. `*ret_err` is set to what to say of a pause that is too long. */
bool client_try_again(struct client_tries *tries, const struct err *err, enum http_trouble trouble,
		      const struct http_response *response, struct err **ret_err);

/* ---- host.c ---- */

/* What is known of "host:port"; lives as long as the client. */
struct host *host_of(struct client *client, const char *authority);
void host_free(void *value);
/* A copy of what it wants; `auth` is AUTH_UNKNOWN if it never said. */
void host_get_want(struct host *host, struct host_want *ret);
void host_set_want(struct host *host, enum host_auth auth, const char *realm, const char *service);
/* How near those may be to whom it sends us, whatever they are called: its own neighbours are not
 * judged, and whoever is outside may not send us to this machine or to what answers to it alone. */
enum address_reach host_nearest(struct host *host, const struct url *home);
/* The certificates for it: those of `place` if it brings some, of --cert-dir if `place` is not NULL, else of
 * certs.d. Borrowed. */
struct err *host_certs(struct client *client, struct host *host, const struct place *place,
		       const char *authority, const struct certs **ret) MUST_USE;

/* ---- realm.c ---- */

struct realm_ask {
	struct client *client;
	const struct place *place;   /* NULL: a stranger, who gets no credentials */
	const struct url *server;    /* who sent us to the realm */
	enum address_reach nearest;  /* that the realm may be, unless it is the server itself */
	const char *realm, *service; /* absolute or relative; `service` may be NULL */
	const char *first;           /* the scope to name first, or NULL */
	const struct strings *scopes;
	const struct credential *credential; /* NULL: anonymous */
};

/* The token for it, from the cache or the realm; the caller wipes and frees it. `ret_key` is for
 * token_cache_drop(). */
struct err *realm_token(const struct realm_ask *ask, char **ret_key, char **ret_token) MUST_USE;

/* May credentials for `registry` be shown to a token server at `realm`? The same host, one of the same
 * registrable domain, or one that the user trusts. */
bool realm_is_of(const struct url *registry, const struct url *realm,
		 const struct strings *trusted);

/* ---- travel.c ---- */

/* May `home` send us to `next`, from `from`? Never to plain http from https, nor to an
 * address that is not of the public Internet unless `home` is itself at one. ERR_INVALID. */
struct err *travel_may_go(const struct url *home, const struct url *from, const struct url *next)
	MUST_USE;

/* One try of a request, to its end over challenges and redirects. */
struct err *travel(struct client *client, const struct client_request *request,
		   const struct url *start, const struct url *home, struct http_response **ret,
		   enum http_trouble *ret_trouble) MUST_USE;

#endif
