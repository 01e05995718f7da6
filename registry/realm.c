/* registry/realm.c - tokens from token servers. See registry/client-private.h. */

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/base64.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/err.h"
#include "base/str.h"
#include "base/vec.h"
#include "registry/client-private.h"
#include "registry/complaint.h"

#define REALM_REDIRECTS_MAX 5
#define FORM_MAX ((size_t)1024 * 1024)

/* ---- whom credentials may be shown to ---- */

static bool is_address(const char *host)
{
	return strchr(host, ':') || host[strspn(host, "0123456789.")] == '\0';
}

/* What a registrar sells: "example.com" of "a.b.example.com", "example.co.uk" of "a.example.co.uk". Short
 * names before two-letter countries are taken for registries of their own, without a list. */
static const char *registrable(const char *host)
{
	const char *dots[3] = { NULL, NULL, NULL }; /* the last three, the last first */
	size_t country, second;

	for (const char *c = host + strlen(host); c > host && !dots[2];)
		if (*--c == '.')
			dots[dots[1] ? 2 : dots[0] ? 1 : 0] = c;
	if (!dots[0] || !dots[1])
		return host;
	country = strlen(dots[0] + 1);
	second = (size_t)(dots[0] - dots[1]) - 1;
	if (country > 2 || second > 3)
		return dots[1] + 1;
	return dots[2] ? dots[2] + 1 : host;
}

bool realm_is_of(const struct url *registry, const struct url *realm, const struct strings *trusted)
{
	AUTO(mem) char *authority = url_authority(realm);

	if (strcasecmp(registry->host, realm->host) == 0)
		return true;
	if (trusted)
		vec_foreach (trusted, one)
			if (strcasecmp(*one, realm->host) == 0 || strcasecmp(*one, authority) == 0)
				return true;
	if (is_address(registry->host) || is_address(realm->host) || !strchr(realm->host, '.'))
		return false;
	return strcasecmp(registrable(registry->host), registrable(realm->host)) == 0;
}

/* ---- what is asked ---- */

static void wipe(char *text)
{
	if (text)
		explicit_bzero(text, strlen(text));
	free(text);
}

static void add_encoded(struct buf *out, const char *text)
{
	for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
		if ((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') ||
		    (*c >= '0' && *c <= '9') || strchr("-._~", *c))
			buf_addc(out, (char)*c);
		else
			buf_addf(out, "%%%02X", *c);
	}
}

static void add_field(struct buf *out, const char *name, const char *value)
{
	buf_addf(out, "%s%s=", out->len ? "&" : "", name);
	add_encoded(out, value);
}

/* The request's own scope first: some servers look at no other. */
static void add_scopes(const struct realm_ask *ask, struct buf *out)
{
	struct strings own = { 0 };

	if (ask->first)
		scopes_add(&own, str_of(ask->first));
	for (int rest = 0; rest < 2; rest++)
		vec_foreach (ask->scopes, scope) {
			struct strings one = { 0 };
			bool is_first;

			scopes_add(&one, str_of(*scope));
			is_first = ask->first && scopes_contain(&one, &own);
			strings_release(&one);
			if (is_first == !rest)
				add_field(out, "scope", *scope);
		}
	strings_release(&own);
}

static char *url_of_get(const struct realm_ask *ask, const struct url *realm)
{
	AUTO(buf) struct buf query = BUF_INIT(FORM_MAX);

	if (ask->service)
		add_field(&query, "service", ask->service);
	add_scopes(ask, &query);
	if (ask->credential && ask->credential->kind == CREDENTIAL_BASIC)
		add_field(&query, "account", ask->credential->user);
	return query.len ? url_with_parameter(realm->text, query.at) : xstrdup(realm->text);
}

static void form_of_post(const struct realm_ask *ask, struct buf *out)
{
	AUTO(mem) char *scopes = scopes_format(ask->scopes);

	add_field(out, "grant_type", "refresh_token");
	add_field(out, "service", ask->service ? ask->service : "");
	add_field(out, "client_id", "cairn");
	add_field(out, "scope", scopes);
	add_field(out, "refresh_token", ask->credential->secret);
}

