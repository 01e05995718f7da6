/* registry/client.c - see registry/client.h. */

#include "registry/client.h"

#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/cancel.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/str.h"
#include "registry/challenge.h"
#include "registry/client-private.h"
#include "registry/complaint.h"
#include "registry/header.h"

#define MILLISECOND UINT64_C(1000000)
#define RETRIES 5
#define RETRIES_NO_HOST 2 /* a name that was mistyped need not be asked for half a minute */
#define RETRY_MAX_WAIT 120
#define RETRY_PAUSE 1000
#define PAUSE_MAX UINT64_C(60000)
#define LOOK_UP 500 /* milliseconds: who waits looks whether it is still wanted */

struct client *client_new(const struct client_opts *opts, struct transport transport)
{
	struct client *client = xcalloc(1, sizeof(*client));

	client->opts = *opts;
	if (client->opts.never_again)
		client->opts.retries = 0;
	else if (!client->opts.retries)
		client->opts.retries = RETRIES;
	if (!client->opts.retry_max_wait)
		client->opts.retry_max_wait = RETRY_MAX_WAIT;
	if (!client->opts.retry_pause)
		client->opts.retry_pause = RETRY_PAUSE;
	client->transport = transport.ops ?
				    transport :
				    http_transport_new(&(struct http_opts){ .paths = opts->paths });
	client->tokens = token_cache_new();
	pthread_mutex_init(&client->lock, NULL);
	return client;
}

void client_free(struct client *client)
{
	if (!client)
		return;
	transport_free(&client->transport);
	token_cache_free(client->tokens);
	registries_free(client->registries);
	credentials_free(client->credentials);
	strings_release(&client->headers);
	map_release(&client->hosts, host_free);
	map_release(&client->warned, NULL);
	map_release(&client->no_mounts, NULL);
	pthread_mutex_destroy(&client->lock);
	free(client);
}

uint64_t client_requests(const struct client *client)
{
	return atomic_load(&client->requests);
}

bool client_is_offline(const struct client *client)
{
	return client->opts.offline;
}

/* ---- configuration ---- */

/* With the client's lock held. */
static struct err *read_registries(struct client *client)
{
	return client->registries ? NULL : registries_open(client->opts.paths, &client->registries);
}

struct err *client_registries(struct client *client, const struct registries **ret)
{
	struct err *err;

	pthread_mutex_lock(&client->lock);
	err = read_registries(client);
	pthread_mutex_unlock(&client->lock);
	*ret = client->registries;
	return err;
}

/* With the client's lock held. */
static struct err *read_credentials(struct client *client)
{
	struct credentials_opts opts = {
		.paths = client->opts.paths,
		.creds = client->opts.creds,
		.creds_host = client->opts.creds_host,
		.authfile = client->opts.authfile,
	};

	if (client->has_credentials)
		return NULL;
	TRY(read_registries(client));
	opts.helpers = registries_helpers(client->registries);
	if (!client->credentials)
		TRY(credentials_new(&opts, &client->credentials));
	TRY(credentials_headers(client->credentials, &client->headers));
	client->has_credentials = true;
	return NULL;
}

struct err *client_identity(struct client *client)
{
	struct err *err;

	pthread_mutex_lock(&client->lock);
	err = read_credentials(client);
	pthread_mutex_unlock(&client->lock);
	return err;
}

struct err *client_credential(struct client *client, const struct place *place,
			      struct credential *ret)
{
	TRY(client_identity(client));
	return credentials_get(client->credentials, place->host, place->path, ret);
}

/* ---- talking to the user ---- */

void client_say(const struct client *client, const char *fmt, ...)
{
	AUTO(mem) char *line = NULL;
	va_list args;

	if (!client->opts.say)
		return;
	va_start(args, fmt);
	line = xvasprintf(fmt, args);
	va_end(args);
	client->opts.say(client->opts.say_self, line);
}

/* True the first time that `text` comes, while there is room for it. */
static bool is_new_warning(struct client *client, struct str text)
{
	bool is_new;

	pthread_mutex_lock(&client->lock);
	is_new = !map_has(&client->warned, text) &&
		 client->warned_bytes + text.len <= CLIENT_WARNINGS_MAX;
	if (is_new) {
		map_put(&client->warned, text, client);
		client->warned_bytes += text.len;
	}
	pthread_mutex_unlock(&client->lock);
	return is_new;
}

