/* registry/web.c - see registry/web.h. */

#include "registry/web.h"

#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/err.h"
#include "base/str.h"
#include "registry/client-private.h"
#include "registry/complaint.h"

struct ask {
	struct client *client;
	const struct web_request *request;
	struct url *start; /* owned; without user and password */
	char *own;         /* owned: what authorises at `start`, of the URL itself; NULL: nothing */
};

static void wipe(char *text)
{
	if (text)
		explicit_bzero(text, strlen(text));
	free(text);
}

static void ask_auto_(struct ask *ask)
{
	url_free(ask->start);
	wipe(ask->own);
}

/* ---- the URL ---- */

char *web_basic(struct str userinfo)
{
	struct str rest = userinfo;
	char *user = url_decoded(str_cut(&rest, ':'));
	char *password = url_decoded(rest);
	char *pair = user && password ? xasprintf("%s:%s", user, password) : NULL;
	char *encoded = pair ? base64_encode(str_of(pair)) : NULL;
	char *value = encoded ? xasprintf("Basic %s", encoded) : NULL;

	wipe(user);
	wipe(password);
	wipe(pair);
	wipe(encoded);
	return value;
}

/* Take user and password out of the URL. */
static struct err *read_url(struct ask *ask)
{
	const char *text = ask->request->url;
	const char *authority = strstr(text, "://");
	size_t len = authority ? strcspn(authority + 3, "/?#") : 0;
	const char *at = len ? memrchr(authority + 3, '@', len) : NULL;
	AUTO(mem) char *bare = NULL;

	if (!at)
		return url_parse(text, &ask->start);
	bare = xasprintf("%.*s%s", (int)(authority + 3 - text), text, at + 1);
	ask->own = web_basic((struct str){ authority + 3, (size_t)(at - authority - 3) });
	return url_parse(bare, &ask->start);
}

/* ---- one try ---- */

static struct err *authorise(const struct ask *ask, const struct url *url, struct strings *headers)
{
	const struct web_auth *auth = ask->request->auth;
	AUTO(mem) char *authority = url_authority(url);
	char *value = NULL, *line;

	if (auth)
		TRY(auth->find(auth->self, authority, &value));
	if (!value && ask->own && url_same_origin(url, ask->start))
		value = xstrdup(ask->own);
	if (!value)
		return NULL;
	line = xasprintf("Authorization: %s", value);
	strings_push(headers, line);
	wipe(line);
	wipe(value);
	return NULL;
}

/* How near a host may be: strangers are judged by who sends us to them. */
static enum address_reach nearest(const struct ask *ask, const struct url *url)
{
	AUTO(mem) char *authority = url_authority(ask->start);

	return url_same_origin(url, ask->start) ?
		       ADDRESS_NEAR :
		       host_nearest(host_of(ask->client, authority), ask->start);
}

static struct err *hop(const struct ask *ask, const struct url *url, struct http_response **ret,
		       enum http_trouble *ret_trouble)
{
	AUTO(strings) struct strings headers = { 0 };
	const struct client_hop how = { .method = HTTP_GET,
					.url = url,
					.headers = &headers,
					.nearest = nearest(ask, url),
					.bulk = true };
	struct err *err;

	strings_push(&headers, "User-Agent: cairn/" CAIRN_VERSION);
	if (ask->request->headers)
		strings_copy(&headers, ask->request->headers);
	TRY(authorise(ask, url, &headers));
	err = client_hop(ask->client, &how, ret, ret_trouble);
	vec_foreach (&headers, header)
		explicit_bzero(*header, strlen(*header));
	return err;
}

static bool is_redirect(int status)
{
	return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

/* Where the response sends us, if we may go there. */
static struct err *follow(const struct ask *ask, const struct http_response *response,
			  struct url **url)
{
	const char *location = http_header(response, "Location");
	AUTO(url) struct url *next = NULL;

	if (!location)
		return err_new(ERR_INVALID, "%s redirects to nowhere", (*url)->host);
	TRY(url_resolve(*url, location, &next));
	TRY(travel_may_go(ask->start, *url, next));
	url_free(*url);
	*url = STEAL(next);
	return NULL;
}

static struct err *try_once(const struct ask *ask, struct http_response **ret,
			    enum http_trouble *ret_trouble)
{
	AUTO(url) struct url *url = NULL;

	TRY(url_parse(ask->start->text, &url));
	for (unsigned redirects = 0; redirects <= CLIENT_REDIRECTS_MAX; redirects++) {
		AUTO(http_response) struct http_response *response = NULL;

		TRY(hop(ask, url, &response, ret_trouble));
		if (!is_redirect(response->status)) {
			*ret = STEAL(response);
			return NULL;
		}
		TRY(follow(ask, response, &url));
	}
	return err_new(ERR_INVALID, "%s redirects more than %d times", ask->start->host,
		       CLIENT_REDIRECTS_MAX);
}

/* ---- until there is an answer ---- */

static bool is_accepted(const struct web_request *request, int status)
{
	if (status >= 200 && status <= 299)
		return true;
	for (const int *one = request->accept; one && *one; one++)
		if (*one == status)
			return true;
	return false;
}

static struct err *refusal(struct http_response *response)
{
	AUTO(mem) char *said = complaint_text(response);

	return complaint_error(HTTP_GET, response->url, response->status, said);
}

struct err *web_get(struct client *client, const struct web_request *request,
		    struct http_response **ret)
{
	AUTO(ask) struct ask ask = { .client = client, .request = request };
	AUTO(mem) char *authority = NULL;
	struct client_tries tries = { .client = client, .method = HTTP_GET };

	TRY(read_url(&ask));
	authority = url_authority(ask.start);
	tries.host = host_of(client, authority);
	tries.name = authority;
	for (;;) {
		AUTO(http_response) struct http_response *response = NULL;
		enum http_trouble trouble = HTTP_FINE;
		struct err *err, *other = NULL;

		TRY(client_wait(&tries));
		err = try_once(&ask, &response, &trouble);
		if (!err && is_accepted(request, response->status)) {
			*ret = STEAL(response);
			return NULL;
		}
		if (client_try_again(&tries, err, trouble, response, &other)) {
			err_free(err);
			continue;
		}
		if (other) {
			err_free(err);
			return other;
		}
		return err ? err : refusal(response);
	}
}
