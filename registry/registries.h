/*
 * registry/registries.h - where an image is fetched from, by the machine's configuration.
 *
 * A reference is a logical name. Where its bytes come from is for the machine
 * to say: mirrors, other locations, registries without TLS, registries that are
 * not to be used. Three sources, of which the first that has something about an
 * image decides alone:
 *
 * 1. registries.conf version 2: $CONTAINERS_REGISTRIES_CONF, else
 *    ~/.config/containers/registries.conf, else /etc/containers/registries.conf;
 *    then *.conf of /etc/containers/registries.conf.d and of
 *    ~/.config/containers/registries.conf.d, each in byte order. What is read
 *    later wins: a [[registry]] with the same prefix, an alias, a setting. The
 *    longest prefix that fits decides. Version 1 is ERR_UNSUPPORTED.
 * 2. containerd's /etc/containerd/certs.d/HOST/hosts.toml (HOST_PORT_, HOST:PORT,
 *    _default): server, and for each host capabilities, ca, client, skip_verify,
 *    header, override_path. dial_timeout and proxy are not read.
 * 3. If there is no registries.conf at all: Docker's /etc/docker/daemon.json,
 *    "registry-mirrors" (of the Hub alone) and "insecure-registries".
 *
 * Mirrors serve pulls; a push goes to the place that the name says. Credentials and
 * certificates belong to the place, never to the name.
 *
 * Short names ("app") mean docker.io/library/app, in the store and in this program.
 * Only what is fetched may be meant otherwise: by an alias, or by
 * unqualified-search-registries. Whoever registers a name in one of these before its owner does
 * decides what is fetched: print the resolved name.
 */
#ifndef REGISTRY_REGISTRIES_H
#define REGISTRY_REGISTRIES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/mem.h"
#include "base/vec.h"
#include "registry/certs.h"

struct config_paths;
struct err;
struct reference;
struct registries;

/* Read everything but hosts.toml, which is read when it is asked for. */
struct err *registries_open(const struct config_paths *paths, struct registries **ret) MUST_USE;
void registries_free(struct registries *registries);
DEFINE_AUTO(registries)

/* A place where a repository is. Texts are owned by the list. */
struct place {
	char *host;      /* "docker.io", "localhost:5000": for credentials, certs.d and messages */
	char *server;    /* whom to connect to: "registry-1.docker.io" for docker.io, else `host` */
	char *path;      /* of the repository there: "library/app" */
	char *api;       /* what stands before it in a URL: "/v2" */
	char *ns;        /* value of the query parameter "ns" of every request; NULL: none */
	bool insecure;   /* plain http is allowed and certificates are not checked */
	bool plain_http; /* http and nothing else, as its URL says */
	bool skip_verify;       /* certificates are not checked; https all the same */
	bool is_mirror;         /* a failure there means the next place */
	bool has_certs;         /* `certs` is to be used instead of certs_find() */
	struct certs certs;     /* from hosts.toml */
	struct strings headers; /* from hosts.toml, "Name: value": for this place alone */
	char *tag;              /* the tag to ask for; NULL unless a location renames it */
};

struct places {
	struct place *at;
	size_t len, cap;
};

void places_release(struct places *places);

static inline void places_auto_(struct places *places)
{
	places_release(places);
}

enum registries_purpose {
	PULL_BY_TAG,    /* ask what a tag means: only places that are trusted to know */
	PULL_BY_DIGEST, /* fetch what is verified anyway */
	PUSH,
};

/* The places for an image in the order in which to try them, at least one. ERR_DENIED "blocked by
 * FILE"; ERR_INVALID for a location that makes no name. */
struct err *registries_places(const struct registries *registries, const struct reference *ref,
			      enum registries_purpose purpose, struct places *ret) MUST_USE;

/* What a user's `text` may mean, canonical, in the order in which to try them. */
struct meanings {
	struct strings names;
	bool choose; /* more than one, and the configuration wants the user asked */
};

/* One, unless it is a short name without an alias and several registries are searched. Without a
 * configuration short names are on docker.io. With `terminal` false nobody can be asked: in the mode
 * "enforcing" several are then ERR_INVALID with the list in the notes. ERR_INVALID also for what is
 * no name, and for a short name where none are allowed. */
struct err *registries_meanings(const struct registries *registries, const char *text,
				bool terminal, struct meanings *ret) MUST_USE;
/* One after the other, as long as `attempt` ends with ERR_NOT_FOUND or ERR_DENIED, which is told. The last
 * error speaks for all, and its notes name those before. */
struct err *meanings_try(const struct meanings *meanings,
			 struct err *(*attempt)(void *self, const char *name), void *self) MUST_USE;
void meanings_release(struct meanings *meanings);

static inline void meanings_auto_(struct meanings *meanings)
{
	meanings_release(meanings);
}

/* "credential-helpers", borrowed, for registry/credentials.h; may be empty. */
const struct strings *registries_helpers(const struct registries *registries);

#endif
