/*
 * registry/registries-private.h - the configuration as it was read, and its four readers:
 * registries.c reads registries.conf and chooses, short_name.c resolves short names,
 * hosts_toml.c and docker_daemon.c know the configuration of others.
 */
#ifndef REGISTRY_REGISTRIES_PRIVATE_H
#define REGISTRY_REGISTRIES_PRIVATE_H

#include <stdbool.h>

#include "base/map.h"
#include "base/str.h"
#include "base/vec.h"
#include "registry/registries.h"

#define HUB_HOST "docker.io"
#define HUB_SERVER "registry-1.docker.io"

enum mirror_use { MIRROR_ALWAYS, MIRROR_DIGEST_ONLY, MIRROR_TAG_ONLY };

struct mirror {
	char *location;
	bool insecure;
	enum mirror_use use;
};

/* One [[registry]]. Texts are owned. */
struct registry_rule {
	char *prefix;   /* "host", "host/a", "host/a:tag", "*.host" */
	char *location; /* what stands in its place; NULL: it stays as it is */
	char *file;     /* where it was read, for messages */
	bool insecure, blocked, mirrors_by_digest_only;
	VEC(struct mirror) mirrors;
};

enum short_name_mode { SHORT_NAMES_PERMISSIVE, SHORT_NAMES_ENFORCING, SHORT_NAMES_DISABLED };

struct registries {
	const struct config_paths *paths; /* borrowed */
	VEC(struct registry_rule) rules;
	bool is_configured; /* there is a registries.conf */
	struct strings helpers;

	char *search_file; /* where `search` was set; NULL: nowhere */
	struct strings search;
	enum short_name_mode mode;
	struct map aliases; /* char * by short name */

	struct strings hub_mirrors; /* URLs, from Docker's configuration */
	struct strings insecure;    /* hosts and ranges, likewise */
};

/* Read Docker's daemon.json. */
struct err *docker_daemon_read(struct registries *registries) MUST_USE;
/* Whether it says that `host` needs no TLS. */
bool docker_daemon_is_insecure(const struct registries *registries, const char *host);
/* The mirrors of the Hub, appended. */
struct err *docker_daemon_mirrors(const struct registries *registries, const struct reference *ref,
				  struct places *ret) MUST_USE;

/* The places that hosts.toml has for an image. `*ret_found` is false if there is none. */
struct err *hosts_toml_places(const struct registries *registries, const struct reference *ref,
			      enum registries_purpose purpose, struct places *ret, bool *ret_found)
	MUST_USE;

/* A place for `path` on `host`, appended and otherwise as usual; borrowed from the list. */
struct place *places_add(struct places *places, const char *host, const char *path);
/* The same from a URL, "https://host:port/path" or "host:port": its host, and http. `*ret_path`
 * (owned) is what stands behind the host, without "/" at its end. ERR_INVALID "<what>: ...". */
struct err *places_add_url(struct places *places, const char *url, const char *path,
			   const char *what, char **ret_path, struct place **ret) MUST_USE;

#endif
