/*
 * registry/find.h - the image that a person means: by name, by name and digest, or by id.
 *
 * A name is looked up in its canonical form. NAME@DIGEST is the manifest of that
 * digest, and only if some image of the repository NAME is it: a digest under a
 * foreign name is not found. Anything else that reads as the hex digits of an id
 * or digest, at least four of them, is looked for among those.
 */
#ifndef REGISTRY_FIND_H
#define REGISTRY_FIND_H

#include "base/mem.h"

struct descriptor;
struct err;
struct store;

/* ERR_NOT_FOUND if there is no such image, with a near name; ERR_INVALID for text that can be
 * neither a name nor an id. */
struct err *find_image(struct store *store, const char *text, struct descriptor *ret) MUST_USE;

#endif