void client_warn(struct client *client, const struct http_response *response)
{
	const char *line;
	size_t at = 0;

	while ((line = http_header_next(response, "Warning", &at))) {
		AUTO(mem) char *text = header_warning(line);

		if (text && is_new_warning(client, str_of(text)))
			client_say(client, "the registry says: %s", text);
	}
}

/* ---- one exchange ---- */

static bool skips_verification(const struct client *client, const struct client_hop *hop)
{
	if (client->opts.tls_verify == TLS_VERIFY_ALWAYS)
		return false;
	if (client->opts.tls_verify == TLS_VERIFY_NEVER)
		return hop->place || hop->is_token_server;
	return hop->place && (hop->place->insecure || hop->place->skip_verify);
}

struct err *client_hop(struct client *client, const struct client_hop *hop,
		       struct http_response **ret, enum http_trouble *ret_trouble)
{
	AUTO(mem) char *authority = url_authority(hop->url);
	AUTO(mem) char *shown = url_redacted(hop->url->text);
	struct err *err;
	struct http_request request = {
		.method = hop->method,
		.url = hop->url->text,
		.headers = hop->headers,
		.content = hop->content,
		.skip_verify = skips_verification(client, hop),
		.bulk = hop->bulk,
		.nearest = hop->nearest,
	};
	struct host *host = host_of(client, authority);

	*ret_trouble = HTTP_FINE;
	if (client->opts.offline)
		return err_new(ERR_NETWORK, "%s cannot be asked: --offline", authority);
	if (hop->url->is_https)
		TRY(host_certs(client, host, hop->place, authority, &request.certs));
	atomic_fetch_add(&client->requests, 1);
	err = client->transport.ops->send(client->transport.self, &request, ret, ret_trouble);
	if (err) {
		log_debug("%s %s: %s", http_method_name(hop->method), shown, err_text(err));
		return err;
	}
	log_debug("%s %s: %d", http_method_name(hop->method), shown, (*ret)->status);
	(*ret)->url = xstrdup(hop->url->text);
	pthread_mutex_lock(&host->lock);
	host->is_inside = (*ret)->is_inside;
	pthread_mutex_unlock(&host->lock);
	client_warn(client, *ret);
	return NULL;
}

struct err *client_read(struct http_response *response, size_t max, const char *what,
			struct buf *ret)
{
	char data[16 * 1024];
	size_t n;

	while ((n = source_read(response->body, data, sizeof(data)))) {
		if (ret->len + n > max)
			return err_new(ERR_INVALID, "%s is larger than %zu bytes", what, max);
		buf_add(ret, data, n);
	}
	TRY(source_check(response->body));
	return buf_check(ret, what);
}

/* ---- again ---- */

struct err *client_wait(const struct client_tries *tries)
{
	for (;;) {
		struct pollfd stop = { .fd = cancel_fd(), .events = POLLIN };
		uint64_t now = clock_monotonic();
		uint64_t until, left;

		pthread_mutex_lock(&tries->host->lock);
		until = tries->host->not_before;
		pthread_mutex_unlock(&tries->host->lock);
		TRY(cancel_check());
		if (until <= now)
			return NULL;
		left = (until - now) / MILLISECOND + 1;
		(void)poll(&stop, 1, (int)(left < LOOK_UP ? left : LOOK_UP));
	}
}

static bool is_passing(int status, enum http_method method)
{
	switch (status) {
	case 500:
		return method == HTTP_GET || method == HTTP_HEAD || method == HTTP_PUT;
	case 408:
	case 429:
	case 499:
	case 502:
	case 503:
	case 504:
		return true;
	default:
		return status >= 520 && status <= 524;
	}
}

static unsigned tries_allowed(const struct client_tries *tries, enum http_trouble trouble)
{
	unsigned most = tries->client->opts.retries;

	if (trouble == HTTP_NO_TLS || trouble == HTTP_NOT_TLS || trouble == HTTP_PROXY ||
	    tries->once)
		return 0;
	return trouble == HTTP_NO_HOST && most > RETRIES_NO_HOST ? RETRIES_NO_HOST : most;
}

/* Milliseconds: what the user says, or doubled with every repeat, of which at least a half. */
static uint64_t usual_pause(const struct client_tries *tries)
{
	uint64_t pause = (uint64_t)tries->client->opts.retry_pause
			 << (tries->done < 16 ? tries->done : 16);
	uint32_t chance = 0;

	if (tries->client->opts.retry_delay)
		return tries->client->opts.retry_delay;
	if (pause > PAUSE_MAX)
		pause = PAUSE_MAX;
	if (getrandom(&chance, sizeof(chance), GRND_NONBLOCK) != sizeof(chance))
		chance = (uint32_t)clock_monotonic();
	return pause / 2 + chance % (pause / 2 + 1);
}

