/* registry/travel.c - one request on its way. See registry/client-private.h. */

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/base64.h"
#include "base/err.h"
#include "base/str.h"
#include "registry/client-private.h"

#define REFUSALS_MAX 3 /* answers 401 that are worth another token */

struct travel {
	struct client *client;
	const struct client_request *request;
	const struct url *home;
	struct url *url; /* where it is now, owned */
	enum http_method method;
	struct http_content content;

	struct credential credential; /* for the home */
	struct strings scopes;        /* what the token must allow */
	char *first;                  /* the scope of the request itself */
	char *key, *token;            /* the token that was sent last */
	struct host_want stranger;    /* what the host of `url` wants, if it is a stranger */
	bool basic_sent;
	bool asked; /* the last token was asked for after a refusal, for all of `scopes` */
	unsigned refusals;
};

static void wipe(char *text)
{
	if (text)
		explicit_bzero(text, strlen(text));
	free(text);
}

static void travel_release(struct travel *t)
{
	url_free(t->url);
	credential_release(&t->credential);
	strings_release(&t->scopes);
	free(t->first);
	wipe(t->key);
	wipe(t->token);
	host_want_release(&t->stranger);
}

static bool at_home(const struct travel *t)
{
	return url_same_origin(t->url, t->home);
}

struct err *travel_may_go(const struct url *home, const struct url *from, const struct url *next)
{
	AUTO(mem) char *shown = url_redacted(next->text);

	if ((home->is_https || from->is_https) && !next->is_https)
		return err_new(ERR_INVALID, "%s sends us to plain http: %s", from->host, shown);
	if (url_is_private(next) && !url_is_private(home))
		return err_new(ERR_INVALID, "%s sends us to an address inside this network: %s",
			       from->host, shown);
	return NULL;
}

/* How near strangers may be to whom we are sent. */
static enum address_reach nearest(const struct travel *t)
{
	AUTO(mem) char *authority = url_authority(t->home);

	return host_nearest(host_of(t->client, authority), t->home);
}

/* ---- authorisation ---- */

static void add_header(struct strings *headers, const char *fmt, const char *secret)
{
	char *line = xasprintf("Authorization: %s %s", fmt, secret);

	strings_push(headers, line);
	wipe(line);
}

static void add_basic(struct travel *t, struct strings *headers)
{
	char *pair = xasprintf("%s:%s", t->credential.user, t->credential.secret);
	char *encoded = base64_encode(str_of(pair));

	add_header(headers, "Basic", encoded);
	t->basic_sent = true;
	wipe(pair);
	wipe(encoded);
}

static struct err *add_token(struct travel *t, const struct host_want *want,
			     struct strings *headers)
{
	struct realm_ask ask = {
		.client = t->client,
		.place = at_home(t) ? t->request->place : NULL,
		.server = t->url,
		.nearest = nearest(t),
		.realm = want->realm,
		.service = want->service,
		.first = at_home(t) ? t->first : NULL,
		.scopes = &t->scopes,
		.credential = at_home(t) ? &t->credential : NULL,
	};

	wipe(t->key);
	wipe(t->token);
	t->key = t->token = NULL;
	TRY(realm_token(&ask, &t->key, &t->token));
	add_header(headers, "Bearer", t->token);
	return NULL;
}

/* The header that the host is known to want. */
static struct err *authorise(struct travel *t, struct strings *headers)
{
	AUTO(mem) char *authority = url_authority(t->url);
	struct host_want want = { 0 };
	struct err *err = NULL;

	if (!at_home(t))
		return t->stranger.auth == AUTH_BEARER ? add_token(t, &t->stranger, headers) : NULL;
	host_get_want(host_of(t->client, authority), &want);
	if (t->credential.kind == CREDENTIAL_BEARER)
		add_header(headers, "Bearer", t->credential.secret);
	else if (want.auth == AUTH_BASIC && t->credential.kind == CREDENTIAL_BASIC)
		add_basic(t, headers);
	else if (want.auth == AUTH_BEARER)
		err = add_token(t, &want, headers);
	host_want_release(&want);
	return err;
}

