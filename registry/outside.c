/* registry/outside.c - see registry/outside.h. */

#include "registry/outside.h"

#include <string.h>

#include "base/err.h"
#include "registry/client-private.h"
#include "registry/complaint.h"
#include "registry/repository.h"
#include "registry/url.h"

static struct err *check_url(const struct url *url)
{
	AUTO(mem) char *shown = url_redacted(url->text);

	if (!url->is_https)
		return err_new(ERR_INVALID, "a layer is said to be at %s, which is not https",
			       shown);
	if (url_is_private(url))
		return err_new(ERR_INVALID,
			       "a layer is said to be at %s, an address inside this network",
			       shown);
	return NULL;
}

/* One request, redirects followed. */
static struct err *ask(struct client *client, const char *text, const struct strings *headers,
		       struct http_response **ret, enum http_trouble *ret_trouble)
{
	AUTO(url) struct url *url = NULL;

	*ret_trouble = HTTP_FINE;
	TRY(url_parse(text, &url));
	for (int redirects = 0; redirects <= CLIENT_REDIRECTS_MAX; redirects++) {
		AUTO(http_response) struct http_response *response = NULL;
		AUTO(url) struct url *next = NULL;
		const struct client_hop hop = { .method = HTTP_GET,
						.url = url,
						.headers = headers,
						.nearest = ADDRESS_PUBLIC,
						.bulk = true };
		const char *location;

		TRY(check_url(url));
		TRY(client_hop(client, &hop, &response, ret_trouble));
		location = http_header(response, "Location");
		if (response->status < 300 || response->status > 399 || !location) {
			*ret = STEAL(response);
			return NULL;
		}
		TRY(url_resolve(url, location, &next));
		url_free(url);
		url = STEAL(next);
	}
	return err_new(ERR_INVALID, "the URL of a layer redirects more than %d times",
		       CLIENT_REDIRECTS_MAX);
}

/* The same, tried again where that helps. */
static struct err *ask_until(struct client *client, const char *text, const struct strings *headers,
			     struct http_response **ret)
{
	AUTO(mem) char *name = outside_name(text);
	struct client_tries tries = {
		.client = client,
		.host = host_of(client, name),
		.name = name,
		.method = HTTP_GET,
	};

	for (;;) {
		AUTO(http_response) struct http_response *response = NULL;
		struct err *err, *other = NULL;
		enum http_trouble trouble;

		TRY(client_wait(&tries));
		err = ask(client, text, headers, &response, &trouble);
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

char *outside_name(const char *url)
{
	AUTO(url) struct url *parsed = NULL;
	AUTO(err) struct err *err = url_parse(url, &parsed);

	return err ? url_redacted(url) : url_authority(parsed);
}

struct err *outside_blob_get(struct client *client, const char *url, const struct descriptor *blob,
			     uint64_t offset, struct http_response **ret, uint64_t *ret_offset)
{
	AUTO(http_response) struct http_response *response = NULL;
	AUTO(strings) struct strings headers = { 0 };
	AUTO(mem) char *name = outside_name(url);

	strings_push(&headers, "User-Agent: cairn/" CAIRN_VERSION);
	if (offset)
		vec_push(&headers, xasprintf("Range: bytes=%ju-%ju", (uintmax_t)offset,
					     (uintmax_t)blob->size - 1));
	TRY(ask_until(client, url, &headers, &response));
	if (offset && response->status == 416)
		return outside_blob_get(client, url, blob, 0, ret, ret_offset);
	if (response->status != 200 && response->status != 206) {
		AUTO(mem) char *said = complaint_text(response);

		return complaint_error(HTTP_GET, response->url, response->status, said);
	}
	TRY(repository_blob_answer(name, blob, offset, response, ret_offset));
	*ret = STEAL(response);
	return NULL;
}
