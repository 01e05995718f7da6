/*
 * registry/upload.h - one blob into a repository, by the shortest way that works.
 *
 *	HEAD -> mount from where it is known to be -> POST, PUT -> PATCH in pieces
 *
 * A mount that fails in any way becomes an ordinary upload and is not tried again for that pair
 * of repositories. The monolithic upload comes first; after a 413, or a connection that
 * breaks twice at about the same place, pieces are sent. An upload that broke asks how far it
 * came and goes on there where the registry can. Reference 1.7 and 12.5.
 */
#ifndef REGISTRY_UPLOAD_H
#define REGISTRY_UPLOAD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/mem.h"
#include "base/vec.h"
#include "registry/repository.h"

struct err;
struct progress;
struct source;
struct store;

/* Where the bytes come from. */
struct upload_source {
	int fd; /* the whole blob in a file; borrowed */
	/* Or, with `open`, a stream that can be opened again from the start (copying from another
	 * registry): owned by the caller of `open`. */
	struct err *(*open)(void *self, struct source **ret);
	void *self;
};

enum upload_way { UPLOAD_PRESENT, UPLOAD_MOUNTED, UPLOAD_SENT };

/* `store` (may be NULL) remembers which repositories have the blob, which is where it is mounted from, and
 * uploads that broke, which another process goes on with. ERR_CORRUPT if the bytes are not the blob's. */
struct err *upload_blob(const struct repository *repo, struct store *store,
			const struct descriptor *blob, const struct upload_source *src,
			struct progress *progress, enum upload_way *ret) MUST_USE;

#endif