static bool has_secret(const struct realm_ask *ask)
{
	return ask->credential && (ask->credential->kind == CREDENTIAL_BASIC ||
				   ask->credential->kind == CREDENTIAL_IDENTITY);
}

static void add_basic(const struct credential *credential, struct strings *headers)
{
	char *pair = xasprintf("%s:%s", credential->user, credential->secret);
	char *encoded = base64_encode(str_of(pair));
	char *line = xasprintf("Authorization: Basic %s", encoded);

	strings_push(headers, line);
	wipe(pair);
	wipe(encoded);
	wipe(line);
}

/* ---- asking ---- */

/* One request to the realm, redirects followed. */
static struct err *ask_at(const struct realm_ask *ask, const struct url *realm,
			  struct client_hop *hop, bool with_secret, struct http_response **ret,
			  enum http_trouble *ret_trouble)
{
	AUTO(url) struct url *url = NULL;

	TRY(url_parse(hop->url->text, &url));
	for (int redirects = 0; redirects <= REALM_REDIRECTS_MAX; redirects++) {
		AUTO(http_response) struct http_response *response = NULL;
		AUTO(strings) struct strings headers = { 0 };
		AUTO(url) struct url *next = NULL;
		struct client_hop here = *hop;
		const char *location;

		here.url = url;
		here.place = ask->place && strcasecmp(url->host, ask->server->host) == 0 ?
				     ask->place :
				     NULL;
		here.is_token_server = ask->place && !here.place;
		here.nearest = url_same_origin(url, ask->server) ? ADDRESS_NEAR : ask->nearest;
		here.headers = &headers;
		strings_push(&headers, "User-Agent: cairn/" CAIRN_VERSION);
		if (hop->method == HTTP_POST)
			strings_push(&headers, "Content-Type: application/x-www-form-urlencoded");
		if (with_secret && url_same_origin(url, realm))
			add_basic(ask->credential, &headers);
		TRY(client_hop(ask->client, &here, &response, ret_trouble));
		vec_foreach (&headers, header)
			explicit_bzero(*header, strlen(*header));
		location = http_header(response, "Location");
		if (response->status < 300 || response->status > 399 || !location) {
			*ret = STEAL(response);
			return NULL;
		}
		if (hop->method == HTTP_POST)
			return err_new(ERR_INVALID, "the token server redirects a POST");
		TRY(url_resolve(url, location, &next));
		TRY(travel_may_go(ask->server, url, next));
		url_free(url);
		url = STEAL(next);
	}
	return err_new(ERR_INVALID, "the token server redirects more than %d times",
		       REALM_REDIRECTS_MAX);
}

/* The same, tried again where that helps. */
static struct err *ask_until(const struct realm_ask *ask, const struct url *realm,
			     struct client_hop *hop, bool with_secret, struct http_response **ret)
{
	AUTO(mem) char *authority = url_authority(realm);
	struct client_tries tries = {
		.client = ask->client,
		.host = host_of(ask->client, authority),
		.name = authority,
		.method = HTTP_GET,
	};

	for (;;) {
		AUTO(http_response) struct http_response *response = NULL;
		struct err *err, *other = NULL;
		enum http_trouble trouble = HTTP_FINE;

		TRY(client_wait(&tries));
		err = ask_at(ask, realm, hop, with_secret, &response, &trouble);
		if (client_try_again(&tries, err, trouble, response, &other)) {
			err_free(err);
			continue;
		}
		if (other) {
			err_free(err);
			return other;
		}
		*ret = STEAL(response);
		return err;
	}
}

static struct err *by_get(const struct realm_ask *ask, const struct url *realm,
			  struct http_response **ret)
{
	AUTO(mem) char *text = url_of_get(ask, realm);
	AUTO(url) struct url *url = NULL;
	struct client_hop hop = { .method = HTTP_GET };

	TRY(url_parse(text, &url));
	hop.url = url;
	return ask_until(ask, realm, &hop, has_secret(ask) && ask->credential->user, ret);
}