static void pause_host(struct host *host, uint64_t milliseconds)
{
	uint64_t until = clock_monotonic() + milliseconds * MILLISECOND;

	pthread_mutex_lock(&host->lock);
	if (host->not_before < until)
		host->not_before = until;
	pthread_mutex_unlock(&host->lock);
}

bool client_try_again(struct client_tries *tries, const struct err *err, enum http_trouble trouble,
		      const struct http_response *response, struct err **ret_err)
{
	uint64_t pause = usual_pause(tries), wanted;
	const char *after = response ? http_header(response, "Retry-After") : NULL;

	if (response ? !is_passing(response->status, tries->method) :
		       err_kind(err) != ERR_NETWORK || trouble == HTTP_FINE)
		return false;
	if (tries->done >= tries_allowed(tries, trouble))
		return false;
	if (after && header_retry_after(after, clock_now().tv_sec, &wanted)) {
		if (wanted > tries->client->opts.retry_max_wait) {
			*ret_err = err_new(ERR_NETWORK,
					   "%s answers %d and wants to be left alone for %ju s, "
					   "longer than the %u s of --retry-max-wait",
					   tries->name, response->status, (uintmax_t)wanted,
					   tries->client->opts.retry_max_wait);
			return false;
		}
		pause = wanted * 1000 > pause ? wanted * 1000 : pause;
	}
	tries->done++;
	if (response)
		client_say(tries->client, "%s answers %d: trying again in %.1f s", tries->name,
			   response->status, (double)pause / 1000);
	else
		client_say(tries->client, "%s: trying again in %.1f s", err_text(err),
			   (double)pause / 1000);
	pause_host(tries->host, pause);
	return true;
}

/* ---- requests ---- */

static bool is_insecure(const struct client *client, const struct place *place)
{
	if (client->opts.tls_verify == TLS_VERIFY_CONFIGURED)
		return place->insecure;
	return client->opts.tls_verify == TLS_VERIFY_NEVER;
}

/* The URL of the place itself, by the scheme that is known of it or tried first. */
static struct err *home_of(struct client *client, const struct place *place, struct url **ret)
{
	struct host *host = host_of(client, place->server);
	AUTO(mem) char *text = NULL;
	enum host_scheme scheme;

	pthread_mutex_lock(&host->lock);
	scheme = host->scheme;
	pthread_mutex_unlock(&host->lock);
	text = xasprintf("%s://%s/", place->plain_http || scheme == SCHEME_HTTP ? "http" : "https",
			 place->server);
	return url_parse(text, ret);
}

/* https did not work: may it be http, and was it not so before? Some plain servers answer a TLS
 * handshake in clear text, others just close. */
static bool fall_back(struct client *client, const struct place *place, const struct url *home,
		      enum http_trouble trouble)
{
	struct host *host = host_of(client, place->server);
	const char *bracket = strchr(place->server, ']');
	bool has_port = strchr(bracket ? bracket : place->server, ':');
	bool may = is_insecure(client, place) || url_is_loopback(home);

	if (!home->is_https || !may ||
	    !(trouble == HTTP_NOT_TLS || trouble == HTTP_CLOSED ||
	      (trouble == HTTP_NO_HOST && !has_port)))
		return false;
	pthread_mutex_lock(&host->lock);
	if (host->scheme == SCHEME_UNKNOWN)
		host->scheme = SCHEME_HTTP;
	may = host->scheme == SCHEME_HTTP;
	pthread_mutex_unlock(&host->lock);
	return may;
}

/* http did not work either: it may have been the handshake that broke. */
static void unsettle(struct client *client, const struct place *place)
{
	struct host *host = host_of(client, place->server);

	pthread_mutex_lock(&host->lock);
	if (host->scheme == SCHEME_HTTP)
		host->scheme = SCHEME_UNKNOWN;
	pthread_mutex_unlock(&host->lock);
}

/* https works, and stays: nobody can talk us out of it later. */
static void settle_on(struct client *client, const struct place *place, const struct url *home)
{
	struct host *host = host_of(client, place->server);

	pthread_mutex_lock(&host->lock);
	if (host->scheme == SCHEME_UNKNOWN)
		host->scheme = home->is_https ? SCHEME_HTTPS : SCHEME_HTTP;
	pthread_mutex_unlock(&host->lock);
}

