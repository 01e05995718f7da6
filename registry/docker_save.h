/*
 * registry/docker_save.h - archives that `docker load` and `podman load` read.
 *
 *	manifest.json      [{"Config":"<hex>.json","RepoTags":[NAME...],"Layers":["<hex>.tar"...]}]
 *	repositories       {"docker.io/library/app":{"latest":"<hex>"}}, for programs that know
 *	                   no better
 *	<hex>.json         the config, named by its digest, byte for byte
 *	<hex>.tar          a layer, uncompressed, named by its diff id; once, however many images
 *	                   have it
 *
 * Names are canonical, so that every reader takes them for the same image. Layers
 * are written plain whatever the store has: every reader takes them, and equal
 * images give equal archives.
 */
#ifndef REGISTRY_DOCKER_SAVE_H
#define REGISTRY_DOCKER_SAVE_H

#include <stddef.h>

#include "base/mem.h"
#include "registry/saved.h"

struct err;
struct pack;
struct store;

/* Of an index, the image for this host is taken. All layers are read and checked before anything
 * is written. */
struct err *docker_save(struct store *store, const struct saved_image *images, size_t count,
			struct pack *pack) MUST_USE;

#endif
