/*
 * store/elsewhere.h - what is known of a blob outside of this store.
 *
 * Which repositories have it, so that a registry may be asked to take it from there; and where
 * an upload of it was begun, so that another process can go on with it. Both are hints: lost or
 * wrong without harm, so nothing here fails, and nothing is flushed.
 *
 *	elsewhere/<hex>	lines "has HOST/PATH" and "upload HOST/PATH SECONDS URL", the newest first
 */
#ifndef STORE_ELSEWHERE_H
#define STORE_ELSEWHERE_H

#include "base/digest.h"
#include "base/mem.h"

struct store;
struct strings;

#define ELSEWHERE_MAX 16           /* lines of each kind */
#define ELSEWHERE_UPLOAD_AGE 86400 /* seconds: registries forget an upload sooner or later */

/* `repository` is "host/path", as a registry is called where it is asked. */
void elsewhere_add(struct store *store, const struct digest *digest, const char *repository);
/* Append those at `host`, without it: "path". */
void elsewhere_list(struct store *store, const struct digest *digest, const char *host,
		    struct strings *ret);
/* `url` NULL: there is none any more. */
void elsewhere_set_upload(struct store *store, const struct digest *digest, const char *repository,
			  const char *url);
/* The URL; owned by the caller, NULL if there is none or it is old. */
char *elsewhere_upload(struct store *store, const struct digest *digest, const char *repository)
	MUST_USE;

#endif
