/*
 * registry/credentials-private.h - shared by looking up (credentials.c) and writing
 * (credentials_write.c): files of credentials, their keys, and texts that are wiped.
 */
#ifndef REGISTRY_CREDENTIALS_PRIVATE_H
#define REGISTRY_CREDENTIALS_PRIVATE_H

#include <pthread.h>
#include <stdbool.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/map.h"
#include "base/vec.h"
#include "registry/credentials.h"

#define HUB "docker.io"
#define HUB_KEY "https://index.docker.io/v1/" /* what Docker calls it */
#define FILES_HELPER "containers-auth.json"   /* of registries.conf: no helper but the files */

struct auth_file {
	char *name;     /* a path, or what else it is in messages */
	json_t *doc;    /* NULL if there is none */
	bool is_legacy; /* the map of "auths" alone */
	bool only_auths;
	struct err *problem; /* owned; why it cannot be used */
};

struct credentials {
	const struct config_paths *paths; /* borrowed */
	char *given_host;
	struct credential given; /* for `given_host`, CREDENTIAL_NONE without --creds */
	struct strings helpers;  /* of registries.conf; empty: the files */
	VEC(struct auth_file) files;
	char *write_path;

	pthread_mutex_t lock;
	pthread_cond_t answered;
	struct map answers; /* struct answer by "SUFFIX SERVER"; guarded by lock */
};

/* A document of credentials. Absent and empty files give NULL. No message quotes it. */
struct err *auth_file_read(const char *path, json_t **ret) MUST_USE;

/* Whether two names of hosts are one: those of the Hub are. */
bool same_host(struct str a, struct str b);
/* The host that a key of "auths" or "credHelpers" is for, or an empty text if it is for a part of
 * one ("HOST/a"). */
struct str key_host(const char *key, bool is_legacy);
/* The suffix of the helper that `doc` names for `host`; NULL for none. `*ret_is_own` is true if it
 * is for this host (credHelpers), not for all (credsStore). */
struct err *find_suffix(json_t *doc, const char *name, const char *host, const char **ret,
			bool *ret_is_own) MUST_USE;

/* What a helper answered to "get": `kind`, `user` and `secret`. Nothing of it is in a message. */
struct credential_helper;
struct err *credential_answer_parse(const struct credential_helper *helper, struct str text,
				    struct credential *ret) MUST_USE;

/* Overwrite every text in a document. */
void wipe_json(json_t *doc);

/* AUTO(secret_json) json_t *doc = NULL; */
static inline void secret_json_auto_(json_t **doc)
{
	wipe_json(*doc);
	json_decref(*doc);
}

/* Overwrite and free a text; NULL is fine. */
static inline void secret_free(char *text)
{
	if (text)
		explicit_bzero(text, strlen(text));
	free(text);
}

/* AUTO(secret) char *text = NULL; */
static inline void secret_auto_(char **text)
{
	secret_free(*text);
}

#endif
