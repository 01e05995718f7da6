/* builder/git_place.c - see builder/git_place.h. */

#include "builder/git_place.h"

#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/err.h"
#include "base/str.h"
#include "builder/git_url.h"

void git_place_release(struct git_place *place)
{
	strings_release(&place->addresses);
	*place = (struct git_place){ 0 };
}

/* "host" and what stands behind its colon, of "host", "host:port" and "[address]:port". */
static struct str host_of(const struct git_url *url, struct str *ret_port)
{
	struct str rest = str_of(url->authority), host;

	if (str_starts(rest, "[")) {
		rest.at++;
		rest.len--;
		host = str_cut(&rest, ']');
		(void)str_cut(&rest, ':');
	} else {
		host = str_cut(&rest, ':');
	}
	*ret_port = rest;
	return host;
}

static void add_address(const struct addrinfo *found, struct git_place *place)
{
	struct address address = address_of_socket(found->ai_addr);
	enum address_reach reach = address_reach(&address);
	char text[NI_MAXHOST];

	if (address.len == 0 || getnameinfo(found->ai_addr, found->ai_addrlen, text, sizeof(text),
					    NULL, 0, NI_NUMERICHOST) != 0)
		return;
	if (!place->is_known || reach < place->nearest)
		place->nearest = reach;
	if (!place->is_known || reach > place->farthest)
		place->farthest = reach;
	place->is_known = true;
	strings_push(&place->addresses, text);
}

/* Whether there were any. */
static bool look_up(const char *host, int flags, struct git_place *place)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = flags };
	struct addrinfo *list = NULL;

	if (getaddrinfo(host, NULL, &hints, &list) != 0)
		return false;
	for (const struct addrinfo *one = list; one; one = one->ai_next)
		add_address(one, place);
	freeaddrinfo(list);
	return place->is_known;
}

void git_place_find(const struct git_url *url, struct git_place *ret)
{
	struct str port;
	AUTO(mem) char *host = str_dup(host_of(url, &port));

	*ret = (struct git_place){ 0 };
	/* the resolver also reads "127.1" and "0x7f000001", as git's own does */
	ret->is_literal = look_up(host, AI_NUMERICHOST, ret);
	if (!ret->is_literal)
		(void)look_up(host, 0, ret);
}

static bool is_http(const struct git_url *url)
{
	return url->scheme == GIT_HTTP || url->scheme == GIT_HTTPS;
}

/* Whether somebody else looks up names for git. */
static bool is_looked_up_elsewhere(const struct git_url *url)
{
	static const char *const proxies[] = { "http_proxy",  "HTTP_PROXY", "https_proxy",
					       "HTTPS_PROXY", "all_proxy",  "ALL_PROXY" };

	for (size_t i = 0; is_http(url) && i < ARRAY_SIZE(proxies); i++)
		if (getenv(proxies[i]))
			return true;
	return url->scheme == GIT_SSH; /* its configuration has names of its own */
}

/* Whether it was said in so many words that the repository is on this machine or its link. */
static bool is_near(const struct git_url *url, const struct git_place *place)
{
	struct str port, host = host_of(url, &port);

	return str_is(host, "localhost") || str_ends(host, ".localhost") ||
	       (place->is_literal && place->farthest == ADDRESS_NEAR);
}

struct err *git_place_check(const struct git_url *top, const struct git_place *top_place,
			    const struct git_url *url, const struct git_place *place)
{
	bool is_outside = !top_place->is_known || top_place->farthest == ADDRESS_PUBLIC;

	if (url->scheme == top->scheme && strcmp(url->authority, top->authority) == 0)
		return NULL;
	if (is_near(top, top_place))
		return NULL;
	if (!place->is_known && !is_looked_up_elsewhere(url))
		return err_new(ERR_NETWORK, "the host %s has no address", url->authority);
	if (place->is_known && place->nearest == ADDRESS_NEAR)
		return err_new(ERR_INVALID,
			       "%s leads to this machine or its link, by %s: what comes from there "
			       "may not be had by way of another host",
			       top->authority, url->remote);
	if (place->is_literal && is_outside && place->nearest < ADDRESS_PUBLIC)
		return err_new(ERR_INVALID, "%s leads to an address inside this network: %s",
			       top->authority, url->remote);
	return NULL;
}

char *git_place_pin(const struct git_url *url, const struct git_place *place)
{
	AUTO(buf) struct buf pin = BUF_INIT((size_t)64 * 1024);
	struct str port, host = host_of(url, &port);

	if (!is_http(url) || place->is_literal || !place->is_known)
		return NULL;
	buf_addf(&pin, "%.*s:", STR_ARG(host));
	if (port.len)
		buf_addf(&pin, "%.*s", STR_ARG(port));
	else
		buf_addf(&pin, "%d", url->scheme == GIT_HTTPS ? 443 : 80);
	for (size_t i = 0; i < place->addresses.len; i++)
		buf_addf(&pin, "%s%s", i ? "," : ":", place->addresses.at[i]);
	return str_dup(buf_str(&pin));
}
