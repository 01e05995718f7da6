/*
 * registry/credential_helper.h - programs that keep secrets for others.
 *
 * A helper is a program "docker-credential-SUFFIX" in the PATH. It is run with one
 * word, the server's name or a document on its standard input, and answers on
 * its standard output:
 *
 *	get    SERVER		{"ServerURL", "Username", "Secret"}
 *	store  the same document
 *	erase  SERVER
 *
 * A code other than 0 is a failure; "credentials not found in native keychain" on
 * the output says that there is nothing to give. The user "<token>" means that the
 * secret is an identity token.
 *
 * It is run without a shell, with our environment, with no descriptor of ours but
 * these two, and for at most 30 seconds. What it says is never shown, since it
 * may be a secret; what it says on its standard error is thrown away.
 */
#ifndef REGISTRY_CREDENTIAL_HELPER_H
#define REGISTRY_CREDENTIAL_HELPER_H

#include <stdbool.h>

#include "base/mem.h"

struct config_paths;
struct credential;
struct err;

/* Borrowed. */
struct credential_helper {
	const struct config_paths *paths;
	const char *suffix;
	const char *server;
	unsigned timeout; /* milliseconds; 0: 30 s */
};

/* ERR_DENIED for a helper that is missing or fails, with what to try in the notes; ERR_INVALID for a
 * suffix that is none. Nothing found is CREDENTIAL_NONE. */
struct err *credential_helper_get(const struct credential_helper *helper, struct credential *ret)
	MUST_USE;
struct err *credential_helper_store(const struct credential_helper *helper,
				    const struct credential *credential) MUST_USE;
struct err *credential_helper_erase(const struct credential_helper *helper, bool *ret_found)
	MUST_USE;

#endif
