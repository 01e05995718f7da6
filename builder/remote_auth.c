/* builder/remote_auth.c - see builder/remote_auth.h. */

#include "builder/remote_auth.h"

#include <string.h>

#include "base/base64.h"
#include "base/err.h"
#include "base/str.h"
#include "builder/git_url.h"
#include "builder/secrets.h"
#include "registry/header.h"

static void wipe(char *text)
{
	if (text)
		secret_wipe(text, strlen(text));
	free(text);
}

/* The secret of that id as the value of a header; `*ret` is NULL if there is none. */
static struct err *find(const struct secrets *secrets, const char *id, char **ret)
{
	const struct secret *secret = secrets_find(secrets, id);
	struct str value;
	char *text;

	*ret = NULL;
	if (!secret)
		return NULL;
	value = str_trim((struct str){ secret->value, secret->len });
	text = str_dup(value);
	if (strlen(text) != value.len || !value.len || !header_is_valid("Authorization", text)) {
		wipe(text);
		return err_new(ERR_INVALID, "the secret %s cannot be sent in a header", id);
	}
	*ret = text;
	return NULL;
}

static struct err *find_web(void *self, const char *authority, char **ret)
{
	AUTO(mem) char *header = xasprintf("HTTP_AUTH_HEADER_%s", authority);
	AUTO(mem) char *bearer = xasprintf("HTTP_AUTH_TOKEN_%s", authority);
	char *token;

	TRY(find(self, header, ret));
	if (*ret)
		return NULL;
	TRY(find(self, bearer, &token));
	if (token)
		*ret = xasprintf("Bearer %s", token);
	wipe(token);
	return NULL;
}

struct web_auth remote_auth_web(const struct secrets *secrets)
{
	return (struct web_auth){ .find = find_web, .self = (void *)secrets };
}

/* GIT_AUTH_TOKEN and GIT_AUTH_HEADER, each with `suffix`. */
static struct err *find_git(const struct secrets *secrets, const char *suffix, char **ret)
{
	AUTO(mem) char *bearer = xasprintf("GIT_AUTH_TOKEN%s", suffix);
	AUTO(mem) char *header = xasprintf("GIT_AUTH_HEADER%s", suffix);
	char *token, *pair, *encoded;

	TRY(find(secrets, bearer, &token));
	if (!token)
		return find(secrets, header, ret);
	pair = xasprintf("x-access-token:%s", token);
	encoded = base64_encode(str_of(pair));
	*ret = xasprintf("basic %s", encoded);
	wipe(token);
	wipe(pair);
	wipe(encoded);
	return NULL;
}

struct err *remote_auth_git(const struct secrets *secrets, const struct git_url *url, bool named,
			    char **ret)
{
	AUTO(mem) char *suffix = xasprintf(".%s", url->authority);

	*ret = NULL;
	if (url->scheme != GIT_HTTP && url->scheme != GIT_HTTPS)
		return NULL;
	TRY(find_git(secrets, suffix, ret));
	if (!*ret && named)
		TRY(find_git(secrets, "", ret));
	if (!*ret && url->login)
		*ret = web_basic(str_of(url->login));
	return NULL;
}