/* ---- challenges ---- */

static void read_challenges(const struct http_response *response, struct challenges *ret)
{
	const char *line;
	size_t at = 0;

	/* What can be read of a broken header counts. */
	while ((line = http_header_next(response, "WWW-Authenticate", &at)))
		err_free(challenges_read(ret, line));
}

/* Some registries say only at /v2/ what they want. Asked once. */
static struct err *ping(struct travel *t, struct host *host, struct challenges *ret)
{
	AUTO(http_response) struct http_response *response = NULL;
	AUTO(mem) char *path = xasprintf("%s/", t->request->place->api);
	AUTO(url) struct url *url = NULL;
	struct client_hop hop = { .method = HTTP_GET, .place = t->request->place };
	enum http_trouble trouble;
	bool pinged;

	pthread_mutex_lock(&host->lock);
	pinged = host->pinged;
	host->pinged = true;
	pthread_mutex_unlock(&host->lock);
	if (pinged)
		return NULL;
	TRY(url_resolve(t->home, path, &url));
	hop.url = url;
	TRY(client_hop(t->client, &hop, &response, &trouble));
	read_challenges(response, ret);
	return NULL;
}

/* The refusal asks for a token: is there any use in asking (again)? */
static bool wants_token(struct travel *t, const struct challenge *bearer)
{
	const char *scope = challenge_param(bearer, "scope");
	struct strings asked = { 0 };
	bool more;

	if (scope)
		scopes_add(&asked, str_of(scope));
	more = !scopes_contain(&t->scopes, &asked);
	if (scope)
		scopes_add(&t->scopes, str_of(scope));
	strings_release(&asked);
	if (t->asked && !more)
		return false;
	if (t->token)
		token_cache_drop(t->client->tokens, t->key, t->token);
	t->asked = true;
	return true;
}

static void remember(struct travel *t, struct host *host, enum host_auth auth,
		     const struct challenge *challenge)
{
	const char *realm = challenge_param(challenge, "realm");
	const char *service = challenge_param(challenge, "service");

	if (at_home(t)) {
		host_set_want(host, auth, realm, service);
		return;
	}
	host_want_release(&t->stranger);
	t->stranger = (struct host_want){ auth, xstrdup(realm), xstrdup(service) };
}

/* After a 401: is it worth another try, and with what? */
static struct err *heed(struct travel *t, const struct http_response *response, bool *ret_again)
{
	AUTO(challenges) struct challenges list = { 0 };
	AUTO(mem) char *authority = url_authority(t->url);
	struct host *host = host_of(t->client, authority);
	const struct challenge *bearer, *basic;

	*ret_again = false;
	read_challenges(response, &list);
	if (list.len == 0 && at_home(t))
		TRY(ping(t, host, &list));
	if (++t->refusals > REFUSALS_MAX || t->credential.kind == CREDENTIAL_BEARER)
		return NULL;
	bearer = challenges_find(&list, "bearer");
	basic = challenges_find(&list, "basic");
	if (bearer && challenge_param(bearer, "realm")) {
		*ret_again = wants_token(t, bearer);
		remember(t, host, AUTH_BEARER, bearer);
	} else if (basic && at_home(t) && t->credential.kind == CREDENTIAL_BASIC &&
		   !t->basic_sent) {
		*ret_again = true;
		remember(t, host, AUTH_BASIC, basic);
	}
	return NULL;
}

/* ---- redirects ---- */

