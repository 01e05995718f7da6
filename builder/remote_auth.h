/*
 * builder/remote_auth.h - which secrets of a build say who we are at which host.
 *
 *	HTTP_AUTH_HEADER_<host>		the value of the Authorization header for files of the web
 *	HTTP_AUTH_TOKEN_<host>		a bearer token for them
 *	GIT_AUTH_HEADER[.<host>]	the same for repositories by http and https
 *	GIT_AUTH_TOKEN[.<host>]		a token, sent as the password of "x-access-token"
 *
 * <host> is as in the URL, with its port if it has one. Those without a host are for the
 * host of the repository that a Recipe or a user names, and no other's of its submodules. A
 * line end behind the value does not belong to it. What is found goes to that host alone.
 */
#ifndef BUILDER_REMOTE_AUTH_H
#define BUILDER_REMOTE_AUTH_H

#include <stdbool.h>

#include "base/mem.h"
#include "registry/web.h"

struct err;
struct git_url;
struct secrets;

/* For web_request: borrows `secrets`, which may be NULL. */
struct web_auth remote_auth_web(const struct secrets *secrets);

/* The value of the Authorization header for a repository, to be wiped and freed by the caller; NULL for
 * none. `named` if it is at the host that was named. ERR_INVALID for a secret that no header can hold. */
struct err *remote_auth_git(const struct secrets *secrets, const struct git_url *url, bool named,
			    char **ret) MUST_USE;

#endif
