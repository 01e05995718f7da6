/*
 * registry/credentials.h - who we are to a registry, from where users already keep it.
 *
 * Looked through in this order, the first that knows the registry wins:
 *
 *	--creds				for the one registry that the command names
 *	--authfile, or $REGISTRY_AUTH_FILE	instead of all files below
 *	$DOCKER_AUTH_CONFIG			the text of such a file; only "auths" is read
 *	$XDG_RUNTIME_DIR/containers/auth.json, or /run/containers/UID/auth.json without the variable
 *	$XDG_CONFIG_HOME/containers/auth.json, or ~/.config/containers/auth.json
 *	$DOCKER_CONFIG/config.json, or ~/.docker/config.json
 *	~/.dockercfg				the old form: the map of "auths" alone
 *
 * A file that is not there is fine; one that cannot be read or understood is an
 * error that names it, as soon as a look-up gets that far. Within a file the
 * helper of "credHelpers" for this registry is asked and nothing else; without
 * one that of "credsStore", then "auths". In "auths" the longest key wins of
 * HOST/a/b, HOST/a and HOST. docker.io is also index.docker.io and
 * registry-1.docker.io, and keys may be URLs as Docker writes them
 * ("https://index.docker.io/v1/"). `credential-helpers` of registries.conf are
 * asked in their order; "containers-auth.json" in that list stands for the files.
 *
 * A helper is a program, docker-credential-SUFFIX. It is asked once per registry
 * and process. If it is missing, fails or takes longer than 30 seconds, that is
 * an error for its registry (ERR_DENIED): no other place is asked instead. What it
 * says is never shown.
 *
 * Secrets are wiped from our memory when they are freed; what the JSON library
 * copied on its way is beyond us.
 *
 * Any number of threads may look up at once: a helper runs outside of the lock,
 * and others who want the same answer wait for it.
 */
#ifndef REGISTRY_CREDENTIALS_H
#define REGISTRY_CREDENTIALS_H

#include <stdbool.h>

#include "base/mem.h"
#include "base/vec.h"

struct config_paths;
struct err;

enum credential_kind {
	CREDENTIAL_NONE,     /* anonymous */
	CREDENTIAL_BASIC,    /* user and password */
	CREDENTIAL_IDENTITY, /* a refresh token, to be exchanged at the token server */
	CREDENTIAL_BEARER,   /* a token to be sent to the registry as it is */
};

/* Owned texts; all but `source` may be NULL. */
struct credential {
	enum credential_kind kind;
	char *user; /* CREDENTIAL_BASIC; for CREDENTIAL_IDENTITY what stood with it, if anything */
	char *secret; /* the password or token */
	char *source; /* for messages: "from /root/.docker/config.json"; never a secret */
};

void credential_release(struct credential *credential); /* wipes */
/* Parse "USER[:PASSWORD]"; a missing password is "". ERR_USAGE if there is no user. */
struct err *credential_parse(const char *text, const char *source, struct credential *ret) MUST_USE;

static inline void credential_auto_(struct credential *credential)
{
	credential_release(credential);
}

/* All zero is the default. `paths` is borrowed for good, texts while credentials_new() runs. */
struct credentials_opts {
	const struct config_paths *paths;
	const char *creds;             /* --creds, "USER[:PASSWORD]" */
	const char *creds_host;        /* whom it is for, "docker.io"; needed with `creds` */
	const char *authfile;          /* --authfile */
	const struct strings *helpers; /* of registries.conf, or NULL */
};

struct credentials;

/* Reads the files, which may be absent. ERR_USAGE for bad `creds`. */
struct err *credentials_new(const struct credentials_opts *opts, struct credentials **ret) MUST_USE;
void credentials_free(struct credentials *credentials);
DEFINE_AUTO(credentials)

/* For the repository `path` on `host` ("docker.io", "localhost:5000"); `path` may be NULL. `host` is
 * whom we talk to: a mirror's own name, never that of what it mirrors. None is no error. */
struct err *credentials_get(struct credentials *credentials, const char *host, const char *path,
			    struct credential *ret) MUST_USE;

/* "HttpHeaders" of Docker's configuration, appended as "Name: value": for registries alone. */
struct err *credentials_headers(struct credentials *credentials, struct strings *ret) MUST_USE;

/* ---- login and logout (credentials_write.c) ---- */

/*
 * They write where Podman does: --authfile, $REGISTRY_AUTH_FILE, else the first file of the list,
 * $XDG_RUNTIME_DIR/containers/auth.json or /run/containers/UID/auth.json. What lies there is gone
 * when the machine starts again: whoever wants to stay logged in names a file. Through a symbolic
 * link the file behind it is replaced; what else is in it stays. The mode becomes 0600, the
 * directory is made with 0700. Two that write at once do so one after the other. Where that file or
 * registries.conf names a helper for the registry, the helper keeps the secret.
 */

/* Keep it for `host`, or for HOST/a/b as `key`. `ret_where` (owned, for a message) says where:
 * "in FILE", "with the helper docker-credential-SUFFIX". `credentials` answers as before. */
struct err *credentials_save(struct credentials *credentials, const char *key,
			     const struct credential *credential, char **ret_where) MUST_USE;

/* Forget it. `*ret_found` is false if there was none. That another file still knows the registry is
 * for the caller to find out, with fresh credentials and credentials_get(). */
struct err *credentials_erase(struct credentials *credentials, const char *key, bool *ret_found)
	MUST_USE;

/* Append the keys of all logins that the file which we write knows of, as credentials_erase() takes
 * them. */
struct err *credentials_keys(struct credentials *credentials, struct strings *ret) MUST_USE;

#endif
