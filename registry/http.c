/*
 * registry/http.c - the real transport: libcurl on two lanes. See registry/http.h.
 *
 * Long bodies have a lane of their own: libcurl shares connections to a host or
 * does not, by what the last one there could do, and it must not be asked
 * about both kinds at once. Over TLS on loopback one HTTP/1.1 connection carries
 * about twice of what HTTP/2 does.
 */

#include "registry/http.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/cancel.h"
#include "base/err.h"
#include "base/mem.h"
#include "registry/http-private.h"
#include "registry/proxy.h"
#include "registry/url.h"

#define CONNECT_TIMEOUT 15000
#define STALL_TIMEOUT 30000
#define PER_HOST 8

struct http {
	struct http_opts opts; /* defaults filled in */
	struct trust *trust;
	struct lane *small, *bulk;
};

/* What is needed before libcurl can be asked; nothing is connected yet. */
static struct err *prepare(struct http *http, const struct http_request *request,
			   struct transfer **ret)
{
	AUTO(url) struct url *url = NULL;
	AUTO(proxy) struct proxy proxy = { 0 };
	AUTO(transfer) struct transfer *transfer = NULL;
	AUTO(mem) char *port = NULL;
	const struct curl *curl;
	struct lane *lane = request->bulk ? http->bulk : http->small;

	TRY(cancel_check());
	TRY(curl_load(&curl));
	TRY(url_parse(request->url, &url));
	port = xasprintf("%u", url->port);
	TRY(proxy_find(http->opts.paths, url->is_https ? "https" : "http", url->host, port,
		       &proxy));
	TRY(lane_start(lane, curl));
	transfer = transfer_new(curl, lane, request, STEAL(url), &proxy);
	TRY(transfer_prepare(transfer, request, http->trust, http->opts.connect_timeout));
	*ret = STEAL(transfer);
	return NULL;
}

static struct err *http_send(void *self, const struct http_request *request,
			     struct http_response **ret, enum http_trouble *ret_trouble)
{
	AUTO(transfer) struct transfer *transfer = NULL;
	struct err *err = prepare(self, request, &transfer);

	*ret_trouble = HTTP_FINE;
	if (err) {
		*ret_trouble = HTTP_BROKEN;
		if (request->content.feed) /* its writer must not wait for ever */
			feed_detach(request->content.feed);
		return err;
	}
	if (request->content.feed)
		feed_attach(request->content.feed, transfer);
	lane_want(transfer, WANT_START);
	err = transfer_wait(transfer, ret, ret_trouble);
	if (!err)
		(void)STEAL(transfer); /* the response's body has it */
	return err;
}

static void http_free(void *self)
{
	struct http *http = self;

	lane_free(http->small);
	lane_free(http->bulk);
	trust_free(http->trust);
	free(http);
}

static unsigned or_default(unsigned value, unsigned otherwise)
{
	return value ? value : otherwise;
}

struct transport http_transport_new(const struct http_opts *opts)
{
	static const struct transport_ops ops = { http_send, http_free };
	struct http *http = xcalloc(1, sizeof(*http));

	if (opts)
		http->opts = *opts;
	http->opts.connect_timeout = or_default(http->opts.connect_timeout, CONNECT_TIMEOUT);
	http->opts.stall_timeout = or_default(http->opts.stall_timeout, STALL_TIMEOUT);
	http->opts.per_host = or_default(http->opts.per_host, PER_HOST);
	http->trust = trust_new(http->opts.paths);
	http->small = lane_new(&http->opts);
	http->bulk = lane_new(&http->opts);
	return (struct transport){ &ops, http };
}

void transport_free(struct transport *transport)
{
	if (transport->ops)
		transport->ops->free(transport->self);
	*transport = (struct transport){ 0 };
}