static struct err *by_post(const struct realm_ask *ask, const struct url *realm,
			   struct http_response **ret)
{
	struct buf form = BUF_INIT(FORM_MAX);
	struct client_hop hop = { .method = HTTP_POST, .url = realm };
	struct err *err;

	form_of_post(ask, &form);
	hop.content.bytes = buf_str(&form);
	err = ask_until(ask, realm, &hop, false, ret);
	explicit_bzero(form.at, form.len);
	buf_release(&form);
	return err;
}

/* The token server's "no", in our words: its 404 is not that of an image. */
static struct err *refused(const struct url *realm, struct http_response *response)
{
	AUTO(mem) char *said = complaint_text(response);
	AUTO(mem) char *shown = url_redacted(realm->text);

	return err_new(response->status >= 500 || response->status == 429 ? ERR_NETWORK :
									    ERR_DENIED,
		       "token server %s: %d%s%s", shown, response->status, *said ? ": " : "", said);
}

static struct err *read_answer(const struct url *realm, struct http_response *response,
			       struct token *ret)
{
	struct buf body = BUF_INIT(TOKEN_ANSWER_MAX);
	uint64_t received = clock_monotonic();
	struct err *err;

	if (response->status < 200 || response->status > 299)
		return refused(realm, response);
	err = client_read(response, TOKEN_ANSWER_MAX, "the token server's answer", &body);
	if (!err)
		err = token_read(buf_str(&body), received, clock_now(), ret);
	if (body.at)
		explicit_bzero(body.at, body.len);
	buf_release(&body);
	return err_wrap(err, "token server %s", realm->host);
}

static struct err *find_realm(const struct realm_ask *ask, struct url **ret)
{
	AUTO(url) struct url *realm = NULL;

	TRY(err_wrap(url_resolve(ask->server, ask->realm, &realm), "the realm of %s",
		     ask->server->host));
	TRY(travel_may_go(ask->server, ask->server, realm));
	if (has_secret(ask) && !realm_is_of(ask->server, realm, ask->client->opts.trusted_realms)) {
		AUTO(mem) char *authority = url_authority(realm);
		struct err *err = err_new(ERR_DENIED,
					  "%s wants its credentials to be sent to %s, which does "
					  "not belong to it",
					  ask->server->host, authority);

		return err_note(err, "if that is right: --trust-realm %s", authority);
	}
	*ret = STEAL(realm);
	return NULL;
}

static struct err *fetch(void *arg, struct token *ret)
{
	const struct realm_ask *ask = arg;
	AUTO(http_response) struct http_response *response = NULL;
	AUTO(url) struct url *realm = NULL;

	TRY(find_realm(ask, &realm));
	assert(realm);
	if (ask->credential && ask->credential->kind == CREDENTIAL_IDENTITY) {
		TRY(by_post(ask, realm, &response));
		if ((response->status != 404 && response->status != 405) || !ask->credential->user)
			return read_answer(realm, response, ret);
		http_response_free(STEAL(response));
	}
	TRY(by_get(ask, realm, &response));
	return read_answer(realm, response, ret);
}

/* Everything that decides which token it is; the secret only as its digest. Owned. */
static struct err *key_of(const struct realm_ask *ask, char **ret)
{
	AUTO(mem) char *authority = url_authority(ask->server);
	AUTO(mem) char *scopes = scopes_format(ask->scopes);
	AUTO(hasher) struct hasher *hasher = hasher_new();
	char text[DIGEST_TEXT_SIZE];
	struct digest digest;

	if (has_secret(ask))
		hasher_update(hasher, ask->credential->secret, strlen(ask->credential->secret));
	TRY(hasher_finish(hasher, &digest));
	*ret = xasprintf("%s\n%s\n%s\n%s\n%s\n%s", authority, ask->realm,
			 ask->service ? ask->service : "",
			 has_secret(ask) && ask->credential->user ? ask->credential->user : "",
			 digest_format(&digest, text), scopes);
	return NULL;
}

struct err *realm_token(const struct realm_ask *ask, char **ret_key, char **ret_token)
{
	TRY(key_of(ask, ret_key));
	return token_cache_get(ask->client->tokens, *ret_key, fetch, (void *)ask, ret_token);
}
