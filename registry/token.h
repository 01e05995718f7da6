/*
 * registry/token.h - bearer tokens: asked for once, shared, and given to nobody else.
 *
 * A token is kept for the key it was asked under: registry, credential, realm, service and
 * the sorted set of scopes. Leaving the credential out would give one user's token to
 * another. Several threads that want one key ask once and share the answer, also an error.
 *
 * A token with fewer rights than were asked for is no error here: the proof comes with
 * the request that it is for (registry/client.c).
 *
 * Specification: distribution, "Token Authentication" and "OAuth2".
 */
#ifndef REGISTRY_TOKEN_H
#define REGISTRY_TOKEN_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/vec.h"

struct err;

#define TOKEN_ANSWER_MAX ((size_t)64 * 1024)

/* ---- scopes ---- */

/* "repository:PATH:ACTIONS" goes into the sorted set, word by word as challenges have it
 * ("repository:a:pull repository:b:pull"). Resources that are there already get the further actions. */
void scopes_add(struct strings *scopes, struct str text);
/* All of `part` are in `whole`. */
bool scopes_contain(const struct strings *whole, const struct strings *part);
/* Joined by blanks; owned. */
char *scopes_format(const struct strings *scopes) MUST_USE;

/* ---- what a token server says ---- */

struct token {
	char *text;          /* owned */
	uint64_t good_until; /* clock_monotonic() */
};

void token_release(struct token *token); /* wipes */

/* Read the JSON of a token server. `received` is clock_monotonic() and `now` the wall clock when it came. ERR_INVALID if it
 * has neither "token" nor "access_token", or one that cannot be sent in a header. A token without a
 * time is good for 60 s, as is one that says less; what its clock says only shortens that. */
struct err *token_read(struct str body, uint64_t received, struct timespec now, struct token *ret)
	MUST_USE;

/* ---- the cache ---- */

struct token_cache;

struct token_cache *token_cache_new(void) MUST_USE;
void token_cache_free(struct token_cache *cache); /* wipes */
DEFINE_AUTO(token_cache)

/* The token of `key`, asked for by `fetch(arg)` if there is none that is good for some seconds
 * more. `ret_text` is the caller's to wipe and free. A failure is told to all who wait, and not kept. */
struct err *token_cache_get(struct token_cache *cache, const char *key,
			    struct err *(*fetch)(void *arg, struct token *ret), void *arg,
			    char **ret_text) MUST_USE;
/* The registry refused `text`: the next get asks anew. */
void token_cache_drop(struct token_cache *cache, const char *key, const char *text);

#endif