static bool is_redirect(int status)
{
	return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

static bool has_content(const struct travel *t)
{
	return t->method == HTTP_POST || t->method == HTTP_PUT || t->method == HTTP_PATCH;
}

static struct err *follow(struct travel *t, const struct http_response *response)
{
	const char *location = http_header(response, "Location");
	AUTO(url) struct url *next = NULL;

	if (!location)
		return err_new(ERR_INVALID, "%s redirects to nowhere", t->url->host);
	TRY(url_resolve(t->url, location, &next));
	TRY(travel_may_go(t->home, t->url, next));
	if (has_content(t) && (response->status < 307 || t->content.feed))
		return err_new(ERR_INVALID, "%s redirects a %s by a %d, which cannot be followed",
			       t->url->host, http_method_name(t->method), response->status);
	host_want_release(&t->stranger);
	url_free(t->url);
	t->url = STEAL(next);
	return NULL;
}

/* ---- the way ---- */

/* Is a header one that any host may see? */
static bool is_harmless(const char *header)
{
	static const char *const names[] = { "Accept:", "Range:", "User-Agent:", "Content-Type:",
					     "Content-Range:" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (strncasecmp(header, names[i], strlen(names[i])) == 0)
			return true;
	return false;
}

static struct err *step(struct travel *t, struct http_response **ret,
			enum http_trouble *ret_trouble)
{
	AUTO(strings) struct strings headers = { 0 };
	struct client_hop hop = {
		.method = t->method,
		.url = t->url,
		.headers = &headers,
		.content = t->content,
		.place = at_home(t) ? t->request->place : NULL,
		.nearest = at_home(t) ? ADDRESS_NEAR : nearest(t),
		.bulk = t->request->bulk,
	};
	struct err *err;

	strings_push(&headers, "User-Agent: cairn/" CAIRN_VERSION);
	if (t->request->headers)
		vec_foreach (t->request->headers, header)
			if (at_home(t) || is_harmless(*header))
				strings_push(&headers, *header);
	if (at_home(t)) {
		strings_copy(&headers, &t->request->place->headers);
		strings_copy(&headers, &t->client->headers);
	}
	TRY(authorise(t, &headers));
	err = client_hop(t->client, &hop, ret, ret_trouble);
	vec_foreach (&headers, header)
		explicit_bzero(*header, strlen(*header));
	return err;
}

static struct err *go(struct travel *t, struct http_response **ret, enum http_trouble *ret_trouble)
{
	for (unsigned redirects = 0; redirects <= CLIENT_REDIRECTS_MAX;) {
		AUTO(http_response) struct http_response *response = NULL;
		bool again = false;

		TRY(step(t, &response, ret_trouble));
		if (response->status == 401) {
			TRY(heed(t, response, &again));
			if (again &&
			    t->content.feed) /* what it had is gone: who fills it begins again */
				return err_new(ERR_NETWORK,
					       "%s wants another token in mid-transfer",
					       t->url->host);
			if (again)
				continue;
		}
		if (!is_redirect(response->status)) {
			*ret = STEAL(response);
			return NULL;
		}
		redirects++;
		TRY(follow(t, response));
	}
	return err_new(ERR_INVALID, "%s redirects more than %d times", t->home->host,
		       CLIENT_REDIRECTS_MAX);
}

static void prepare_scopes(struct travel *t)
{
	const struct client_request *request = t->request;

	if (!request->actions)
		return;
	t->first = xasprintf("repository:%s:%s", request->place->path, request->actions);
	scopes_add(&t->scopes, str_of(t->first));
	if (request->also_pull) {
		AUTO(mem) char *other = xasprintf("repository:%s:pull", request->also_pull);

		scopes_add(&t->scopes, str_of(other));
	}
}

struct err *travel(struct client *client, const struct client_request *request,
		   const struct url *start, const struct url *home, struct http_response **ret,
		   enum http_trouble *ret_trouble)
{
	struct travel t = {
		.client = client,
		.request = request,
		.home = home,
		.method = request->method,
		.content = request->content,
	};
	struct err *err = url_parse(start->text, &t.url);

	prepare_scopes(&t);
	if (!err)
		err = client_credential(client, request->place, &t.credential);
	if (!err)
		err = go(&t, ret, ret_trouble);
	travel_release(&t);
	return err;
}
