/*
 * registry/docker_load.h - images from what `docker save` and `podman save` write.
 *
 *	manifest.json      [{"Config":PATH,"RepoTags":[NAME...],"Layers":[PATH...]}]
 *	...                configs and layers, wherever manifest.json says
 *
 * Links are followed. Layers may be compressed: their identity is the diff id in
 * the config, and it is checked. A compressed layer is kept as it comes, a plain
 * one is compressed (zstd, the default level), so that loading the same archive
 * twice gives one manifest. The config is kept byte for byte: the image id stays
 * what Docker and podman call it.
 */
#ifndef REGISTRY_DOCKER_LOAD_H
#define REGISTRY_DOCKER_LOAD_H

#include <stdbool.h>

#include "base/mem.h"
#include "registry/loaded.h"

struct err;
struct members;
struct store;

/* Whether it has a manifest.json. */
bool docker_is_archive(struct members *members);

/* Bring its images into the store and list them, each once for every name that it has. With `only` (may
 * be NULL) just those of that name; the others are listed without a target. */
struct err *docker_load(struct store *store, struct members *members, const char *only,
			struct loaded_list *ret) MUST_USE;

#endif
