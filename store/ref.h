/*
 * store/ref.h - names of images, and the index.json that other tools see.
 *
 * The truth is refs/<encoded name>: one small JSON descriptor per image name,
 * replaced by rename. A name is any text of 1..255 bytes without control
 * characters; the command line gives canonical references (registry/reference.h)
 * such as "docker.io/library/app:latest".
 *
 * index.json is a view for skopeo, umoci and others, rendered from the refs
 * under lock/index whenever a ref changes; nothing here reads it. There an image
 * is called by its familiar name ("app:latest"), in the annotation
 * org.opencontainers.image.ref.name (OCI image-spec, annotations).
 */
#ifndef STORE_REF_H
#define STORE_REF_H

#include <stdbool.h>
#include <time.h>

#include "base/mem.h"
#include "store/descriptor.h"

struct err;
struct store;

struct ref {
	char *name; /* owned */
	struct descriptor target;
	struct timespec updated;
};

/* Point `name` at a manifest or index blob that is in the store, durably: blobs are flushed
 * before, the ref and its directory after. Setting what is set already, and on disk, writes
 * nothing. */
struct err *ref_set(struct store *store, const char *name, const struct descriptor *target)
	MUST_USE;
/* ERR_NOT_FOUND "no image 'name' in the store". One that is there and cannot be read is ERR_SYSTEM. */
struct err *ref_get(struct store *store, const char *name, struct descriptor *ret) MUST_USE;
/* ERR_NOT_FOUND if there is no such name. Blobs and layers stay until a prune; an image whose last
 * name it was loses its ids (store/id.h). */
struct err *ref_delete(struct store *store, const char *name) MUST_USE;

struct ref_list {
	struct ref *at; /* sorted by name */
	size_t len, cap;
	bool partial; /* some were left out */
};

/* All names. One whose file is damaged or lost is left out, with a warning. */
struct err *ref_list(struct store *store, struct ref_list *ret) MUST_USE;
void ref_list_release(struct ref_list *list);

static inline void ref_list_auto_(struct ref_list *list)
{
	ref_list_release(list);
}

#endif
