/*
 * registry/upload-private.h - one upload: its state, and the requests that it is made of.
 *
 *	upload.c           which way to go, and what to do when it does not work
 *	upload_request.c   requests with the bytes that they carry, and the session that they are part of
 */
#ifndef REGISTRY_UPLOAD_PRIVATE_H
#define REGISTRY_UPLOAD_PRIVATE_H

#include <stdatomic.h>

#include "registry/client-private.h"
#include "registry/upload.h"

/* A registry that wants larger pieces will not get them. */
#define UPLOAD_PIECE_MOST ((uint64_t)512 * 1024 * 1024)

#define UPLOAD_NOTED_SIZE ((uint64_t)1024 * 1024) /* an upload of less is not worth remembering */

struct upload {
	const struct repository *repo;
	struct store *store; /* may be NULL */
	const struct descriptor *blob;
	const struct upload_source *src;
	struct progress *progress;
	uint64_t id;
	uint64_t shown; /* what progress was told */

	char *name;      /* "host/path" */
	char *location;  /* of the session, absolute; NULL: there is none */
	uint64_t offset; /* what the registry has of it */
	uint64_t piece;  /* bytes at a time; 0: all at once */
	unsigned sessions;
	atomic_ullong taken; /* by the request that is under way, or was last */
	uint64_t broke_at;   /* where the connection broke before, at the least; 0: it did not */
	unsigned breaks;     /* in a row, without having come further */
	bool hashed;         /* our own bytes were found to be right */
	struct client_tries tries;
};

/* A request about the upload. */
struct upload_call {
	enum http_method method;
	const char *path;
	const char *base;
	const char *also_pull;
	uint64_t size; /* of what it carries, from the offset on */
	bool carries;
	const int *accept;
	bool once;
};

/* What progress is told: `done` bytes are there. */
void upload_show(struct upload *u, uint64_t done);
struct err *upload_send(struct upload *u, const struct upload_call *call,
			struct http_response **ret) MUST_USE;

/* Begin a session: `location` says where it is, `offset` is 0. ERR_NETWORK after too many. */
struct err *upload_begin_session(struct upload *u) MUST_USE;
/* How far the session has come. False if the registry does not know it any more, or will not say. */
struct err *upload_ask_session(struct upload *u, bool *ret) MUST_USE;
/* The session goes on at the Location of the response; if there is none, where it was. */
struct err *upload_move_session(struct upload *u, const struct http_response *response) MUST_USE;
void upload_drop_session(struct upload *u);

#endif