static struct err *start_of(const struct client_request *request, const struct url *home,
			    struct url **ret)
{
	const struct place *place = request->place;
	AUTO(url) struct url *base = NULL;
	AUTO(mem) char *text = NULL;

	if (request->base) {
		TRY(url_parse(request->base, &base));
		TRY(url_resolve(base, request->path, ret));
		return travel_may_go(home, base, *ret);
	}
	text = xasprintf("%.*s%s%s%s%s", (int)strlen(home->text) - 1, home->text, place->api,
			 request->is_root ? "" : "/", request->is_root ? "" : place->path,
			 request->path);
	if (place->ns) {
		AUTO(mem) char *parameter = xasprintf("ns=%s", place->ns);
		char *longer = url_with_parameter(text, parameter);

		free(text);
		text = longer;
	}
	return url_parse(text, ret);
}

static bool is_accepted(const struct client_request *request, int status)
{
	if (status >= 200 && status <= 299)
		return true;
	for (const int *one = request->accept; one && *one; one++)
		if (*one == status)
			return true;
	return false;
}

/* One try, by https and if need be by http. */
static struct err *try_once(struct client *client, const struct client_request *request,
			    struct http_response **ret, enum http_trouble *ret_trouble)
{
	for (bool fell = false;; fell = true) {
		AUTO(url) struct url *home = NULL;
		AUTO(url) struct url *start = NULL;
		struct err *err;

		*ret_trouble = HTTP_FINE;
		TRY(home_of(client, request->place, &home));
		TRY(start_of(request, home, &start));
		err = travel(client, request, start, home, ret, ret_trouble);
		if (!err)
			settle_on(client, request->place, home);
		else if (fell && *ret_trouble != HTTP_FINE)
			unsettle(client, request->place);
		if (!err || !fall_back(client, request->place, home, *ret_trouble))
			return err;
		err_free(err);
	}
}

/* The first way in which a server wants to be told who asks, if it takes none that we know; else NULL.
 * Owned. */
static char *unknown_scheme(const struct http_response *response)
{
	AUTO(challenges) struct challenges list = { 0 };
	const char *line;
	size_t at = 0;

	while ((line = http_header_next(response, "WWW-Authenticate", &at)))
		err_free(challenges_read(&list, line)); /* what can be read of it counts */
	if (list.len == 0 || challenges_find(&list, "basic") || challenges_find(&list, "bearer"))
		return NULL;
	return xstrdup(list.at[0].scheme);
}

/* A refusal, with what a user can do about it. `response` may be NULL. */
static struct err *explain(struct client *client, const struct place *place,
			   const struct http_response *response, struct err *denial)
{
	AUTO(mem) char *scheme = response ? unknown_scheme(response) : NULL;
	AUTO(credential) struct credential known = { 0 };
	struct err *err;

	if (scheme)
		return err_note(
			denial,
			"%s wants to be told who asks by '%.40s'; only Basic and Bearer can be "
			"spoken here",
			place->host, scheme);
	err = client_credential(client, place, &known);
	if (err) {
		err_free(err); /* it was told when the request was made */
		return denial;
	}
	if (known.kind == CREDENTIAL_NONE)
		return err_note(denial,
				"no credentials for %s were found; if it needs some: cairn login "
				"%s",
				place->host, place->host);
	return err_note(denial, "the credentials %s were not enough", known.source);
}

static struct err *refusal(const struct client_request *request, struct http_response *response)
{
	AUTO(mem) char *said = complaint_text(response);
	struct err *err = complaint_error(request->method, response->url, response->status, said);

	if (response->status == 429 && strcmp(request->place->host, "docker.io") == 0)
		return err_note(err, "who is logged in may ask more often: cairn login docker.io");
	return err;
}

struct err *client_send(struct client *client, const struct client_request *request,
			struct http_response **ret)
{
	struct client_tries tries = {
		.client = client,
		.host = host_of(client, request->place->server),
		.name = request->place->host,
		.method = request->method,
		.once = request->once || request->content.feed,
	};

	for (;;) {
		AUTO(http_response) struct http_response *response = NULL;
		enum http_trouble trouble;
		struct err *err, *other = NULL;

		TRY(client_wait(&tries));
		err = try_once(client, request, &response, &trouble);
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
		if (!err)
			err = refusal(request, response);
		return err_kind(err) == ERR_DENIED ?
			       explain(client, request->place, response, err) :
			       err;
	}
}
